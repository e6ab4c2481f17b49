"""Detects partitions that yield no more records although they have some.

kafka-python 3.0.12 can leave a partition unread for good while it stays assigned and heartbeats go on: after a broker
was killed, one of four partitions was never fetched again (a position validation that never completes, or records set
aside for a pause, cause this). Nothing is lost, but the partition stalls until the client is restarted.

Checked on empty polls, at most every 30 s. A partition is stuck if two checks find it at the same offset, below an end
offset that the first check already saw.
"""

import time
from collections.abc import Callable, Mapping

from ingest.core.kafka_record import Partition

CHECK_EVERY_S = 30.0


class StuckDetector:
    """Remembers which partitions were behind at the last check."""

    def __init__(self, every_s: float = CHECK_EVERY_S, now_s: Callable[[], float] = time.monotonic) -> None:
        """Take the seconds between two checks, and a clock."""
        self._every_s, self._now_s = every_s, now_s
        self._behind: dict[Partition, int] = {}
        self._checked_s = now_s()

    def forget(self) -> None:
        """Forget the last check, because partitions are paused and their positions say nothing."""
        self._behind = {}
        self._checked_s = self._now_s()

    def due(self) -> bool:
        """Whether a check is due; if so, the interval starts again."""
        if self._now_s() - self._checked_s < self._every_s:
            return False
        self._checked_s = self._now_s()
        return True

    def stuck(self, positions: Mapping[Partition, int], ends: Mapping[Partition, int]) -> list[Partition]:
        """Return the stuck partitions, given each partition's position (next offset to read) and end offset."""
        behind = {partition: at for partition, at in positions.items() if at < ends.get(partition, 0)}
        stuck_partitions = sorted(partition for partition, at in behind.items() if self._behind.get(partition) == at)
        self._behind = behind
        return stuck_partitions
