"""Text output of `perflog alerts`: words and tables only."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, visible
from ingest.cli.format import bounded, minute, number, plural
from ingest.core.alerts.incidents import Incident
from ingest.core.alerts.slow_stage import INSUFFICIENT, NOTHING, OK, SLOW, Verdict
from ingest.pipeline.alerts.evaluate import AlertsReport, RuleResult

_ORDER = (SLOW, OK, INSUFFICIENT, NOTHING)
_STYLES = {SLOW: "bold red", INSUFFICIENT: "yellow", "firing": "bold red"}


def show_evaluation(report: AlertsReport, each_stage: bool, screen: Console) -> None:
    """Print how many stages got which verdict, with --stages each stage; and the notices that were sent."""
    if not report.evaluated:
        screen.print("No run is stored: there is nothing to judge.")
        return
    for result in report.evaluated:
        _summary(result, screen)
        if each_stage and result.verdicts:
            screen.print(_table(result.verdicts))
    screen.print()
    for notice in report.told:
        screen.print(Text.assemble((f"{notice.what}: ", "bold"), visible(notice.text)), soft_wrap=True)
    if not report.told:
        screen.print("Nothing new to tell.")
    if report.overtaken:
        screen.print(f"{report.overtaken:,} incidents were written by another process meanwhile: its version is kept.")


def _summary(result: RuleResult, screen: Console) -> None:
    span = f"{minute(result.span.since_ms)} to {minute(result.span.now_ms)} UTC"
    head = f"{result.rule.id} {result.rule.title}, {result.facility}"
    screen.print(Text.assemble((head, "bold"), f": {len(result.verdicts):,} stages from {span}"), soft_wrap=True)
    counts = result.counts
    lines = [(f"{counts[name]:,} {_words(name, result)}", _STYLES.get(name, "")) for name in _ORDER if counts[name]]
    firing = sum(incident.state == "firing" for incident in result.incidents)
    lines.append((f"{plural(firing, 'incident')} firing", _STYLES["firing"] if firing else ""))
    for words, style in lines:
        screen.print(Text(f"  {words}", style=style), soft_wrap=True)


def _words(verdict: str, found: RuleResult) -> str:
    base = found.rule.baseline
    few = f"insufficient: fewer than {base.least} like it within {base.days:g} days before"
    return {INSUFFICIENT: few, NOTHING: "not closed, or by nothing that counts: not compared"}.get(verdict, verdict)


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = plain_table()
    table.add_column("verdict", no_wrap=True)
    table.add_column("start (UTC)", no_wrap=True)
    table.add_column("stage", overflow="fold")
    for head in ("s", "slow >", "median", "n"):
        table.add_column(head, justify="right", no_wrap=True)
    for judged in sorted(verdicts, key=lambda verdict: (_ORDER.index(verdict.verdict), verdict.stage.start_ms)):
        stage, usual = judged.stage, judged.baseline
        limit, median = number(judged.threshold and judged.threshold.seconds), number(usual and usual.median_s)
        took = bounded(stage.kind, stage.duration_s)
        verdict = Text(judged.verdict, style=_STYLES.get(judged.verdict, ""))
        table.add_row(verdict, minute(stage.start_ms), Text(visible(stage.name)), took, limit, median, f"{judged.n}")
    return table


def show_incidents(found: Sequence[tuple[Incident, str]], matching: int, screen: Console) -> None:
    """Print two parts per incident: its state, and its message."""
    if not found:
        screen.print("There is no such incident.")
        return
    for incident, text in found:
        state = incident.state if not incident.closed_by else f"{incident.state} ({incident.closed_by})"
        end = "" if incident.closed_ms is None else f" to {minute(incident.closed_ms)}"
        style = _STYLES.get(incident.state, "")
        when = f"{minute(incident.first.start_ms)}{end} UTC"
        screen.print(Text.assemble((state, style), f"  {when}  {visible(incident.first.stage)}"), soft_wrap=True)
        for line in Text(visible(text)).wrap(screen, max(screen.width - 4, 20)):
            screen.print(Text("    ") + line)
    screen.print()
    of = f" of {matching:,}" if matching > len(found) else ""
    screen.print(f"{len(found):,}{of} incident{'' if matching == 1 else 's'}.")
