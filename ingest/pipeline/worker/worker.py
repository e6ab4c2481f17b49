"""The main loop of `perflog run`: poll, decode, flush to the bulk threads, commit; it never waits for Elasticsearch.

Bulk threads write batches while the loop reads on, so decoding and indexing overlap, and the worker stays in its
consumer group however long Elasticsearch is unavailable. When the threads have no room, the partitions are paused and
only polled. An offset is committed only when Elasticsearch has answered for every document up to it and the ledger
holds its range. Before a rebalance, the worker finishes what is in flight for at most `drain_s`; the rest is dropped
uncommitted, and the partition's next owner reads it again.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from ingest.core.kafka_record import Partition
from ingest.core.model import ExitCode, Problem
from ingest.core.records.decoded import PartitionBatch
from ingest.core.records.outcomes import OutcomeCounts
from ingest.core.records.record_decoder import RecordDecoder
from ingest.edge.errors import Fenced, ServiceBlocked, Unavailable
from ingest.edge.ports import Consumer
from ingest.pipeline.batch.reject_limit import TooManyRejects
from ingest.pipeline.signals import Stop
from ingest.pipeline.sink.retry import NEEDS_OPERATOR, Backoff, RetryPolicy, StopRequested
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.committer import Committer
from ingest.pipeline.worker.ledger import WorkerIdentity, assignment
from ingest.pipeline.worker.offsets import CommittableRange, InFlightRange, OffsetTracker
from ingest.pipeline.worker.process import tidy
from ingest.pipeline.worker.report import WorkTime
from ingest.pipeline.worker.threads import WorkerThreads
from ingest.pipeline.worker.waits import Waits

T = TypeVar("T")
log = logging.getLogger("perflog.run")
POLL_S = 0.5  # when idle
BUSY_POLL_S = 0.02  # while batches are in flight
KEEP_ALIVE_S = 0.25  # between two polls while the threads have no room
KAFKA_PAUSE_S = 0.5  # before the next call
LOG_EVERY_S = 60.0
BLOCKED_LOG = RetryPolicy(1.0, 60.0)  # how often it is logged that Kafka refuses, while the loop polls on
ACCEPT = (
    "Fix the grammar or setting and restart; no record was skipped. "
    "If the records really are bad, use `perflog run --accept-rejects`."
)


@dataclass(slots=True)
class Worker:
    """One worker: its consumer, threads and committer, and the outcomes counted so far, by intake."""

    consumer: Consumer
    threads: WorkerThreads
    committer: Committer
    decoders: Mapping[str, RecordDecoder]
    worker: WorkerIdentity
    buffer: RecordBuffer
    drain_s: float
    trackers: dict[Partition, OffsetTracker] = field(default_factory=dict)
    counts: dict[str, OutcomeCounts] = field(default_factory=dict)
    skipped_offsets: int = 0
    work_time: WorkTime = field(default_factory=WorkTime)
    waits: Waits = field(default_factory=Waits)
    stop: Stop = field(default_factory=Stop)
    _pending_epochs: "dict[Partition, Future[int]]" = field(default_factory=dict)
    _problem: Problem | None = None
    _prepared: bool = False
    _polled_s: float = 0.0
    _logged_s: float = field(default_factory=time.monotonic)
    _blocked_log: Backoff = field(default_factory=BLOCKED_LOG.backoff)

    def run(self, caught_up: Callable[["Worker"], bool] = lambda _: False) -> None:
        """Run until asked to stop, or until idle and `caught_up` returns true; then finish what is in flight."""
        for decoder in self.decoders.values():
            self.counts[decoder.decoder.intake.name] = OutcomeCounts()
        while not (self._ending or (self.idle and caught_up(self))):
            self.run_once()
        self.buffer.drop()
        self.finish(self.drain_s)
        if self._problem is not None:
            raise self._problem

    @property
    def _ending(self) -> bool:
        return self.threads.context.retry_policy.stop or self._problem is not None

    @property
    def unfinished(self) -> int:
        """Number of records in flight: tracked, and not committed."""
        return sum(tracker.unfinished for tracker in list(self.trackers.values()))

    @property
    def idle(self) -> bool:
        """Whether nothing is buffered, in flight or uncommitted."""
        settled = all(not tracker.spans for tracker in self.trackers.values())
        return self.buffer.empty and self.threads.idle and self.committer.idle and settled

    def run_once(self) -> None:
        """Run the loop once: collect ended batches, advance the committer, poll or flush."""
        self._collect()
        self._step_committer(at_once=self.threads.idle and self.buffer.empty)
        self._finish_before_rebalance()
        if self.threads.has_room and self.buffer.full:
            self._flush()
        elif self.threads.has_room:
            self._poll()
        else:
            self._collect(KEEP_ALIVE_S)
            if time.monotonic() - self._polled_s >= KEEP_ALIVE_S:
                self._polled_s = time.monotonic()
                self.call_kafka(self.consumer.keep_alive)
        self.apply_assignment()
        self.waits.on(self.waiting_for())
        self._log_counts()

    def _finish_before_rebalance(self) -> None:
        """Finish what is in flight before joining a rebalance; once for each rebalance."""
        is_rebalancing = self.consumer.is_rebalancing()
        if is_rebalancing and not self._prepared and not self.idle:
            self._flush()
            self.finish(self.drain_s)
        self._prepared = is_rebalancing

    def _poll(self) -> None:
        self._polled_s = time.monotonic()
        waiting_s = POLL_S if self.idle and self.trackers else BUSY_POLL_S
        polled = self.call_kafka(lambda: self.consumer.poll(self.buffer.left_s(waiting_s), self.buffer.room))
        self.apply_assignment()
        for records in polled or ():
            tracker = self.trackers.get(records[0].partition)
            if tracker is not None:
                self.buffer.add(tracker, records)
        if self.buffer.full or (self.buffer.due and self.threads.has_room):
            self._flush()

    def _flush(self) -> None:
        """Decode the buffered records and start a batch."""
        now_ms = self.threads.context.now_ms()
        batch: list[tuple[InFlightRange, PartitionBatch]] = []
        for tracker, records in self.buffer.flush(self.trackers):
            decoder = self.decoders[tracker.partition.topic]
            decoded = decoder.read(records, now_ms)
            for coordinates, error in decoded.faults:
                log.error("A bug in perflog: please report it. Record %s is rejected.", coordinates, exc_info=error)
            span = tracker.track(records[-1].offset + 1, records[0].time_ms)
            batch.append((span, PartitionBatch(decoder.decoder.intake, records, decoded)))
        if batch:
            self.work_time.begin()
            self.threads.submit_batch(batch)

    def finish(self, most_s: float) -> None:
        """Wait up to `most_s` until all batches in flight are answered and committed; polls no more records.

        After a stop request it waits no longer than `drain_s` seconds from the request on.
        """
        deadline = time.monotonic() + most_s
        while not self.idle and time.monotonic() < deadline and self.stop.left_s(self.drain_s) > 0:
            if self.threads.has_room and not self.buffer.empty:
                self._flush()
            self._collect(BUSY_POLL_S)
            self._step_committer(at_once=True)
            self.waits.on(self.waiting_for())
            if self.threads.idle and self.committer.shut_out:
                break
            if (
                self.threads.idle
                and self.buffer.empty
                and self.committer.idle
                and not any(tracker.settled() for tracker in self.trackers.values())
            ):
                break
            if self.threads.idle:
                self.threads.wait_for_commit(BUSY_POLL_S)

    def _collect(self, timeout_s: float = 0.0) -> None:
        """Collect the counts of batches that ended."""
        for spans, result in self.threads.collect_ended(timeout_s):
            try:
                counts = result()
            except StopRequested as stopped:
                log.warning("Stopped while waiting (%s) The batch is not committed and will be read again.", stopped)
            except TooManyRejects as error:
                self._problem = Problem(
                    f"{error}: perflog stops, for then the fault is likelier its own.", ACCEPT, ExitCode.BAD_DATA
                )
            else:
                for span, count in zip(spans, counts, strict=True):
                    span.count = count

    def _step_committer(self, at_once: bool) -> None:
        if not self.committer.idle:
            self.waits.on(self.waiting_for())  # a commit may block
        for span in self.committer.step(self.trackers, at_once):
            self.work_time.end()
            self.waits.note_commit()
            self.counts[self.decoders[span.partition.topic].decoder.intake.name].add(span.count)
            self._explain_gaps(span)
        while self.committer.fenced:
            self._begin(self.committer.fenced.pop())

    def apply_assignment(self) -> None:
        """Drop partitions that were revoked and start those that were assigned."""
        lost, new = self.consumer.take_changes()
        for partition in lost | new:
            self.trackers.pop(partition, None)
            self._pending_epochs.pop(partition, None)
        for partition in sorted(new):
            self._begin(partition)
        for partition, epoch in list(self._pending_epochs.items()):
            if epoch.done():
                with suppress(StopRequested):
                    self._track(partition, epoch.result())

    def _begin(self, partition: Partition) -> None:
        """Raise the assignment's epoch first: from then on, ledger documents of previous owners are rejected."""
        self.trackers.pop(partition, None)
        context = self.threads.context
        index, doc_id, body = assignment(
            partition, self.worker, self.decoders[partition.topic].decoder.intake, context.schema, context.now_ms()
        )

        def raise_epoch() -> int:
            return context.retry_policy.until_done(lambda: context.store.raise_epoch(index, doc_id, body))

        self._pending_epochs[partition] = self.threads.submit_commit(raise_epoch)

    def _track(self, partition: Partition, epoch: int) -> None:
        first = self.call_kafka(lambda: self.consumer.begin(partition))
        if first is not None:
            del self._pending_epochs[partition]
            self.trackers[partition] = OffsetTracker(partition, epoch, first)
            log.info("Reading %s/%d from offset %d (assignment %d).", *partition, first, epoch)

    def call_kafka(self, call: Callable[[], T]) -> T | None:
        """Call Kafka; if it is unavailable or refuses, log it and return None: the next round tries again."""
        try:
            result = call()
        except ServiceBlocked as error:
            if self._blocked_log.due:
                log.warning("%s. %s Trying again; no record is lost.", error, NEEDS_OPERATOR)
                self._blocked_log.failed()
            self.threads.context.retry_policy.pause(KAFKA_PAUSE_S)
        except Unavailable as error:
            log.warning("%s. Trying again; no record is lost.", error)
            self.threads.context.retry_policy.pause(KAFKA_PAUSE_S)
        except Fenced as error:
            remedy = "Does another worker use the same `kafka.instance`?"
            raise Problem(
                f"The group {self.worker.group} shut this worker out: {error}.", remedy, ExitCode.UNAVAILABLE
            ) from error
        else:
            self._blocked_log.succeeded()
            return result
        return None

    def _explain_gaps(self, span: CommittableRange) -> None:
        """Count offsets without a record, and log an error if retention deleted records before they were read."""
        if span.skipped <= 0:
            return
        self.skipped_offsets += span.skipped
        first_offsets = self.call_kafka(lambda: self.consumer.first_offsets([span.partition]))
        oldest = first_offsets[span.partition] if first_offsets else 0
        if oldest > span.first_offset:
            log.error(
                "%s/%d: up to %d records before offset %d were deleted by Kafka's retention before they were read. "
                "Raise the topic's retention, or run more workers.",
                *span.partition,
                min(oldest - span.first_offset, span.skipped),
                oldest,
            )

    def waiting_for(self) -> str | None:
        """Return what the worker waits for, as a phrase; None if it only waits for more records."""
        group = self.worker.group
        if not self.consumer.is_reachable():
            return f"Kafka's broker of the group {group} to answer"
        phrases = [*self._waiting_for_partitions(), *self.threads.waiting_for(), *self.committer.waiting_for()]
        if self._prepared:
            phrases.append(f"the group {group} to share out its partitions")
        elif not (self.trackers or phrases):
            why = "others finish first what they have of them, or there are too few for all workers"
            phrases.append(f"a partition: the group {group} has given it none ({why})")
        return " and ".join(phrases) or None

    def _waiting_for_partitions(self) -> list[str]:
        """Return what keeps assigned partitions from being read, as phrases."""
        with_epoch = sum(epoch.done() for epoch in self._pending_epochs.values())
        without_epoch = len(self._pending_epochs) - with_epoch
        phrases = [f"Elasticsearch to count who has had {without_epoch} partitions"] if without_epoch else []
        return [*phrases, f"Kafka to say where the group stands in {with_epoch} partitions"] if with_epoch else phrases

    def _log_counts(self) -> None:
        """Once a minute, collect garbage and log the counts so far, for whoever reads the log of a service."""
        if time.monotonic() - self._logged_s < LOG_EVERY_S:
            return
        self._logged_s = time.monotonic()
        tidy()
        for name, count in self.counts.items():
            if count.records:
                log.info("%s so far: %s", name, ", ".join(f"{what} {n}" for what, n in count.numbers().items()))
