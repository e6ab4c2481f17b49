"""Workers that die between any two writes: what they leave half done heals when their records are read again."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from random import Random
from typing import Any

import pytest

from ingest.core.mark import RunKey
from ingest.core.model import Document
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.documents import uid
from ingest.core.timestamps import MS_PER_DAY
from ingest.pipeline.worker.bootstrap import run_worker
from tests.support.amount import cases
from tests.support.crashing_deriver import Stumble, Worker, sweep, worker
from tests.support.derivation import (
    at_once,
    batch_of,
    derived_documents,
    everything,
    facts_of,
    lines_of,
    mixed,
    sets_of,
)
from tests.support.front import Answer, Bulk, Front, front
from tests.support.ledger_checks import assert_tiled
from tests.support.marks import marks
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

MOMENTS = ("asked", "part", "answered")


def batches(rng: Random, facts: list[Document]) -> Iterator[list[Document]]:
    """In any order, some twice, in batches of any size."""
    sent = [*facts, *(fact for fact in facts if rng.random() < 0.1)]
    rng.shuffle(sent)
    while sent:
        size = rng.choice([1, 3, 10, 30])
        yield sent[:size]
        sent = sent[size:]


def until_done(rng: Random, mine: Worker, batch: list[Document]) -> None:
    """Derive the batch again after each death, as Kafka delivers uncommitted records again."""
    while not mine.derive(batch_of(batch), Stumble(rng.choice([1, 2, 2, 3]), rng.choice(MOMENTS))):
        pass


@pytest.mark.parametrize("workers", cases([1, 2, 4], [2]))
def test_deaths_between_any_two_writes_heal(world: World, workers: int) -> None:
    """Lines permuted, repeated, split and delayed over workers that die at a third of their writes and more."""
    world.set_up()
    rng = Random(workers)
    lines = lines_of(workers, 700)
    facts = facts_of(world, lines)
    everyone = [worker(world, cache_marks=rng.choice([0, 150, 10_000])) for _ in range(workers)]
    shares: list[list[list[Document]]] = [[] for _ in everyone]
    for batch in batches(rng, facts):
        shares[rng.randrange(workers)].append(batch)

    def lives(n: int) -> None:
        own = Random(n)
        for batch in shares[n]:
            until_done(own, everyone[n], batch)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lives, range(workers)))

    deaths = Counter(death for mine in everyone for death in mine.store.deaths)
    assert derived_documents(world) == at_once(world, sets_of(world, lines))
    between = {
        "marks and states": sum(n for at, n in deaths.items() if "runstate" in at and at.startswith(("asked", "part"))),
        "states and stages": deaths["answered runstate+writers"] + deaths["answered runstate"]
        + deaths["asked runs+stages"],
        "stages and runs": deaths["part runs+stages"],
        "runs and commit": deaths["answered runs+stages"],
    }  # fmt: skip
    assert min(between.values()) >= 10, (between, deaths)


def test_instances_that_split_and_join_leave_no_ghost(world: World) -> None:
    """Also when the worker dies before the tombstones, and the next one has no marks to add."""
    world.set_up()
    key = RunKey(world.facility, "als_perf", "1-2")
    apart = BatchUpdates({key: marks(f"0 START A, {10 * MS_PER_DAY // 1000} START B")})
    bridge = BatchUpdates({key: marks(f"{5 * MS_PER_DAY // 1000} X A")})
    mine = worker(world)
    assert mine.derive(apart)
    second = (f"perf-runs-{world.facility}", uid(key, 2))
    assert second in derived_documents(world)

    for moment in MOMENTS:
        assert not mine.derive(bridge, Stumble(2 if moment == "asked" else 1, moment))
    assert mine.derive(bridge)

    everyone = {mark.id: mark for batch in (apart, bridge) for mark in batch.runs[key]}
    assert derived_documents(world) == at_once(world, {key: everyone})
    assert everything(world)[second]["perf"]["retracted"] is True
    assert second not in derived_documents(world)


def already_stored(batch: BatchUpdates) -> BatchUpdates:
    """Return the same updates as a replay reports them: all are already stored."""
    updates = BatchUpdates()
    updates.add_already_stored(batch)
    return updates


def test_lines_that_are_already_stored_are_derived_only_where_the_state_lacks_them(world: World) -> None:
    """A state that has the marks is read, and nothing is written; a state that lacks them is written in full.

    A run with one new line is written in full by the worker that reads it without a cache.
    """
    world.set_up()
    key, other = (RunKey(world.facility, "als_perf", run) for run in ("1-2", "3-4"))
    stored, more, underived = marks("0 START A, 20 START B"), marks("30 START C"), marks("5 START D, 15 START E")
    assert worker(world).derive(BatchUpdates({key: stored}))

    mine = worker(world)
    assert mine.derive(already_stored(BatchUpdates({key: list(stored), other: list(underived)})))
    assert not [action for action in mine.store.sent if key.id in action.text]
    sets = {key: {mark.id: mark for mark in stored}, other: {mark.id: mark for mark in underived}}
    assert derived_documents(world) == at_once(world, sets)

    again = worker(world)
    both = BatchUpdates({key: list(more)})
    both.add_already_stored(BatchUpdates({key: list(stored)}))
    assert again.derive(both)
    assert {action.index.split("-")[1] for action in again.store.sent} == {"runstate", "stages", "runs"}
    assert derived_documents(world) == at_once(world, sets | {key: {mark.id: mark for mark in (*stored, *more)}})


def test_a_worker_that_dies_on_underived_marks_leaves_them_to_the_sweeper(world: World) -> None:
    """The marks were stored, but no state had them; the next worker that reads their lines finds them in the state.

    So the state itself says that its documents were not written.
    """
    world.set_up()
    key = RunKey(world.facility, "als_perf", "1-2")
    begun = marks("0 START A, 20 START B")
    batch = BatchUpdates({key: list(begun)})
    mine = worker(world)
    assert not mine.derive(already_stored(batch), Stumble(1, "answered"))
    assert mine.derive(already_stored(batch))
    assert derived_documents(world) == {}

    assert sweep(world).states == 1

    assert derived_documents(world) == at_once(world, {key: {mark.id: mark for mark in begun}})
    assert sweep(world).states == 0


def test_what_another_worker_wrote_meanwhile_is_not_taken_for_ones_own(world: World) -> None:
    """A stage is of instance 1, by another worker's line of instance 2, by ours of 1 again: it has to be written."""
    world.set_up()
    key = RunKey(world.facility, "als_perf", "1-2")
    batches_ = [
        marks(f"{day * MS_PER_DAY // 1000} {words}") for day, words in ((10, "START B"), (0, "START A"), (5, "X A"))
    ]
    mine, other = worker(world), worker(world)
    for deriving, batch in zip((mine, other, mine), batches_, strict=True):
        assert deriving.derive(BatchUpdates({key: batch}))

    everyone = {mark.id: mark for batch in batches_ for mark in batch}
    assert mine.deriver.conflicts == 1
    assert derived_documents(world) == at_once(world, {key: everyone})


