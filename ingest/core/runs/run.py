"""A run: one instance of a run id, as a function of (the set of its marks, the watermark).

    queued      its queue entry was seen, and no work
    running     work was seen, and the last line is at most an hour old
    quiet       no line for more than an hour: the run may be done, stuck or slow, the lines do not say which
    closed      its end was seen: nothing more belongs to it; or no stage is open, each closed by its END or by the
                next START, and it is quiet: it may still go on, so its total stays a lower bound; or no line came
                for more than seven days, so that the next one would begin a new instance
    abandoned   no line for more than seven days, and something is unfinished: a queue entry without work, or an open
                stage in a run that prints ENDs

If a run's dialect has no END, the run is closed after seven days and not abandoned: its open last stage is no sign of
trouble. A queued run does not become quiet, since a queue prints nothing. Without a watermark no time has passed: a run
is queued or running, or closed by its end. The state depends only on the set of marks, never on which one arrived last:
a late START from before the end does not reopen the run. Silence is counted from the last line printed.

`open_for_s` and `timeout` stop with the run: an open stage does not grow for ever, and does not vanish either.

The head was seen if a queue and a dispatch precede the first START; the tail was seen if the run's own end follows the
last START. Jobs without a queue never show a head, so their totals stay lower bounds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ingest.core.mark import OTHER, QUEUED, START, RunKey, RunMark, last_seen_ms
from ingest.core.runs.instances import SILENCE_MS, instances, ordered
from ingest.core.runs.pairing import Pairing, pairing_of
from ingest.core.runs.phases import DISPATCH, QUEUE, Phase, phases_of
from ingest.core.runs.stages import BY_RUN_END, EXACT, OPEN, TIMEOUT, UPPER, Stage, stages_of
from ingest.core.timestamps import MS_PER_HOUR

QUIET_MS = MS_PER_HOUR
RUNNING, QUIET, CLOSED, ABANDONED = "running", "quiet", "closed", "abandoned"
BY_ENDS = "ends"
KNOWN = frozenset({EXACT, UPPER})  # kinds of durations that are an upper limit of a stage's time


@dataclass(frozen=True, slots=True)
class Run:
    """One instance of a run.

    Attributes:
        key: its facility, source and run id; ordinal: which instance of that, from 1.
        first_ms, last_ms: the first and the last instant; seen_ms: the last line printed (unix ms).
        stages: in order of their start; parts: its phases from first_ms to seen_ms, without holes.
        ended_ms: the run's own end, after its last START; None if it was not seen.
        marks: how many count; ends_unmatched: how many ENDs end no stage.
        closed_by: run_end, ends or timeout; open while the run is neither closed nor abandoned.
        due_ms: the watermark from which on the state changes; None if it stays.
    """

    key: RunKey
    ordinal: int
    first_ms: int
    last_ms: int
    seen_ms: int
    stages: tuple[Stage, ...]
    parts: tuple[Phase, ...]
    parallel: bool
    head_seen: bool
    ended_ms: int | None
    state: str
    closed_by: str
    due_ms: int | None
    marks: int
    ends_unmatched: int
    workflow: str

    @property
    def part_lengths_ms(self) -> dict[str, int]:
        """The total length of all phases of a kind, for each kind that occurs."""
        lengths: dict[str, int] = {}
        for kind, start_ms, end_ms, _ in self.parts:
            lengths[kind] = lengths.get(kind, 0) + end_ms - start_ms
        return lengths

    @property
    def tail_seen(self) -> bool:
        """Whether the run's own end was seen."""
        return self.ended_ms is not None

    @property
    def observed_ms(self) -> int:
        """The time from the first instant to the last line printed: the sum of the phases."""
        return self.seen_ms - self.first_ms

    @property
    def start_span_ms(self) -> int | None:
        """The time from the first START to the last; None without any."""
        return self.stages[-1].start_ms - self.stages[0].start_ms if self.stages else None

    @property
    def longest(self) -> Stage | None:
        """The stage with the longest duration that is exact or an upper bound; the first if several are equal."""
        closed_stages = [stage for stage in self.stages if stage.kind in KNOWN]
        return max(closed_stages, key=lambda stage: stage.duration_ms or 0, default=None)


