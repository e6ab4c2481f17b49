"""Whether a partition has stopped yielding though there is more in it. Touches nothing.

kafka-python 3.0.12 has ways to leave a partition unread for good, while it stays ours and the group hears of us: after
a broker was killed one of four was not fetched any more (a validation of its position that ends without a verdict, or
records set aside for a pause, do that). Nothing is lost then, but nothing comes either until somebody starts anew.

A look is taken at polls that yield nothing, and not too often. A partition is stuck that stands at two looks where it
stood, short of an end that was there at the first.
"""

import time
from collections.abc import Callable, Mapping

from ingest.core.kafka_record import Partition

LOOK_EVERY_S = 30.0


class StuckDetector:
    """What the last look found."""

    def __init__(self, every_s: float = LOOK_EVERY_S, now_s: Callable[[], float] = time.monotonic) -> None:
        """Seconds between two looks, and a clock."""
        self._every_s, self._now_s = every_s, now_s
        self._behind: dict[Partition, int] = {}
        self._looked_s = now_s()

    def forget(self) -> None:
        """Nobody reads for a while: where partitions stand says nothing."""
        self._behind = {}
        self._looked_s = self._now_s()

    def due(self) -> bool:
        """Whether it is time for a look, which is taken then."""
        if self._now_s() - self._looked_s < self._every_s:
            return False
        self._looked_s = self._now_s()
        return True

    def stuck(self, positions: Mapping[Partition, int], ends: Mapping[Partition, int]) -> list[Partition]:
        """Those that are stuck, by what is read next of each, and by their ends."""
        behind = {partition: at for partition, at in positions.items() if at < ends.get(partition, 0)}
        found = sorted(partition for partition, at in behind.items() if self._behind.get(partition) == at)
        self._behind = behind
        return found
