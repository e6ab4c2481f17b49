"""What was polled is given as much at a time as makes a request, however much a poll brings. No servers."""

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.offsets import OffsetTracker
from tests.support.clock import Clock

ONE, OTHER = Partition("t", 0), Partition("t", 1)


def records(at: Partition, *sizes_bytes: int) -> list[ConsumerRecord]:
    """Records of these sizes, from offset 0 on."""
    return [ConsumerRecord(at, n, 0, None, b"x" * size) for n, size in enumerate(sizes_bytes)]


def given(buffer: RecordBuffer, trackers: dict[Partition, OffsetTracker]) -> list[tuple[int, list[int]]]:
    """What is given at once: number of the partition, offsets."""
    return [(tracker.partition.number, [r.offset for r in mine]) for tracker, mine in buffer.given(trackers)]


def test_as_much_is_given_at_once_as_makes_a_request() -> None:
    """In order, no record twice and none left out; one that is larger than a request goes by itself."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {at: OffsetTracker(at, 1, 0) for at in (ONE, OTHER)}
    buffer.take(trackers[ONE], records(ONE, 4, 4, 4, 4, 30, 1))
    buffer.take(trackers[OTHER], records(OTHER, 1, 1))

    rounds = []
    while not buffer.empty:
        rounds.append(given(buffer, trackers))

    assert rounds == [[(0, [0, 1, 2])], [(0, [3, 4])], [(0, [5]), (1, [0, 1])]]
    assert not buffer.full


def test_what_is_left_keeps_the_hand_full_until_it_is_given() -> None:
    """And what comes meanwhile goes behind it."""
    buffer, trackers = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 1, 0)}
    buffer.take(trackers[ONE], records(ONE, 10, 10, 10))

    assert given(buffer, trackers) == [(0, [0])]
    assert buffer.full
    buffer.take(trackers[ONE], [record._replace(offset=3) for record in records(ONE, 1)])
    assert [given(buffer, trackers) for _ in range(3)] == [[(0, [1])], [(0, [2])], [(0, [3])]]
    assert buffer.empty


def test_what_was_read_under_another_hold_is_dropped() -> None:
    """It was not committed, and is read again by whoever holds its partition now."""
    buffer, now = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    buffer.take(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    buffer.take(OffsetTracker(OTHER, 1, 0), records(OTHER, 10))

    assert given(buffer, now) == []
    assert buffer.empty
    assert not buffer.full


def test_records_of_a_former_hold_make_room_for_those_of_the_new_one() -> None:
    """A partition that was taken away and came back is read anew: only what was read since counts."""
    buffer, now = RecordBuffer(RequestLimits(10, 3), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    buffer.take(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    buffer.take(now[ONE], records(ONE, 1))

    assert not buffer.full
    assert buffer.room == 2
    assert given(buffer, now) == [(0, [0])]


def test_a_record_waits_no_longer_than_it_may() -> None:
    """From the first one on, by the clock of the test; a poll may wait for what is left of it."""
    clock = Clock()
    buffer, trackers = RecordBuffer(RequestLimits(1000, 1000), 2.0, clock), {ONE: OffsetTracker(ONE, 1, 0)}
    assert (buffer.due, buffer.left_s(5.0)) == (False, 5.0)
    buffer.take(trackers[ONE], records(ONE, 1))
    clock.s += 1.5
    buffer.take(trackers[ONE], records(ONE, 1))

    assert (buffer.due, buffer.left_s(5.0), buffer.left_s(0.25)) == (False, 0.5, 0.25)
    clock.s += 0.5
    assert (buffer.due, buffer.left_s(5.0)) == (True, 0.0)
    given(buffer, trackers)
    assert not buffer.due
    buffer.take(trackers[ONE], records(ONE, 1))
    assert buffer.left_s(5.0) == 2.0
