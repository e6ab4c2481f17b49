"""Buffers polled records until they fill one bulk request or are old enough to flush."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.worker.offsets import OffsetTracker


@dataclass(slots=True)
class RecordBuffer:
    """Buffered records by partition, in order, each under the `OffsetTracker` it was polled for.

    A record is flushed at most `flush_s` after it was added.
    """

    limits: RequestLimits
    flush_s: float
    now_s: Callable[[], float] = time.monotonic
    _records: dict[Partition, tuple[OffsetTracker, list[ConsumerRecord]]] = field(default_factory=dict)
    _count: int = 0
    _size_bytes: int = 0
    _since_s: float = 0.0

    @property
    def empty(self) -> bool:
        """Whether no record is buffered."""
        return not self._records

    @property
    def full(self) -> bool:
        """Whether the records fill one request."""
        return self._count >= self.limits.documents or self._size_bytes >= self.limits.size_bytes

    @property
    def due(self) -> bool:
        """Whether the oldest record has waited `flush_s`."""
        return not self.empty and self.now_s() - self._since_s >= self.flush_s

    def left_s(self, most_s: float) -> float:
        """Return how long a poll may wait for more records (s), at most `most_s`."""
        if self.empty:
            return most_s
        return max(0.0, min(most_s, self._since_s + self.flush_s - self.now_s()))

    @property
    def room(self) -> int:
        """How many more records fit into one request; at least 1."""
        return max(1, self.limits.documents - self._count)

    def add(self, tracker: OffsetTracker, records: list[ConsumerRecord]) -> None:
        """Add records of one partition."""
        if self.empty:
            self._since_s = self.now_s()
        buffered_for, buffered = self._records.setdefault(tracker.partition, (tracker, []))
        if buffered_for is not tracker:
            self._count -= len(buffered)
            self._size_bytes -= _size_bytes(buffered)
            buffered = []
            self._records[tracker.partition] = (tracker, buffered)
        buffered += records
        self._count += len(records)
        self._size_bytes += _size_bytes(records)

    def flush(
        self, trackers: Mapping[Partition, OffsetTracker]
    ) -> Iterator[tuple[OffsetTracker, list[ConsumerRecord]]]:
        """Yield at most one request's worth of records; drop records of partitions that were lost or reassigned.

        The documents of a record may be many times its size, so a poll of large records is flushed in several batches.
        `core.batching` does not fit: one limit goes over several partitions, and what exceeds it stays buffered.
        """
        room_bytes = self.limits.size_bytes
        for partition in list(self._records):
            tracker, buffered = self._records.pop(partition)
            taken = buffered
            if trackers.get(partition) is tracker:
                stop, room_bytes = _within(buffered, room_bytes)
                taken = buffered[:stop]
                if taken:
                    yield tracker, taken
                if stop < len(buffered):
                    self._records[partition] = tracker, buffered[stop:]
            self._count -= len(taken)
            self._size_bytes -= _size_bytes(taken)

    def drop(self) -> None:
        """Discard all records: they were not committed and will be read again."""
        self._records = {}
        self._count = self._size_bytes = 0


def _size_bytes(records: list[ConsumerRecord]) -> int:
    return sum([len(record.value or b"") for record in records])


def _within(records: list[ConsumerRecord], room_bytes: int) -> tuple[int, int]:
    """Return how many records fit, and the room left (bytes); the record that uses it up fits whatever its size."""
    total_bytes = _size_bytes(records)
    if total_bytes <= room_bytes:
        return len(records), room_bytes - total_bytes
    for stop, record in enumerate(records):
        if room_bytes <= 0:
            return stop, room_bytes
        room_bytes -= len(record.value or b"")
    return len(records), room_bytes
