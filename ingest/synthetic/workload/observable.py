"""What the lines that are there let anybody know of a run, beside what it really did. By the plan, never by reading."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ingest.synthetic.workload.run_plan import END, NO_STAGE, QSTART, START, WSTART, Attempt, Life, Mark
from ingest.synthetic.workload.truth import RunTruth, StageTruth


def run_truth(run: Life, marks: Iterable[Mark]) -> RunTruth:
    """The truth of a run; `marks` are those of which a document exists."""
    printed = list(marks)
    starts = {mark.attempt: mark for mark in printed if mark.key == START}
    ends = {mark.attempt: mark for mark in printed if mark.key == END}
    queue = {mark.key for mark in printed if mark.attempt == NO_STAGE}
    values = [mark.value_s * 1000 for mark in printed]
    return RunTruth(
        facility=run.who.facility,
        host=run.who.host,
        run=run.who.run,
        instance=run.who.instance,
        queue_s=float(run.work_s - run.queued_s),
        dispatch_s=float(run.attempts[0].start_s - run.work_s),
        queued_written=QSTART in queue,
        work_written=WSTART in queue,
        stages=_stages(run, starts, ends),
        parallel=run.traits.parallel,
        retried=any(attempt.number > 1 for attempt in run.attempts),
        stuck=run.traits.stuck,
        skew_s=run.skew_s,
        first_ms=min(values, default=None),
        last_ms=max(values, default=None),
    )


def _stages(run: Life, starts: Mapping[int, Mark], ends: Mapping[int, Mark]) -> tuple[StageTruth, ...]:
    order = sorted(starts.values(), key=lambda mark: mark.value_s)
    following = {mark.attempt: after for mark, after in pairwise(order)}
    stages = []
    for n, one in enumerate(run.attempts):
        known = _known(starts.get(n), _end(run, n, starts, ends), None if run.traits.parallel else following.get(n))
        stages.append(_stage(one, n in starts, n in ends, known))
    return tuple(stages)


def _end(run: Life, n: int, starts: Mapping[int, Mark], ends: Mapping[int, Mark]) -> Mark | None:
    """The end that seems to be that attempt's: of a retried stage the second's, where the second's start is missing."""
    stage = run.attempts[n].step.stage
    strays = (end for at, end in ends.items() if at > n and at not in starts and end.step.stage == stage)
    return ends.get(n) or next(strays, None)


def _stage(one: Attempt, start: bool, end: bool, known: tuple[str, float | None, str]) -> StageTruth:
    kind, known_s, closed_by = known
    return StageTruth(
        stage=one.step.stage,
        attempt=one.number,
        lane=one.lane,
        start_ms=one.start_s * 1000,
        end_ms=None if one.end_s is None else one.end_s * 1000,
        duration_s=None if one.end_s is None else float(one.end_s - one.start_s),
        start_written=start,
        end_written=end,
        kind=kind,
        known_s=known_s,
        closed_by=closed_by,
    )


def _known(start: Mark | None, end: Mark | None, following: Mark | None) -> tuple[str, float | None, str]:
    """Kind, seconds, and what closed it. A parallel run's next start closes nothing."""
    if start is None:
        return "none", None, "unseen"
    if end is not None:
        return "exact", float(end.value_s - start.value_s), "end"
    if following is not None:
        return "upper", float(following.value_s - start.value_s), "next_start"
    lag_s = start.logged_s - start.value_s
    return ("lower", float(lag_s), "open") if lag_s >= 0 else ("none", None, "open")


def marks_of(marks_by_line: Sequence[tuple[Mark, ...]]) -> list[Mark]:
    """The marks of which a document exists, each once."""
    return list(dict.fromkeys(mark for marks in marks_by_line for mark in marks))
