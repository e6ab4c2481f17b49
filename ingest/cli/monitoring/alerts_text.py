"""Text output of `perflog alerts`: words and tables only."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import format_bounded, format_count, format_minute, format_number
from ingest.core.alerts.incidents import Incident
from ingest.core.alerts.slow_stage import INSUFFICIENT, NOTHING, OK, SLOW, Verdict
from ingest.pipeline.alerts.evaluate import AlertsReport, RuleResult
from ingest.telemetry import make_visible

_ORDER = (SLOW, OK, INSUFFICIENT, NOTHING)
_STYLES = {SLOW: "bold red", INSUFFICIENT: "yellow", "firing": "bold red"}


def show_evaluation(report: AlertsReport, each_stage: bool, console: Console) -> None:
    """Print the number of stages per verdict (`each_stage`: every stage too) and the notices that were sent."""
    if not report.evaluated:
        console.print("No run is stored, so there is no stage to judge.")
        return
    for result in report.evaluated:
        _print_summary(result, console)
        if each_stage and result.verdicts:
            console.print(_build_table(result.verdicts))
    console.print()
    for notice in report.notices:
        console.print(Text.assemble((f"{notice.what}: ", "bold"), make_visible(notice.text)), soft_wrap=True)
    if not report.notices:
        console.print("Nothing new to tell.")
    if report.overtaken:
        console.print(f"{report.overtaken:,} incidents were also written by another process; its version is kept.")


def _print_summary(result: RuleResult, console: Console) -> None:
    span = f"{format_minute(result.span.since_ms)} to {format_minute(result.span.now_ms)} UTC"
    head = f"{result.rule.id} {result.rule.title}, {result.facility}"
    console.print(Text.assemble((head, "bold"), f": {len(result.verdicts):,} stages from {span}"), soft_wrap=True)
    counts = result.counts
    lines = [(f"{counts[name]:,} {_describe(name, result)}", _STYLES.get(name, "")) for name in _ORDER if counts[name]]
    firing = sum(incident.state == "firing" for incident in result.incidents)
    lines.append((f"{format_count(firing, 'incident')} firing", _STYLES["firing"] if firing else ""))
    for words, style in lines:
        console.print(Text(f"  {words}", style=style), soft_wrap=True)


def _describe(verdict: str, result: RuleResult) -> str:
    base = result.rule.baseline
    too_few = f"insufficient: fewer than {base.least} like it within {base.days:g} days before"
    return {INSUFFICIENT: too_few, NOTHING: "not closed, or by nothing that counts: not compared"}.get(verdict, verdict)


def _build_table(verdicts: Sequence[Verdict]) -> Table:
    table = plain_table()
    table.add_column("verdict", no_wrap=True)
    table.add_column("start (UTC)", no_wrap=True)
    table.add_column("stage", overflow="fold")
    for head in ("s", "slow >", "median", "n"):
        table.add_column(head, justify="right", no_wrap=True)
    for verdict in sorted(verdicts, key=lambda verdict: (_ORDER.index(verdict.verdict), verdict.stage.start_ms)):
        stage = verdict.stage
        table.add_row(
            Text(verdict.verdict, style=_STYLES.get(verdict.verdict, "")),
            format_minute(stage.start_ms),
            Text(make_visible(stage.name)),
            format_bounded(stage.kind, stage.duration_s),
            format_number(verdict.threshold and verdict.threshold.seconds),
            format_number(verdict.baseline and verdict.baseline.median_s),
            f"{verdict.n}",
        )
    return table


def show_incidents(incidents: Sequence[tuple[Incident, str]], matching: int, console: Console) -> None:
    """Print two parts per incident: its state, and its message."""
    if not incidents:
        console.print("No incident matches.")
        return
    for incident, text in incidents:
        state = incident.state if not incident.closed_by else f"{incident.state} ({incident.closed_by})"
        end = "" if incident.closed_ms is None else f" to {format_minute(incident.closed_ms)}"
        style = _STYLES.get(incident.state, "")
        when = f"{format_minute(incident.first.start_ms)}{end} UTC"
        console.print(Text.assemble((state, style), f"  {when}  {make_visible(incident.first.stage)}"), soft_wrap=True)
        for line in Text(make_visible(text)).wrap(console, max(console.width - 4, 20)):
            console.print(Text("    ") + line)
    console.print()
    total = f" of {matching:,}" if matching > len(incidents) else ""
    console.print(f"{len(incidents):,}{total} incident{'' if matching == 1 else 's'}.")
