"""What a worker holds of a partition: the spans it took, in order, and how far all before is settled. Pure.

Requests are answered in any order, offsets are committed in theirs: a span counts only once every span before it was
answered, so what is committed is always contiguous from what was committed before.
"""

from collections import deque
from dataclasses import dataclass, field

from ingest.core.kafka_record import Partition
from ingest.core.records.outcomes import OutcomeCounts


@dataclass(slots=True, eq=False)
class InFlightRange:
    """Offsets that were taken together, up to before `next_offset`; `count` once all of them were answered."""

    next_offset: int
    first_time_ms: int
    count: OutcomeCounts | None = None


@dataclass(frozen=True, slots=True)
class CommittableRange:
    """Settled offsets of a partition, and what is said about them."""

    partition: Partition
    tracker: "OffsetTracker"
    first_offset: int
    next_offset: int
    first_time_ms: int
    count: OutcomeCounts

    @property
    def skipped(self) -> int:
        """Offsets in it that were no records: transaction markers, compacted or expired."""
        return self.next_offset - self.first_offset - self.count.records


@dataclass(slots=True, eq=False)
class OffsetTracker:
    """A partition that is ours: the epoch of this assignment, what is committed, and the spans taken since."""

    partition: Partition
    epoch: int
    first_offset: int
    spans: deque[InFlightRange] = field(default_factory=deque)

    def take(self, next_offset: int, first_time_ms: int) -> InFlightRange:
        """The next span."""
        self.spans.append(InFlightRange(next_offset, first_time_ms))
        return self.spans[-1]

    def settled(self) -> CommittableRange | None:
        """Everything from what is committed up to the first span that is not answered; None when that is nothing."""
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
        """Let go of what was confirmed."""
        self.first_offset = next_offset
        while self.spans and self.spans[0].next_offset <= next_offset:
            self.spans.popleft()
