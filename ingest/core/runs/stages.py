"""Turns opening marks into stages: how long each took, how certain that is, and what closed it.

See als-perf.md 5.4; 5.5, 10, 17, 29.

    kind       exact: its END was seen; upper: the time from its start to what the run did next; lower: nothing closed
               it, and its line was printed that long after its start; none: nothing is known
    closed by  end, next_start, run_end; open: nothing yet; timeout: nothing, and the run is over

A stage is closed by its END, otherwise by the run's next START, otherwise by the end of the run. The next START closes
a stage only if stages follow each other. A run is parallel if a START precedes the END of a stage that started before
it or in the same second; then only ENDs close stages, and the run's end, which no stage outlasts. ENDs that are not
printed cannot overlap: a run without them counts as sequential, and its bounds are assumptions to that extent, which is
why they are `upper`. If an earlier START was printed only after the next one, that means nothing: the values may come
from another clock than the stamps.

Stages are ordered by their start and have no number within the run: a late line would renumber all later ones. The
attempt counts starts of the same stage and key, in order of value. The lane is for waterfalls: the first free one, so
that no two stages of known extent overlap in a lane; a sequential run has only lane 1.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from ingest.core.bulk import new_tuple
from ingest.core.mark import START, RunMark
from ingest.core.runs.pairing import Pairing

EXACT, UPPER, LOWER, NONE = "exact", "upper", "lower", "none"
BY_END, BY_START, BY_RUN_END, OPEN, TIMEOUT = "end", "next_start", "run_end", "open", "timeout"
Closer = tuple[int, str]
"""When (unix ms) and by what a stage without an END was closed."""


class Stage(NamedTuple):
    """One attempt at a stage.

    Attributes:
        mark: its START, with its name and time.
        duration_ms: its meaning depends on `kind`; None if nothing is known.
        closed_ms: the END, next START or end of the run that closed it; None while it is open.
        attempt, lane: from 1.
        open_for_ms: how long it has been open at the watermark, not a duration. None if closed, or without watermark.
    """

    mark: RunMark
    duration_ms: int | None
    kind: str
    closed_by: str
    closed_ms: int | None
    attempt: int
    lane: int
    open_for_ms: int | None = None

    @property
    def start_ms(self) -> int:
        """When the stage began."""
        return self.mark.at_ms

    @property
    def is_open(self) -> bool:
        """Whether nothing has closed the stage."""
        return self.closed_ms is None


def stages_of(marks: Sequence[RunMark], ends: Pairing) -> tuple[tuple[Stage, ...], bool]:
    """The stages of one instance, whose marks are in order of time, and whether they ran in parallel."""
    starts = [mark for mark in marks if mark.what.role == START]
    parallel = _parallel(starts, ends)
    lanes = _lanes(starts, ends) if parallel else [1] * len(starts)
    attempts = _attempts(starts)
    if ends.run or parallel:
        closers: list[Closer | None] = _closers(marks, ends, parallel)
    else:
        closers = [*((start.at_ms, BY_START) for start in starts[1:]), None]
    ended = [ends.of.get(start.id) for start in starts]
    return tuple(map(_stage, starts, ended, closers, attempts, lanes)), parallel


def _stage(start: RunMark, end: RunMark | None, closer: Closer | None, attempt: int, lane: int) -> Stage:
    at_ms, lag_ms = start.at_ms, start.lag_ms
    if end is not None:
        return new_tuple(Stage, (start, end.at_ms - at_ms, EXACT, BY_END, end.at_ms, attempt, lane, None))
    if closer is not None:
        closed_ms, by = closer
        return new_tuple(Stage, (start, closed_ms - at_ms, UPPER, by, closed_ms, attempt, lane, None))
    if lag_ms is None or lag_ms < 0:
        return new_tuple(Stage, (start, None, NONE, OPEN, None, attempt, lane, None))
    return new_tuple(Stage, (start, lag_ms, LOWER, OPEN, None, attempt, lane, None))


def _parallel(starts: Sequence[RunMark], ends: Pairing) -> bool:
    """Whether a START precedes the END of a stage that started before it, or in the same second."""
    if not ends.of:
        return False
    busy_ms = unended_ms = 0
    for start in starts:
        end = ends.of.get(start.id)
        outlasts = end is not None and end.at_ms > start.at_ms
        if start.at_ms < busy_ms or (outlasts and start.at_ms == unended_ms):
            return True
        if end is None:
            unended_ms = start.at_ms
        else:
            busy_ms = max(busy_ms, end.at_ms)
    return False


def _closers(marks: Sequence[RunMark], ends: Pairing, parallel: bool) -> list[Closer | None]:
    """What closes each START without an END: the next START, or the end of the run if that comes first."""
    closers: list[Closer | None] = []
    next_closer: Closer | None = None
    ended_ms = {mark.at_ms for mark in marks if mark.id in ends.run}
    for mark in reversed(marks):
        if mark.id in ends.run:
            next_closer = (mark.at_ms, BY_RUN_END)
        elif mark.what.role == START:
            in_last_second = next_closer is None and mark.at_ms in ended_ms
            closers.append((mark.at_ms, BY_RUN_END) if in_last_second else next_closer)
            if not parallel:
                next_closer = (mark.at_ms, BY_START)
    return closers[::-1]


def _attempts(starts: Sequence[RunMark]) -> list[int]:
    counts: dict[tuple[str, str], int] = {}
    attempts = []
    for start in starts:
        what = start.what
        stage_key = (what.stage, what.key)
        counts[stage_key] = attempt = counts.get(stage_key, 0) + 1
        attempts.append(attempt)
    return attempts


def _lanes(starts: Sequence[RunMark], ends: Pairing) -> list[int]:
    """The first free lane at the start of each stage; a stage without END holds its lane until its line was printed."""
    busy: list[tuple[int, int]] = []
    free: list[int] = []
    lanes = []
    for start in starts:
        while busy and busy[0][0] <= start.at_ms:
            heappush(free, heappop(busy)[1])
        lane = heappop(free) if free else len(busy) + 1
        end = ends.of.get(start.id)
        heappush(busy, (end.at_ms if end else start.seen_ms, lane))
        lanes.append(lane)
    return lanes
