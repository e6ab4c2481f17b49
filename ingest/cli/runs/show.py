"""`perflog show RUN`: shows one run and its stages."""

from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from ingest.cli.console import console
from ingest.cli.options import with_options
from ingest.cli.runs.run_choice import chosen, no_such_run
from ingest.cli.runs.runs_json import whole_row
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
@click.option("--facility", "facilities", multiple=True, help="Of this facility, if several have a run with this id.")
@click.option("--source", "sources", multiple=True, help="Read by this source, likewise.")
@click.option("--waterfall/--no-waterfall", default=None, help="Draw it too.  [default: on a terminal]")
@click.option("--unfold", is_flag=True, help="Draw each of many stages, not only the longest.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@with_options(ShowOptions)
def command(settings_path: Path | None, options: ShowOptions) -> None:
    """Show the run RUN: each stage, how long it took and how certain that is, what closed it, its emission lag.

    Exit code 66 if there is no such run.
    """
    settings = load_settings(settings_path)
    wanted = RunQuery(facilities=options.facilities, sources=options.sources, runs=(options.run,))
    with open_runs(settings.elasticsearch) as stored:
        found, uses = stored_run(stored, wanted, options.instance)
    if options.as_json:
        click.echo(orjson.dumps(whole_row(found, uses)))
        return
    screen = console()
    show_run(found, uses, screen)
    if options.waterfall or (options.waterfall is None and screen.is_terminal):
        screen.print()
        show_waterfall(found, screen, options.unfold)


def stored_run(stored: RunIndex, wanted: RunQuery, instance: int | None) -> tuple[StoredRun, int]:
    """Return the wanted run with its stages, and the number of uses of its id; `Problem` (64, 66) if not found."""
    uses = stored.newest(wanted, MOST)
    if not uses:
        raise no_such_run(wanted.runs[0], stored.near(wanted.runs[0], wanted))
    one = chosen(uses, instance)
    (found,) = with_stages([one], stored.stages_of([one]))
    return found, len(uses)
