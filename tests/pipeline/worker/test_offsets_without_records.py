"""Offsets without a record are logged, counted as skipped, and never waited for."""

import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition

from tests.support.world import World

pytestmark = pytest.mark.stack


def test_records_that_retention_deleted_unread_are_logged_and_not_counted(
    world: World, sample_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """The range starts at the committed offset and ends after the last record; only records that were read count."""
    world.set_up(partitions=1)
    world.ship(world.written("a.log", sample_lines[:10]))
    world.drain()
    world.ship(world.written("b.log", sample_lines[10:20]))
    with world.admin() as client:
        client.delete_records({TopicPartition(world.topic, 0): 15})

    report = world.drain()

    assert report.counts["lines"].records == 5
    assert report.skipped_offsets == 5
    assert "5 records before offset 15 were deleted by Kafka's retention" in caplog.text
    last = world.ledger()[-1]
    assert (last["first_offset"], last["next_offset"], last["records"]) == (10, 20, 5)
    assert world.committed() == {0: 20}


def test_a_topic_that_was_emptied_is_drained(world: World, sample_lines: list[bytes]) -> None:
    """All records expired unread: nothing is left to wait for."""
    world.set_up(partitions=1)
    world.ship(world.written("a.log", sample_lines))
    with world.admin() as client:
        client.delete_records({TopicPartition(world.topic, 0): 35})

    report = world.drain()

    assert report.counts["lines"].records == 0


def test_transaction_markers_are_offsets_but_no_records(
    world: World, sample_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Two transactions of ten lines and an aborted one: aborted records are not read, and the drain ends."""
    world.set_up(partitions=1)
    producer = KafkaProducer(bootstrap_servers=world.stack.kafka, transactional_id=world.facility)
    producer.init_transactions()
    for part in (sample_lines[:10], sample_lines[10:20]):
        producer.begin_transaction()
        for line in part:
            producer.send(world.topic, line, headers=[("perflog.backfill", b"true")])
        producer.commit_transaction()
    producer.begin_transaction()
    producer.send(world.topic, sample_lines[30], headers=[("perflog.backfill", b"true")]).get(10)
    producer.abort_transaction()
    producer.close()

    report = world.drain()

    assert report.counts["lines"].outcomes["stored"] == report.counts["lines"].records == 20
    assert world.ends() == {0: 24}
    assert report.skipped_offsets == 1
    assert "deleted" not in caplog.text
    assert world.facts() == world.expected(sample_lines[:20])


def test_a_recreated_topic_is_read_from_its_start(
    world: World, sample_lines: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """The committed offset lies beyond the new topic's end: this is logged, and no record is skipped."""
    world.set_up(partitions=1)
    world.ship(world.written("a.log", sample_lines[:20]))
    world.drain()
    with world.admin() as client:
        client.delete_topics([world.topic])
    world.set_up(partitions=1)
    with world.admin() as client:
        client.alter_group_offsets(world.facility, {TopicPartition(world.topic, 0): OffsetAndMetadata(20, "", -1)})
    world.ship(world.written("b.log", sample_lines[20:30]))

    report = world.drain()

    assert "was the topic recreated?" in caplog.text
    assert report.counts["lines"].outcomes["stored"] == 10
    assert world.committed() == {0: 10}
