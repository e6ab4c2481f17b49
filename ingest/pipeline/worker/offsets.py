"""Tracks a partition's in-flight offset ranges, and how far its offsets may be committed.

Requests are answered in any order, but offsets are committed in order. A range becomes committable only when every
range before it has been answered, so each committed range starts where the previous one ended.
"""

from collections import deque
from dataclasses import dataclass, field

from ingest.core.kafka_record import Partition
from ingest.core.records.outcomes import OutcomeCounts


@dataclass(slots=True, eq=False)
class InFlightRange:
    """Offsets of one batch, up to but excluding `next_offset`; `count` is set once all its requests are answered."""

    next_offset: int
    first_time_ms: int
    count: OutcomeCounts | None = None


@dataclass(frozen=True, slots=True)
class CommittableRange:
    """A contiguous range of settled offsets of a partition, with the outcomes of its records."""

    partition: Partition
    tracker: "OffsetTracker"
    first_offset: int
    next_offset: int
    first_time_ms: int
    count: OutcomeCounts

    @property
    def skipped(self) -> int:
        """Number of offsets in the range without a record: transaction markers, compacted or expired records."""
        return self.next_offset - self.first_offset - self.count.records


@dataclass(slots=True, eq=False)
class OffsetTracker:
    """An assigned partition: the epoch of this assignment, the first uncommitted offset, and the ranges in flight."""

    partition: Partition
    epoch: int
    first_offset: int
    spans: deque[InFlightRange] = field(default_factory=deque)

    @property
    def unfinished(self) -> int:
        """Number of offsets that were read and are not committed."""
        spans = list(self.spans)
        return spans[-1].next_offset - self.first_offset if spans else 0

    def track(self, next_offset: int, first_time_ms: int) -> InFlightRange:
        """Start tracking the next range."""
        self.spans.append(InFlightRange(next_offset, first_time_ms))
        return self.spans[-1]

    def settled(self) -> CommittableRange | None:
        """Return all settled offsets, up to the first range that is not answered; None if there are none."""
        count, last = OutcomeCounts(), None
        for span in self.spans:
            if span.count is None:
                break
            count.add(span.count)
            last = span
        if last is None:
            return None
        first_time_ms = self.spans[0].first_time_ms
        return CommittableRange(self.partition, self, self.first_offset, last.next_offset, first_time_ms, count)

    def committed(self, next_offset: int) -> None:
        """Forget the ranges below a confirmed commit."""
        self.first_offset = next_offset
        while self.spans and self.spans[0].next_offset <= next_offset:
            self.spans.popleft()
