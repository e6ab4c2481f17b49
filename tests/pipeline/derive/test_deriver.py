"""Stages and runs on the real servers follow from all lines, whichever worker read which line when."""

from random import Random

import pytest

from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import INDEX, Shares, Workload
from tests.support.amount import cases
from tests.support.derivation import at_once, derived_documents, everything, lines_of, mixed, sets_of, state_numbers
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.mark.parametrize("workers", cases([1, 2, 4], [4]))
def test_any_order_and_any_workers_give_the_same_runs_and_stages(world: World, workers: int) -> None:
    """Lines of the same runs, shuffled and repeated, over files, partitions and workers: as if derived at once."""
    lines = lines_of(workers, 1_500)
    sets = sets_of(world, lines)
    world.bulk_documents = 150
    world.set_up(partitions=4)
    sent = mixed(Random(workers), lines)
    for n in range(8):
        world.ship(world.written(f"{n}.log", sent[n::8]))

    done = world.perflog("run", "--drain", "--workers", str(workers))

    assert done.returncode == 0, done.stderr
    assert len(world.committed()) > 1, "the lines must lie in several partitions"
    assert derived_documents(world) == at_once(world, sets)
    assert len(sets) > 30


def test_lines_that_are_read_twice_change_nothing(world: World, sample_lines: list[bytes]) -> None:
    """The sample's runs; a worker with an empty cache reads all lines again and writes no new revision."""
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    world.drain()
    first, before = everything(world), state_numbers(world)

    world.ship(world.written("b.log", sample_lines[::-1]))
    world.drain()

    assert everything(world) == first
    assert state_numbers(world) == before
    assert derived_documents(world) == at_once(world, sets_of(world, sample_lines))
    (run,) = [b["perf"]["run"] for b in first.values() if b["perf"]["run"].get("uid") and "stage" not in b["perf"]
              and b["perf"]["run"]["id"] == "1086857-64636"]  # fmt: skip
    assert (run["queue_wait_s"], run["dispatch_s"], run["start_span_s"], run["observed_total_s"]) == (25, 14, 775, 817)


def test_without_derive_there_are_facts_only(world: World, sample_lines: list[bytes]) -> None:
    """A facility may derive elsewhere."""
    world.derive = False
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    world.drain()

    assert len(world.documents()) == 35
    assert not everything(world)
    assert not world.documents("runstate")
    assert not world.documents("writers")


def test_a_rejected_line_enters_no_run(world: World) -> None:
    """A document that Elasticsearch rejects is no fact: its run is derived from the other lines."""
    made = list(messages(Workload(9, 300, shares=Shares(poisoned=0.1))))
    good = [line.data for line in made if line.truth.reason != INDEX]
    world.set_up()
    world.ship(world.written("a.log", [line.data for line in made]))
    world.drain()

    assert world.ledger_sums()["rejected"] == len(made) - len(good) > 10
    assert derived_documents(world) == at_once(world, sets_of(world, good))
