"""PERF lines and perfSONAR results with known truth, as they would arrive from several facilities; any number of them.

`messages` and `runs_truth` walk the same plan, run by run in the order in which they begin; memory holds the runs that
are under way, no more. The same workload gives the same bytes. What every message must become is told by the plan.
"""

from collections.abc import Iterator
from heapq import heappop, heappush, merge
from itertools import count
from random import Random

from ingest.synthetic.workload import workflow_model
from ingest.synthetic.workload.arrivals import Planned, arrivals
from ingest.synthetic.workload.corruption import made
from ingest.synthetic.workload.observable import marks_of, run_truth
from ingest.synthetic.workload.results import results
from ingest.synthetic.workload.run_plan import SILENCE_S, Life, Traits, Who, life, traits
from ingest.synthetic.workload.stamps import Stamps
from ingest.synthetic.workload.truth import (
    ExpectedDocument,
    Made,
    RunTruth,
    Shares,
    Slowed,
    StageTruth,
    Truth,
    Workload,
    as_json,
    run_as_json,
)

__all__ = [
    "ExpectedDocument", "Made", "RunTruth", "Shares", "Slowed", "StageTruth", "Truth", "Workload",
    "as_json", "messages", "run_as_json", "runs_truth",
]  # fmt: skip

HOSTS = 8  # of a facility, each with a file of its own
LATER_S = (3600, 8 * 86_400)  # behind the week of silence
Group = list[tuple[Life, list[Planned]]]


def messages(workload: Workload) -> Iterator[Made]:
    """Every message in the order of arrival."""
    lines = _lines(workload)
    return merge(lines, results(workload), key=lambda message: message.at_ms) if workload.results else lines


def runs_truth(workload: Workload) -> Iterator[RunTruth]:
    """What each run really did and what can be known of it, as they begin; one of a used id follows the first."""
    for group in _groups(workload):
        for run, planned in group:
            yield run_truth(run, marks_of([message.stored for message in planned]))


def _lines(workload: Workload) -> Iterator[Made]:
    stamps = {facility: Stamps(facility) for facility in workload.facilities}
    waiting: list[tuple[int, int, Planned]] = []
    numbers = count()
    for group in _groups(workload):
        begins_ms = group[0][0].queued_s * 1000
        while waiting and waiting[0][0] < begins_ms:
            planned = heappop(waiting)[2]
            yield made(planned, stamps[planned.life.who.facility])
        for _, arriving in group:
            for planned in arriving:
                heappush(waiting, (planned.at_ms, next(numbers), planned))
    while waiting:
        planned = heappop(waiting)[2]
        yield made(planned, stamps[planned.life.who.facility])


def _groups(workload: Workload) -> Iterator[Group]:
    """Runs in the order of their begin, each with its messages and, if its id is used again, with the run that does."""
    rng = Random(f"{workload.seed}/runs")  # noqa: S311 - made-up runs, no secrets
    ids = _run_ids(rng)
    done = 0
    while done < workload.lines:
        begin_s = workflow_model.begins_s(workload.start_ms / 1000, workload.span_s, done / workload.lines)
        what = traits(rng, workload.shares)
        who = _who(rng, workload, next(ids))
        group = _lives(rng, workload, who, what, begin_s)
        within = []
        for run, planned in group:
            within.append((run, planned[: workload.lines - done]))
            done += len(within[-1][1])
        yield [(run, planned) for run, planned in within if planned]


def _lives(rng: Random, workload: Workload, who: Who, what: Traits, begin_s: float) -> Group:
    first = life(rng, who, what, begin_s, workload)
    uses = [(first, arrivals(rng, first, workload.shares))]
    if what.reused:
        again = Who(who.facility, who.host, who.path, who.run, 2)
        again_s = first.last_s + SILENCE_S + rng.randint(*LATER_S)
        second = life(rng, again, what, again_s, workload)
        uses.append((second, arrivals(rng, second, workload.shares)))
    return uses


def _who(rng: Random, workload: Workload, run: str) -> Who:
    facility = rng.choice(workload.facilities)
    number = rng.randrange(HOSTS) + 1
    return Who(facility, f"{facility}-node-{number:02d}", f"/data/{facility}/logs/perf-{number:02d}.log", run)


def _run_ids(rng: Random) -> Iterator[str]:
    """As in the sample: two counters that grow, each by itself; no pair comes twice."""
    job, step = 1_084_000, 62_000
    while True:
        job += 1 + int(rng.random() * 40)
        step += 1 + int(rng.random() * 30)
        yield f"{job}-{step}"
