"""What a worker waits for, said when it lasts: within 10 s of its clock, then each time after twice as long.

The worker's loop states what it waits for; a thread of its own looks at the clock, for the loop may hang in the very
call that it waits for.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

log = logging.getLogger("perflog.run")
FIRST_S, MOST_S = 8.0, 300.0
LOOK_S = 1.0  # between two looks: with a busy machine's delay the first word comes within 10 s


class Waits:
    """What is waited for, and since when nothing was committed meanwhile."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Nothing is waited for yet; take a clock."""
        self._now_s = now_s
        self._lock = Lock()
        self._what: str | None = None
        self._since_s = now_s()
        self._said_s: float | None = None
        self._ended_s: float | None = None

    def on(self, what: str | None) -> None:
        """State what is waited for from now on; None for nothing, which is as good as a commit."""
        with self._lock:
            new = self._what is None or what is None
            self._what = what
        if new:
            self.got_on()

    def got_on(self) -> None:
        """Something was committed: what is waited for now is waited for from now on."""
        with self._lock:
            now_s = self._now_s()
            if self._said_s is not None:
                self._ended_s = now_s - self._since_s
            self._since_s, self._said_s = now_s, None

    def sentence(self) -> str | None:
        """What is to be said now, which counts as said; None when there is nothing to say yet."""
        with self._lock:
            ended_s, self._ended_s = self._ended_s, None
            lasts_s = self._now_s() - self._since_s
            if self._what is not None and lasts_s >= self._next_s():
                self._said_s = lasts_s
                return f"Nothing was committed for {lasts_s:.0f} s; waiting for {self._what}."
        return None if ended_s is None else f"Going on after {ended_s:.0f} s."

    def _next_s(self) -> float:
        """How long it has to last before the next word."""
        return FIRST_S if self._said_s is None else self._said_s + min(self._said_s, MOST_S)


@contextmanager
def watched(waits: Waits) -> Iterator[Waits]:
    """Say what is to be said, as long as the block lasts."""
    over = Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            if (sentence := waits.sentence()) is not None:
                log.info(sentence)

    looking = Thread(target=look, name="perflog-waits", daemon=True)
    looking.start()
    try:
        yield waits
    finally:
        over.set()
        looking.join()
