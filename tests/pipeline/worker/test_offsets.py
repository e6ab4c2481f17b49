"""Offsets are committed in their order, whatever the order of the answers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.core.kafka_record import Partition
from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.worker.offsets import InFlightRange, OffsetTracker

AT = Partition("t", 0)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), data=st.data())
def test_what_is_settled_is_always_contiguous_from_what_is_committed(sizes: list[int], data: st.DataObject) -> None:
    """Answers in any order, commits at any moment: ranges tile the offsets, and nothing unanswered is ever in one."""
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
        found = tracker.settled()
        if found is not None and data.draw(st.booleans()):
            assert (found.first_offset, found.skipped) == (reached, 0)
            assert found.count.records == found.next_offset - reached == found.count.outcomes["stored"]
            last = next(k for k, (each, _) in enumerate(spans) if each.next_offset == found.next_offset)
            assert set(range(last + 1)) <= answered
            reached = found.next_offset
            tracker.committed(reached)

    final = tracker.settled()
    assert (final.next_offset if final else reached) == offset


def test_offsets_without_records_are_told_as_skipped() -> None:
    """The range begins where the last one ended, though its first record lies further on."""
    tracker = OffsetTracker(AT, 1, 10)
    tracker.track(20, 5).count = OutcomeCounts(records=4)

    found = tracker.settled()

    assert found is not None
    assert (found.first_offset, found.next_offset, found.skipped, found.first_time_ms) == (10, 20, 6, 5)
