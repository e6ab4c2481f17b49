"""`perflog compare RUN RUN`: two runs, stage by stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from ingest.cli.console import console
from ingest.cli.options import with_options
from ingest.cli.runs.compare_text import comparison_row, show_comparison
from ingest.cli.runs.files import ReadingOptions, derived_runs, first_given, read_files, reading_options
from ingest.cli.runs.run_choice import chosen, no_such_run
from ingest.cli.runs.show import stored_run
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.analysis.compare import compared
from ingest.core.model import ExitCode, Problem
from ingest.core.runs.stored import StoredRun
from ingest.edge.elasticsearch.runs import RunQuery, open_runs

IN_FILES = "`perflog analyze` lists those there are."


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions(ReadingOptions):
    """The two runs of `perflog compare`, and the files that hold them (none: Elasticsearch does)."""

    first: str
    second: str
    files: tuple[Path, ...]
    instance: int | None
    second_instance: int | None
    as_json: bool

    @property
    def uses(self) -> tuple[tuple[str, int | None], ...]:
        """The id of each run and which use of it; None: the newest."""
        return (self.first, self.instance), (self.second, self.second_instance)


@click.command("compare")
@click.argument("first")
@click.argument("second")
@click.option("--file", "files", multiple=True, type=click.Path(path_type=Path, allow_dash=True),
              help="Read the runs from this file (`-`: standard input), not Elasticsearch; several times.")  # fmt: skip
@click.option("--instance", type=click.IntRange(1), help="Which use of the FIRST id, from 1.  [default: the newest]")
@click.option("--second-instance", type=click.IntRange(1), help="Which use of the SECOND id, likewise.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@reading_options
@with_options(CompareOptions)
def command(settings_path: Path | None, options: CompareOptions) -> None:
    """Compare the run SECOND with the run FIRST: what each stage took, the difference in seconds and percent.

    Stages are aligned by family, product and variant, repeats in their order. Each number shows its kind, and so does a
    difference: that of two upper bounds bounds nothing. Without --file, --facility, --source and --workflow select the
    runs. Exit code 66 if there is no such run.
    """
    settings = load_settings(settings_path)
    _demand_file(options)
    pair = _of_files(settings, options) if options.files else _stored(settings, options)
    comparison = compared(*pair)
    if options.as_json:
        click.echo(orjson.dumps(comparison_row(comparison)))
    else:
        show_comparison(comparison, console())


def _demand_file(options: CompareOptions) -> None:
    given = first_given(options, ("intake_name", "zone", "wrapper", "grammars"))
    if given and not options.files:
        what = f"{given} says how a file is read, and there is none."
        raise Problem(what, "Name it with --file, or leave the option out.", ExitCode.USAGE)


def _of_files(settings: Settings, options: CompareOptions) -> Iterator[StoredRun]:
    everything = derived_runs(read_files(settings, options.files, options))
    for run, instance in options.uses:
        uses = [candidate for candidate in everything if candidate.run == run]
        if not uses:
            raise no_such_run(run, {candidate.run for candidate in everything}, IN_FILES)
        yield chosen(uses, instance)


def _stored(settings: Settings, options: CompareOptions) -> Iterator[StoredRun]:
    given = (options.facility, options.source_name, options.workflow)
    facilities, sources, workflows = ((name,) if name else () for name in given)
    with open_runs(settings.elasticsearch) as stored:
        for run, instance in options.uses:
            meant = RunQuery(facilities=facilities, sources=sources, workflows=workflows, runs=(run,))
            yield stored_run(stored, meant, instance)[0]
