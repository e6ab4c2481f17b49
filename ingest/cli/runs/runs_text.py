"""Text output of `perflog runs` and `perflog show`: words, tables and layout only."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, visible
from ingest.cli.format import NONE, SIGN, bounded, clock, day, minute, number, plural, second, seconds
from ingest.core.runs.completeness import COMPLETE, INCOMPLETE, OPEN_YET, UNKNOWN, Completeness
from ingest.core.runs.phases import BETWEEN, DISPATCH, LEAD, QUEUE, STAGE, TAIL
from ingest.core.runs.stored import StoredRun, StoredStage

WIDE_COLUMNS = 130  # from this width on a run is one line
_HEADS = ("run", "state", "begin (UTC)", "queue", "dispatch", "span", "total s")
_RIGHT = frozenset({"queue", "dispatch", "span", "total s", "stages"})
_PARTS = {QUEUE: "queue", DISPATCH: "dispatch", LEAD: "lead", STAGE: "stages", BETWEEN: "between", TAIL: "tail"}
_SHORT = {INCOMPLETE: "no", OPEN_YET: "open"}
_CLOSED = {"end": "its END", "next_start": "next start", "run_end": "end of run", "open": "open", "timeout": "nothing"}


def show_runs(found: Sequence[StoredRun], matching: int, known: int, screen: Console) -> None:
    """Print a line per run if it fits, else two; and the totals. `known`: number of runs without any filter."""
    if not found:
        screen.print("No run is like that." if known else "No run is stored yet: `perflog run` writes them.")
        return
    (_wide if screen.width >= WIDE_COLUMNS else _narrow)(found, screen)
    screen.print()
    if matching > len(found):
        screen.print(f"{len(found):,} of {matching:,} runs, those that began last; --limit shows more.")
    else:
        screen.print(f"{plural(matching, 'run')}.")
    screen.print("seconds; = exact, ±1 s   ≤ upper bound   ≥ lower bound   – not seen, never 0")


def _wide(runs: Sequence[StoredRun], screen: Console) -> None:
    several = len({run.facility for run in runs}) > 1
    table = plain_table()
    judged = any(run.completeness for run in runs)
    heads = (*(("facility",) if several else ()), *_HEADS, "stages", *(("complete",) if judged else ()), "not seen")
    for head in heads:
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=True)
    table.add_column("longest stage", overflow="fold")
    for run in runs:
        whose = (run.facility,) if several else ()
        complete = (_complete(run.completeness),) if judged else ()
        cells = (*whose, *_cells(run), _stages(run), *complete, ", ".join(_not_seen(run)) or NONE, _longest(run))
        table.add_row(*(Text(cell) for cell in cells))
    screen.print(table)


def _narrow(runs: Sequence[StoredRun], screen: Console) -> None:
    """Print the numbers as a table, and under each row whatever does not fit beside it."""
    rows = [_cells(run) for run in runs]
    widths = [max(len(row[n]) for row in [_HEADS, *rows]) for n in range(len(_HEADS))]
    apart = sum(widths) + 2 * (len(widths) - 1) > screen.width  # long run ids get their own line
    skip = 1 if apart else 0
    screen.print(Text(_row(_HEADS[skip:], widths[skip:], 2 * skip), style="bold"), soft_wrap=True)
    several = len({run.facility for run in runs}) > 1
    for run, row in zip(runs, rows, strict=True):
        if apart:
            screen.print(Text(row[0]), soft_wrap=True)
        screen.print(Text(_row(row[skip:], widths[skip:], 2 * skip)), soft_wrap=True)
        for line in Text(_beneath(run, several), style="dim").wrap(screen, max(screen.width - 4, 20)):
            screen.print(Text("    ") + line)


def _beneath(run: StoredRun, several: bool) -> str:
    longest = plural(run.started, "stage")
    parts = [*([run.facility] if several else []), longest]
    if run.longest is not None:
        parts.append(f"longest {_longest(run)}")
    if run.completeness is not None:
        parts.append(f"complete: {_complete(run.completeness)}")
    if not_seen := _not_seen(run):
        parts.append(f"{' and '.join(not_seen)} not seen")
    return "; ".join(parts)


def _not_seen(run: StoredRun) -> list[str]:
    missing = len(run.completeness.missing) if run.completeness else 0
    return [*run.not_seen, *([plural(missing, "stage")] if missing else [])]


def _complete(completeness: Completeness | None) -> str:
    """Say yes; or no or open, with stages seen of those expected."""
    if completeness is None or completeness.verdict == UNKNOWN:
        return NONE
    if completeness.verdict == COMPLETE:
        return "yes"
    return f"{_SHORT[completeness.verdict]} {completeness.seen:,}/{completeness.expected:,}"


def _row(cells: Sequence[str], widths: Sequence[int], indent: int) -> str:
    left = len(_HEADS) - 4 - (len(_HEADS) - len(cells))
    placed = [
        cell.ljust(width) if n < left else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return " " * indent + "  ".join(placed).rstrip()


def _cells(run: StoredRun) -> tuple[str, ...]:
    times = (number(run.parts.get(QUEUE)), number(run.parts.get(DISPATCH)), number(run.span_s))
    return visible(run.named), run.state, minute(run.start_ms), *times, f"{SIGN[run.total_kind]} {run.total_s:,.0f}"


def _stages(run: StoredRun) -> str:
    return f"{run.started:,}"


def _longest(run: StoredRun) -> str:
    if run.longest is None:
        return NONE
    return f"{visible(run.longest.name)} {bounded(run.longest.kind, run.longest.duration_s)} s"


def show_run(run: StoredRun, instances: int, screen: Console) -> None:
    """Print a run: its identity, its state, the parts of its time, its stages."""
    whose = [run.facility, run.source, *([run.workflow] if run.workflow else [])]
    uses = f", use {run.instance} of {instances} of this id" if instances > 1 else ""
    screen.print(Text.assemble((f"Run {visible(run.run)}", "bold"), f" of {visible(' / '.join(whose))}{uses}"))
    screen.print(Text(_state(run)))
    screen.print(Text(_times(run)))
    if run.completeness is not None:
        style = "yellow" if run.completeness.verdict == INCOMPLETE else ""
        screen.print(Text(_held_against(run, run.completeness), style=style))
    for words in _warnings(run):
        screen.print(Text(words, style="yellow"))
    if not run.stages:
        screen.print("No stage has started.")
        return
    screen.print()
    screen.print(_table(run))
    screen.print()
    for words in _legend(run.stages):
        screen.print(words)


def _state(run: StoredRun) -> str:
    closed = {"run_end": " by its own end", "ends": ": each stage has its END", "timeout": ": seven days of silence"}
    began, last = f"began {second(run.start_ms)}", f"last line {second(run.seen_ms)} UTC"
    return f"{run.state}{closed.get(run.closed_by, '')}; {began}, {last}"


def _times(run: StoredRun) -> str:
    parts = " + ".join(f"{words} {run.parts[part]:,.0f}" for part, words in _PARTS.items() if part in run.parts)
    total = f"total {SIGN[run.total_kind]} {run.total_s:,.0f} s" + (f" = {parts}" if parts else "")
    waits = f"queue {seconds(run.parts.get(QUEUE))}, dispatch {seconds(run.parts.get(DISPATCH))}"
    return f"{waits}, first to last start {seconds(run.span_s)}\n{total}"


def _held_against(run: StoredRun, completeness: Completeness) -> str:
    """Describe which stages are there, by the template."""
    if completeness.verdict == UNKNOWN:
        return f"like no variant of template {completeness.version}: nothing says what is missing"
    parts = [
        f"{completeness.verdict}: {completeness.seen:,} of {completeness.expected:,} stages ({completeness.seen_pct} %)"
    ]
    if completeness.missing:
        parts.append(f"missing {', '.join(map(visible, completeness.missing))}")
    if completeness.verdict == INCOMPLETE:
        parts += [*([f"{' and '.join(run.not_seen)} not seen"] if run.not_seen else []), "its total is no baseline"]
    if completeness.unexpected:
        parts.append(f"not expected {', '.join(map(visible, completeness.unexpected))}")
    if completeness.verdict == OPEN_YET:
        parts.append("nothing says that it is over")
    return f"{'; '.join(parts)} (template {completeness.version}, variant {completeness.variant})"


def _warnings(run: StoredRun) -> Iterable[str]:
    if run.not_seen and not (run.completeness and run.completeness.verdict == INCOMPLETE):
        yield f"{' and '.join(run.not_seen)} not seen: the total is a lower bound, and no baseline"
    if run.ends_unmatched:
        yield f"{run.ends_unmatched:,} ENDs end no stage: lines were lost"
    if run.flags:
        yield f"flags: {', '.join(run.flags)}"


def _table(run: StoredRun) -> Table:
    """Build the table of stages; attempt, lane and open time get columns only if they say something."""
    days = len({day(stage.start_ms) for stage in run.stages}) > 1
    extra = {
        "try": any(stage.attempt > 1 for stage in run.stages),
        "lane": run.parallel,
        "open for s": any(stage.open_for_s is not None for stage in run.stages),
    }
    table = plain_table()
    table.add_column("start (UTC)", no_wrap=True)
    table.add_column("stage", overflow="fold")
    for head in ("s", "closed by", "lag s", *(head for head, values in extra.items() if values)):
        table.add_column(head, justify="left" if head == "closed by" else "right", no_wrap=True)
    for stage in run.stages:
        values = (str(stage.attempt), str(stage.lane), number(stage.open_for_s))
        more = [cell for cell, shown in zip(values, extra.values(), strict=True) if shown]
        start = second(stage.start_ms) if days else clock(stage.start_ms)
        took = bounded(stage.kind, stage.duration_s)
        cells = (start, visible(stage.name), took, _CLOSED[stage.closed_by], number(stage.lag_s), *more)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _legend(stages: Sequence[StoredStage]) -> Iterable[str]:
    kinds = {stage.kind for stage in stages}
    if "exact" in kinds:
        yield "= from its START to its END, ±1 s"
    if "upper" in kinds:
        yield "≤ to what the run did next: an upper bound, its own wait included"
    if "lower" in kinds:
        yield "≥ nothing closed it: it took its emission lag at least"
    yield "– not seen, never 0; lag: from its start to the printing of its line"
