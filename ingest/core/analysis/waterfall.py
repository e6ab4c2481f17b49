"""A run as a waterfall: a row for each wait and stage, its bar on one axis of time. Pure layout, no drawing.

    queue, dispatch, lead  before the first START, from the run's parts; `wait` where their order there is not known
    exact, upper           from the start to the END, or to what closed it
    lower                  to the printing of its line; open: it went on, nobody knows for how long
    none                   only its start is known
    fold                   stages that follow each other and are shorter than those shown

Of many stages the longest are shown, and those that are open or marked; what lies between them is folded. A run keeps
totals of its parts, not their places: where more was waited than lies before the first START (it was queued again),
`elsewhere_s` says so.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.core.analysis.time_axis import Axis, Span, axis
from ingest.core.runs.phases import DISPATCH, LEAD, QUEUE
from ingest.core.runs.run import seconds
from ingest.core.runs.stages import EXACT, LOWER, NONE, UPPER
from ingest.core.runs.stored import MS_PER_S, StoredRun, StoredStage

WAIT, FOLD = "wait", "fold"
WAITS = (QUEUE, DISPATCH, LEAD)
LEAST_ROWS = 3


class WaterfallRow(NamedTuple):
    """A row.

    Attributes:
        what: queue, dispatch, lead or wait; exact, upper, lower or none of a stage; fold.
        start, end: the columns of its bar, the end excluded, at least one.
        start_ms: when it begins.
        took_s: its seconds; of a fold those of its longest stage. None when nothing is known.
        kind: what they are: exact, upper, lower, none.
        open: whether it went on beyond its bar.
        stages: the stage, or those that are folded; none of a wait.
    """

    what: str
    start: int
    end: int
    start_ms: int
    took_s: float | None
    kind: str
    open: bool = False
    stages: tuple[StoredStage, ...] = ()


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The rows in order of time on their axis; how many stages are folded; waits whose place is not known (seconds)."""

    axis: Axis
    rows: tuple[WaterfallRow, ...]
    folded: int
    elsewhere_s: float


def waterfall(run: StoredRun, columns: int, most_rows: int | None = None, marked: Collection[str] = ()) -> Waterfall:
    """The waterfall of a run with its stages, its bars in so many columns.

    `most_rows` of stages, folds included (three at least; None: all); stages whose ids are `marked` are shown first.
    """
    waits, elsewhere_s = _head(run)
    stages = run.stages
    end_ms = max([run.seen_ms, run.ended_ms or 0, run.start_ms, *(stage.until_ms for stage in stages)])
    on = axis((run.start_ms, end_ms), [*_spans(waits), *_holes(stages, end_ms)], columns)
    rows = [WaterfallRow(what, *on.bar(start, end), start, seconds(end - start), EXACT) for what, start, end in waits]
    groups = _groups(stages, _shown(stages, most_rows, marked))
    rows += [_row(group, on) for group in groups]
    return Waterfall(on, tuple(rows), sum(len(group) for group in groups if len(group) > 1), elsewhere_s)


def _head(run: StoredRun) -> tuple[list[tuple[str, int, int]], float]:
    """What lies before the first START; and how many seconds of waits do not lie there."""
    known = [(what, round(run.parts[what] * MS_PER_S)) for what in WAITS if what in run.parts]
    known_ms = sum(ms for _, ms in known)
    head_ms = run.stages[0].start_ms - run.start_ms if run.stages else known_ms
    if {LEAD, QUEUE} <= dict(known).keys() or known_ms != head_ms:
        known = [(WAIT, head_ms)] if head_ms else []
    found, at_ms = [], run.start_ms
    for what, ms in known:
        found.append((what, at_ms, at_ms + ms))
        at_ms += ms
    return found, seconds(max(0, known_ms - head_ms))


def _spans(waits: Sequence[tuple[str, int, int]]) -> list[Span]:
    return [(start_ms, end_ms) for _, start_ms, end_ms in waits if end_ms > start_ms]


def _holes(stages: Sequence[StoredStage], end_ms: int) -> Iterator[Span]:
    """Where nothing is known to run: before a start, and behind all where every stage was closed."""
    until_ms = stages[0].start_ms if stages else 0
    for stage in stages:
        if stage.start_ms > until_ms:
            yield until_ms, stage.start_ms
        until_ms = max(until_ms, stage.until_ms)
    if stages and until_ms < end_ms and all(stage.closed_ms is not None for stage in stages):
        yield until_ms, end_ms


def _shown(stages: Sequence[StoredStage], most_rows: int | None, marked: Collection[str]) -> set[int]:
    """The numbers of the stages that have a row of their own."""
    numbers = range(len(stages))
    if most_rows is None or len(stages) <= max(most_rows, LEAST_ROWS):
        return set(numbers)

    def weight(n: int) -> tuple[bool, bool, float, int]:
        stage = stages[n]
        return stage.id not in marked, stage.kind not in {LOWER, NONE}, -(stage.duration_s or 0), n

    order = sorted(numbers, key=weight)
    room = max(most_rows, LEAST_ROWS)
    return next(set(order[:n]) for n in range(room, -1, -1) if len(_groups(stages, set(order[:n]))) <= room)


def _groups(stages: Sequence[StoredStage], shown: set[int]) -> list[tuple[StoredStage, ...]]:
    """The stages in order, those that are not shown together with their neighbours that are not either."""
    found: list[list[StoredStage]] = []
    for n, stage in enumerate(stages):
        if n in shown or not found or n - 1 in shown:
            found.append([stage])
        else:
            found[-1].append(stage)
    return [tuple(group) for group in found]


def _row(group: Sequence[StoredStage], on: Axis) -> WaterfallRow:
    if len(group) == 1:
        (stage,) = group
        bar = on.bar(stage.start_ms, stage.until_ms)
        return WaterfallRow(
            stage.kind, *bar, stage.start_ms, stage.duration_s, stage.kind, stage.closed_ms is None, (stage,)
        )
    start_ms = min(stage.start_ms for stage in group)
    bar = on.bar(start_ms, max(stage.until_ms for stage in group))
    kinds = {stage.kind for stage in group}
    known = [stage.duration_s for stage in group if stage.duration_s is not None]
    bounded = kinds <= {EXACT, UPPER}
    kind = EXACT if kinds == {EXACT} else UPPER if bounded else NONE
    took_s = max(known) if bounded else None
    return WaterfallRow(FOLD, *bar, start_ms, took_s, kind, any(s.closed_ms is None for s in group), tuple(group))
