"""When so much is refused that we must be wrong ourselves: a grammar, a setting, an intake. Then a worker stops.

Judged before the dead letters of a batch are written, so that a wrong grammar does not send a day's lines there: what
is not committed is read again once it is mended.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from ingest.core.records.outcomes import OutcomeCounts


class TooManyRejects(Exception):
    """More is refused than the limit allows; the sentence says how much."""


@dataclass(slots=True)
class RejectLimit:
    """Limits over the batches of a worker, in the order in which they were answered.

    Attributes:
        in_a_row: so many records refused without one good between them; a portion of a partition at a time.
        share: more than this share of the last `window_records` refused.
        window_records: how far back the share looks; nothing is judged before so many were seen.
    """

    in_a_row: int
    share: float
    window_records: int
    _row: int = 0
    _records: int = 0
    _refused: int = 0
    _window: deque[tuple[int, int]] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def judge(self, counts: Sequence[OutcomeCounts]) -> None:
        """Take in what became of a batch; `TooManyRejects` when it is too much."""
        with self._lock:
            for count in counts:
                self._take(count.records, count.outcomes["rejected"])
            if self._row >= self.in_a_row:
                raise TooManyRejects(f"{self._row:,} records in a row were refused")
            if self._records >= self.window_records and self._refused > self.share * self._records:
                raise TooManyRejects(f"{self._refused:,} of the last {self._records:,} records were refused")

    def _take(self, records: int, refused: int) -> None:
        self._row = self._row + refused if refused == records else 0
        self._window.append((records, refused))
        self._records += records
        self._refused += refused
        while self._records - self._window[0][0] >= self.window_records:
            oldest_records, oldest_refused = self._window.popleft()
            self._records -= oldest_records
            self._refused -= oldest_refused
