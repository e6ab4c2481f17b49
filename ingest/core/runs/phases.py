"""The time of a run as a partition: every instant from the first mark to the last line printed belongs to one part.

    queue     from queued to taken up (QSTART to WSTART, or to QEND)
    dispatch  from taken up to the next START
    stage     in a stage, up to what closed it; of a parallel run the union of the stages whose END is there
    between   behind an END (or in a parallel run a START), before the next START: nothing says what was done
    lead      before the first START, where marks do not tell queue from dispatch
    tail      behind the last instant that anything is said of, up to the last line: of an open stage its emission lag

Parts adjoin, so their lengths add up to the observed total, whatever is missing. A queue whose end is not there is not
counted as queue, nor a WSTART that no START follows as dispatch: such time is lead, between or tail. Within a stage,
marks of the queue cut nothing: the stage's own bound says what is known. A run that is queued again has several parts
of a kind. A part of no length is a part where marks say so (queued and taken up in one second): measured, not missing.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest.core.mark import END, QUEUED, START, WORK, RunMark
from ingest.core.runs.pairing import Pairing
from ingest.core.runs.stages import EXACT, Stage

_new = tuple.__new__  # see stages.py
QUEUE, DISPATCH, STAGE, BETWEEN, LEAD, TAIL = "queue", "dispatch", "stage", "between", "lead", "tail"


class Phase(NamedTuple):
    """A part of a run's time, unix ms; `stage` is the id of its opening mark, in a sequential run."""

    kind: str
    start_ms: int
    end_ms: int
    stage: str | None = None


Step = tuple[str, int, str | None]
"""What begins: kind of part, unix ms, stage. It lasts until the next step."""


def phases_of(
    marks: Sequence[RunMark], seen_ms: int, ends: Pairing, stages: Sequence[Stage], parallel: bool
) -> tuple[Phase, ...]:
    """The parts of one instance (at least one mark, the last seen at `seen_ms`) whose marks are in order of time."""
    steps = _steps(marks, ends, stages, parallel)
    parts = [_new(Phase, (kind, at_ms, next_ms, stage)) for (kind, at_ms, stage), (_, next_ms, _) in pairwise(steps)]
    if parts and parts[0].kind == LEAD and parts[0].start_ms == parts[0].end_ms:
        del parts[0]
    last_ms, last_lag_ms = steps[-1][1], marks[-1].lag_ms
    if seen_ms > last_ms or (last_lag_ms is not None and last_lag_ms >= 0):
        parts.append(Phase(TAIL, last_ms, seen_ms))
    return tuple(parts)


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
    """Whether it ended in the second in which it started; its END then stands before it in the order of time."""
    return stage.kind == EXACT and stage.duration_ms == 0


def _kinds(marks: Sequence[RunMark], ends: Pairing) -> list[str | None]:
    """What each mark begins outside of stages; None: nothing. A queue needs its end ahead, a dispatch a START."""
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
