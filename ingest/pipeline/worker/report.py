"""How long a worker was at work, from its first record to its last commit, and what that cost. Knows the clocks."""

import time
from collections import Counter
from dataclasses import dataclass, field

from ingest.core.records.outcomes import OutcomeCounts


@dataclass(slots=True)
class WorkTime:
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


@dataclass(slots=True)
class RunReport:
    """What a worker did, by intake."""

    counts: dict[str, OutcomeCounts] = field(default_factory=dict)
    skipped_offsets: int = 0
    duration_s: float = 0.0
    stopped: bool = False
    working_s: float = 0.0  # from the first record to the last commit; of several workers the longest
    cpu_s: float = 0.0  # of this time on the processor, of all workers

    def add(self, other: "RunReport") -> None:
        """Sum up."""
        for name, count in other.counts.items():
            self.counts.setdefault(name, OutcomeCounts()).add(count)
        self.skipped_offsets += other.skipped_offsets
        self.working_s = max(self.working_s, other.working_s)
        self.cpu_s += other.cpu_s

    @property
    def reasons(self) -> Counter[str]:
        """Rejects by reason, over all intakes."""
        return sum((count.reasons for count in self.counts.values()), Counter())
