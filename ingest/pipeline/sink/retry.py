"""Waits for an unavailable service: exponential backoff with jitter, given up when the worker is asked to stop.

Every retry of the pipeline uses a `RetryPolicy`: it blocks in `wait`, or asks a `Backoff` when the next attempt is due.
These modules wait as well, each for a reason of its own:

worker/worker           pauses briefly when Kafka is away: it must poll on to stay in its group, so no wait may grow
worker/supervisor       restarts dead processes by `delay_s`: a death is no failed request, and it starts on a signal
worker/threads          waits for its own threads: a result wakes it at once
signals                 waits for the thread of a worker or sweeper, and for a signal
worker/waits            looks every second whether a sentence is due
derive/deriver          waits for its own threads
derive/sweeper          waits for the next round; a failed round is repeated by the round after it
derive/sweep_service    pauses between the rounds of `perflog sweep`
intake/paced            keeps a rate
edge/elasticsearch/client    waits some seconds for the shards of a new index, which is part of one request
edge/kibana/client      waits while Kibana starts, for a command that gives up
edge/kafka/fetch        polls for records that must exist, then raises `Unavailable`
edge/local/processes edge/local/stack    wait for servers of this machine to start or to stop
"""

import logging
import random
import time
from collections.abc import Callable
from itertools import count
from threading import Event
from typing import TypeVar

from ingest.core.model import ExitCode, Problem
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
        span_s = self.delay_s(attempt)
        log.warning("%s Trying again in %.1f s (attempt %d); no record is lost.", why, span_s, attempt + 1)
        if self._stop.wait(span_s):
            raise StopRequested(why)

    def backoff(self, now_s: Callable[[], float] = time.monotonic) -> "Backoff":
        """Return a schedule of attempts for a caller that must not block."""
        return Backoff(self, now_s)

    def delay_s(self, attempt: int) -> float:
        """Return the wait after `attempt` (from 0), in seconds."""
        return delay_s(attempt, self._first_s, self._most_s, random.random())  # noqa: S311  (no secret)

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

    def until_available(self, attempt: Callable[[], T]) -> T:
        """Call until no service is missing (`Problem` 69); every other `Problem` is raised: waiting cannot mend it."""
        for number in count():
            try:
                return attempt()
            except Problem as problem:
                if problem.exit_code != ExitCode.UNAVAILABLE:
                    raise
                self.wait(str(problem), number)
        raise AssertionError("count() has no end")


class Backoff:
    """The attempts of a caller that goes on with other work until the next one is due."""

    def __init__(self, retry_policy: RetryPolicy, now_s: Callable[[], float]) -> None:
        """Start with an attempt that is due now."""
        self._retry_policy, self._now_s = retry_policy, now_s
        self._attempt, self._not_before_s = 0, 0.0

    @property
    def due(self) -> bool:
        """Whether the next attempt is due."""
        return self._now_s() >= self._not_before_s

    def failed(self) -> None:
        """Note that an attempt failed: the next one waits longer."""
        self._not_before_s = self._now_s() + self._retry_policy.delay_s(self._attempt)
        self._attempt += 1

    def succeeded(self) -> None:
        """Note that an attempt succeeded: the next one is due at once."""
        self._attempt, self._not_before_s = 0, 0.0


def delay_s(attempt: int, first_s: float, most_s: float, chance: float) -> float:
    """Return between half and all of the doubled wait, by `chance` (0 to 1), so that workers do not retry together."""
    return float(min(most_s, first_s * 2 ** min(attempt, 30)) * (0.5 + chance / 2))
