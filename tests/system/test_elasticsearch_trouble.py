"""Elasticsearch busy, away, blocked; the worker asked to leave, or overtaken: nothing lost, nothing twice."""

import json
import signal
import time
from collections import Counter
from dataclasses import replace
from threading import Timer

import pytest

from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.store import ElasticsearchStore
from tests.support.front import Answer, Bulk, front, refusal
from tests.support.ledger_checks import assert_tiled
from tests.support.lines import distinct
from tests.support.waiting import DEADLINE_S, eventually
from tests.support.world import World

pytestmark = pytest.mark.stack


def workers(world: World, kind: str) -> set[str]:
    """`:pid` of the workers that a kind of document names."""
    names = {body["perf"]["ledger"]["worker"] for body in world.documents(kind).values()}
    return {name[name.rindex(":") :] for name in names}


def assert_all_arrived(world: World, lines: list[bytes]) -> None:
    """Every line is a document, stored once, and the ledger agrees with Kafka."""
    assert world.facts() == world.expected(lines)
    sums = world.ledger_sums()
    assert (sums["records"], sums["stored"]) == (len(lines), len(lines))
    assert_tiled(world)


class Busy:
    """Takes every second document of the first `times` requests for marks, and answers 429 for the others."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.document_counts: list[int] = []

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in."""
        if bulk.kind != "marks":
            return bulk.hand_on()
        self.document_counts.append(len(bulk.pairs))
        if not self.left:
            return bulk.hand_on()
        self.left -= 1
        taken = list(range(0, len(bulk.pairs), 2))
        answer = bulk.hand_on_only(taken)
        results = iter(json.loads(answer.body)["items"])
        busy = {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "full"}}}
        items = [next(results) if n in taken else busy for n in range(len(bulk.pairs))]
        return refusal(200, {"errors": True, "items": items})


def test_only_the_items_answered_429_are_sent_again(world: World, sample_lines: list[bytes]) -> None:
    """Each round sends the items that are left; an item stored before counts as stored, not as duplicate."""
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    busy = Busy(times=3)
    with front(world.stack.elasticsearch) as before:
        before.step = busy
        world.drain(settings=world.through(before.address))

    assert busy.document_counts == [35, 17, 8, 4]
    assert_all_arrived(world, sample_lines)


def test_an_answer_that_never_came_is_no_duplicate(world: World, sample_lines: list[bytes]) -> None:
    """The node stored everything, but its answer was lost or was 503: the worker sends again, and counts as stored."""
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    left = ["lost", "busy", "lost"]

    def step(bulk: Bulk) -> Answer | None:
        answer = bulk.hand_on()
        if bulk.kind == "marks" and left:
            return None if left.pop() == "lost" else refusal(503, {"error": "unavailable"})
        return answer

    with front(world.stack.elasticsearch) as before:
        before.step = step
        report = world.drain(settings=world.through(before.address))

    assert not left
    assert report.counts["lines"].outcomes == Counter(stored=35)
    assert_all_arrived(world, sample_lines)


