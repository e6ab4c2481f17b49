"""`perflog show RUN`: shows one run and its stages."""

from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.options import with_options
from ingest.cli.runs.run_choice import choose_use, no_such_run
from ingest.cli.runs.runs_json import whole_run_to_json
from ingest.cli.runs.runs_text import show_run
from ingest.cli.runs.waterfall_text import show_waterfall
from ingest.config.load import load_settings
from ingest.core.runs.stored import StoredRun, with_stages
from ingest.edge.elasticsearch.query import MOST
from ingest.edge.elasticsearch.runs import RunIndex, RunQuery, open_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """The run that `perflog show` shows, and in which form; `waterfall` None: draw it on a terminal only."""

    run: str
    instance: int | None
    facilities: tuple[str, ...]
    sources: tuple[str, ...]
    waterfall: bool | None
    unfold: bool
    as_json: bool


@click.command("show")
@click.argument("run")
@click.option("--instance", type=click.IntRange(1), help="Which use of the run id, from 1.  [default: the newest]")
@click.option(
    "--facility", "facilities", multiple=True, help="The run of this facility, if several have a run with this id."
)
@click.option(
    "--source", "sources", multiple=True, help="The run that this source read, if several have a run with this id."
)
@click.option(
    "--waterfall/--no-waterfall", default=None, help="Draw the run as a waterfall too.  [default: on a terminal]"
)
@click.option("--unfold", is_flag=True, help="Draw every stage, not only the longest ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@with_options(ShowOptions)
def command(settings_path: Path | None, options: ShowOptions) -> None:
    """Show the run RUN: each stage, how long it took and how certain that is, what closed it, its emission lag.

    Exit code 66 if there is no such run.
    """
    settings = load_settings(settings_path)
    query = RunQuery(facilities=options.facilities, sources=options.sources, runs=(options.run,))
    with open_runs(settings.elasticsearch) as run_index:
        run, uses = load_run(run_index, query, options.instance)
    if options.as_json:
        echo_json(whole_run_to_json(run, uses))
        return
    console = open_console()
    show_run(run, uses, console)
    if options.waterfall or (options.waterfall is None and console.is_terminal):
        console.print()
        show_waterfall(run, console, options.unfold)


def load_run(run_index: RunIndex, query: RunQuery, instance: int | None) -> tuple[StoredRun, int]:
    """Return the matching run with its stages, and the number of uses of its id; `Problem` (64, 66) if not found."""
    uses = run_index.newest(query, MOST)
    if not uses:
        raise no_such_run(query.runs[0], run_index.similar_ids(query.runs[0], query))
    use = choose_use(uses, instance)
    (run,) = with_stages([use], run_index.stages_of([use]))
    return run, len(uses)
