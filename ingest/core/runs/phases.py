"""Phases of a run: every instant from the first mark to the last line printed belongs to exactly one.

    queue     from queued to work begun (QSTART to WSTART, or to QEND)
    dispatch  from work begun to the next START
    stage     in a stage, up to what closed it; in a parallel run the union of the stages that have an END
    between   after an END (in a parallel run: or a START), before the next START: no mark says what was done
    lead      before the first START, if no marks separate queue from dispatch
    tail      after the last instant that any mark gives, up to the last line: for an open stage its emission lag

Phases adjoin, so their lengths add up to the observed total, whatever is missing. Time in a queue whose end is missing
does not count as queue, and time after a WSTART without a following START does not count as dispatch: it is lead,
between or tail. Within a stage, queue marks cut nothing, since the stage's own bound is what is known. A run that is
queued again has several phases of a kind. A phase has length zero only if marks say so (queued and begun within one
second): it was measured, not missing.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest.core.bulk import new_tuple
from ingest.core.mark import END, QUEUED, START, WORK, RunMark
from ingest.core.runs.pairing import Pairing
from ingest.core.runs.stages import EXACT, Stage

QUEUE, DISPATCH, STAGE, BETWEEN, LEAD, TAIL = "queue", "dispatch", "stage", "between", "lead", "tail"


class Phase(NamedTuple):
    """A phase of a run, in unix ms; `stage` is the id of the opening mark, in a sequential run."""

    kind: str
    start_ms: int
    end_ms: int
    stage: str | None = None


Step = tuple[str, int, str | None]
"""The start of a phase: kind, unix ms, stage. The phase lasts until the next step."""


def phases_of(
    marks: Sequence[RunMark], seen_ms: int, ends: Pairing, stages: Sequence[Stage], parallel: bool
) -> tuple[Phase, ...]:
    """The phases of one instance with at least one mark, last seen at `seen_ms`; marks are in order of time."""
    steps = _steps(marks, ends, stages, parallel)
    phases = [
        new_tuple(Phase, (kind, at_ms, next_ms, stage)) for (kind, at_ms, stage), (_, next_ms, _) in pairwise(steps)
    ]
    if phases and phases[0].kind == LEAD and phases[0].start_ms == phases[0].end_ms:
        del phases[0]
    last_ms, last_lag_ms = steps[-1][1], marks[-1].lag_ms
    if seen_ms > last_ms or (last_lag_ms is not None and last_lag_ms >= 0):
        phases.append(Phase(TAIL, last_ms, seen_ms))
    return tuple(phases)


def _steps(marks: Sequence[RunMark], ends: Pairing, stages: Sequence[Stage], parallel: bool) -> list[Step]:
    first_ms = until_ms = marks[0].at_ms
    steps: list[Step] = [(LEAD, first_ms, None)]
    covering = {stage.mark.id: stage for stage in stages if not parallel or stage.kind == EXACT}
    of_no_length = {ends.of[doc_id].id for doc_id, stage in covering.items() if _is_instant(stage)} if ends.of else ()
    started = False
    for (doc_id, _, at_ms, *_), kind in zip(marks, _kinds(marks, ends), strict=True):
        if kind is None or doc_id in of_no_length:
            continue
        stage = covering.get(doc_id)
        if at_ms >= until_ms:
            begun = STAGE if stage else BETWEEN if kind == LEAD and started else kind
            steps.append((begun, at_ms, None if parallel or not stage else doc_id))
        started = started or kind == BETWEEN
        if stage is not None and stage.closed_ms is not None:
            until_ms = max(until_ms, stage.closed_ms)
            if until_ms == at_ms and _is_instant(stage):
                steps.append((BETWEEN, at_ms, None))
    return steps


def _is_instant(stage: Stage) -> bool:
    """Whether a stage ended in the second in which it started; its END then precedes it in the order of time."""
    return stage.kind == EXACT and stage.duration_ms == 0


def _kinds(marks: Sequence[RunMark], ends: Pairing) -> list[str | None]:
    """The phase that each mark begins outside of stages, or None. A queue needs its end ahead, a dispatch a START."""
    kinds: list[str | None] = []
    work_ahead = start_ahead = False
    for mark in reversed(marks):
        role, kind = mark.what.role, None
        if role == WORK or mark.id in ends.queue:
            kind, work_ahead = DISPATCH if start_ahead else LEAD, True
        elif role == QUEUED:
            kind = QUEUE if work_ahead else None
        elif role == START:
            kind, start_ahead, work_ahead = BETWEEN, True, False
        elif role == END:
            kind, start_ahead = BETWEEN, False
        kinds.append(kind)
    return kinds[::-1]
