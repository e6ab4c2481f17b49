"""Waiting for a service that does not answer: longer each time, jittered, and given up when we are asked to stop.

Retry and backoff stand here and nowhere else.
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
NEEDS_OPERATOR = "This is for a person to mend, no document is at fault."


class StopRequested(Exception):
    """We were asked to stop while waiting: what is in hand was not answered and will be read again."""


class RetryPolicy:
    """Waits between attempts. The first wait is `first_s`, each further one doubles, none is longer than `most_s`.

    Waiting is for the crew's threads and for commands; the loop that keeps a worker in its group never waits here.
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        """Nobody has asked to stop yet."""
        self._first_s = first_s
        self._most_s = most_s
        self._stop = Event()

    @property
    def stop(self) -> bool:
        """Whether we were asked to stop."""
        return self._stop.is_set()

    def end(self) -> None:
        """Ask to stop: whoever waits, or is about to, gives up."""
        self._stop.set()

    def wait(self, why: str, attempt: int) -> None:
        """Say why, and wait as long as is right after `attempt` (from 0). Raises `StopRequested` when asked to stop."""
        span_s = delay_s(attempt, self._first_s, self._most_s, random.random())  # noqa: S311  (no secret)
        log.warning("%s Trying again in %.1f s (attempt %d); nothing is lost meanwhile.", why, span_s, attempt + 1)
        if self._stop.wait(span_s):
            raise StopRequested(why)

    def pause(self, span_s: float) -> None:
        """Wait so long, or until we are asked to stop."""
        self._stop.wait(span_s)

    def until_done(self, attempt: Callable[[], T]) -> T:
        """Try until it succeeds; what is refused for want of a right or a setting is tried again too, and said."""
        for number in count():
            try:
                return attempt()
            except Unavailable as error:
                self.wait(f"{error}.", number)
            except ServiceBlocked as error:
                self.wait(f"{error}. {NEEDS_OPERATOR}", number)
        raise AssertionError("count() has no end")


def delay_s(attempt: int, first_s: float, most_s: float, chance: float) -> float:
    """Half to whole of the doubled wait, by `chance` from 0 to 1, so that workers do not come back all at once."""
    return float(min(most_s, first_s * 2 ** min(attempt, 30)) * (0.5 + chance / 2))
