"""Text output of `perflog workflow`: words and tables only."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, visible
from ingest.cli.format import NONE, bounded, minute, number, plural
from ingest.core.analysis.script_changes import ScriptChange
from ingest.core.runs.template import AT_END, StoredTemplate, Variant
from ingest.pipeline.derive.workflow_templates import NOTHING, OVERTAKEN, RENEWED, SHOWN, STORED, UNCHANGED, Learned

_DONE = {
    STORED: "stored: the next sweep judges all settled runs by it",
    RENEWED: "stored: other numbers, the same verdicts; no run is judged again",
    UNCHANGED: "as it is stored already",
    SHOWN: "not stored (--dry-run)",
    OVERTAKEN: "not stored: another process stored one meanwhile",
    NOTHING: "nothing to learn from: no run of it is quiet or closed",
}


def show_learned(found: Sequence[Learned], screen: Console) -> None:
    """Print each template and whether it was stored."""
    for learned in found:
        if learned.found is None:
            screen.print(Text(f"{visible(learned.workflow)} of {learned.facility}"), soft_wrap=True)
        else:
            _template(learned.found, screen)
        screen.print(Text(_DONE[learned.done], style="bold"), soft_wrap=True)
        screen.print()


def show_templates(found: Sequence[StoredTemplate], screen: Console) -> None:
    """Print a line per template."""
    if not found:
        screen.print("No template is stored: `perflog workflow learn` makes them.")
        return
    table = plain_table()
    table.add_column("facility", no_wrap=True)
    table.add_column("workflow", overflow="fold")
    for head in ("version", "learned (UTC)", "runs", "variants"):
        table.add_column(head, justify="left" if head == "learned (UTC)" else "right", no_wrap=True)
    table.add_column("declared", no_wrap=True)
    for stored in found:
        template = stored.template
        counts = (f"{template.runs:,}", f"{len(template.variants):,}")
        identity = (stored.facility, visible(stored.workflow), f"{stored.version}", minute(stored.learned_ms))
        table.add_row(*(Text(cell) for cell in (*identity, *counts, "yes" if template.declared else "no")))
    screen.print(table)


def show_whole(found: Sequence[tuple[StoredTemplate, Sequence[ScriptChange]]], screen: Console) -> None:
    """Print each template and the edits of its scripts."""
    for template, changes in found:
        _template(template, screen)
        _edits(changes, screen)
        screen.print()


def _template(stored: StoredTemplate, screen: Console) -> None:
    template = stored.template
    name = f"{visible(stored.workflow)} of {stored.facility}"
    span = ""
    if template.first_ms is not None and template.last_ms is not None:
        span = f" ({minute(template.first_ms)} to {minute(template.last_ms)} UTC)"
    declared = ", declared in the settings" if template.declared else ""
    screen.print(
        Text.assemble((name, "bold"), f": template {stored.version}, from {template.runs:,} runs{span}{declared}"),
        soft_wrap=True,
    )
    for variant in template.variants:
        screen.print()
        screen.print(Text(_words(variant)), soft_wrap=True)
        screen.print(_stages(variant))
    screen.print()


def _words(variant: Variant) -> str:
    heads = {True: "begins with queue and dispatch", False: "has no head", None: "head not known"}
    tail = variant.tail
    if tail is None:
        end = "tail not known: fewer than 5 whole runs, or they end differently"
    elif not tail.stage:
        end = "ends with the run's own end"
    else:
        end = f"ends with the {'END' if tail.by == AT_END else 'START'} of {visible(tail.stage)}"
    loose = " (runs that are like no other)" if variant.loose else ""
    runs = f"{plural(variant.runs, 'run')}, {variant.whole:,} of them whole"
    return f"variant {variant.number}{loose}: {runs}; {heads[variant.head]}; {end}"


def _stages(variant: Variant) -> Table:
    table = plain_table()
    table.add_column("  stage", overflow="fold")
    for head in ("seen", "usual s", "P95 s", "of"):
        table.add_column(head, justify="right", no_wrap=True)
    for stage in variant.stages:
        name = visible(stage.name) + ("" if stage.usual else " (not always)")
        seen = f"{stage.seen_pct} %" if variant.runs else NONE
        cells = (f"  {name}", seen, bounded(stage.kind, stage.median_s), number(stage.p95_s), f"{stage.n:,}")
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _edits(changes: Sequence[ScriptChange], screen: Console) -> None:
    if not changes:
        screen.print("No script was edited in that time, as far as line numbers tell.")
        return
    screen.print("Scripts that were edited, as line numbers tell:")
    table = plain_table()
    for head in ("  between (UTC)", "and", "script"):
        table.add_column(head, no_wrap=head != "script", overflow="fold" if head == "script" else "ellipsis")
    table.add_column("line", no_wrap=True)
    table.add_column("moved", justify="right", no_wrap=True)
    for change in changes:
        lines = f"{change.before} → {change.after}"
        cells = (
            f"  {minute(change.since_ms)}",
            minute(change.at_ms),
            visible(change.script),
            lines,
            f"{change.moved:,}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    screen.print(table)
