"""Measures how long a worker was at work, from first record to last commit, and sums up what it did."""

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
        """Note that records have arrived; only the first call counts."""
        if self._began is None:
            self._began = time.monotonic(), time.process_time()

    def end(self) -> None:
        """Note that offsets were committed; the last call counts."""
        if self._began is not None:
            self.wall_s, self.cpu_s = time.monotonic() - self._began[0], time.process_time() - self._began[1]


@dataclass(slots=True)
class RunReport:
    """Outcomes of a worker by intake, and its times in seconds."""

    counts: dict[str, OutcomeCounts] = field(default_factory=dict)
    skipped_offsets: int = 0
    duration_s: float = 0.0
    stopped: bool = False
    working_s: float = 0.0  # from the first record to the last commit; with several workers, the longest
    cpu_s: float = 0.0  # processor time during that period, all workers
    unfinished: int = 0  # records that were in flight at the end and will be read again

    def add(self, other: "RunReport") -> None:
        """Add another worker's report."""
        for name, count in other.counts.items():
            self.counts.setdefault(name, OutcomeCounts()).add(count)
        self.skipped_offsets += other.skipped_offsets
        self.working_s = max(self.working_s, other.working_s)
        self.cpu_s += other.cpu_s
        self.unfinished += other.unfinished

    @property
    def reasons(self) -> Counter[str]:
        """Rejects by reason, over all intakes."""
        return sum((count.reasons for count in self.counts.values()), Counter())
