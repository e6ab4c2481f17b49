"""Two runs side by side: their stages aligned, what each took, and what a difference says. Pure.

Stages are aligned by family, product and variant; of several of a kind the first with the first, in order of their
start. A stage that only one run has is listed all the same, where it stands in that run.

A difference (the other run minus the first) is as sure as its two sides:

    exact   both are; ±1 s at each end, so ±2 s
    upper   it was no more: an upper bound of the other minus an exact or lower one
    lower   it was no less: an exact or lower bound of the other minus an upper one, or a lower one minus an exact one
    bounds  two bounds of the same side: they differ by so much, what was taken may differ by anything
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
    """The other minus the first: seconds, percent of the first (None where that is 0), and what the two numbers say."""

    seconds: float
    percent: float | None
    kind: str


class MeasuredRun(NamedTuple):
    """What one run says: seconds (None: not known) and their kind."""

    seconds: float | None
    kind: str


class ComparedStage(NamedTuple):
    """A line of the comparison.

    Attributes:
        name: of the stage, as the first run that has it writes it; or of the wait or total.
        repeat: which of the stages of that family, product and variant, from 1; 0 of waits and totals.
        first, second: None where that run has no such stage, or saw no such wait.
    """

    name: str
    repeat: int
    first: MeasuredRun | None
    second: MeasuredRun | None

    @property
    def difference(self) -> Difference | None:
        """None where one of the two is missing or not known."""
        if self.first is None or self.second is None:
            return None
        return difference(self.first, self.second)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs: their waits and totals, and their stages, each pair once."""

    first: StoredRun
    second: StoredRun
    waits: tuple[ComparedStage, ...]
    stages: tuple[ComparedStage, ...]


def compared(first: StoredRun, second: StoredRun) -> Comparison:
    """Compare two runs with their stages."""
    return Comparison(first, second, tuple(_waits(first, second)), tuple(_stages(first, second)))


def difference(first: MeasuredRun, second: MeasuredRun) -> Difference | None:
    """What lies between two durations."""
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
    """The parts that one of them has, the span from the first START to the last, and the total."""
    for part, _ in PART_FIELDS:
        sides = [_part(run.parts, part) for run in (first, second)]
        if any(sides):
            yield ComparedStage(part, 0, *sides)
    spans = [None if run.span_s is None else MeasuredRun(run.span_s, EXACT) for run in (first, second)]
    yield ComparedStage(SPAN, 0, *spans)
    yield ComparedStage(TOTAL, 0, *(MeasuredRun(run.total_s, run.total_kind) for run in (first, second)))


def _part(parts: Mapping[str, float], part: str) -> MeasuredRun | None:
    return MeasuredRun(parts[part], EXACT) if part in parts else None


Place = tuple[str, str, str, int]
"""Family, product, variant, and which of those."""


def _stages(first: StoredRun, second: StoredRun) -> Iterator[ComparedStage]:
    """In the order of the first run; what only the second has behind what stands before it there."""
    firsts, seconds_ = _placed(first.stages), _placed(second.stages)
    for place in _merged(list(firsts), list(seconds_)):
        one, other = firsts.get(place), seconds_.get(place)
        name = (one or other or first.stages[0]).name
        yield ComparedStage(name, place[3], _side(one), _side(other))


def _side(stage: StoredStage | None) -> MeasuredRun | None:
    return None if stage is None else MeasuredRun(stage.duration_s, stage.kind)


def _placed(stages: Sequence[StoredStage]) -> dict[Place, StoredStage]:
    counts: dict[tuple[str, str, str], int] = {}
    found = {}
    for stage in stages:
        what = (stage.family, stage.product, stage.variant)
        counts[what] = counts.get(what, 0) + 1
        found[*what, counts[what]] = stage
    return found


def _merged(first: Sequence[Place], second: Sequence[Place]) -> list[Place]:
    known = set(first)
    behind: dict[Place | None, list[Place]] = {}
    before: Place | None = None
    for place in second:
        if place in known:
            before = place
        else:
            behind.setdefault(before, []).append(place)
    if known.isdisjoint(second):
        return [*first, *second]
    found = list(behind.get(None, ()))
    for place in first:
        found += [place, *behind.get(place, ())]
    return found
