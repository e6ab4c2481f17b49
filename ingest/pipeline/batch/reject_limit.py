"""Stops a worker if so many records are rejected that perflog itself is probably wrong: a grammar, setting or intake.

The check runs before the dead letters of a batch are written, so a wrong grammar does not send a day's lines there. The
batch is not committed and is read again once the mistake is fixed.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from ingest.core.records.outcomes import OutcomeCounts


class TooManyRejects(Exception):
    """More records were rejected than the limit allows; the message says how many."""


@dataclass(slots=True)
class RejectLimit:
    """Limits on rejects over a worker's batches, in the order they were answered.

    Ignored records are not counted: they neither end a row of rejects nor belong to the records that a share is of.

    Attributes:
        in_a_row: stop after this many rejects with no good record between them, counted by whole partition batches.
        share: stop if more than this share of the last `window_records` that are not ignored was rejected.
        window_records: size of the window; the share is not checked before this many were seen.
    """

    in_a_row: int
    share: float
    window_records: int
    _rejected_in_a_row: int = 0
    _records: int = 0
    _rejected: int = 0
    _window: deque[tuple[int, int]] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def judge(self, counts: Sequence[OutcomeCounts]) -> None:
        """Add the counts of a batch; raises `TooManyRejects` if a limit is exceeded."""
        with self._lock:
            for count in counts:
                self._take(count.records - count.outcomes["ignored"], count.outcomes["rejected"])
            if self._rejected_in_a_row >= self.in_a_row:
                raise TooManyRejects(f"{self._rejected_in_a_row:,} records in a row were refused")
            if self._records >= self.window_records and self._rejected > self.share * self._records:
                raise TooManyRejects(f"{self._rejected:,} of the last {self._records:,} records were refused")

    def _take(self, records: int, rejected: int) -> None:
        if not records:
            return
        self._rejected_in_a_row = self._rejected_in_a_row + rejected if rejected == records else 0
        self._window.append((records, rejected))
        self._records += records
        self._rejected += rejected
        while self._records - self._window[0][0] >= self.window_records:
            oldest_records, oldest_rejected = self._window.popleft()
            self._records -= oldest_records
            self._rejected -= oldest_rejected
