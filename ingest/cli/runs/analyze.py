"""`perflog analyze FILE...`: the results of `perflog runs` and `perflog show` for files, without servers."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingest.cli.console import encode_json, open_console
from ingest.cli.options import with_options
from ingest.cli.runs.analysis_json import head_to_json
from ingest.cli.runs.analysis_text import RunSelection, show_analysis
from ingest.cli.runs.files import ReadingOptions, derive_runs, read_files, reading_options, spinner
from ingest.cli.runs.run_choice import choose_use, no_such_run
from ingest.cli.runs.runs_csv import write_csv
from ingest.cli.runs.runs_json import whole_run_to_json
from ingest.config.load import load_settings
from ingest.config.paths import RULES_FILE, data_folder
from ingest.core.alerts.outliers import Outliers, excess_s, outliers
from ingest.core.alerts.rules import SLOW_STAGE
from ingest.core.runs.stored import StoredRun
from ingest.pipeline.alerts.evaluate import load_rules

FEW = 3  # up to so many runs are all shown in full
IN_FILES = "Without --run, all runs in these files are listed."


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeOptions(ReadingOptions):
    """The files of `perflog analyze`, the runs that are shown, and in which form."""

    files: tuple[Path, ...]
    ids: tuple[str, ...]
    instance: int | None
    limit: int
    unfold: bool
    as_json: bool
    as_csv: bool


@click.command("analyze")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--run", "ids", multiple=True, help="Only this run id, shown in full; repeatable.")
@click.option("--instance", type=click.IntRange(1), help="Which use of the run id, from 1.  [default: all]")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="List at most this many runs.")
@click.option("--unfold", is_flag=True, help="Draw every stage, not only the longest ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead: each run as in `perflog show --json`.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead: key figures, one row per run.")
@reading_options
@with_options(AnalyzeOptions)
def command(settings_path: Path | None, options: AnalyzeOptions) -> None:
    """Report how long each stage in FILES (`-`: standard input) took: runs, waits, outliers, a waterfall. No servers.

    The numbers equal those of `perflog runs` and `perflog show` after the files went through Kafka and a sweep: the
    same code derives them. If there are many runs, the one with the slowest stage, or else the longest, is shown in
    full.
    """
    settings = load_settings(settings_path)
    rules = load_rules(data_folder("dashboards") / RULES_FILE)
    analysis = read_files(settings, options.files, options)
    all_runs = derive_runs(analysis)
    selected = _select(all_runs, options.ids, options.instance)
    if options.as_csv:
        write_csv(selected, analysis.printed)
        return
    with spinner("judging stages"):
        stage_outliers = outliers(next(rule for rule in rules if rule.form == SLOW_STAGE), all_runs)
    uses = _count_uses(all_runs)
    if options.as_json:
        _write_json(head_to_json([str(file) for file in options.files], analysis, stage_outliers), selected, uses)
        return
    in_full = selected if options.ids or len(selected) <= FEW else [_choose_example(selected, stage_outliers)]
    selection = RunSelection(selected, in_full, uses, options.limit, options.unfold, bool(options.ids))
    show_analysis(analysis, stage_outliers, selection, open_console())


def _select(runs: list[StoredRun], ids: Sequence[str], instance: int | None) -> list[StoredRun]:
    """Return the runs with these ids, or all; `Problem` (64, 66) if one does not exist."""
    if not ids:
        return runs
    selected = []
    for run in ids:
        uses = [candidate for candidate in runs if candidate.run == run]
        if not uses:
            raise no_such_run(run, {candidate.run for candidate in runs}, IN_FILES)
        selected += [choose_use(uses, instance)] if instance else uses
    return selected


def _count_uses(runs: Iterable[StoredRun]) -> dict[tuple[str, str, str], int]:
    """Count the uses of each run id."""
    uses: dict[tuple[str, str, str], int] = {}
    for run in runs:
        key = (run.facility, run.source, run.run)
        uses[key] = uses.get(key, 0) + 1
    return uses


def _choose_example(runs: Sequence[StoredRun], stage_outliers: Outliers) -> StoredRun:
    """Return the run with the stage that exceeds its threshold most, or the longest run if no stage is slow."""
    if stage_outliers.slow:
        worst = max(stage_outliers.slow, key=excess_s).stage.uid
        return next(run for run in runs if run.uid == worst)
    return max(runs, key=lambda run: run.total_s)


def _write_json(head: dict[str, Any], runs: Iterable[StoredRun], uses: Mapping[tuple[str, str, str], int]) -> None:
    """Write one object, run by run, so that it is never in memory as a whole."""
    out = sys.stdout.buffer
    out.write(encode_json(head)[:-1] + b',"runs":[')
    for n, run in enumerate(runs):
        out.write(
            (b",\n" if n else b"\n") + encode_json(whole_run_to_json(run, uses[run.facility, run.source, run.run]))
        )
    out.write(b"\n]}\n")
    out.flush()
