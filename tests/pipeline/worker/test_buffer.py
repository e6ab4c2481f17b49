"""What was polled is given as much at a time as makes a request, however much a poll brings. No servers."""

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.offsets import OffsetTracker

ONE, OTHER = Partition("t", 0), Partition("t", 1)


def records(at: Partition, *sizes_bytes: int) -> list[ConsumerRecord]:
    """Records of these sizes, from offset 0 on."""
    return [ConsumerRecord(at, n, 0, None, b"x" * size) for n, size in enumerate(sizes_bytes)]


def given(hand: RecordBuffer, holds: dict[Partition, OffsetTracker]) -> list[tuple[int, list[int]]]:
    """What is given at once: number of the partition, offsets."""
    return [(hold.partition.number, [r.offset for r in mine]) for hold, mine in hand.given(holds)]


def test_as_much_is_given_at_once_as_makes_a_request() -> None:
    """In order, no record twice and none left out; one that is larger than a request goes by itself."""
    hand, holds = RecordBuffer(RequestLimits(10, 1000), 1.0), {at: OffsetTracker(at, 1, 0) for at in (ONE, OTHER)}
    hand.take(holds[ONE], records(ONE, 4, 4, 4, 4, 30, 1))
    hand.take(holds[OTHER], records(OTHER, 1, 1))

    rounds = []
    while not hand.empty:
        rounds.append(given(hand, holds))

    assert rounds == [[(0, [0, 1, 2])], [(0, [3, 4])], [(0, [5]), (1, [0, 1])]]
    assert not hand.full


def test_what_is_left_keeps_the_hand_full_until_it_is_given() -> None:
    """And what comes meanwhile goes behind it."""
    hand, holds = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 1, 0)}
    hand.take(holds[ONE], records(ONE, 10, 10, 10))

    assert given(hand, holds) == [(0, [0])]
    assert hand.full
    hand.take(holds[ONE], [record._replace(offset=3) for record in records(ONE, 1)])
    assert [given(hand, holds) for _ in range(3)] == [[(0, [1])], [(0, [2])], [(0, [3])]]
    assert hand.empty


def test_what_was_read_under_another_hold_is_dropped() -> None:
    """It was not committed, and is read again by whoever holds its partition now."""
    hand, now = RecordBuffer(RequestLimits(10, 1000), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    hand.take(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    hand.take(OffsetTracker(OTHER, 1, 0), records(OTHER, 10))

    assert given(hand, now) == []
    assert hand.empty
    assert not hand.full


def test_records_of_a_former_hold_make_room_for_those_of_the_new_one() -> None:
    """A partition that was taken away and came back is read anew: only what was read since counts."""
    hand, now = RecordBuffer(RequestLimits(10, 3), 1.0), {ONE: OffsetTracker(ONE, 2, 0)}
    hand.take(OffsetTracker(ONE, 1, 0), records(ONE, 10, 10))
    hand.take(now[ONE], records(ONE, 1))

    assert not hand.full
    assert hand.room == 2
    assert given(hand, now) == [(0, [0])]
