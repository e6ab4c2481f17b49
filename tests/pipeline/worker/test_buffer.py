"""Polled records are flushed one request at a time, however many a poll returns. No servers."""

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.offsets import OffsetTracker
from tests.support.clock import Clock

ONE, OTHER = Partition("t", 0), Partition("t", 1)


def records(at: Partition, *sizes_bytes: int) -> list[ConsumerRecord]:
    """Records of these sizes, from offset 0 on."""
    return [ConsumerRecord(at, n, 0, None, b"x" * size) for n, size in enumerate(sizes_bytes)]


def flushed(buffer: RecordBuffer, trackers: dict[Partition, OffsetTracker]) -> list[tuple[int, list[int]]]:
    """One flush: the number of each partition, and its offsets."""
    return [(tracker.partition.number, [r.offset for r in taken]) for tracker, taken in buffer.flush(trackers)]


def test_a_flush_takes_one_request_of_records() -> None:
    """In order, no record twice, none left out; a record larger than a request is flushed by itself."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {at: OffsetTracker(at, 1, 0) for at in (ONE, OTHER)}
    buffer.add(trackers[ONE], records(ONE, 4, 4, 4, 4, 30, 1))
    buffer.add(trackers[OTHER], records(OTHER, 1, 1))

    flushes = []
    while not buffer.empty:
        flushes.append(flushed(buffer, trackers))

    assert flushes == [[(0, [0, 1, 2])], [(0, [3, 4])], [(0, [5]), (1, [0, 1])]]
    assert not buffer.full


def test_a_buffer_stays_full_until_its_records_are_flushed() -> None:
    """Records that are added meanwhile come after them."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 1, 0)}
    buffer.add(trackers[ONE], records(ONE, 10, 10, 10))

    assert flushed(buffer, trackers) == [(0, [0])]
    assert buffer.full
    buffer.add(trackers[ONE], [record._replace(offset=3) for record in records(ONE, 1)])
    assert [flushed(buffer, trackers) for _ in range(3)] == [[(0, [1])], [(0, [2])], [(0, [3])]]
    assert buffer.empty


def test_records_of_another_assignment_are_dropped() -> None:
    """They were not committed; the current owner of the partition reads them again."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    buffer.add(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    buffer.add(OffsetTracker(OTHER, 1, 0), records(OTHER, 10))

    assert flushed(buffer, trackers) == []
    assert buffer.empty
    assert not buffer.full


def test_records_of_an_earlier_assignment_do_not_count() -> None:
    """A partition that was revoked and assigned again is read again: only its new records fill the buffer."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 3), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    buffer.add(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    buffer.add(trackers[ONE], records(ONE, 1))

    assert not buffer.full
    assert buffer.room == 2
    assert flushed(buffer, trackers) == [(0, [0])]


def test_a_record_waits_no_longer_than_it_may() -> None:
    """From the first one on, by the clock of the test; a poll may wait for what is left of it."""
    clock = Clock()
    buffer, trackers = RecordBuffer(RequestLimits(1000, 1000), 2.0, clock), {ONE: OffsetTracker(ONE, 1, 0)}
    assert (buffer.due, buffer.left_s(5.0)) == (False, 5.0)
    buffer.add(trackers[ONE], records(ONE, 1))
    clock.s += 1.5
    buffer.add(trackers[ONE], records(ONE, 1))

    assert (buffer.due, buffer.left_s(5.0), buffer.left_s(0.25)) == (False, 0.5, 0.25)
    clock.s += 0.5
    assert (buffer.due, buffer.left_s(5.0)) == (True, 0.0)
    flushed(buffer, trackers)
    assert not buffer.due
    buffer.add(trackers[ONE], records(ONE, 1))
    assert buffer.left_s(5.0) == 2.0
