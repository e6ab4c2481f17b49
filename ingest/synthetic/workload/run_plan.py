"""One run, planned: what it really does, and the lines that its scripts print of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from random import Random
from typing import NamedTuple

from ingest.synthetic.workload import workflow_model
from ingest.synthetic.workload.truth import Shares, Workload
from ingest.synthetic.workload.workflow_model import QUEUED, WORK, ModelStep

START, END = "START_DATE", "END_DATE"
QSTART, WSTART = "QSTART_DATE", "WSTART_DATE"
NO_STAGE = -1
MOST_SKEW_S = 90  # near a quarter of an hour the core would suspect another time zone
SILENCE_S = 7 * 86_400  # after which a run id that comes again is another run


class Mark(NamedTuple):
    """A line as it is to be printed; `attempt` says of which attempt it tells (NO_STAGE: of the run's queue)."""

    attempt: int
    key: str
    step: ModelStep
    value_s: int
    logged_s: int


@dataclass(slots=True)
class Attempt:
    """A stage that is started: true times in unix s; no end: it hangs, or hung when the run did."""

    step: ModelStep
    number: int
    lane: int
    start_s: int
    end_s: int | None
    lag_s: int
    fails: bool


@dataclass(frozen=True, slots=True)
class Who:
    """Whose life it is: facility, the host that prints, the file's path, run id, and which run of that id."""

    facility: str
    host: str
    path: str
    run: str
    instance: int = 1


@dataclass(frozen=True, slots=True)
class Traits:
    """What is not plain about a run: see Shares."""

    parallel: bool
    retried: bool
    stuck: bool
    late: bool
    skewed: bool
    with_ends: bool
    headless: bool
    tailless: bool
    reused: bool


@dataclass(slots=True)
class Life:
    """A run: its true times (unix s), and the lines that are there of it, in the order in which they are printed."""

    who: Who
    traits: Traits
    queued_s: int
    work_s: int
    skew_s: int
    attempts: list[Attempt]
    marks: list[Mark]

    @property
    def last_s(self) -> int:
        """The newest second that anything tells of."""
        return max(max(mark.value_s, mark.logged_s) for mark in self.marks)


def traits(rng: Random, shares: Shares) -> Traits:
    """Draw them, each by itself."""
    names = Traits.__slots__
    return Traits(*(rng.random() < getattr(shares, name) for name in names))


def life(rng: Random, who: Who, what: Traits, begin_s: float, workload: Workload) -> Life:
    """Plan a run that is queued at that instant (unix s)."""
    queued_s = int(begin_s)
    work_s = queued_s + 3 + workflow_model.took_s(rng, 25, begin_s)
    skew_s = rng.choice((-1, 1)) * rng.randint(3, MOST_SKEW_S) if what.skewed else 0
    first_s = work_s + 5 + workflow_model.took_s(rng, 8, begin_s)
    steps = _steps(rng, what)
    attempts = _attempts(rng, steps, first_s, rng.randint(2, 4) if what.parallel else 1, workload)
    if what.stuck:
        attempts = _hung(attempts, rng.randrange(len(attempts)))
    made = Life(who, what, queued_s, work_s, skew_s, attempts, [])
    made.marks = _excerpt(rng, what, _marks(made))
    return made


def _steps(rng: Random, what: Traits) -> list[tuple[ModelStep, int, bool]]:
    """The stages in order: each with the number of its attempt, and whether that one fails."""
    steps = [(step, 1, False) for step in rng.choice(workflow_model.RECIPES)]
    if what.retried:
        at = rng.randrange(len(steps))
        step = steps[at][0]
        steps[at] = (step, 1, True)
        steps.insert(min(at + rng.randint(1, 2), len(steps)), (step, 2, False))
    return steps


def _attempts(
    rng: Random, steps: Sequence[tuple[ModelStep, int, bool]], first_s: int, lanes: int, workload: Workload
) -> list[Attempt]:
    """One after the other, in each lane as soon as it is free; a second attempt not before the first has ended."""
    free_s = [first_s + lane for lane in range(lanes)]
    made: list[Attempt] = []
    for step, number, fails in steps:
        lane = free_s.index(min(free_s))
        start_s = free_s[lane]
        if number > 1:
            start_s = max([start_s, *((a.end_s or 0) + 1 for a in made if a.step is step)])
        lag_s = workflow_model.lag_s(rng, step)
        took_s = max(_drawn_s(rng, step, start_s, workload) // (2 if fails else 1), lag_s + workflow_model.LEAST_REST_S)
        made.append(Attempt(step, number, lane, start_s, start_s + took_s, lag_s, fails))
        free_s[lane] = start_s + took_s + int(rng.random() * 3)
    return sorted(made, key=lambda attempt: attempt.start_s)


def _drawn_s(rng: Random, step: ModelStep, start_s: int, workload: Workload) -> int:
    """What it takes, and as many times as long as it is slowed."""
    drawn_s = (
        workflow_model.steady_s(rng, step.median_s)
        if workload.steady
        else workflow_model.took_s(rng, step.median_s, start_s)
    )
    slowed = (one.times for one in workload.slowed if one.stage == step.stage and start_s * 1000 >= one.from_ms)
    return round(drawn_s * prod(slowed))


def _hung(attempts: list[Attempt], at: int) -> list[Attempt]:
    """The run hangs once that attempt has printed its start: nothing starts after it, nothing ends."""
    stop_s = attempts[at].start_s + attempts[at].lag_s
    begun = [attempt for attempt in attempts if attempt.start_s + attempt.lag_s <= stop_s]
    for attempt in begun:
        if attempt is attempts[at] or (attempt.end_s or 0) >= stop_s:
            attempt.end_s = None
    return begun


def _marks(run: Life) -> list[Mark]:
    """Every line of the run. The two of its queue are printed together, when the work begins."""
    ahead_s = run.skew_s
    marks = [
        Mark(NO_STAGE, QSTART, QUEUED, run.queued_s, run.work_s + 1),
        Mark(NO_STAGE, WSTART, WORK, run.work_s + ahead_s, run.work_s + 1),
    ]
    ends = run.traits.with_ends or run.traits.parallel
    for n, one in enumerate(run.attempts):
        marks.append(Mark(n, START, one.step, one.start_s + ahead_s, one.start_s + one.lag_s))
        if ends and not one.fails and one.end_s is not None:
            marks.append(Mark(n, END, _END_STEPS[one.step.stage], one.end_s + ahead_s, one.end_s))
    marks.sort(key=lambda mark: mark.logged_s)
    return marks


_END_STEPS = {
    step.stage: ModelStep(step.stage, step.script, step.line + workflow_model.END_LINES_ON, 0, step.gap)
    for step in workflow_model.WHOLE
}


def _excerpt(rng: Random, what: Traits, marks: list[Mark]) -> list[Mark]:
    """The lines that are left of an excerpt: at least one."""
    if what.headless:
        marks = marks[rng.randint(1, max(1, len(marks) - 2)) :] or marks
    if what.tailless:
        marks = marks[: rng.randint(1, max(1, len(marks) - 1))]
    return marks
