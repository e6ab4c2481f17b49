"""How long a worker was at work, from its first record to its last commit, and what that cost. Knows the clocks."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Stretch:
    """Wall and processor time (all threads) of this process, in seconds; 0 before the first commit."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    _began: tuple[float, float] | None = None

    def begin(self) -> None:
        """Records are there; the first time counts."""
        if self._began is None:
            self._began = time.monotonic(), time.process_time()

    def end(self) -> None:
        """Something was committed; the last time counts."""
        if self._began is not None:
            self.wall_s, self.cpu_s = time.monotonic() - self._began[0], time.process_time() - self._began[1]
