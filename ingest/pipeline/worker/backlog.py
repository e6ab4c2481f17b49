"""Holds indexed batches until runs are derived from them, and decides how many the next derive round takes.

Nothing of a batch is committed until its round has ended. A round is therefore limited to the records that take about
`ROUND_S` at the pace of the last round. On a busy machine, deriving the whole backlog could take more than a minute.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from ingest.pipeline.batch.indexer import IndexedBatch
from ingest.pipeline.worker.offsets import InFlightRange

MAX_RECORDS = 64_000  # waiting records at which reading stops
ENOUGH, MAX_WAIT_S = 32_000, 2.0  # while other batches are in flight, wait: a run's lines are then derived together
ROUND_S = 10.0
Batch = tuple[Sequence[InFlightRange], IndexedBatch]
"""The in-flight ranges of a batch, one for each partition batch, and the result of indexing it."""


@dataclass(slots=True)
class DeriveBacklog:
    """Indexed batches that wait to be derived, and the pace of the last round."""

    now_s: Callable[[], float] = time.monotonic
    _batches: list[Batch] = field(default_factory=list)
    _since_s: float = 0.0
    _round_s: float = 0.0
    _round_records: int = 0
    _most: float = float("inf")

    @property
    def records(self) -> int:
        """Number of records that wait."""
        return sum(map(record_count, self._batches))

    @property
    def empty(self) -> bool:
        """Whether no batch waits."""
        return not self._batches

    def add(self, batch: Batch) -> None:
        """Add a batch that has been indexed."""
        if not self._batches:
            self._since_s = self.now_s()
        self._batches.append(batch)

    def due(self, batches_in_flight: bool) -> bool:
        """Return whether to start a round: much waits, no batch is in flight, or the oldest has waited long enough."""
        if not self._batches:
            return False
        is_ready = not batches_in_flight or self.records >= min(ENOUGH, self._most)
        return is_ready or self.now_s() - self._since_s >= MAX_WAIT_S

    def begin(self) -> list[Batch]:
        """Take the batches of the next round, oldest first; at least one."""
        ends = list(accumulate(map(record_count, self._batches)))
        count = max(1, sum(end <= self._most for end in ends))
        batches, self._batches = self._batches[:count], self._batches[count:]
        self._round_s, self._round_records = self.now_s(), sum(map(record_count, batches))
        return batches

    def ended(self) -> None:
        """End the round; its pace sets the size of the next one."""
        lasted_s = self.now_s() - self._round_s
        self._most = self._round_records * ROUND_S / lasted_s if lasted_s > 0 else float("inf")


def record_count(batch: Batch) -> int:
    """Return the number of records in a batch."""
    return sum(count.records for count in batch[1].counts)
