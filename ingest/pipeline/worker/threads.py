"""The worker's threads: several send bulk requests, one derives runs, one writes ledger entries and epochs.

Each bulk thread has one batch in flight, and one more batch is decoded meanwhile. Batches already indexed may wait for
the derive thread (see pipeline/derive/deriver.py); they no longer hold their records. This bounds the memory. Ledger
and epochs have a commit thread of their own, so that settled offsets are committed even while every bulk thread waits
for a blocked index.
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
from ingest.pipeline.worker.backlog import MAX_RECORDS, Batch, DeriveBacklog, record_count
from ingest.pipeline.worker.offsets import InFlightRange

T = TypeVar("T")
Pairs = Sequence[tuple[InFlightRange, PartitionBatch]]
Ended = tuple[Sequence[InFlightRange], Callable[[], list[OutcomeCounts]]]
"""A batch that ended: its in-flight ranges, and a function that returns their counts or raises the batch's error."""
A_MOMENT_S = 0.005


@dataclass(slots=True)
class WorkerThreads:
    """The threads of one worker; if `deriver` is None, nothing is derived."""

    context: BatchContext
    bulk_threads: int
    deriver: Deriver | None = None
    in_flight: dict["Future[IndexedBatch]", Pairs] = field(default_factory=dict)
    _backlog: DeriveBacklog = field(default_factory=DeriveBacklog)
    _round: "tuple[Future[None], list[Batch]] | None" = None
    _pool: ThreadPoolExecutor = field(init=False)
    _derive_thread: ThreadPoolExecutor = field(init=False)
    _commit_thread: ThreadPoolExecutor = field(init=False)
    _last_commit: "Future[Any] | None" = None

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.bulk_threads, "perflog-bulk")
        self._derive_thread = ThreadPoolExecutor(1, "perflog-deriver")
        self._commit_thread = ThreadPoolExecutor(1, "perflog-commit")

    @property
    def has_room(self) -> bool:
        """Whether another batch may be decoded."""
        return len(self.in_flight) <= self.bulk_threads and self._backlog.records < MAX_RECORDS

    @property
    def idle(self) -> bool:
        """Whether no batch is in flight or waits to be derived."""
        return self._backlog.empty and not (self.in_flight or self._round)

    def waiting_for(self) -> list[str]:
        """Return what the threads wait for, as phrases for the log."""
        phrases = []
        if self.in_flight:
            batches = [partition_batch for pairs in self.in_flight.values() for _, partition_batch in pairs]
            records = sum(len(partition_batch.records) for partition_batch in batches)
            phrases.append(f"Elasticsearch to take {records:,} records in {len(self.in_flight)} batches")
        if self._round or not self._backlog.empty:
            deriving = sum(map(record_count, self._round[1])) if self._round else 0
            phrases.append(f"stages and runs to be derived of {deriving + self._backlog.records:,} records")
        return phrases

    def submit_batch(self, batch: Pairs) -> None:
        """Start indexing a batch: its partition batches, each with its in-flight range."""
        partition_batches = [partition_batch for _, partition_batch in batch]
        self.in_flight[self._pool.submit(index_batch, partition_batches, self.context)] = batch

    def collect_ended(self, timeout_s: float = 0.0) -> list[Ended]:
        """Return the batches that ended, successfully or not; wait up to `timeout_s` for the first one."""
        if self.idle:
            return []
        futures: list[Future[Any]] = [*self.in_flight, *([self._round[0]] if self._round else [])]
        done, _ = wait(futures, timeout_s, FIRST_COMPLETED)
        ended = []
        for future in [future for future in self.in_flight if future in done]:
            ended += self._indexed(self.in_flight.pop(future), future)
        if self._round and self._round[0] in done:
            ended += [(spans, _counts(indexed, self._round[0])) for spans, indexed in self._round[1]]
            self._round = None
            self._backlog.ended()
        self._start_derive_round()
        return ended

    def _indexed(self, batch: Pairs, future: "Future[IndexedBatch]") -> list[Ended]:
        """Handle an indexed batch: it ends now if it failed or nothing is derived, else it joins the derive backlog."""
        spans = [span for span, _ in batch]
        if self.deriver is None or future.exception() is not None:
            return [(spans, lambda: future.result().counts)]
        for _, partition_batch in batch:
            partition_batch.let_go()
        self._backlog.add((spans, future.result()))
        return []

    def _start_derive_round(self) -> None:
        """Start the next derive round if the last one is over and another is due."""
        if self.deriver is None or self._round is not None or not self._backlog.due(bool(self.in_flight)):
            return
        batches = self._backlog.begin()
        updates = [indexed.updates for _, indexed in batches]
        self._round = self._derive_thread.submit(self.deriver.derive, updates), batches

    def submit_commit(self, task: Callable[[], T]) -> "Future[T]":
        """Queue a task on the commit thread; tasks run in order."""
        self._last_commit = future = self._commit_thread.submit(task)
        return future

    def wait_for_commit(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for the commit thread's last task, or for a few milliseconds if it is idle."""
        if self._last_commit is not None and not self._last_commit.done():
            wait([self._last_commit], timeout_s)
        else:
            Event().wait(A_MOMENT_S)

    def shut_down(self) -> None:
        """Stop all threads and give up what they still wait for."""
        self.context.retry_policy.end()
        if self.deriver is not None:
            self.deriver.shut_down()
        for threads in (self._pool, self._derive_thread, self._commit_thread):
            threads.shutdown(cancel_futures=True)


def _counts(indexed: IndexedBatch, derived: "Future[None]") -> Callable[[], list[OutcomeCounts]]:
    """Return a function that yields the counts of a batch, and raises if deriving from it failed."""

    def counts() -> list[OutcomeCounts]:
        derived.result()
        return indexed.counts

    return counts
