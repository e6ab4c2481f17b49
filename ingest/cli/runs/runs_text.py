"""Text output of `perflog runs` and `perflog show`: words, tables and layout only."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, printable
from ingest.cli.format import (
    NONE,
    SIGN,
    format_bounded,
    format_clock,
    format_count,
    format_day,
    format_minute,
    format_number,
    format_second,
    format_seconds,
)
from ingest.core.runs.completeness import COMPLETE, INCOMPLETE, OPEN_YET, UNKNOWN, Completeness
from ingest.core.runs.phases import BETWEEN, DISPATCH, LEAD, QUEUE, STAGE, TAIL
from ingest.core.runs.stages import BY_END
from ingest.core.runs.stored import StoredRun, StoredStage
from ingest.telemetry import make_visible

WIDE_COLUMNS = 130  # from this width on a run is one line
_HEADS = ("run", "state", "begin (UTC)", "queue", "dispatch", "span", "total s")
_RIGHT = frozenset({"queue", "dispatch", "span", "total s", "stages"})
_PARTS = {QUEUE: "queue", DISPATCH: "dispatch", LEAD: "lead", STAGE: "stages", BETWEEN: "between", TAIL: "tail"}
_SHORT = {INCOMPLETE: "no", OPEN_YET: "open"}
_CLOSED = {"end": "its END", "next_start": "next start", "run_end": "end of run", "open": "open", "timeout": "nothing"}


def show_runs(runs: Sequence[StoredRun], matching: int, stored_count: int, console: Console) -> None:
    """Print a line per run if it fits, else two; and the totals. `stored_count`: 0 if no run is stored at all."""
    if not runs:
        console.print("No run is like that." if stored_count else "No run is stored yet: `perflog run` writes them.")
        return
    (_print_wide if console.width >= WIDE_COLUMNS else _print_narrow)(runs, console)
    console.print()
    if matching > len(runs):
        console.print(f"{len(runs):,} of {matching:,} runs, those that began last; --limit shows more.")
    else:
        console.print(f"{format_count(matching, 'run')}.")
    console.print("seconds; = exact, ±1 s   ≤ upper bound   ≥ lower bound   – not seen, never 0")


def _print_wide(runs: Sequence[StoredRun], console: Console) -> None:
    many_facilities = len({run.facility for run in runs}) > 1
    table = plain_table()
    with_completeness = any(run.completeness for run in runs)
    heads = (
        *(("facility",) if many_facilities else ()),
        *_HEADS,
        "stages",
        *(("complete",) if with_completeness else ()),
        "not seen",
    )
    for head in heads:
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=True)
    table.add_column("longest stage", overflow="fold")
    for run in runs:
        facility = (run.facility,) if many_facilities else ()
        complete = (_format_completeness(run.completeness),) if with_completeness else ()
        cells = (
            *facility,
            *_make_cells(run),
            _count_stages(run),
            *complete,
            ", ".join(_list_not_seen(run)) or NONE,
            _describe_longest(run),
        )
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


def _print_narrow(runs: Sequence[StoredRun], console: Console) -> None:
    """Print the numbers as a table, and below each row what does not fit into it."""
    rows = [tuple(map(printable, _make_cells(run))) for run in runs]
    widths = [max(len(row[n]) for row in [_HEADS, *rows]) for n in range(len(_HEADS))]
    own_line = sum(widths) + 2 * (len(widths) - 1) > console.width  # long run ids get their own line
    skip = 1 if own_line else 0
    console.print(Text(_join_cells(_HEADS[skip:], widths[skip:], 2 * skip), style="bold"), soft_wrap=True)
    many_facilities = len({run.facility for run in runs}) > 1
    for run, row in zip(runs, rows, strict=True):
        if own_line:
            console.print(Text(row[0]), soft_wrap=True)
        console.print(Text(_join_cells(row[skip:], widths[skip:], 2 * skip)), soft_wrap=True)
        for line in Text(_describe_rest(run, many_facilities), style="dim").wrap(console, max(console.width - 4, 20)):
            console.print(Text("    ") + line)


def _describe_rest(run: StoredRun, many_facilities: bool) -> str:
    longest = format_count(run.started, "stage")
    parts = [*([run.facility] if many_facilities else []), longest]
    if run.longest is not None:
        parts.append(f"longest {_describe_longest(run)}")
    if run.completeness is not None:
        parts.append(f"complete: {_format_completeness(run.completeness)}")
    if not_seen := _list_not_seen(run):
        parts.append(f"{' and '.join(not_seen)} not seen")
    return "; ".join(parts)


def _list_not_seen(run: StoredRun) -> list[str]:
    missing = len(run.completeness.missing) if run.completeness else 0
    return [*run.not_seen, *([format_count(missing, "stage")] if missing else [])]


def _format_completeness(completeness: Completeness | None) -> str:
    """Format a verdict: yes; or no or open, with the stages seen of those expected."""
    if completeness is None or completeness.verdict == UNKNOWN:
        return NONE
    if completeness.verdict == COMPLETE:
        return "yes"
    return f"{_SHORT[completeness.verdict]} {completeness.seen:,}/{completeness.expected:,}"


def _join_cells(cells: Sequence[str], widths: Sequence[int], indent: int) -> str:
    left = len(_HEADS) - 4 - (len(_HEADS) - len(cells))
    placed = [
        cell.ljust(width) if n < left else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return " " * indent + "  ".join(placed).rstrip()


def _make_cells(run: StoredRun) -> tuple[str, ...]:
    times = (format_number(run.parts.get(QUEUE)), format_number(run.parts.get(DISPATCH)), format_number(run.span_s))
    return (
        make_visible(run.named),
        run.state,
        format_minute(run.start_ms),
        *times,
        f"{SIGN[run.total_kind]} {run.total_s:,.0f}",
    )


def _count_stages(run: StoredRun) -> str:
    return f"{run.started:,}"


def _describe_longest(run: StoredRun) -> str:
    if run.longest is None:
        return NONE
    return f"{make_visible(run.longest.name)} {format_bounded(run.longest.kind, run.longest.duration_s)} s"


def show_run(run: StoredRun, instances: int, console: Console) -> None:
    """Print a run: its identity, its state, the parts of its time, its stages."""
    owner = [run.facility, run.source, *([run.workflow] if run.workflow else [])]
    uses = f", use {run.instance} of {instances} of this id" if instances > 1 else ""
    console.print(
        Text.assemble((f"Run {make_visible(run.run)}", "bold"), f" of {make_visible(' / '.join(owner))}{uses}")
    )
    console.print(Text(_describe_state(run)))
    console.print(Text(_describe_times(run)))
    if run.completeness is not None:
        style = "yellow" if run.completeness.verdict == INCOMPLETE else ""
        console.print(Text(_describe_completeness(run, run.completeness), style=style))
    for words in _list_warnings(run):
        console.print(Text(words, style="yellow"))
    if not run.stages:
        console.print("No stage has started.")
        return
    console.print()
    console.print(_build_table(run))
    console.print()
    for words in _explain_signs(run.stages):
        console.print(words)


def _describe_state(run: StoredRun) -> str:
    closed = {"run_end": " by its own end", "ends": _describe_silence(run), "timeout": ": seven days of silence"}
    began, last = f"began {format_second(run.start_ms)}", f"last line {format_second(run.seen_ms)} UTC"
    return f"{run.state}{closed.get(run.closed_by, '')}; {began}, {last}"


def _describe_silence(run: StoredRun) -> str:
    """Say why a run without an end of its own counts as closed: it may go on, so this does not make its total exact."""
    ended = bool(run.stages) and all(stage.closed_by == BY_END for stage in run.stages)
    return (
        f": {'each stage that started has its END' if ended else 'no stage is open'}, and an hour of silence followed"
    )


def _describe_times(run: StoredRun) -> str:
    parts = " + ".join(f"{words} {run.parts[part]:,.0f}" for part, words in _PARTS.items() if part in run.parts)
    total = f"total {SIGN[run.total_kind]} {run.total_s:,.0f} s" + (f" = {parts}" if parts else "")
    waits = f"queue {format_seconds(run.parts.get(QUEUE))}, dispatch {format_seconds(run.parts.get(DISPATCH))}"
    return f"{waits}, first to last start {format_seconds(run.span_s)}\n{total}"


def _describe_completeness(run: StoredRun, completeness: Completeness) -> str:
    """Compare the stages of a run with its template, in words."""
    if completeness.verdict == UNKNOWN:
        return f"like no variant of template {completeness.version}: it is unknown what is missing"
    parts = [
        f"{completeness.verdict}: {completeness.seen:,} of {completeness.expected:,} stages ({completeness.seen_pct} %)"
    ]
    if completeness.missing:
        parts.append(f"missing {', '.join(map(make_visible, completeness.missing))}")
    if completeness.verdict == INCOMPLETE:
        parts += [*([f"{' and '.join(run.not_seen)} not seen"] if run.not_seen else []), "its total is no baseline"]
    if completeness.unexpected:
        parts.append(f"not expected {', '.join(map(make_visible, completeness.unexpected))}")
    if completeness.verdict == OPEN_YET:
        parts.append("it is not known to be over")
    return f"{'; '.join(parts)} (template {completeness.version}, variant {completeness.variant})"


def _list_warnings(run: StoredRun) -> Iterable[str]:
    if run.not_seen and not (run.completeness and run.completeness.verdict == INCOMPLETE):
        yield f"{' and '.join(run.not_seen)} not seen: the total is a lower bound, and no baseline"
    if run.ends_unmatched:
        yield f"{run.ends_unmatched:,} END marks end no stage: lines were lost"
    if run.flags:
        yield f"flags: {', '.join(run.flags)}"


def _build_table(run: StoredRun) -> Table:
    """Build the table of stages; attempt, lane and open time get columns only if they say something."""
    many_days = len({format_day(stage.start_ms) for stage in run.stages}) > 1
    extra_columns = {
        "try": any(stage.attempt > 1 for stage in run.stages),
        "lane": run.parallel,
        "open for s": any(stage.open_for_s is not None for stage in run.stages),
    }
    table = plain_table()
    table.add_column("start (UTC)", no_wrap=True)
    table.add_column("stage", overflow="fold")
    for head in ("s", "closed by", "lag s", *(head for head, values in extra_columns.items() if values)):
        table.add_column(head, justify="left" if head == "closed by" else "right", no_wrap=True)
    for stage in run.stages:
        values = (str(stage.attempt), str(stage.lane), format_number(stage.open_for_s))
        extra_cells = [cell for cell, has_column in zip(values, extra_columns.values(), strict=True) if has_column]
        start = format_second(stage.start_ms) if many_days else format_clock(stage.start_ms)
        took = format_bounded(stage.kind, stage.duration_s)
        cells = (
            start,
            make_visible(stage.name),
            took,
            _CLOSED[stage.closed_by],
            format_number(stage.lag_s),
            *extra_cells,
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _explain_signs(stages: Sequence[StoredStage]) -> Iterable[str]:
    kinds = {stage.kind for stage in stages}
    if "exact" in kinds:
        yield "= from its START to its END, ±1 s"
    if "upper" in kinds:
        yield "≤ to what the run did next: an upper bound, its own wait included"
    if "lower" in kinds:
        yield "≥ nothing closed it: it took its emission lag at least"
    yield "– not seen, never 0; lag: from its start to the printing of its line"