def test_an_answer_that_never_came_is_asked_for_at_another_node(
    world: World, sample_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """One answer for each kind is lost after the node stored everything: the other node is asked within the attempt.

    Facts are then there already, and so are the states that are written under a condition: both are seen as stored by
    us, the ledger is whole, and nobody waited.
    """
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    lost: set[str] = set()

    def step(bulk: Bulk) -> Answer | None:
        answer = bulk.hand_on()
        if bulk.kind in lost:
            return answer
        lost.add(bulk.kind)
        return None

    with front(world.stack.elasticsearch) as first, front(world.stack.elasticsearch) as second:
        first.step = second.step = step
        elasticsearch = replace(world.settings.elasticsearch, url=(first.address, second.address))
        report = world.drain(settings=replace(world.settings, elasticsearch=elasticsearch))

    assert {"marks", "runstate", "ledger"} <= lost
    assert report.counts["lines"].outcomes == Counter(stored=35)
    assert "Trying again" not in caplog.text
    assert {body["perf"]["runstate"]["revision"] for body in world.documents("runstate").values()} == {1}
    assert_all_arrived(world, sample_lines)


def test_a_request_that_is_too_large_is_split_and_a_document_that_is_goes_to_the_dead_letters(
    world: World, sample_lines: list[bytes]
) -> None:
    """413 halves the request until one document is left; that one is rejected with its bytes, the others are stored."""
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    huge = sample_lines[20].decode()

    def step(bulk: Bulk) -> Answer | None:
        tight = bulk.kind == "marks" and (
            len(bulk.pairs) > 9 or huge in {d["event"]["original"] for _, d in bulk.pairs}
        )
        return refusal(413, {"error": "too large"}) if tight else bulk.hand_on()

    with front(world.stack.elasticsearch) as before:
        before.step = step
        report = world.drain(settings=world.through(before.address))

    assert report.counts["lines"].outcomes == Counter(stored=34, rejected=1)
    (reject,) = world.documents("rejects").values()
    assert (reject["error"]["type"], reject["event"]["original"]) == ("too_large", huge)
    (letter,) = world.records(world.settings.delivery.dead_letter_topic)
    assert letter.value == huge.encode()
    assert len(world.facts()) == 34


def test_a_blocked_index_pauses_the_worker_and_rejects_nothing(
    world: World, sample_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """A write block is an operator's task: the worker logs it, waits in the group, then stores everything."""
    world.max_poll_interval_s = 1.0
    world.set_up()
    index = f"perf-marks-{world.facility}-2016.02"
    world.client.indices.create(index=index, settings={"index.blocks.write": True})
    world.ship(world.written("a.log", sample_lines))
    Timer(3.0, lambda: world.client.indices.put_settings(index=index, settings={"index.blocks.write": None})).start()

    report = world.drain()

    assert report.counts["lines"].outcomes == Counter(stored=35)
    assert "cluster_block_exception" in caplog.text
    assert "An operator has to fix this" in caplog.text
    assert {entry["epoch"] for entry in world.ledger()} == {1}, "the group must not have given up on us meanwhile"
    assert_all_arrived(world, sample_lines)


def test_a_worker_finishes_its_batch_at_sigterm(world: World, sample_lines: list[bytes]) -> None:
    """SIGTERM during a bulk request: the batch in flight is written and committed; the exit code is 0."""
    world.bulk_documents = 10
    world.set_up(partitions=1)
    world.ship(world.written("a.log", sample_lines))
    config = world.folder / "through_the_front.toml"
    with front(world.stack.elasticsearch) as before:
        config.write_text(world.settings_text(before.address))
        with world.perflog_process("run", config_file=config) as process:

            def step(bulk: Bulk) -> Answer | None:
                if before.seen == ["marks"]:
                    process.send_signal(signal.SIGTERM)
                return bulk.hand_on()

            before.step = step
            _, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0, err
    (committed,) = world.committed().values()
    assert 10 <= committed < 35, "the batch in flight is finished, and no more is read"
    assert world.ledger_sums()["stored"] == len(world.documents()) == committed


def test_a_fenced_worker_drops_its_batch(world: World, sample_lines: list[bytes]) -> None:
    """A successor took a higher epoch: the ledger is refused, nothing is committed, the worker starts over."""
    world.derive = False
    world.set_up(partitions=1)
    world.ship(world.written("a.log", sample_lines))
    store = ElasticsearchStore(client(world.settings.elasticsearch))
    seen: list[tuple[str, dict[int, int]]] = []

    def step(bulk: Bulk) -> Answer | None:
        seen.append((bulk.kind, world.committed()))
        if [kind for kind, _ in seen] == ["marks", "ledger"]:
            ((index, doc_id),) = world.documents("assignments")
            (body,) = world.documents("assignments").values()
            epoch = store.raise_epoch(index, doc_id, body)
            (((at, first), (_, ours)),) = zip(bulk.keys, bulk.pairs, strict=True)
            ours["perf"]["ledger"] |= {"epoch": epoch, "worker": "successor"}
            world.client.index(index=at, id=first, document=ours, version=epoch, version_type="external_gte")
        return bulk.hand_on()

    with front(world.stack.elasticsearch) as before:
        before.step = step
        world.drain(settings=world.through(before.address))

    assert [kind for kind, _ in seen] == ["marks", "ledger", "marks", "ledger"]
    assert all(not committed for _, committed in seen), "nothing may be committed before our own ledger was accepted"
    assert [entry["epoch"] for entry in world.ledger()] == [3]
    assert_all_arrived(world, sample_lines)


def test_two_workers_share_the_partitions_and_the_ledger_stays_whole(world: World, sample_lines: list[bytes]) -> None:
    """A second worker joins, both work, both leave: every record is accounted for once."""
    world.bulk_documents = 3
    world.set_up(partitions=4)
    paths = [world.written(f"{n}.log", [line]) for n, line in enumerate(sample_lines)]
    world.ship(*paths[:18])
    with world.perflog_process("run") as first:
        eventually(lambda: sum(world.committed().values()) > 0)
        with world.perflog_process("run") as second:
            eventually(lambda: f":{second.pid}" in workers(world, "assignments"))
            world.ship(*paths[18:])
            eventually(lambda: sum(world.committed().values()) == len(sample_lines))
            for process in (first, second):
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=DEADLINE_S)

    assert (first.returncode, second.returncode) == (0, 0)
    assert workers(world, "ledger") == {f":{first.pid}", f":{second.pid}"}
    assert_all_arrived(world, sample_lines)


def test_batches_in_flight_are_finished_before_a_rebalance(world: World, sample_lines: list[bytes]) -> None:
    """Answers are slow, and a second worker joins and leaves twice: no document is sent a second time."""
    world.bulk_documents = 10
    lines = distinct(sample_lines)
    world.set_up(partitions=4)
    world.ship(*(world.written(f"{n}.log", lines[n::8]) for n in range(8)))
    keys: list[tuple[str, str]] = []

    def step(bulk: Bulk) -> Answer | None:
        if bulk.kind == "marks":
            keys.extend(bulk.keys)
            time.sleep(0.2)
        return bulk.hand_on()

    with front(world.stack.elasticsearch) as before:
        before.step = step
        config = world.folder / "through_the_front.toml"
        config.write_text(world.settings_text(before.address))
        with world.perflog_process("run", config_file=config) as first:
            eventually(lambda: len(keys) >= 10)
            for _ in range(2):
                with world.perflog_process("run", config_file=config) as second:
                    eventually(lambda pid=second.pid: f":{pid}" in workers(world, "assignments"))  # type: ignore[misc]
                    second.send_signal(signal.SIGTERM)
                    second.wait(timeout=DEADLINE_S)
            eventually(lambda: sum(world.committed().values()) == len(lines))
            first.send_signal(signal.SIGTERM)
            first.wait(timeout=DEADLINE_S)

    assert len(keys) == len(set(keys)) == len(lines)
    assert_all_arrived(world, lines)
