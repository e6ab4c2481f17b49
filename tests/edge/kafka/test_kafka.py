"""The Kafka edge against the real broker: records arrive as sent, and exactly the requested offsets are committed."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from ingest.config.settings import Delivery, Kafka
from ingest.core.kafka_record import ConsumerRecord, Partition, ProducerRecord
from ingest.core.model import Problem
from ingest.edge.errors import Fenced, RequestTooLarge
from ingest.edge.kafka.consumer import GroupConsumer
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.edge.kafka.stuck import CHECK_EVERY_S, StuckDetector
from ingest.edge.kafka.topics import open_topics
from ingest.edge.local.stack import Running
from tests.conftest import free_port
from tests.support.clock import Clock
from tests.support.waiting import eventually

pytestmark = pytest.mark.stack
_NUMBERS = count(1)
LOOKS = 4
LOG_APPEND_TIME = 1  # of the two types of time that a record may have
APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
Made = Callable[..., str]


@pytest.fixture
def kafka(stack: Running) -> Kafka:
    """Settings for the session's broker, with a group of one's own."""
    return Kafka(bootstrap=(stack.kafka,), group=f"g{os.getpid()}_{next(_NUMBERS)}", session_timeout_s=10.0)


@pytest.fixture
def topic(kafka: Kafka) -> Made:
    """Makes topics."""

    def make(partitions: int = 1, **configs: str) -> str:
        name = f"perf.edge.{kafka.group}.{next(_NUMBERS)}"
        with open_topics(kafka) as cluster:
            assert cluster.create(name, partitions, configs or APPEND_TIME)
        return name

    return make


def sent(kafka: Kafka, name: str, *values: bytes, key: bytes | None = b"k") -> None:
    """Produce these values."""
    with open_producer(kafka) as producer:
        producer.send([ProducerRecord(name, key, value, (("h", b"\xff"), ("h", b"twice"))) for value in values])


class Reader:
    """A consumer that begins the partitions it is assigned, as the worker does."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self.consumer = GroupConsumer(kafka, Delivery(), [name], kafka.group)
        self.first: dict[Partition, int] = {}

    def read(self, count: int) -> list[ConsumerRecord]:
        """At least so many records."""
        records: list[ConsumerRecord] = []

        def are_read() -> bool:
            records.extend(self.poll(0.2))
            self.settle()
            return len(records) >= count

        eventually(are_read, f"{count} records are read")
        return records

    def poll(self, timeout_s: float = 0.1) -> list[ConsumerRecord]:
        """Poll, and take part in a rebalance at once, since nothing is in flight."""
        self.consumer.is_rebalancing()
        return [record for records in self.consumer.poll(timeout_s, 500) for record in records]

    def settle(self) -> set[Partition]:
        """Begin the new partitions; return the lost ones."""
        lost, new = self.consumer.take_changes()
        for partition in new:
            self.first[partition] = self.consumer.begin(partition)
        return lost

    def join(self) -> None:
        """Wait until a partition is assigned."""

        def is_assigned() -> bool:
            assert self.poll() == [], "no record may come before a partition was begun"
            self.settle()
            return bool(self.first)

        eventually(is_assigned)


def test_a_topic_is_created_as_requested(kafka: Kafka, topic: Made) -> None:
    """Append time and the largest message, as described; `alter` changes them; missing topics are left out."""
    name = topic(2, **{"message.timestamp.type": "CreateTime", "max.message.bytes": "5000"})

    with open_topics(kafka) as cluster:
        before = cluster.describe([name, "perf.not.there"])
        cluster.alter(name, APPEND_TIME)
        # The controller confirms a change before the broker that is asked has learnt of it.
        eventually(lambda: cluster.describe([name])[name].append_time, "it is altered")
        after = cluster.describe([name])[name]
        again = cluster.create(name, 1, {})

    assert list(before) == [name]
    assert (before[name].partitions, before[name].append_time, before[name].max_message_bytes) == (2, False, 5000)
    assert (after.append_time, after.max_message_bytes) == (True, 5000)
    assert not again


def test_a_topic_that_cannot_be_created_is_told_by_the_broker_s_reason(topic: Made) -> None:
    """Its name and what is wrong, without the raw request."""
    with pytest.raises(Problem) as raised:
        topic(1, **{"max.message.bytes": "many"})

    assert "topic perf.edge." in raised.value.message
    assert "Invalid value many for configuration max.message.bytes" in raised.value.message
    assert "Request" not in raised.value.message


