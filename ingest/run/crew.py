"""Threads that ask Elasticsearch while the loop goes on: hands for the batches, and one clerk for ledger and epochs.

So many batches are under way at once as there are hands, and one more is read meanwhile; that bounds the memory. The
clerk is apart, so that what was answered is committed even while every hand waits for an index that is blocked.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

from ingest.run.batch import Portion, Services, answered
from ingest.run.count import Count

T = TypeVar("T")
A_MOMENT_S = 0.005


@dataclass(slots=True)
class Crew:
    """The threads of one worker."""

    services: Services
    hands: int
    under_way: dict["Future[list[Count]]", Sequence[Portion]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(init=False)
    _clerk: ThreadPoolExecutor = field(init=False)
    _asked: "Future[Any] | None" = None

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.hands, "perflog-hand")
        self._clerk = ThreadPoolExecutor(1, "perflog-clerk")

    @property
    def has_room(self) -> bool:
        """Whether one more batch may be read."""
        return len(self.under_way) <= self.hands

    @property
    def idle(self) -> bool:
        """Whether no batch is under way."""
        return not self.under_way

    def take(self, portions: Sequence[Portion]) -> None:
        """Begin a batch."""
        self.under_way[self._pool.submit(answered, portions, self.services)] = portions

    def finished(self, timeout_s: float = 0.0) -> list[tuple[Sequence[Portion], "Future[list[Count]]"]]:
        """Batches that ended, well or not, waiting for the first of them at most `timeout_s`."""
        if not self.under_way:
            return []
        done, _ = wait(self.under_way, timeout_s, FIRST_COMPLETED)
        return [(self.under_way.pop(future), future) for future in done]

    def ask_clerk(self, task: Callable[[], T]) -> "Future[T]":
        """Let the clerk do something; in turn."""
        self._asked = asked = self._clerk.submit(task)
        return asked

    def await_clerk(self, timeout_s: float) -> None:
        """Wait until the clerk has done what it was asked last, at most so long; a moment when it has nothing to do."""
        if self._asked is not None and not self._asked.done():
            wait([self._asked], timeout_s)
        else:
            Event().wait(A_MOMENT_S)

    def dismiss(self) -> None:
        """Let all threads go; what they still wait for is given up."""
        self.services.patience.end()
        self._pool.shutdown(cancel_futures=True)
        self._clerk.shutdown(cancel_futures=True)
