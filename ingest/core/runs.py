"""A run's marks -> its timeline: what began when, and how much of it the marks can say.

The lines of a sequential workflow name starts only. From one start to the next is an upper bound of the stage: it
holds the stage's own wait, its work and any step behind it that nobody logged (als-perf.md 5.4). A stage whose end is
named is exact; one that nothing follows has been seen for its emission lag at least. Every number says which it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ingest.core.clock import iso_ms


@dataclass(frozen=True, slots=True)
class Mark:
    """One instant of a run: `role` is start, end, queued, work or other; times in unix ms."""

    run: str
    stage: str
    role: str
    at_ms: int
    emit_lag_s: float | None = None


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long a stage took, and how sure that is.

    Attributes:
        duration_s: None when nothing is known.
        kind: exact (its end is named), upper (start to the next start), lower (the last: its emission lag), none.
        closed_by: end, next_start, or open.
    """

    stage: str
    start_ms: int
    duration_s: float | None
    kind: str
    closed_by: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run as its marks show it; a difference that one of its marks is missing for is None, never 0.

    Attributes:
        queue_wait_s: QSTART to WSTART; dispatch_s: WSTART to the first start.
        start_span_s: first start to last start.
        first_ms, last_ms: the first and the last instant seen.
    """

    run: str
    stages: tuple[StageTime, ...]
    queue_wait_s: float | None
    dispatch_s: float | None
    start_span_s: float | None
    first_ms: int
    last_ms: int


def mark_of(body: Mapping[str, Any]) -> Mark | None:
    """The mark in a document of kind marks; None when it belongs to no run or names no stage."""
    perf = body["perf"]
    run, stage = perf.get("run", {}).get("id"), perf.get("stage", {}).get("name")
    if run is None or stage is None:
        return None
    mark = perf["mark"]
    return Mark(run, stage, mark["role"], iso_ms(body["@timestamp"]), mark.get("emit_lag_s"))


def timelines(marks: Iterable[Mark]) -> list[Timeline]:
    """One timeline a run, in order of their first instants; the order of the marks does not matter."""
    by_run: dict[str, set[Mark]] = {}
    for mark in marks:
        by_run.setdefault(mark.run, set()).add(mark)
    found = [timeline(run, group) for run, group in by_run.items()]
    return sorted(found, key=lambda line: (line.first_ms, line.run))


def timeline(run: str, marks: Iterable[Mark]) -> Timeline:
    """The timeline of one run from the set of its marks (at least one)."""
    ordered = sorted(marks, key=lambda mark: (mark.at_ms, mark.role, mark.stage))
    starts = [mark for mark in ordered if mark.role == "start"]
    queued = next((mark.at_ms for mark in ordered if mark.role == "queued"), None)
    work = next((mark.at_ms for mark in ordered if mark.role == "work"), None)
    first_start = starts[0].at_ms if starts else None
    return Timeline(
        run=run,
        stages=_stages(starts, [mark for mark in ordered if mark.role == "end"]),
        queue_wait_s=_between_s(queued, work),
        dispatch_s=_between_s(work, first_start),
        start_span_s=_between_s(first_start, starts[-1].at_ms if starts else None),
        first_ms=ordered[0].at_ms,
        last_ms=ordered[-1].at_ms,
    )


def _stages(starts: list[Mark], ends: list[Mark]) -> tuple[StageTime, ...]:
    stages = []
    for start, following in pairwise([*starts, None]):
        if start is None:
            continue
        stages.append(_stage(start, _end_of(start, starts, ends), following))
    return tuple(stages)


def _end_of(start: Mark, starts: list[Mark], ends: list[Mark]) -> Mark | None:
    """The end that belongs to a start: of the same stage, before the stage is started again."""
    again_ms = next((s.at_ms for s in starts if s.stage == start.stage and s.at_ms > start.at_ms), None)
    mine = (end for end in ends if end.stage == start.stage and end.at_ms >= start.at_ms)
    return next((end for end in mine if again_ms is None or end.at_ms < again_ms), None)


def _stage(start: Mark, end: Mark | None, following: Mark | None) -> StageTime:
    if end is not None:
        return StageTime(start.stage, start.at_ms, _between_s(start.at_ms, end.at_ms), "exact", "end")
    if following is not None:
        gap_s = _between_s(start.at_ms, following.at_ms)
        return StageTime(start.stage, start.at_ms, gap_s, "upper", "next_start")
    seen_s = start.emit_lag_s if start.emit_lag_s is not None and start.emit_lag_s >= 0 else None
    return StageTime(start.stage, start.at_ms, seen_s, "none" if seen_s is None else "lower", "open")


def _between_s(first_ms: int | None, last_ms: int | None) -> float | None:
    if first_ms is None or last_ms is None:
        return None
    return (last_ms - first_ms) / 1000