def runs_of(key: RunKey, marks: Iterable[RunMark], watermark_ms: int | None = None) -> tuple[Run, ...]:
    """The instances of one run id, from the set of its marks; retracted marks and repeats are ignored."""
    groups = instances(ordered(marks))
    return tuple(_run(key, ordinal, group, watermark_ms) for ordinal, group in enumerate(groups, 1))


def seconds(ms: int) -> int | float:
    """Convert milliseconds to seconds; an int if there is no fraction."""
    return ms / 1000 if ms % 1000 else ms // 1000


def _run(key: RunKey, ordinal: int, marks: Sequence[RunMark], watermark_ms: int | None) -> Run:
    ends = pairing_of(marks)
    stages, parallel = stages_of(marks, ends)
    seen_ms = last_seen_ms(marks)
    parts = phases_of(marks, seen_ms, ends, stages, parallel)
    ended_ms = _ended_ms(marks, ends)
    silent_ms = 0 if watermark_ms is None else watermark_ms - seen_ms
    state, closed_by, lasts_ms = _state(marks, stages, ended_ms is not None, silent_ms)
    return Run(
        key=key,
        ordinal=ordinal,
        first_ms=marks[0].at_ms,
        last_ms=marks[-1].at_ms,
        seen_ms=seen_ms,
        stages=_at_watermark(watermark_ms, stages, closed_by),
        parts=parts,
        parallel=parallel,
        head_seen=_head_seen(parts, stages),
        ended_ms=ended_ms,
        state=state,
        closed_by=closed_by,
        due_ms=None if lasts_ms is None else seen_ms + lasts_ms + 1,
        marks=len(marks),
        ends_unmatched=ends.unmatched,
        workflow=next((mark.what.workflow for mark in marks if mark.what.workflow), ""),
    )


def _ended_ms(marks: Sequence[RunMark], ends: Pairing) -> int | None:
    """The time of the run's own end; None if there is none after its last START."""
    if not ends.run:
        return None
    last_start_ms = max((mark.at_ms for mark in marks if mark.what.role == START), default=0)
    ended_ms = max(mark.at_ms for mark in marks if mark.id in ends.run)
    return ended_ms if ended_ms >= last_start_ms else None


def _state(
    marks: Sequence[RunMark], stages: Sequence[Stage], ended: bool, silent_ms: int
) -> tuple[str, str, int | None]:
    """The state, what closed the run, and the silence (ms) after which the state changes."""
    has_open = None in [stage.closed_ms for stage in stages]
    prints_ends = EXACT in [stage.kind for stage in stages]
    only_queued = {QUEUED} == {mark.what.role for mark in marks} - {OTHER}
    if ended:
        return CLOSED, BY_RUN_END, None
    if stages and not has_open and silent_ms > QUIET_MS:
        return CLOSED, BY_ENDS, None
    if silent_ms > SILENCE_MS:
        is_unfinished = only_queued or (has_open and prints_ends)
        return ABANDONED if is_unfinished else CLOSED, TIMEOUT, None
    if only_queued:
        return QUEUED, OPEN, SILENCE_MS
    if silent_ms > QUIET_MS:
        return QUIET, OPEN, SILENCE_MS
    return RUNNING, OPEN, QUIET_MS


def _at_watermark(watermark_ms: int | None, stages: tuple[Stage, ...], closed_by: str) -> tuple[Stage, ...]:
    """The stages, with the open ones updated to the watermark."""
    if None not in [stage.closed_ms for stage in stages]:
        return stages
    if closed_by != OPEN:
        return tuple(stage._replace(closed_by=TIMEOUT) if stage.is_open else stage for stage in stages)
    if watermark_ms is None:
        return stages
    return tuple(
        stage._replace(open_for_ms=watermark_ms - stage.start_ms)
        if stage.is_open and watermark_ms >= stage.start_ms
        else stage
        for stage in stages
    )


def _head_seen(parts: Sequence[Phase], stages: Sequence[Stage]) -> bool:
    """Whether a queue and a dispatch precede the first START."""
    first_ms = stages[0].start_ms if stages else 0
    before = {part.kind for part in takewhile(lambda part: part.end_ms <= first_ms, parts)}
    return {QUEUE, DISPATCH} <= before