def test_a_late_line_reopens_and_closes_its_neighbours_only(world: World) -> None:
    """Of a run of six stages a late START touches the stage that it closes, its own, and the run."""
    world.set_up()
    key = RunKey(world.facility, "als_perf", "1-2")
    begun = marks(", ".join(f"{100 * n} START S{n}" for n in range(6)))
    late = marks("250 START LATE")
    mine = worker(world)
    mine.derive(BatchUpdates({key: list(begun)}))
    mine.store.sent.clear()

    mine.derive(BatchUpdates({key: late}))

    written = {action.id for action in mine.store.sent if action[0].startswith(("perf-stages", "perf-runs-"))}
    assert written == {begun[2].id, late[0].id, uid(key, 1)}
    assert derived_documents(world) == at_once(world, {key: {mark.id: mark for mark in [*begun, *late]}})


@dataclass
class Kill:
    """Kill the worker at the `nth` request that holds this kind: `moment` as in Stumble."""

    kind: str
    moment: str
    nth: int
    pid: int = 0
    hit: Bulk | None = None

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in when the time has come; the worker never gets this answer."""
        kinds = [index.split("-")[1] for index, _ in bulk.keys]
        self.nth -= self.kind in kinds
        if self.nth or self.kind not in kinds:
            return bulk.hand_on()
        if self.moment == "part":
            bulk.hand_on_only([n for n, kind in enumerate(kinds) if kind == self.kind])
        elif self.moment == "answered":
            bulk.hand_on()
        os.kill(self.pid, signal.SIGKILL)
        self.hit = bulk
        return None


BEFORE_STATES = [("runstate", "asked")] * 3
BEFORE_STAGES = [("runstate", "answered"), ("stages", "asked")] * 3
BEFORE_RUNS = [("stages", "part")] * 5
BEFORE_THE_COMMIT = [("stages", "answered")] * 2


@contextmanager
def forked(world: World, address: str) -> Iterator[int]:
    """A worker as a process of its own, by its number."""
    settings, registry = world.through(address), world.knowledge
    process = get_context("fork").Process(target=lambda: run_worker(settings, registry, drain=True))
    process.start()
    assert process.pid is not None
    try:
        yield process.pid
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()


def bodies(bulk: Bulk) -> list[tuple[str, dict[str, Any]]]:
    """Index and document of each item."""
    return [(index, body) for (index, _), (_, body) in zip(bulk.keys, bulk.pairs, strict=True)]


def killed(world: World, before: Front, kind: str, moment: str, nth: int) -> None:
    """Run a worker into its death, and assert that it died between the answer for its marks and their commit."""
    kill = Kill(kind, moment, nth)
    before.step = kill
    with forked(world, before.address) as pid:
        kill.pid = pid
    assert kill.hit is not None
    runs = {body["perf"]["run"]["id"] for _, body in bodies(kill.hit) if "run" in body["perf"]}
    committed = world.committed()
    theirs = [body for body in world.documents().values() if body["perf"]["run"]["id"] in runs]
    origins = [body["provenance"]["kafka"].split("/") for body in theirs]
    assert any(int(offset) >= committed.get(int(partition), 0) for _, partition, offset in origins)
    world.bury_dead_members()


def test_a_worker_may_be_killed_between_its_marks_and_their_commit(world: World) -> None:
    """SIGKILL before states, before stages, between stages and runs, before the commit; then one worker finishes."""
    rng = Random(7)
    lines = lines_of(7, 1_200)
    world.bulk_documents = 40
    world.set_up(partitions=4)
    sent = mixed(rng, lines)
    for n in range(4):
        world.ship(world.written(f"{n}.log", sent[n::4]))
    plan = [*BEFORE_STATES, *BEFORE_STAGES, *BEFORE_RUNS, *BEFORE_THE_COMMIT]
    rng.shuffle(plan)
    with front(world.stack.elasticsearch) as before:
        for n, (kind, moment) in enumerate(plan):
            killed(world, before, kind, moment, nth=1 + n % 2)
    in_between = sum(world.committed().values())

    world.drain()

    assert len(plan) >= 10
    assert len([*BEFORE_STAGES, *BEFORE_RUNS]) >= 10
    assert in_between < len(sent)
    assert derived_documents(world) == at_once(world, sets_of(world, lines))
    assert sum(world.committed().values()) == len(sent)
    assert_tiled(world)
