"""Stored lines read again on the real servers: the newest reading is all that is left, and nothing is done twice."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from random import Random

import pytest

from ingest.core.formers import CORRECTED, GONE, TO_INDEX, TO_RUN, TO_TIME
from ingest.run.knowledge import Knowledge
from ingest.run.session import work
from tests.delivery.checks import assert_tiled
from tests.delivery.conftest import SAMPLES
from tests.delivery.deriving import at_once, told
from tests.delivery.front import Answer, Bulk, Front, front
from tests.delivery.revising import LINES, facts, is_moved, moved, replayed, sets_by, versions
from tests.delivery.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


def assert_newest_only(world: World) -> None:
    """Exactly what the new revision makes of the sample is visible: marks, stages and runs; by way of the index."""
    known = moved(world)
    assert facts(world) == world.expected(LINES, known)
    assert told(world) == at_once(world, sets_by(world, known, LINES))


def assert_settled(world: World) -> None:
    """A second replay is read and changes nothing: not a version, not a sequence number."""
    before = versions(world)
    report = replayed(world)
    counts = world.drain(moved(world)).counts["lines"]

    assert report.corrections.words.total() == 0
    assert counts.outcomes["duplicate"] == counts.records == report.lines
    assert versions(world) == before


def test_a_revision_that_moves_half_of_the_lines_leaves_the_new_documents_only(world: World) -> None:
    """To another month and another run; the old copies are tombstones, the old runs have lost their marks."""
    world.set_up()
    world.ship(SAMPLES)
    world.drain()
    old = facts(world)
    assert old == world.expected(LINES)
    lines_moved = sum(map(is_moved, LINES))
    assert len(LINES) / 3 < lines_moved < len(LINES) * 2 / 3

    report = replayed(world)
    counts = world.drain(moved(world)).counts["lines"]

    words = report.corrections.words
    assert report.lines == len(LINES) == words[CORRECTED] == counts.outcomes["corrected"] == counts.records
    assert words[TO_INDEX] == words[TO_RUN] == words[TO_TIME] == lines_moved
    assert not words[GONE]
    assert_newest_only(world)
    left = set(old) - set(facts(world))
    stones = world.documents()
    assert len(left) == lines_moved
    assert all(stones[place]["perf"]["retracted"] and "event" not in stones[place] for place in left)
    assert_settled(world)
    assert_tiled(world)


@pytest.mark.parametrize("seed", range(3))
def test_in_any_order_of_shipping_and_replaying(world: World, seed: int) -> None:
    """Old and new workers read shares of the lines, shipped once and again, and replays of what there is by then."""
    world.set_up()
    rng = Random(seed)
    new = moved(world)
    steps = [*["ship"] * 4, *["replay"] * 3]
    rng.shuffle(steps)
    shares = [LINES[n::4] for n in range(4)]
    for n, step in enumerate(["ship", *steps]):
        if step == "ship":
            share = shares.pop() if shares else LINES
            world.ship(world.written(f"{n}.log", [*share, *rng.sample(LINES, 5)]))
        else:
            replayed(world, rng.choice([new, world.knowledge]))
        if rng.random() < 0.8:
            world.drain(rng.choice([new, world.knowledge]))
    for share in shares:
        world.ship(world.written("rest.log", share))
    world.drain()

    replayed(world)
    world.drain(new)
    replayed(world)
    world.drain(new)

    assert_newest_only(world)
    assert_settled(world)


def test_old_and_new_workers_at_the_same_time(world: World) -> None:
    """Two processes of two revisions share the partitions of a replay; another replay read by the new one ends it."""
    world.set_up(partitions=4)
    world.ship(SAMPLES)
    world.drain()
    replayed(world)
    processes = [_worker(world, known) for known in (world.knowledge, moved(world))]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0

    replayed(world)
    world.drain(moved(world))

    assert_newest_only(world)
    assert_settled(world)


@dataclass
class Kill:
    """Kill the worker at its nth request that holds this kind, before or after the node has seen it."""

    kind: str
    nth: int
    moment: str
    pid: int = 0
    died: list[str] = field(default_factory=list)

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in when the time has come; the worker never gets this answer."""
        kinds = [index.split("-")[1] for index, _ in bulk.keys]
        self.nth -= self.kind in kinds
        if self.nth or self.kind not in kinds:
            return bulk.hand_on()
        if self.moment == "part":
            bulk.hand_on_only(list(range(0, len(kinds), 2)))
        elif self.moment == "answered":
            bulk.hand_on()
        os.kill(self.pid, signal.SIGKILL)
        self.died.append(f"{self.moment} {self.kind}")
        return None


# The first request with marks is of what is made, the second of tombstones.
PLAN = [
    ("marks", 1, "part"), ("marks", 2, "asked"), ("marks", 2, "part"), ("marks", 2, "answered"),
    ("runstate", 1, "asked"), ("runstate", 1, "part"), ("runstate", 1, "answered"),
    ("stages", 1, "part"), ("stages", 1, "answered"),
]  # fmt: skip


def _worker(world: World, known: Knowledge, address: str | None = None) -> ForkProcess:
    settings = world.through(address) if address else world.settings
    process = get_context("fork").Process(target=lambda: work(settings, known, drain=True))
    process.start()
    return process


@contextmanager
def _doomed(world: World, before: Front, kill: Kill) -> Iterator[None]:
    before.step = kill
    process = _worker(world, moved(world), before.address)
    assert process.pid is not None
    kill.pid = process.pid
    try:
        yield
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()
        world.bury_dead_members()


@pytest.mark.parametrize("ship_again", [False, True], ids=["replayed", "replayed and shipped"])
def test_a_worker_may_be_killed_between_any_two_writes(world: World, ship_again: bool) -> None:
    """SIGKILL before, in and after: new documents, tombstones, the runs' sets, stages and runs; then one finishes."""
    world.set_up(partitions=1)
    world.ship(SAMPLES)
    world.drain()
    replayed(world)
    if ship_again:
        world.ship(SAMPLES)
    with front(world.stack.elasticsearch) as before:
        for kind, nth, moment in PLAN:
            kill = Kill(kind, nth, moment)
            with _doomed(world, before, kill):
                pass
            assert kill.died == [f"{moment} {kind}"]
    committed = sum(world.committed().values())

    world.drain(moved(world))

    assert committed == len(LINES)
    assert_newest_only(world)
    assert_settled(world)
    assert_tiled(world)
