"""Offsets are committed in order, whatever the order of the results."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.core.kafka_record import Partition
from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.worker.offsets import InFlightRange, OffsetTracker

AT = Partition("t", 0)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), data=st.data())
def test_settled_offsets_are_contiguous_from_the_committed_ones(sizes: list[int], data: st.DataObject) -> None:
    """Results in any order, commits at any time: ranges tile the offsets, and none holds an unanswered record."""
    tracker = OffsetTracker(AT, 1, 100)
    spans: list[tuple[InFlightRange, int]] = []
    offset = 100
    for size in sizes:
        offset += size
        spans.append((tracker.track(offset, 7), size))
    answered: set[int] = set()
    reached = 100

    for n in data.draw(st.permutations(range(len(spans)))):
        span, size = spans[n]
        span.count = OutcomeCounts(records=size, outcomes=Counter(stored=size))
        answered.add(n)
        settled = tracker.settled()
        if settled is not None and data.draw(st.booleans()):
            assert (settled.first_offset, settled.skipped) == (reached, 0)
            assert settled.count.records == settled.next_offset - reached == settled.count.outcomes["stored"]
            last = next(k for k, (in_flight, _) in enumerate(spans) if in_flight.next_offset == settled.next_offset)
            assert set(range(last + 1)) <= answered
            reached = settled.next_offset
            tracker.committed(reached)

    final = tracker.settled()
    assert (final.next_offset if final else reached) == offset


def test_offsets_without_records_are_counted_as_skipped() -> None:
    """The range begins where the last one ended, although its first record has a higher offset."""
    tracker = OffsetTracker(AT, 1, 10)
    tracker.track(20, 5).count = OutcomeCounts(records=4)

    settled = tracker.settled()

    assert settled is not None
    assert (settled.first_offset, settled.next_offset, settled.skipped, settled.first_time_ms) == (10, 20, 6, 5)
