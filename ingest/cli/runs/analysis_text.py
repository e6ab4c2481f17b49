"""Text output of `perflog analyze`: words and tables only; runs look as in `runs` and `show`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import NONE, format_bounded, format_count, format_minute, format_number, format_second
from ingest.cli.runs.runs_text import show_run, show_runs
from ingest.cli.runs.waterfall_text import show_waterfall
from ingest.cli.zone_faults_text import describe_zone_fault
from ingest.core.alerts.outliers import Outliers, Usual
from ingest.core.alerts.slow_stage import INSUFFICIENT, NOTHING, OK, SLOW, Verdict
from ingest.core.analysis.offline import Analysis, Counts
from ingest.core.authoring.zone_faults import ZoneFault
from ingest.core.runs.stored import StoredRun
from ingest.telemetry import make_visible

MOST_SHAPES = 5
MOST_SLOW = 10
MOST_USUAL = 40
RUN_COLUMNS = 100  # from this width on there is room for the run of the longest stage


class RunSelection(NamedTuple):
    """What to show.

    Attributes:
        runs: all runs, in the order in which they began; in_full: those shown in full.
        uses: (facility, source, run id) -> number of uses of the id.
        limit: maximum length of the list.
        unfold: draw each stage.
        named: the runs were named one by one: no list, and no table of all stages.
    """

    runs: Sequence[StoredRun]
    in_full: Sequence[StoredRun]
    uses: Mapping[tuple[str, str, str], int]
    limit: int
    unfold: bool
    named: bool


def show_analysis(analysis: Analysis, outliers: Outliers, selection: RunSelection, console: Console) -> None:
    """Print the outcomes of the lines, the runs, the slow stages, and some runs in full."""
    _print_lines(analysis.counts, console)
    _print_zone_faults(analysis.zone_faults.by_host(), console)
    if not selection.runs:
        console.print("No run: none of these lines is one of a workflow that a source knows.")
        return
    if not selection.named:
        as_of_ms = max(analysis.newest_ms.values())
        console.print(Text(f"as of {format_second(as_of_ms)} UTC, the newest instant that they tell"))
        console.print()
        newest = sorted(selection.runs, key=lambda run: -run.start_ms)
        show_runs(newest[: selection.limit], len(newest), len(newest), console)
    _print_outliers(outliers, selection.named, console)
    slow = {verdict.stage.id for verdict in outliers.slow}
    for run in selection.in_full:
        console.print()
        if len(selection.in_full) < len(selection.runs):
            why = "the run with the slowest stage" if outliers.slow else "the longest run"
            console.print(Text(f"Of {len(selection.runs):,} runs {why}; --run shows others.", style="dim"))
        show_run(run, selection.uses[run.facility, run.source, run.run], console)
        console.print()
        show_waterfall(run, console, selection.unfold, slow)


def _print_lines(counts: Counts, console: Console) -> None:
    """Print how many lines were read, rejected by shape and ignored by shape: no line is left out silently."""
    rejected = sum(reject.lines for reject in counts.rejected.values())
    summary = (
        f"{counts.lines:,} lines: {counts.read:,} of runs, {rejected:,} refused, {counts.ignored.total():,} ignored"
    )
    console.print(Text(summary, style="bold"))
    worst = sorted(counts.rejected.items(), key=lambda item: -item[1].lines)
    for shape, reject in worst[:MOST_SHAPES]:
        where = f"first {make_visible(reject.path)}:{reject.number}"
        console.print(
            Text(f"  {reject.lines:,} refused ({reject.reason}), {make_visible(shape)}; {where}", style="yellow")
        )
    if len(worst) > MOST_SHAPES:
        rest = sum(reject.lines for _, reject in worst[MOST_SHAPES:])
        console.print(Text(f"  {rest:,} refused in {len(worst) - MOST_SHAPES:,} other ways", style="yellow"))
    if worst:
        console.print("  `perflog explain` says why a line is refused.")
    if counts.ignored:
        shapes = ", ".join(f"{shape} {lines:,}" for shape, lines in counts.ignored.most_common(MOST_SHAPES))
        console.print(Text(f"  ignored, since they are none of ours: {make_visible(shapes)}"))


def _print_zone_faults(faults: Sequence[ZoneFault], console: Console) -> None:
    for fault in faults:
        console.print(Text.assemble(("zone fault", "bold yellow"), f"  {describe_zone_fault(fault)}"))
    if faults:
        console.print(
            "  Lags of such lines are left out of all that follows; `timedatectl` on the host shows its zone."
        )


def _print_outliers(outliers: Outliers, named: bool, console: Console) -> None:
    """Print the number of each verdict, the slowest stages, and usual durations if there are enough stages."""
    stages = outliers.counts.total()
    if not stages:
        return
    base = outliers.rule.baseline
    words = {
        SLOW: "slow",
        OK: "ok",
        INSUFFICIENT: f"insufficient: fewer than {base.least} like it before, within {base.days:g} days",
        NOTHING: "not compared: not closed, or by nothing that counts",
    }
    counts = [f"{outliers.counts[name]:,} {text}" for name, text in words.items() if outliers.counts[name]]
    console.print()
    head = f"{format_count(stages, 'stage')}, each beside those like it before it in these files"
    console.print(Text(head, style="bold"))
    for line in counts:
        console.print(f"  {line}", style="bold red" if line.endswith("slow") else "")
    if outliers.slow:
        console.print()
        console.print(_build_slow_table(outliers.slow[:MOST_SLOW]))
        if len(outliers.slow) > MOST_SLOW:
            console.print(f"The worst {MOST_SLOW} of {len(outliers.slow):,}; --json lists all.")
    if outliers.usual and not named:
        console.print()
        console.print(_build_usual_table(outliers.usual[:MOST_USUAL], console.width >= RUN_COLUMNS))
        if len(outliers.usual) > MOST_USUAL:
            console.print(f"Those with the longest medians of {len(outliers.usual):,}; --json lists all.")


def _build_slow_table(verdicts: Sequence[Verdict]) -> Table:
    table = plain_table()
    for head in ("slow stage", "run", "start (UTC)"):
        table.add_column(head, no_wrap=head != "slow stage", overflow="fold")
    for head in ("s", "slow >", "median", "n"):
        table.add_column(head, justify="right", no_wrap=True)
    for verdict in verdicts:
        stage = verdict.stage
        limit = format_number(verdict.threshold and verdict.threshold.seconds)
        median = format_number(verdict.baseline and verdict.baseline.median_s)
        name, took = (
            Text(make_visible(stage.name)),
            Text(format_bounded(stage.kind, stage.duration_s), style="bold red"),
        )
        table.add_row(
            name, Text(make_visible(stage.run)), format_minute(stage.start_ms), took, limit, median, f"{verdict.n}"
        )
    return table


def _build_usual_table(usual_stages: Sequence[Usual], with_run: bool) -> Table:
    """Build the table of usual durations, with the run of the longest stage if there is room."""
    table = plain_table()
    table.add_column("stage", overflow="fold")
    for head in ("n", "median s", "P95", "longest", "slow"):
        table.add_column(head, justify="right", no_wrap=True)
    if with_run:
        table.add_column("longest in run", no_wrap=True)
    for usual in usual_stages:
        baseline = usual.baseline
        numbers = (format_bounded(usual.kind, baseline.median_s), format_bounded(usual.kind, baseline.p95_s))
        longest = format_bounded(usual.kind, usual.longest.duration_s)
        name, run = Text(make_visible(usual.name)), Text(make_visible(usual.longest.run))
        slow = f"{usual.slow:,}" if usual.slow else NONE
        table.add_row(name, f"{baseline.n:,}", *numbers, longest, slow, *([run] if with_run else []))
    return table
