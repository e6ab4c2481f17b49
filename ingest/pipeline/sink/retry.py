"""Waits for an unavailable service: exponential backoff with jitter, given up when the worker is asked to stop.

All retries in perflog use this module.
"""

import logging
import random
from collections.abc import Callable
from itertools import count
from threading import Event
from typing import TypeVar

from ingest.edge.errors import ServiceBlocked, Unavailable

T = TypeVar("T")
log = logging.getLogger("perflog.run")
NEEDS_OPERATOR = "An operator has to fix this; no document is at fault."


class StopRequested(Exception):
    """The worker was asked to stop while waiting: batches in flight were not answered and will be read again."""


class RetryPolicy:
    """Waits between attempts: first `first_s`, then twice as long each time, at most `most_s`.

    Bulk threads and commands may wait here. The loop that keeps a worker in its group never does.
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        """Bind the shortest and the longest wait (s)."""
        self._first_s = first_s
        self._most_s = most_s
        self._stop = Event()

    @property
    def stop(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    def end(self) -> None:
        """Request a stop: every current and future wait gives up."""
        self._stop.set()

    def wait(self, why: str, attempt: int) -> None:
        """Log why, and wait for the backoff after `attempt` (from 0); raises `StopRequested` if asked to stop."""
        span_s = delay_s(attempt, self._first_s, self._most_s, random.random())  # noqa: S311  (no secret)
        log.warning("%s Trying again in %.1f s (attempt %d); no record is lost.", why, span_s, attempt + 1)
        if self._stop.wait(span_s):
            raise StopRequested(why)

    def pause(self, span_s: float) -> None:
        """Wait `span_s` seconds, or until a stop is requested."""
        self._stop.wait(span_s)

    def until_done(self, attempt: Callable[[], T]) -> T:
        """Call until it succeeds; a missing privilege or a wrong setting is retried too, and logged for an operator."""
        for number in count():
            try:
                return attempt()
            except Unavailable as error:
                self.wait(f"{error}.", number)
            except ServiceBlocked as error:
                self.wait(f"{error}. {NEEDS_OPERATOR}", number)
        raise AssertionError("count() has no end")


def delay_s(attempt: int, first_s: float, most_s: float, chance: float) -> float:
    """Return between half and all of the doubled wait, by `chance` (0 to 1), so that workers do not retry together."""
    return float(min(most_s, first_s * 2 ** min(attempt, 30)) * (0.5 + chance / 2))
