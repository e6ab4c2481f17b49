"""What was polled and not yet handed on: until it is enough for one request, or old enough. Knows a clock."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingest.edge.ports import Partition, Received
from ingest.run.hold import Hold
from ingest.run.writing import Limits


@dataclass(slots=True)
class Hand:
    """Records by the hold that they were read under, in order. At most `flush_s` passes between taking and giving."""

    limits: Limits
    flush_s: float
    _records: dict[Partition, tuple[Hold, list[Received]]] = field(default_factory=dict)
    _count: int = 0
    _size_bytes: int = 0
    _since_s: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return not self._records

    @property
    def full(self) -> bool:
        """Whether it is enough for a request."""
        return self._count >= self.limits.documents or self._size_bytes >= self.limits.size_bytes

    @property
    def due(self) -> bool:
        """Whether the oldest of it has waited long enough."""
        return not self.empty and time.monotonic() - self._since_s >= self.flush_s

    def left_s(self, most_s: float) -> float:
        """How long one may wait for more of it."""
        if self.empty:
            return most_s
        return max(0.0, min(most_s, self._since_s + self.flush_s - time.monotonic()))

    @property
    def room(self) -> int:
        """How many more records make a request."""
        return max(1, self.limits.documents - self._count)

    def take(self, hold: Hold, records: list[Received]) -> None:
        """More records of a partition."""
        if self.empty:
            self._since_s = time.monotonic()
        kept_under, kept = self._records.setdefault(hold.partition, (hold, []))
        if kept_under is not hold:
            kept = []
            self._records[hold.partition] = (hold, kept)
        kept += records
        self._count += len(records)
        self._size_bytes += sum([len(record.value or b"") for record in records])

    def given(self, holds: Mapping[Partition, Hold]) -> Iterator[tuple[Hold, list[Received]]]:
        """Everything that is still ours, and the hand is empty; what was read under another hold is dropped."""
        records, self._records = self._records, {}
        self._count = self._size_bytes = 0
        for partition, (hold, mine) in records.items():
            if holds.get(partition) is hold:
                yield hold, mine

    def drop(self) -> None:
        """Let go of everything: it was not committed and will be read again."""
        list(self.given({}))
