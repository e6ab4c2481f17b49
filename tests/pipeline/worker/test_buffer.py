"""What was polled is given as much at a time as makes a request, however much a poll brings. No servers."""

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.offsets import OffsetTracker

ONE, OTHER = Partition("t", 0), Partition("t", 1)


def records(at: Partition, *sizes_bytes: int) -> list[ConsumerRecord]:
    """Records of these sizes, from offset 0 on."""
    return [ConsumerRecord(at, n, 0, None, b"x" * size) for n, size in enumerate(sizes_bytes)]


def flushed(buffer: RecordBuffer, trackers: dict[Partition, OffsetTracker]) -> list[tuple[int, list[int]]]:
    """What is given at once: number of the partition, offsets."""
    return [(tracker.partition.number, [r.offset for r in mine]) for tracker, mine in buffer.flush(trackers)]


def test_as_much_is_given_at_once_as_makes_a_request() -> None:
    """In order, no record twice and none left out; one that is larger than a request goes by itself."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {at: OffsetTracker(at, 1, 0) for at in (ONE, OTHER)}
    buffer.add(trackers[ONE], records(ONE, 4, 4, 4, 4, 30, 1))
    buffer.add(trackers[OTHER], records(OTHER, 1, 1))

    rounds = []
    while not buffer.empty:
        rounds.append(flushed(buffer, trackers))

    assert rounds == [[(0, [0, 1, 2])], [(0, [3, 4])], [(0, [5]), (1, [0, 1])]]
    assert not buffer.full


def test_what_is_left_keeps_the_hand_full_until_it_is_given() -> None:
    """And what comes meanwhile goes behind it."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 1, 0)}
    buffer.add(trackers[ONE], records(ONE, 10, 10, 10))

    assert flushed(buffer, trackers) == [(0, [0])]
    assert buffer.full
    buffer.add(trackers[ONE], [record._replace(offset=3) for record in records(ONE, 1)])
    assert [flushed(buffer, trackers) for _ in range(3)] == [[(0, [1])], [(0, [2])], [(0, [3])]]
    assert buffer.empty


def test_what_was_read_under_another_hold_is_dropped() -> None:
    """It was not committed, and is read again by whoever holds its partition now."""
    buffer, now = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    buffer.add(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    buffer.add(OffsetTracker(OTHER, 1, 0), records(OTHER, 10))

    assert flushed(buffer, now) == []
    assert buffer.empty
    assert not buffer.full


def test_records_of_a_former_hold_make_room_for_those_of_the_new_one() -> None:
    """A partition that was taken away and came back is read anew: only what was read since counts."""
    buffer, now = RecordBuffer(RequestLimits(10, 3), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    buffer.add(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    buffer.add(now[ONE], records(ONE, 1))

    assert not buffer.full
    assert buffer.room == 2
    assert flushed(buffer, now) == [(0, [0])]
