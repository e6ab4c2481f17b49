"""Logs what a worker waits for if nothing is committed for long: first within 10 s, then at doubling intervals.

The worker's loop states what it waits for. A separate thread watches the clock, because the loop may be blocked in the
very call it waits for.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

log = logging.getLogger("perflog.run")
FIRST_S, MOST_S = 8.0, 300.0
CHECK_S = 1.0  # between two checks: even on a busy machine the first sentence is logged within 10 s


class Waits:
    """What the worker waits for, and since when nothing was committed."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing to wait for; `now_s` is the clock."""
        self._now_s = now_s
        self._lock = Lock()
        self._what: str | None = None
        self._since_s = now_s()
        self._logged_s: float | None = None
        self._ended_s: float | None = None

    def on(self, what: str | None) -> None:
        """State what the worker waits for from now on; None means nothing, which counts like a commit."""
        with self._lock:
            new = self._what is None or what is None
            self._what = what
        if new:
            self.note_commit()

    @property
    def what(self) -> str | None:
        """What the worker waits for now; None if it only waits for more records."""
        with self._lock:
            return self._what

    def note_commit(self) -> None:
        """Note that offsets were committed: restart the clock."""
        with self._lock:
            now_s = self._now_s()
            if self._logged_s is not None:
                self._ended_s = now_s - self._since_s
            self._since_s, self._logged_s = now_s, None

    def sentence(self) -> str | None:
        """Return the sentence to log now and count it as logged; None if none is due."""
        with self._lock:
            ended_s, self._ended_s = self._ended_s, None
            lasts_s = self._now_s() - self._since_s
            if self._what is not None and lasts_s >= self._next_s():
                self._logged_s = lasts_s
                return f"Nothing was committed for {lasts_s:.0f} s; waiting for {self._what}."
        return None if ended_s is None else f"Going on after {ended_s:.0f} s."

    def _next_s(self) -> float:
        """Return how long the wait has to last before the next sentence."""
        return FIRST_S if self._logged_s is None else self._logged_s + min(self._logged_s, MOST_S)


@contextmanager
def log_waits(waits: Waits) -> Iterator[Waits]:
    """Log the sentences of `waits` while the block runs."""
    over = Event()

    def log_when_due() -> None:
        while not over.wait(CHECK_S):
            if (sentence := waits.sentence()) is not None:
                log.info(sentence)

    logger = Thread(target=log_when_due, name="perflog-waits", daemon=True)
    logger.start()
    try:
        yield waits
    finally:
        over.set()
        logger.join()
