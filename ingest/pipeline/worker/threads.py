"""Threads that ask Elasticsearch while the loop goes on: hands for the batches, one that derives, and one clerk.

So many batches are under way at once as there are hands, and one more is read meanwhile; of those that were answered
some more may wait for what is derived of them (see pipeline/derive/deriver.py), without their records. That bounds the
memory. The clerk, for ledger and epochs, is apart, so that what is settled is committed even while every hand waits for
an index that is blocked.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeVar

from ingest.core.records.decoded import PartitionBatch
from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.batch.context import BatchContext
from ingest.pipeline.batch.indexer import IndexedBatch, index_batch
from ingest.pipeline.derive.deriver import Deriver
from ingest.pipeline.worker.backlog import MOST, Batch, DeriveBacklog, record_count
from ingest.pipeline.worker.offsets import InFlightRange

T = TypeVar("T")
Pairs = Sequence[tuple[InFlightRange, PartitionBatch]]
Ended = tuple[Sequence[InFlightRange], Callable[[], list[OutcomeCounts]]]
"""A batch that ended: the spans of its portions, and what asks for their counts (which raises where it ended badly)."""
A_MOMENT_S = 0.005


@dataclass(slots=True)
class WorkerThreads:
    """The threads of one worker; without a deriver, nothing is derived."""

    services: BatchContext
    bulk_threads: int
    deriver: Deriver | None = None
    under_way: dict["Future[IndexedBatch]", Pairs] = field(default_factory=dict)
    _waiting: DeriveBacklog = field(default_factory=DeriveBacklog)
    _round: "tuple[Future[None], list[Batch]] | None" = None
    _pool: ThreadPoolExecutor = field(init=False)
    _derive_thread: ThreadPoolExecutor = field(init=False)
    _commit_thread: ThreadPoolExecutor = field(init=False)
    _asked: "Future[Any] | None" = None

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.bulk_threads, "perflog-hand")
        self._derive_thread = ThreadPoolExecutor(1, "perflog-deriver")
        self._commit_thread = ThreadPoolExecutor(1, "perflog-clerk")

    @property
    def has_room(self) -> bool:
        """Whether one more batch may be read."""
        return len(self.under_way) <= self.bulk_threads and self._waiting.records < MOST

    @property
    def idle(self) -> bool:
        """Whether no batch is under way."""
        return self._waiting.empty and not (self.under_way or self._round)

    def awaited(self) -> list[str]:
        """What the threads wait for, in words."""
        found = []
        if self.under_way:
            records = sum(len(portion.records) for batch in self.under_way.values() for _, portion in batch)
            found.append(f"Elasticsearch to take {records:,} records in {len(self.under_way)} batches")
        if self._round or not self._waiting.empty:
            at_work = sum(map(record_count, self._round[1])) if self._round else 0
            found.append(f"stages and runs to be derived of {at_work + self._waiting.records:,} records")
        return found

    def take(self, batch: Pairs) -> None:
        """Begin a batch: portions, each with the span that waits for it."""
        self.under_way[self._pool.submit(index_batch, [portion for _, portion in batch], self.services)] = batch

    def finished(self, timeout_s: float = 0.0) -> list[Ended]:
        """Batches that ended, well or not, waiting for something to happen at most `timeout_s`."""
        if self.idle:
            return []
        awaited: list[Future[Any]] = [*self.under_way, *([self._round[0]] if self._round else [])]
        done, _ = wait(awaited, timeout_s, FIRST_COMPLETED)
        ended = []
        for future in [each for each in self.under_way if each in done]:
            ended += self._answered(self.under_way.pop(future), future)
        if self._round and self._round[0] in done:
            ended += [(spans, _counts(each, self._round[0])) for spans, each in self._round[1]]
            self._round = None
            self._waiting.ended()
        self._derive_on()
        return ended

    def _answered(self, batch: Pairs, future: "Future[IndexedBatch]") -> list[Ended]:
        """A batch that still has to be derived from is not at its end."""
        spans = [span for span, _ in batch]
        if self.deriver is None or future.exception() is not None:
            return [(spans, lambda: future.result().counts)]
        for _, portion in batch:
            portion.let_go()
        self._waiting.add((spans, future.result()))
        return []

    def _derive_on(self) -> None:
        """The next round, once the last one is over and another is due."""
        if self.deriver is None or self._round is not None or not self._waiting.due(bool(self.under_way)):
            return
        batches = self._waiting.begin()
        gathered = [each.gathered for _, each in batches]
        self._round = self._derive_thread.submit(self.deriver.derive, gathered), batches

    def submit_commit(self, task: Callable[[], T]) -> "Future[T]":
        """Let the clerk do something; in turn."""
        self._asked = asked = self._commit_thread.submit(task)
        return asked

    def wait_for_commit(self, timeout_s: float) -> None:
        """Wait until the clerk has done what it was asked last, at most so long; a moment when it has nothing to do."""
        if self._asked is not None and not self._asked.done():
            wait([self._asked], timeout_s)
        else:
            Event().wait(A_MOMENT_S)

    def dismiss(self) -> None:
        """Let all threads go; what they still wait for is given up."""
        self.services.retry_policy.end()
        if self.deriver is not None:
            self.deriver.dismiss()
        for threads in (self._pool, self._derive_thread, self._commit_thread):
            threads.shutdown(cancel_futures=True)


def _counts(told: IndexedBatch, derived: "Future[None]") -> Callable[[], list[OutcomeCounts]]:
    """The counts, once what follows was derived."""

    def counts() -> list[OutcomeCounts]:
        derived.result()
        return told.counts

    return counts
