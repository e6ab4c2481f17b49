"""What was polled and not yet handed on: until it is enough for one request, or old enough. Knows a clock."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.worker.offsets import OffsetTracker


@dataclass(slots=True)
class RecordBuffer:
    """Records by the hold that they were read under, in order. At most `flush_s` passes between taking and giving."""

    limits: RequestLimits
    flush_s: float
    _records: dict[Partition, tuple[OffsetTracker, list[ConsumerRecord]]] = field(default_factory=dict)
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

    def take(self, tracker: OffsetTracker, records: list[ConsumerRecord]) -> None:
        """More records of a partition."""
        if self.empty:
            self._since_s = time.monotonic()
        kept_under, kept = self._records.setdefault(tracker.partition, (tracker, []))
        if kept_under is not tracker:
            self._count -= len(kept)
            self._size_bytes -= _size_bytes(kept)
            kept = []
            self._records[tracker.partition] = (tracker, kept)
        kept += records
        self._count += len(records)
        self._size_bytes += _size_bytes(records)

    def given(
        self, trackers: Mapping[Partition, OffsetTracker]
    ) -> Iterator[tuple[OffsetTracker, list[ConsumerRecord]]]:
        """As much as makes a request of what is still ours; what was read under another hold is dropped.

        What a record becomes may be many times its size, so a poll of large ones is not read all at once.
        """
        room_bytes = self.limits.size_bytes
        for partition in list(self._records):
            tracker, mine = self._records.pop(partition)
            given = mine
            if trackers.get(partition) is tracker:
                stop, room_bytes = _within(mine, room_bytes)
                given = mine[:stop]
                if given:
                    yield tracker, given
                if stop < len(mine):
                    self._records[partition] = tracker, mine[stop:]
            self._count -= len(given)
            self._size_bytes -= _size_bytes(given)

    def drop(self) -> None:
        """Let go of everything: it was not committed and will be read again."""
        self._records = {}
        self._count = self._size_bytes = 0


def _size_bytes(records: list[ConsumerRecord]) -> int:
    return sum([len(record.value or b"") for record in records])


def _within(records: list[ConsumerRecord], room_bytes: int) -> tuple[int, int]:
    """How many of the records fit, and what room is left; the one that takes the last of it fits whatever its size."""
    total_bytes = _size_bytes(records)
    if total_bytes <= room_bytes:
        return len(records), room_bytes - total_bytes
    for stop, record in enumerate(records):
        if room_bytes <= 0:
            return stop, room_bytes
        room_bytes -= len(record.value or b"")
    return len(records), room_bytes
