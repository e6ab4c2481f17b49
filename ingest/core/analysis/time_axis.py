"""A time axis in character columns, with breaks where long waits would leave no room for the stages.

A segment in which no stage ran is broken if it is longer than twice all stages together: it then gets a few columns,
whatever its length, and is marked. All other time keeps one scale. Stages are never broken.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

BREAK_TIMES = 2
BREAK_COLUMNS = 8
COLUMNS_A_BREAK = 12  # at most one break per so many columns: the longest waits
_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
STEPS_MS = (
    *(1000 * s for s in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE_MS * m for m in (1, 2, 5, 10, 15, 30)),
    *(_HOUR_MS * h for h in (1, 2, 3, 6, 12)),
    *(_DAY_MS * d for d in (1, 2, 7, 14, 28, 91, 182, 364)),
)

Span = tuple[int, int]
"""Start and end, unix ms."""


class AxisSegment(NamedTuple):
    """A part of the axis: its time (unix ms), its columns (end exclusive), and whether it is broken."""

    start_ms: int
    end_ms: int
    column: int
    end_column: int
    broken: bool


class Axis(NamedTuple):
    """The segments in order, adjacent in time and in columns."""

    segments: tuple[AxisSegment, ...]

    @property
    def columns(self) -> int:
        """The width of the axis."""
        return self.segments[-1].end_column

    @property
    def breaks(self) -> tuple[AxisSegment, ...]:
        """The broken segments."""
        return tuple(segment for segment in self.segments if segment.broken)

    def at(self, ms: int) -> float:
        """Return the position of a time in columns, clamped to the axis."""
        ms = max(self.segments[0].start_ms, min(ms, self.segments[-1].end_ms))
        segment = next(segment for segment in self.segments if ms <= segment.end_ms)
        length_ms = segment.end_ms - segment.start_ms
        share = (ms - segment.start_ms) / length_ms if length_ms else 0
        return segment.column + share * (segment.end_column - segment.column)

    def bar(self, start_ms: int, end_ms: int) -> tuple[int, int]:
        """Return the columns of a bar, at least one, end exclusive."""
        first = min(round(self.at(start_ms)), self.columns - 1)
        return first, max(first + 1, round(self.at(end_ms)))

    def step_ms(self, columns_a_tick: int) -> int:
        """Return the smallest of the usual steps that leaves `columns_a_tick` columns between two ticks."""
        linear = [segment for segment in self.segments if not segment.broken]
        columns = sum(segment.end_column - segment.column for segment in linear)
        length_ms = sum(segment.end_ms - segment.start_ms for segment in linear)
        least_ms = columns_a_tick * length_ms / columns if columns else STEPS_MS[-1]
        return next((step_ms for step_ms in STEPS_MS if step_ms >= least_ms), STEPS_MS[-1])

    def ticks(self, step_ms: int) -> list[tuple[int, int]]:
        """Return (column, unix ms) of each multiple of a step that lies in an unbroken segment."""
        by_column: dict[int, int] = {}
        for segment in self.segments:
            if not segment.broken:
                first_ms = -(-segment.start_ms // step_ms) * step_ms
                for ms in range(first_ms, segment.end_ms + 1, step_ms):
                    by_column.setdefault(min(round(self.at(ms)), self.columns - 1), ms)
        return sorted(by_column.items())


def axis(span: Span, waits: Sequence[Span], columns: int) -> Axis:
    """Build the axis of a span, at least one break wide; `waits`, disjoint and in order, may be broken."""
    broken = set(_broken(span, waits, columns))
    spans = [(start, end, (start, end) in broken) for start, end in _cut(span, sorted(broken))]
    each_break = max(1, min(BREAK_COLUMNS, columns // (2 * len(broken)))) if broken else 0
    linear_ms = sum(end - start for start, end, is_broken in spans if not is_broken)
    room = columns - each_break * len(broken)
    segments, column, done_ms, breaks = [], 0, 0, 0
    for start_ms, end_ms, is_broken in spans:
        if is_broken:
            breaks += 1
        else:
            done_ms += end_ms - start_ms
        behind = breaks * each_break + (round(room * done_ms / linear_ms) if linear_ms else 0)
        segments.append(AxisSegment(start_ms, end_ms, column, behind, is_broken))
        column = behind
    last = segments[-1]
    return Axis((*segments[:-1], last._replace(end_column=columns)))


def _broken(span: Span, waits: Sequence[Span], columns: int) -> Iterable[Span]:
    """Return the longest of the waits that exceed the time in which stages ran."""
    done_ms = span[1] - span[0] - sum(end - start for start, end in waits)
    long = [wait for wait in waits if wait[1] - wait[0] > BREAK_TIMES * done_ms > 0]
    return sorted(long, key=lambda wait: wait[0] - wait[1])[: max(1, columns // COLUMNS_A_BREAK)]


def _cut(span: Span, at: Sequence[Span]) -> Iterable[Span]:
    """Split the span into the spans cut out of it and those between them."""
    begin_ms, end_ms = span
    for start_ms, stop_ms in at:
        if start_ms > begin_ms:
            yield begin_ms, start_ms
        yield start_ms, stop_ms
        begin_ms = stop_ms
    if end_ms > begin_ms or not at:
        yield begin_ms, end_ms
