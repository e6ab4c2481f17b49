"""What derivation sends to the real node: for a mark of a long run no more than for one of a short run.

The cost is counted: documents and bytes in requests. Tests of the core count what the derivation computes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ingest.core.mark import RunKey
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.state import LARGE
from tests.support.crashing_deriver import Worker, worker
from tests.support.marks import mark
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

BATCH = 2_000  # marks; a round of the worker takes up to sixteen such batches


def rounds(world: World, size: int, runs: int) -> Iterator[BatchUpdates]:
    """Runs of so many marks, one after the other, in batches as the worker has them."""
    batch, held = BatchUpdates(), 0
    for n in range(runs):
        key = RunKey(world.facility, "als_perf", f"{size}-{n}")
        for at in range(size):
            start = mark(at, "START", f"S{at % 40}")
            batch.runs.setdefault(key, []).append(start._replace(id=f"{n}/{start.id}"))
            held += 1
            if held == BATCH:
                yield batch
                batch, held = BatchUpdates(), 0
    if held:
        yield batch


class Cost(NamedTuple):
    """What was sent for a mark."""

    documents: float
    size_bytes: float


def cost(mine: Worker, batches: Iterator[BatchUpdates], marks: int) -> Cost:
    """What is sent for each of so many marks."""
    mine.store.sent.clear()
    for batch in batches:
        assert mine.derive(batch)
    return Cost(len(mine.store.sent) / marks, sum(len(action.text) for action in mine.store.sent) / marks)


def test_the_cost_of_a_mark_is_flat(world: World) -> None:
    """Of runs of 100, 1,000 and 10,000 marks, 10,000 marks each; the state of the long one is written five times."""
    world.set_up()
    mine = worker(world)

    costs = {size: cost(mine, rounds(world, size, LARGE // size), LARGE) for size in (100, 1_000, LARGE)}

    for size in (1_000, LARGE):
        assert costs[size].documents <= 1.1 * costs[100].documents, costs
        assert costs[size].size_bytes <= 1.5 * costs[100].size_bytes, costs


def test_a_larger_run_costs_less_than_one_that_is_derived(world: World) -> None:
    """Beyond the limit a worker merges only: a batch of it is cheaper than the last one below, and writes no stage."""
    world.set_up()
    mine = worker(world)

    *first, last = rounds(world, LARGE, 1)
    for batch in first:
        mine.derive(batch)
    below = cost(mine, iter([last]), BATCH)
    key = RunKey(world.facility, "als_perf", f"{LARGE}-0")
    more = [BatchUpdates({key: [mark(LARGE + n * BATCH + at, "START", "S") for at in range(BATCH)]}) for n in range(3)]
    above = cost(mine, iter(more), 3 * BATCH)

    assert {action[0] for action in mine.store.sent} == {f"perf-runstate-{world.facility}"}
    assert above.documents < below.documents
    assert above.size_bytes < below.size_bytes
