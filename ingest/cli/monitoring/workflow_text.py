"""Text output of `perflog workflow`: words and tables only."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import NONE, format_bounded, format_count, format_minute, format_number
from ingest.core.analysis.script_changes import ScriptChange
from ingest.core.runs.template import AT_END, StoredTemplate, Variant
from ingest.pipeline.derive.workflow_templates import NOTHING, OVERTAKEN, RENEWED, SHOWN, STORED, UNCHANGED, Learned
from ingest.telemetry import make_visible

_DONE = {
    STORED: "stored: the next sweep compares all settled runs with it",
    RENEWED: "stored: only its numbers changed, so no run is judged again",
    UNCHANGED: "unchanged: this template is stored already",
    SHOWN: "not stored (--dry-run)",
    OVERTAKEN: "not stored: another process has just stored one",
    NOTHING: "nothing to learn from: no run of it is quiet or closed",
}


def show_learned(results: Sequence[Learned], console: Console) -> None:
    """Print each template and whether it was stored."""
    for result in results:
        if result.template is None:
            console.print(Text(f"{make_visible(result.workflow)} of {result.facility}"), soft_wrap=True)
        else:
            _print_template(result.template, console)
        console.print(Text(_DONE[result.done], style="bold"), soft_wrap=True)
        console.print()


def show_templates(templates: Sequence[StoredTemplate], console: Console) -> None:
    """Print a line per template."""
    if not templates:
        console.print("No template is stored yet: `perflog workflow learn` learns them.")
        return
    table = plain_table()
    table.add_column("facility", no_wrap=True)
    table.add_column("workflow", overflow="fold")
    for head in ("version", "learned (UTC)", "runs", "variants"):
        table.add_column(head, justify="left" if head == "learned (UTC)" else "right", no_wrap=True)
    table.add_column("declared", no_wrap=True)
    for stored in templates:
        template = stored.template
        counts = (f"{template.runs:,}", f"{len(template.variants):,}")
        identity = (
            stored.facility,
            make_visible(stored.workflow),
            f"{stored.version}",
            format_minute(stored.learned_ms),
        )
        table.add_row(*(Text(cell) for cell in (*identity, *counts, "yes" if template.declared else "no")))
    console.print(table)


def show_whole(templates: Sequence[tuple[StoredTemplate, Sequence[ScriptChange]]], console: Console) -> None:
    """Print each template and the edits of its scripts."""
    for template, changes in templates:
        _print_template(template, console)
        _print_edits(changes, console)
        console.print()


def _print_template(stored: StoredTemplate, console: Console) -> None:
    template = stored.template
    name = f"{make_visible(stored.workflow)} of {stored.facility}"
    span = ""
    if template.first_ms is not None and template.last_ms is not None:
        span = f" ({format_minute(template.first_ms)} to {format_minute(template.last_ms)} UTC)"
    declared = ", declared in the settings" if template.declared else ""
    console.print(
        Text.assemble((name, "bold"), f": template {stored.version}, from {template.runs:,} runs{span}{declared}"),
        soft_wrap=True,
    )
    for variant in template.variants:
        console.print()
        console.print(Text(_describe(variant)), soft_wrap=True)
        console.print(_build_stage_table(variant))
    console.print()


def _describe(variant: Variant) -> str:
    heads = {True: "begins with queue and dispatch", False: "has no head", None: "head not known"}
    tail = variant.tail
    if tail is None:
        end = "tail not known: fewer than 5 whole runs, or their ends differ"
    elif not tail.stage:
        end = "ends with the run's own end"
    else:
        end = f"ends with the {'END' if tail.by == AT_END else 'START'} of {make_visible(tail.stage)}"
    loose = " (the runs that fit no other variant)" if variant.loose else ""
    runs = f"{format_count(variant.runs, 'run')}, {variant.whole:,} of them whole"
    return f"variant {variant.number}{loose}: {runs}; {heads[variant.head]}; {end}"


def _build_stage_table(variant: Variant) -> Table:
    table = plain_table()
    table.add_column("  stage", overflow="fold")
    for head in ("seen", "usual s", "P95 s", "of"):
        table.add_column(head, justify="right", no_wrap=True)
    for stage in variant.stages:
        name = make_visible(stage.name) + ("" if stage.usual else " (not always)")
        seen = f"{stage.seen_pct} %" if variant.runs else NONE
        cells = (
            f"  {name}",
            seen,
            format_bounded(stage.kind, stage.median_s),
            format_number(stage.p95_s),
            f"{stage.n:,}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _print_edits(changes: Sequence[ScriptChange], console: Console) -> None:
    if not changes:
        console.print("By their line numbers, no script was edited in that time.")
        return
    console.print("Scripts that were edited, as line numbers tell:")
    table = plain_table()
    for head in ("  between (UTC)", "and", "script"):
        table.add_column(head, no_wrap=head != "script", overflow="fold" if head == "script" else "ellipsis")
    table.add_column("line", no_wrap=True)
    table.add_column("moved", justify="right", no_wrap=True)
    for change in changes:
        lines = f"{change.before} → {change.after}"
        cells = (
            f"  {format_minute(change.since_ms)}",
            format_minute(change.at_ms),
            make_visible(change.script),
            lines,
            f"{change.moved:,}",
        )
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
