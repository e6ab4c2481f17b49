"""Lays out a run as a waterfall: a row for each wait and stage, its bar on one time axis. Draws nothing.

    queue, dispatch, lead  before the first START, from the run's parts; `wait` if their order there is not known
    exact, upper           from the start to the END, or to whatever closed the stage
    lower                  to the printing of its line; open: it went on for an unknown time
    none                   only its start is known
    fold                   consecutive stages that are shorter than those shown

If there are too many stages, the longest are shown, and those that are open or marked; the others are folded. A run
stores totals of its parts, not their positions: if it waited longer than the time before the first START (because it
was queued again), `elsewhere_s` says so.
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
        start, end: the columns of its bar, end exclusive, at least one.
        start_ms: when it begins.
        took_s: its seconds; for a fold those of its longest stage. None if unknown.
        kind: of took_s: exact, upper, lower, none.
        open: whether it went on beyond its bar.
        stages: the stage, or the folded stages; empty for a wait.
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
    """The rows in time order, on their axis; the number of folded stages; seconds of waits with unknown position."""

    axis: Axis
    rows: tuple[WaterfallRow, ...]
    folded: int
    elsewhere_s: float


def waterfall(run: StoredRun, columns: int, most_rows: int | None = None, marked: Collection[str] = ()) -> Waterfall:
    """Lay out a run with its stages, with bars in `columns` columns.

    `most_rows` limits the rows of stages, folds included (three at least; None: all); stages whose ids are `marked` are
    shown first.
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
    """Return the waits before the first START, and the seconds of waits that are not there."""
    known = [(what, round(run.parts[what] * MS_PER_S)) for what in WAITS if what in run.parts]
    known_ms = sum(ms for _, ms in known)
    head_ms = run.stages[0].start_ms - run.start_ms if run.stages else known_ms
    if {LEAD, QUEUE} <= dict(known).keys() or known_ms != head_ms:
        known = [(WAIT, head_ms)] if head_ms else []
    waits, at_ms = [], run.start_ms
    for what, ms in known:
        waits.append((what, at_ms, at_ms + ms))
        at_ms += ms
    return waits, seconds(max(0, known_ms - head_ms))


def _spans(waits: Sequence[tuple[str, int, int]]) -> list[Span]:
    return [(start_ms, end_ms) for _, start_ms, end_ms in waits if end_ms > start_ms]


def _holes(stages: Sequence[StoredStage], end_ms: int) -> Iterator[Span]:
    """Yield spans without a known stage: before a start, and at the end if every stage was closed."""
    until_ms = stages[0].start_ms if stages else 0
    for stage in stages:
        if stage.start_ms > until_ms:
            yield until_ms, stage.start_ms
        until_ms = max(until_ms, stage.until_ms)
    if stages and until_ms < end_ms and all(stage.closed_ms is not None for stage in stages):
        yield until_ms, end_ms


def _shown(stages: Sequence[StoredStage], most_rows: int | None, marked: Collection[str]) -> set[int]:
    """Return the numbers of the stages that get a row of their own."""
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
    """Group the stages in order; consecutive stages that are not shown form one group."""
    groups: list[list[StoredStage]] = []
    for n, stage in enumerate(stages):
        if n in shown or not groups or n - 1 in shown:
            groups.append([stage])
        else:
            groups[-1].append(stage)
    return [tuple(group) for group in groups]


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