def test_records_arrive_as_they_were_sent(kafka: Kafka, topic: Made) -> None:
    """Value, key and headers, with repeated names and any bytes; the time is the broker's."""
    name = topic()
    sent(kafka, name, b"\x00\xff one", b"", key=b"\xfe")

    reader = Reader(kafka, name)
    first, second = reader.read(2)
    reader.consumer.close()

    assert (first.value, first.key, first.headers) == (b"\x00\xff one", b"\xfe", (("h", b"\xff"), ("h", b"twice")))
    assert (second.value, second.coordinates) == (b"", f"{name}/0/1")
    assert [append_time_ms(kafka, first), append_time_ms(kafka, second)] == [first.time_ms, second.time_ms]


def append_time_ms(kafka: Kafka, record: ConsumerRecord) -> int:
    """The time that the broker appended a record, as a client that the worker does not use reads it."""
    at = TopicPartition(record.partition.topic, record.partition.number)
    consumer = KafkaConsumer(bootstrap_servers=list(kafka.bootstrap), group_id=None)
    try:
        consumer.assign([at])
        consumer.seek(at, record.offset)
        stored = next(consumer)
    finally:
        consumer.close()
    assert stored.timestamp_type == LOG_APPEND_TIME
    return int(stored.timestamp)


def test_a_message_too_large_for_the_topic_raises_and_the_next_one_is_sent(kafka: Kafka, topic: Made) -> None:
    """kafka-python's idempotent producer stays broken after such an error, so perflog builds a new one."""
    name = topic(1, **{"max.message.bytes": "1000", **APPEND_TIME})
    producer = AcknowledgedProducer(kafka)

    with pytest.raises(RequestTooLarge):
        producer.send([ProducerRecord(name, b"k", os.urandom(5000))])
    producer.send([ProducerRecord(name, b"k", b"fits")])
    producer.close()

    reader = Reader(kafka, name)
    assert [record.value for record in reader.read(1)] == [b"fits"]
    reader.consumer.close()


def test_everything_after_the_committed_offset_is_read_again(kafka: Kafka, topic: Made) -> None:
    """Leaving commits nothing by itself; the next member begins at the committed offset, and returns it."""
    name = topic()
    sent(kafka, name, b"0", b"1", b"2")
    partition = Partition(name, 0)
    first = Reader(kafka, name)
    assert len(first.read(3)) == 3
    first.consumer.commit({partition: 1})
    first.consumer.close()

    second = Reader(kafka, name)
    again = second.read(2)

    assert first.first == {partition: 0}
    assert second.first == {partition: 1} == {partition: second.consumer.committed(partition)}
    assert [record.value for record in again] == [b"1", b"2"]
    assert second.consumer.position(partition) == 3 == second.consumer.end_offsets([name])[partition]
    second.consumer.close()


def test_keep_alive_keeps_the_membership_and_takes_no_record(kafka: Kafka, topic: Made) -> None:
    """Longer than the group waits for a silent member; afterwards all records are still read, in order."""
    name = topic()
    kafka = replace(kafka, max_poll_interval_s=1.0, heartbeat_s=0.2)
    reader = Reader(kafka, name)
    reader.join()
    sent(kafka, name, b"0", b"1")

    for _ in range(25):
        reader.consumer.keep_alive()
        time.sleep(0.1)

    assert reader.settle() == set()
    assert [record.value for record in reader.read(2)] == [b"0", b"1"]
    reader.consumer.commit({Partition(name, 0): 2})
    reader.consumer.close()


def test_a_member_that_stopped_polling_cannot_commit_and_learns_its_losses(kafka: Kafka, topic: Made) -> None:
    """The commit raises Fenced; the next poll reports what was lost, and reading restarts at the committed offset."""
    name = topic()
    kafka = replace(kafka, max_poll_interval_s=0.5, heartbeat_s=0.2)
    sent(kafka, name, b"0")
    partition = Partition(name, 0)
    reader = Reader(kafka, name)
    assert len(reader.read(1)) == 1
    time.sleep(1.5)

    with pytest.raises(Fenced):
        reader.consumer.commit({partition: 1})
    lost: set[Partition] = set()

    def is_lost() -> bool:
        reader.poll()
        lost.update(reader.settle())
        return bool(lost)

    eventually(is_lost)
    assert lost == {partition}
    assert reader.consumer.committed(partition) is None
    assert [record.value for record in reader.read(1)] == [b"0"]
    reader.consumer.close()


