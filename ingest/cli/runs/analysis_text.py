"""Text output of `perflog analyze`: words and tables only; runs look as in `runs` and `show`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, visible
from ingest.cli.format import NONE, bounded, moment, second
from ingest.cli.runs.runs_text import show_run, show_runs
from ingest.cli.runs.waterfall_text import show_waterfall
from ingest.cli.zone_faults_text import zone_fault_words
from ingest.core.alerts.outliers import Outliers, Usual
from ingest.core.alerts.slow_stage import INSUFFICIENT, NOTHING, OK, SLOW, Verdict
from ingest.core.analysis.offline import Analysis, Counts
from ingest.core.authoring.zone_faults import ZoneFault
from ingest.core.runs.stored import StoredRun

MOST_SHAPES = 5
MOST_SLOW = 10
MOST_USUAL = 40
RUN_COLUMNS = 100  # from this width on there is room for the run of the longest stage


class Shown(NamedTuple):
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


def show_analysis(analysis: Analysis, judged: Outliers, shown: Shown, screen: Console) -> None:
    """Print the outcomes of the lines, the runs, the slow stages, and some runs in full."""
    _lines(analysis.counts, screen)
    _zone_faults(analysis.zone_faults.by_host(), screen)
    if not shown.runs:
        screen.print("No run: none of these lines is one of a workflow that a source knows.")
        return
    if not shown.named:
        as_of_ms = max(analysis.newest_ms.values())
        screen.print(Text(f"as of {second(as_of_ms)} UTC, the newest instant that they tell"))
        screen.print()
        newest = sorted(shown.runs, key=lambda run: -run.start_ms)
        show_runs(newest[: shown.limit], len(newest), len(newest), screen)
    _outliers(judged, shown.named, screen)
    slow = {verdict.stage.id for verdict in judged.slow}
    for run in shown.in_full:
        screen.print()
        if len(shown.in_full) < len(shown.runs):
            why = "the run with the slowest stage" if judged.slow else "the longest run"
            screen.print(Text(f"Of {len(shown.runs):,} runs {why}; --run shows others.", style="dim"))
        show_run(run, shown.uses[run.facility, run.source, run.run], screen)
        screen.print()
        show_waterfall(run, screen, shown.unfold, slow)


def _lines(counts: Counts, screen: Console) -> None:
    """Print how many lines were read, rejected by shape and ignored by shape: no line is left out silently."""
    rejected = sum(refused.lines for refused in counts.rejected.values())
    summary = (
        f"{counts.lines:,} lines: {counts.read:,} of runs, {rejected:,} refused, {counts.ignored.total():,} ignored"
    )
    screen.print(Text(summary, style="bold"))
    worst = sorted(counts.rejected.items(), key=lambda item: -item[1].lines)
    for name, refused in worst[:MOST_SHAPES]:
        where = f"first {visible(refused.path)}:{refused.number}"
        screen.print(Text(f"  {refused.lines:,} refused ({refused.reason}), {visible(name)}; {where}", style="yellow"))
    if len(worst) > MOST_SHAPES:
        rest = sum(refused.lines for _, refused in worst[MOST_SHAPES:])
        screen.print(Text(f"  {rest:,} refused in {len(worst) - MOST_SHAPES:,} other ways", style="yellow"))
    if worst:
        screen.print("  `perflog explain` says why a line is refused.")
    if counts.ignored:
        shapes = ", ".join(f"{name} {lines:,}" for name, lines in counts.ignored.most_common(MOST_SHAPES))
        screen.print(Text(f"  ignored, since they are none of ours: {visible(shapes)}"))


def _zone_faults(faults: Sequence[ZoneFault], screen: Console) -> None:
    for fault in faults:
        screen.print(Text.assemble(("zone fault", "bold yellow"), f"  {zone_fault_words(fault)}"))
    if faults:
        screen.print("  Lags of such lines are left out of all that follows; `timedatectl` on the host says its zone.")


def _outliers(judged: Outliers, named: bool, screen: Console) -> None:
    """Print the number of each verdict, the slowest stages, and usual durations if there are enough stages."""
    stages = judged.counts.total()
    if not stages:
        return
    base = judged.rule.baseline
    words = {
        SLOW: "slow",
        OK: "ok",
        INSUFFICIENT: f"insufficient: fewer than {base.least} like it before, within {base.days:g} days",
        NOTHING: "not compared: not closed, or by nothing that counts",
    }
    counts = [f"{judged.counts[name]:,} {text}" for name, text in words.items() if judged.counts[name]]
    screen.print()
    head = f"{stages:,} stage{'' if stages == 1 else 's'}, each beside those like it before it in these files"
    screen.print(Text(head, style="bold"))
    for words_of_one in counts:
        screen.print(f"  {words_of_one}", style="bold red" if words_of_one.endswith("slow") else "")
    if judged.slow:
        screen.print()
        screen.print(_slow(judged.slow[:MOST_SLOW]))
        if len(judged.slow) > MOST_SLOW:
            screen.print(f"The worst {MOST_SLOW} of {len(judged.slow):,}; --json tells all.")
    if judged.usual and not named:
        screen.print()
        screen.print(_usual(judged.usual[:MOST_USUAL], screen.width >= RUN_COLUMNS))
        if len(judged.usual) > MOST_USUAL:
            screen.print(f"Those with the longest medians of {len(judged.usual):,}; --json tells all.")


def _slow(verdicts: Sequence[Verdict]) -> Table:
    table = plain_table()
    for head in ("slow stage", "run", "start (UTC)"):
        table.add_column(head, no_wrap=head != "slow stage", overflow="fold")
    for head in ("s", "slow >", "median", "n"):
        table.add_column(head, justify="right", no_wrap=True)
    for verdict in verdicts:
        stage = verdict.stage
        limit = NONE if verdict.threshold is None else f"{verdict.threshold.seconds:,.0f}"
        middle = NONE if verdict.baseline is None else f"{verdict.baseline.median_s:,.0f}"
        name, took = Text(visible(stage.name)), Text(bounded(stage.kind, stage.duration_s), style="bold red")
        table.add_row(name, Text(visible(stage.run)), moment(stage.start_ms), took, limit, middle, f"{verdict.n}")
    return table


def _usual(usual_stages: Sequence[Usual], with_run: bool) -> Table:
    """Build the table of usual durations, with the run of the longest stage if there is room."""
    table = plain_table()
    table.add_column("stage", overflow="fold")
    for head in ("n", "median s", "P95", "longest", "slow"):
        table.add_column(head, justify="right", no_wrap=True)
    if with_run:
        table.add_column("longest in run", no_wrap=True)
    for usual in usual_stages:
        baseline = usual.baseline
        numbers = (bounded(usual.kind, baseline.median_s), bounded(usual.kind, baseline.p95_s))
        longest = bounded(usual.kind, usual.longest.duration_s)
        name, run = Text(visible(usual.name)), Text(visible(usual.longest.run))
        slow = f"{usual.slow:,}" if usual.slow else NONE
        table.add_row(name, f"{baseline.n:,}", *numbers, longest, slow, *([run] if with_run else []))
    return table
