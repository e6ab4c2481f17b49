"""What derivation costs on the real node: a mark of a long run no more than one of a short run; a large run no more.

Both are seconds on a clock of a machine that others use too: what is so by nature is so at one of three tries.
"""

import time
from collections.abc import Iterator

import pytest

from ingest.core.mark import RunKey
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.state import LARGE
from tests.support.crashing_deriver import Worker, worker
from tests.support.marks import mark
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

TRIES = 3
BATCH = 2_000  # marks; a round of the worker takes up to sixteen such batches


def rounds(world: World, size: int, runs: int, name: str = "") -> Iterator[BatchUpdates]:
    """Runs of so many marks, one after the other, in batches as the worker has them."""
    batch, held = BatchUpdates(), 0
    for n in range(runs):
        key = RunKey(world.facility, "als_perf", f"{name}{size}-{n}")
        for at in range(size):
            one = mark(at, "START", f"S{at % 40}")
            batch.runs.setdefault(key, []).append(one._replace(id=f"{n}/{one.id}"))
            held += 1
            if held == BATCH:
                yield batch
                batch, held = BatchUpdates(), 0
    if held:
        yield batch


def cost_ms(mine: Worker, batches: Iterator[BatchUpdates], marks: int) -> float:
    """Milliseconds a mark, from merging to the last answer."""
    made = list(batches)
    began_s = time.perf_counter()
    for batch in made:
        assert mine.derive(batch)
    return (time.perf_counter() - began_s) * 1000 / marks


def test_the_cost_of_a_mark_is_flat(world: World) -> None:
    """Of runs of 100, 1,000 and 10,000 marks, 10,000 marks each; the long one is read in five batches."""
    world.set_up()
    mine = worker(world)
    cost_ms(mine, rounds(world, 50, 40), 2_000)  # the node's own warming up

    def is_flat(attempt: int) -> bool:
        runs = {size: rounds(world, size, LARGE // size, f"{attempt}-") for size in (100, 1_000, LARGE)}
        found = {size: cost_ms(mine, batches, LARGE) for size, batches in runs.items()}
        print({size: round(ms, 3) for size, ms in found.items()})
        return found[LARGE] < 6 * found[100] and found[1_000] < 3 * found[100]

    assert any(is_flat(attempt) for attempt in range(TRIES))


def test_a_larger_run_costs_less_than_one_that_is_derived(world: World) -> None:
    """Beyond the limit a worker merges only: a batch of it is cheaper than the last one below, and writes no stage."""
    world.set_up()
    mine = worker(world)

    def costs_less(attempt: int) -> bool:
        *first, last = rounds(world, LARGE, 1, f"{attempt}-")
        for batch in first:
            mine.derive(batch)
        below_ms = cost_ms(mine, iter([last]), BATCH)
        key = RunKey(world.facility, "als_perf", f"{attempt}-{LARGE}-0")
        more = [
            BatchUpdates({key: [mark(LARGE + n * BATCH + at, "START", "S") for at in range(BATCH)]}) for n in range(3)
        ]
        mine.store.sent.clear()
        above_ms = cost_ms(mine, iter(more), 3 * BATCH)
        assert {action[0] for action in mine.store.sent} == {f"perf-runstate-{world.facility}"}
        print({"below": round(below_ms, 3), "above": round(above_ms, 3)})
        return above_ms < below_ms

    assert any(costs_less(attempt) for attempt in range(TRIES))