def test_partitions_move_to_a_second_member_and_come_back(kafka: Kafka, topic: Made) -> None:
    """Cooperative: the first member keeps the partitions that it need not give up; no partition belongs to both."""
    name = topic(4)
    both = {Partition(name, n) for n in range(4)}
    first, second = Reader(kafka, name), Reader(kafka, name)
    first.join()
    owned = set(first.first)
    assert owned == both

    def first_owns() -> set[Partition]:
        first.poll()
        owned.difference_update(first.settle())
        return owned | set(first.first)

    def is_shared() -> bool:
        first_owns()
        second.poll()
        second.settle()
        return len(second.first) >= 2

    eventually(is_shared)
    assert owned | set(second.first) == both
    assert not owned & set(second.first)
    second.consumer.close()
    first.first = {}
    eventually(lambda: first_owns() == both)
    first.consumer.close()


def test_no_partition_is_given_up_before_the_rebalance_is_announced(kafka: Kafka, topic: Made) -> None:
    """A member polls on while another joins: it keeps all partitions until it asks whether the group rebalances."""
    name = topic(4)
    kafka = replace(kafka, heartbeat_s=0.1)
    first, second = Reader(kafka, name), Reader(kafka, name)
    first.join()
    eventually(lambda: not (first.poll() or first.consumer.is_rebalancing()), "its own join is complete")
    for _ in range(20):
        second.poll()
        first.consumer.poll(0.1, 500)
    assert (first.settle(), second.settle()) == (set(), set())

    assert first.consumer.is_rebalancing()
    lost: set[Partition] = set()

    def shared() -> bool:
        first.poll()
        lost.update(first.settle())
        second.poll()
        second.settle()
        return bool(lost and second.first)

    eventually(shared)
    assert set(second.first) == lost
    first.consumer.close()
    second.consumer.close()


def test_a_missing_broker_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    """Address and remedy, exit code 69, within seconds."""
    address = f"127.0.0.1:{free_port()}"
    settings = tmp_path / "perflog.toml"
    settings.write_text(f"[kafka]\nbootstrap = '{address}'\n")
    command = [sys.executable, "-m", "ingest", "--config", str(settings), "setup"]

    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert result.returncode == 69
    assert result.stderr.startswith(f"perflog: Kafka at {address} does not answer")
    assert result.stderr.count("\n") == 1
    assert "perflog stack status" in result.stderr


def test_a_member_that_polls_for_a_millisecond_joins(kafka: Kafka, topic: Made) -> None:
    """Ten times: the next poll continues a join that was under way when the last one ended."""
    name = topic(2)
    for n in range(10):
        reader = Reader(replace(kafka, group=f"{kafka.group}-{n}"), name)
        while not reader.first:  # one poll after the other; one that sits in the group without a partition hangs
            reader.poll(0.001)
            reader.settle()
        reader.consumer.close()


def test_a_partition_that_the_client_stops_reading_is_read_by_a_new_client(
    kafka: Kafka, topic: Made, caplog: pytest.LogCaptureFixture
) -> None:
    """All partitions are reported as lost and begin at the committed offsets; a client with nothing to read is kept."""
    name = topic(2)
    reader = Reader(kafka, name)
    clock = Clock()
    reader.consumer._stuck_detector = StuckDetector(now_s=clock)
    with open_producer(kafka) as producer:
        producer.send([ProducerRecord(name, b"a", b"0"), ProducerRecord(name, b"b", b"1")])
    first = reader.read(2)
    reader.consumer.commit({record.partition: record.offset + 1 for record in first})
    for _ in range(LOOKS):
        clock.s += CHECK_EVERY_S
        assert reader.poll() == []
        assert reader.settle() == set()
    assert not caplog.records
    for state in reader.consumer._consumer._subscription.assignment.values():
        state._awaiting_validation, state.next_allowed_retry_time = True, math.inf
    with open_producer(kafka) as producer:
        producer.send([ProducerRecord(name, b"a", b"2"), ProducerRecord(name, b"b", b"3")])

    records: list[ConsumerRecord] = []

    def is_read() -> bool:
        clock.s += CHECK_EVERY_S
        records.extend(reader.poll())
        reader.settle()
        return len(records) >= 2

    eventually(is_read)
    reader.consumer.close()

    assert sorted(record.value or b"" for record in records) == [b"2", b"3"]
    committed = {record.partition: record.offset + 1 for record in first}
    assert {partition: reader.first[partition] for partition in committed} == committed
    assert "Rejoining the group" in caplog.text
