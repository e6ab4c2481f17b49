"""A worker killed with SIGKILL around Elasticsearch's answer: nothing lost, nothing twice, the ledger right.

The kills happen in a front between worker and node, which knows exactly what was asked and what was answered, and each
is asserted to have hit where it was meant to: what was in hand was not committed, seen by another client of Kafka.
"""

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.delivery.checks import assert_tiled
from tests.delivery.front import Answer, Bulk, Front, front
from tests.delivery.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

COPIES = 4
BATCH = 5


@dataclass
class Kill:
    """Kill the worker at the `nth` bulk request of a kind, before the node has it or after the node has answered it."""

    kind: str
    moment: str
    nth: int = 2
    pid: int = 0
    hit: Bulk | None = None

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in when the time has come; the worker never gets this answer."""
        self.nth -= bulk.kind == self.kind
        if self.nth or bulk.kind != self.kind:
            return bulk.hand_on()
        if self.moment == "answered":
            assert bulk.hand_on().status == 200
        os.kill(self.pid, signal.SIGKILL)
        self.hit = bulk
        return None


BEFORE_THE_ANSWER = [("marks", "asked"), ("marks", "answered")] * 3
BEFORE_THE_COMMIT = [("ledger", "asked"), ("ledger", "answered")] * 3


def distinct(lines: list[bytes]) -> list[bytes]:
    """Several times the sample lines, told apart by the number of the script's line."""
    return [
        re.sub(rb"sh:(\d+):", lambda found, n=n: b"sh:%d:" % (int(found[1]) + 1000 * n), line)  # type: ignore[misc]
        for n in range(COPIES)
        for line in lines
    ]


def killed(world: World, before: Front, config: Path, kind: str, moment: str) -> None:
    """Run a worker into its death, and assert that it died there with its batch in hand uncommitted."""
    kill = Kill(kind, moment)
    before.step = kill
    with world.perflog_process("run", "--drain", config_file=config) as process:
        kill.pid = process.pid
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err
    assert kill.hit is not None
    committed = world.committed()
    if kind == "marks":
        origins = [body["provenance"]["kafka"].split("/") for _, body in kill.hit.pairs]
        assert all(int(offset) >= committed.get(int(partition), 0) for _, partition, offset in origins)
    else:
        told = [body["perf"]["ledger"] for _, body in kill.hit.pairs]
        assert all(entry["first_offset"] == committed.get(entry["partition"], 0) for entry in told)
    if moment == "answered":
        there = world.client.mget(docs=[{"_index": index, "_id": doc_id} for index, doc_id in kill.hit.keys])
        assert all(doc["found"] for doc in there["docs"])


def test_a_worker_may_be_killed_anywhere_around_the_answer(world: World, sample_lines: list[bytes]) -> None:
    """Six kills before the documents' answer, six between it and the commit; then one worker finishes."""
    lines = distinct(sample_lines)
    world.bulk_documents = BATCH
    world.set_up()
    for n in range(COPIES):
        world.ship(world.written(f"{n}.log", lines[n::COPIES]))
    with front(world.stack.elasticsearch) as before:
        config = world.folder / "through_the_front.toml"
        config.write_text(world.settings_text(before.address))
        for kind, moment in [*BEFORE_THE_ANSWER, *BEFORE_THE_COMMIT]:
            killed(world, before, config, kind, moment)
            world.bury_dead_members()
    in_between = sum(world.committed().values())

    world.drain()

    assert 0 < in_between < len(lines), "the kills must fall into the middle of the work"
    assert world.facts() == world.expected(lines)
    sums = world.ledger_sums()
    assert (sums["records"], sums["stored"], sums["duplicate"]) == (len(lines), len(lines), 0)
    assert sum(world.committed().values()) == sum(world.ends().values()) == len(lines)
    assert_tiled(world)
