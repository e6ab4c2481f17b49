"""Compares two runs: aligns their stages, and says how certain each difference is.

Stages are aligned by family, product and variant; if there are several of a kind, the first with the first, in order of
start. A stage that only one run has is listed too, at its position in that run.

The kind of a difference (second run minus first) follows from the kinds of both durations:

    exact   both are exact; ±1 s at each end, so ±2 s
    upper   an upper bound: the second is an upper bound, the first exact or a lower bound; or the second is exact and
            the first a lower bound
    lower   a lower bound: the second is exact or a lower bound and the first an upper bound; or the second is a lower
            bound and the first exact
    bounds  both are bounds of the same side: the bounds differ by this much, the true durations may differ by anything

The percent of the first has the same kind, since second / first grows with the second and shrinks with the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.core.runs.documents import PART_FIELDS
from ingest.core.runs.run import seconds
from ingest.core.runs.stages import EXACT, LOWER, UPPER
from ingest.core.runs.stored import MS_PER_S, StoredRun, StoredStage

BOUNDS = "bounds"
SPAN, TOTAL = "span", "total"
_MOST, _LEAST = {EXACT, UPPER}, {EXACT, LOWER}


class Difference(NamedTuple):
    """Second minus first: seconds, percent of the first (None if that is 0), and the kind of the difference."""

    seconds: float
    percent: float | None
    kind: str


class MeasuredRun(NamedTuple):
    """A duration in one run: seconds (None if unknown) and their kind."""

    seconds: float | None
    kind: str


class ComparedStage(NamedTuple):
    """A line of the comparison.

    Attributes:
        name: of the stage, as written by the first run that has it; or of the wait or total.
        repeat: the number of the stage within its family, product and variant, from 1; 0 for waits and totals.
        first, second: None if that run has no such stage or wait.
    """

    name: str
    repeat: int
    first: MeasuredRun | None
    second: MeasuredRun | None

    @property
    def difference(self) -> Difference | None:
        """The difference; None if one of the durations is missing or unknown."""
        if self.first is None or self.second is None:
            return None
        return difference(self.first, self.second)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs: their waits and totals, and their aligned stages."""

    first: StoredRun
    second: StoredRun
    waits: tuple[ComparedStage, ...]
    stages: tuple[ComparedStage, ...]


def compared(first: StoredRun, second: StoredRun) -> Comparison:
    """Compare two runs with their stages."""
    return Comparison(first, second, tuple(_waits(first, second)), tuple(_stages(first, second)))


def difference(first: MeasuredRun, second: MeasuredRun) -> Difference | None:
    """Return the difference between two durations."""
    if first.seconds is None or second.seconds is None:
        return None
    delta_s = seconds(round(MS_PER_S * second.seconds) - round(MS_PER_S * first.seconds))
    percent = round(100 * delta_s / first.seconds, 1) if first.seconds else None
    return Difference(delta_s, percent, _kind(first.kind, second.kind))


def _kind(first: str, second: str) -> str:
    if first == second == EXACT:
        return EXACT
    if second in _MOST and first in _LEAST:
        return UPPER
    return LOWER if second in _LEAST and first in _MOST else BOUNDS


def _waits(first: StoredRun, second: StoredRun) -> Iterator[ComparedStage]:
    """Yield the parts that either run has, the span from the first START to the last, and the total."""
    for part, _ in PART_FIELDS:
        sides = [_part(run.parts, part) for run in (first, second)]
        if any(sides):
            yield ComparedStage(part, 0, *sides)
    spans = [None if run.span_s is None else MeasuredRun(run.span_s, EXACT) for run in (first, second)]
    yield ComparedStage(SPAN, 0, *spans)
    yield ComparedStage(TOTAL, 0, *(MeasuredRun(run.total_s, run.total_kind) for run in (first, second)))


def _part(parts: Mapping[str, float], part: str) -> MeasuredRun | None:
    return MeasuredRun(parts[part], EXACT) if part in parts else None


StagePosition = tuple[str, str, str, int]
"""Family, product, variant, and number within those."""


def _stages(first: StoredRun, second: StoredRun) -> Iterator[ComparedStage]:
    """Yield stages in the first run's order; stages of the second run only follow their predecessor there."""
    firsts, seconds_ = _placed(first.stages), _placed(second.stages)
    for position in _merged(list(firsts), list(seconds_)):
        one, other = firsts.get(position), seconds_.get(position)
        name = (one or other or first.stages[0]).name
        yield ComparedStage(name, position[3], _side(one), _side(other))


def _side(stage: StoredStage | None) -> MeasuredRun | None:
    return None if stage is None else MeasuredRun(stage.duration_s, stage.kind)


def _placed(stages: Sequence[StoredStage]) -> dict[StagePosition, StoredStage]:
    counts: dict[tuple[str, str, str], int] = {}
    placed = {}
    for stage in stages:
        variant = (stage.family, stage.product, stage.variant)
        counts[variant] = counts.get(variant, 0) + 1
        placed[*variant, counts[variant]] = stage
    return placed


def _merged(first: Sequence[StagePosition], second: Sequence[StagePosition]) -> list[StagePosition]:
    of_first = set(first)
    behind: dict[StagePosition | None, list[StagePosition]] = {}
    before: StagePosition | None = None
    for position in second:
        if position in of_first:
            before = position
        else:
            behind.setdefault(before, []).append(position)
    if of_first.isdisjoint(second):
        return [*first, *second]
    positions = list(behind.get(None, ()))
    for position in first:
        positions += [position, *behind.get(position, ())]
    return positions
