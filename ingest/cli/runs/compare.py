"""`perflog compare RUN RUN`: two runs, stage by stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.options import with_options
from ingest.cli.runs.compare_text import comparison_to_json, show_comparison
from ingest.cli.runs.files import ReadingOptions, derive_runs, find_first_given, read_files, reading_options
from ingest.cli.runs.run_choice import choose_use, no_such_run
from ingest.cli.runs.show import load_run
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.analysis.compare import compared
from ingest.core.model import ExitCode, Problem
from ingest.core.runs.stored import StoredRun
from ingest.edge.elasticsearch.runs import RunQuery, open_runs

IN_FILES = "`perflog analyze` lists the runs in these files."


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
              help="Read the runs from this file (`-`: standard input), not Elasticsearch; repeatable.")  # fmt: skip
@click.option("--instance", type=click.IntRange(1), help="Which use of the FIRST id, from 1.  [default: the newest]")
@click.option("--second-instance", type=click.IntRange(1), help="Which use of the SECOND id, in the same way.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@reading_options
@with_options(CompareOptions)
def command(settings_path: Path | None, options: CompareOptions) -> None:
    """Compare the run SECOND with the run FIRST: what each stage took, the difference in seconds and percent.

    Stages are aligned by family, product and variant, repeats in their order. Each number shows its kind, and so does a
    difference: that of two upper bounds is no bound. Without --file, --facility, --source and --workflow select the
    runs. Exit code 66 if there is no such run.
    """
    settings = load_settings(settings_path)
    _demand_file(options)
    pair = _read_pair(settings, options) if options.files else _load_pair(settings, options)
    comparison = compared(*pair)
    if options.as_json:
        echo_json(comparison_to_json(comparison))
    else:
        show_comparison(comparison, open_console())


def _demand_file(options: CompareOptions) -> None:
    option = find_first_given(options, ("intake_name", "zone", "wrapper", "prefix", "grammars"))
    if option and not options.files:
        problem = f"{option} says how a file is read, but no file is given."
        raise Problem(problem, "Name a file with --file, or leave out the option.", ExitCode.USAGE)


def _read_pair(settings: Settings, options: CompareOptions) -> Iterator[StoredRun]:
    all_runs = derive_runs(read_files(settings, options.files, options))
    for run, instance in options.uses:
        uses = [candidate for candidate in all_runs if candidate.run == run]
        if not uses:
            raise no_such_run(run, {candidate.run for candidate in all_runs}, IN_FILES)
        yield choose_use(uses, instance)


def _load_pair(settings: Settings, options: CompareOptions) -> Iterator[StoredRun]:
    filters = (options.facility, options.source_name, options.workflow)
    facilities, sources, workflows = ((name,) if name else () for name in filters)
    with open_runs(settings.elasticsearch) as run_index:
        for run, instance in options.uses:
            query = RunQuery(facilities=facilities, sources=sources, workflows=workflows, runs=(run,))
            yield load_run(run_index, query, instance)[0]
