"""Batches that were answered and wait to be derived from, and which of them the next round of deriving takes.

Until a round ends nothing of its batches is committed. So it takes what is done in some seconds at the pace of the
last round: on a busy machine all that waits would take more than a minute.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from ingest.pipeline.batch.indexer import IndexedBatch
from ingest.pipeline.worker.offsets import InFlightRange

MOST = 64_000  # records that wait: then no more are read
PLENTY, PATIENCE_S = 32_000, 2.0  # so that a run's lines come together, while more are under way
ROUND_S = 10.0
Batch = tuple[Sequence[InFlightRange], IndexedBatch]
"""The spans that wait for it, one for each of its portions, and what became of them."""


@dataclass(slots=True)
class DeriveBacklog:
    """What waits, and how fast the last round was; with a clock."""

    now_s: Callable[[], float] = time.monotonic
    _batches: list[Batch] = field(default_factory=list)
    _since_s: float = 0.0
    _round_s: float = 0.0
    _round_records: int = 0
    _most: float = float("inf")

    @property
    def records(self) -> int:
        """Records that wait."""
        return sum(map(record_count, self._batches))

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._batches

    def add(self, batch: Batch) -> None:
        """It was answered."""
        if not self._batches:
            self._since_s = self.now_s()
        self._batches.append(batch)

    def due(self, more_under_way: bool) -> bool:
        """Whether a round is worth its cost: much waits, or nothing else comes, or it has waited."""
        if not self._batches:
            return False
        ripe = not more_under_way or self.records >= min(PLENTY, self._most)
        return ripe or self.now_s() - self._since_s >= PATIENCE_S

    def begin(self) -> list[Batch]:
        """The batches of the next round, oldest first: at least one."""
        ends = list(accumulate(map(record_count, self._batches)))
        count = max(1, sum(end <= self._most for end in ends))
        taken, self._batches = self._batches[:count], self._batches[count:]
        self._round_s, self._round_records = self.now_s(), sum(map(record_count, taken))
        return taken

    def ended(self) -> None:
        """The round is over: its pace says how much the next one takes."""
        lasted_s = self.now_s() - self._round_s
        self._most = self._round_records * ROUND_S / lasted_s if lasted_s > 0 else float("inf")


def record_count(batch: Batch) -> int:
    """Records of a batch."""
    return sum(count.records for count in batch[1].counts)
