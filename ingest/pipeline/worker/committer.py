"""Commits settled offset ranges: write the range's ledger document, commit the range, then take the next range.

One round runs at a time. A range in the ledger is committed unchanged, however often the commit must be retried. If the
range grew in the meantime and the worker died between ledger and commit, its successor's ranges would overlap it.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from ingest.core.bulk_result import ItemResult, ItemStatus, item_status
from ingest.core.kafka_record import Partition
from ingest.core.model import ExitCode, Intake, Problem
from ingest.edge.errors import Fenced, ServiceBlocked, Unavailable
from ingest.edge.ports import Consumer
from ingest.pipeline.sink.retry import NEEDS_OPERATOR, Backoff, RetryPolicy, StopRequested
from ingest.pipeline.worker.ledger import WorkerIdentity, ledger_action
from ingest.pipeline.worker.offsets import CommittableRange, OffsetTracker
from ingest.pipeline.worker.threads import WorkerThreads

log = logging.getLogger("perflog.run")
COMMITS = RetryPolicy(0.2, 5.0)  # shorter than for requests: a commit that waits holds up no service


@dataclass(slots=True)
class Committer:
    """Writes ledger documents and commits offsets.

    Attributes:
        intakes: by topic.
        fenced: partitions for which another worker has raised the epoch.
        shut_out: the group refused the last commit; only a poll, which rejoins the group, can change that.
    """

    consumer: Consumer
    threads: WorkerThreads
    intakes: Mapping[str, Intake]
    worker: WorkerIdentity
    every_s: float
    fenced: set[Partition] = field(default_factory=set)
    shut_out: bool = False
    _ledger_write: "Future[list[ItemResult]] | None" = None
    _written: list[CommittableRange] = field(default_factory=list)
    _due: list[CommittableRange] = field(default_factory=list)
    _last_s: float = field(default_factory=time.monotonic)
    _backoff: Backoff = field(default_factory=COMMITS.backoff)

    @property
    def idle(self) -> bool:
        """Whether no round is in progress."""
        return self._ledger_write is None and not self._due

    def waiting_for(self) -> list[str]:
        """Return what the current round waits for, as phrases for the log."""
        if self._ledger_write is not None and not self._ledger_write.done():
            return ["Elasticsearch to take the ledger"]
        if self.idle:
            return []
        return ["the group to let us commit" if self.shut_out else "Kafka to take the commit"]

    def step(self, trackers: Mapping[Partition, OffsetTracker], at_once: bool = False) -> list[CommittableRange]:
        """Advance the round by one step and return the ranges that Kafka confirmed; blocks at most for one commit."""
        if self._ledger_write is not None and self._ledger_write.done():
            ledger_write, self._ledger_write = self._ledger_write, None
            with suppress(StopRequested):
                self._due = self._accepted_ranges(ledger_write.result())
            if self.fenced:
                return []  # those partitions are restarted before the next ledger write
        if self._due:
            return self._commit(trackers)
        if self._ledger_write is None and (at_once or time.monotonic() - self._last_s >= self.every_s):
            self._write_ledger(filter(None, (tracker.settled() for tracker in trackers.values())))
        return []

    def _write_ledger(self, ranges: Iterable[CommittableRange]) -> None:
        self._written = list(ranges)
        if not self._written:
            return
        context = self.threads.context
        now_ms = context.now_ms()
        actions = [
            ledger_action(r, self.worker, self.intakes[r.partition.topic], context.schema, now_ms)
            for r in self._written
        ]
        self._last_s = time.monotonic()
        self._ledger_write = self.threads.submit_commit(lambda: context.writer.write(actions))

    def _accepted_ranges(self, results: Sequence[ItemResult]) -> list[CommittableRange]:
        """Return the ranges whose ledger document was accepted; the others have a new owner."""
        accepted = []
        for span, result in zip(self._written, results, strict=True):
            status = item_status(result)
            if status is ItemStatus.REJECTED:
                remedy = "Run `perflog setup`; nothing is committed until then."
                raise Problem(
                    f"Elasticsearch rejects the ledger document: {result.error}: {result.reason}.",
                    remedy,
                    ExitCode.CONFIG,
                )
            if status is ItemStatus.CONFLICT:
                log.warning("%s/%d has a new owner; its uncommitted records are dropped.", *span.partition)
                self.fenced.add(span.partition)
            else:
                accepted.append(span)
        return accepted

    def _commit(self, trackers: Mapping[Partition, OffsetTracker]) -> list[CommittableRange]:
        """Commit the ranges this worker still owns and return those confirmed; empty if the commit must be retried."""
        self._due = [span for span in self._due if trackers.get(span.partition) is span.tracker]
        self.shut_out = self.shut_out and bool(self._due)
        if not self._due or not self._backoff.due:
            return []
        try:
            self.consumer.commit({span.partition: span.next_offset for span in self._due})
        except Fenced as error:
            self.shut_out = True
            self._backoff.failed()
            log.info("The group is changing (%s); what this worker still owns is committed afterwards.", error)
            return []
        except ServiceBlocked as error:
            self._backoff.failed()
            log.warning("%s. %s The commit will be retried; no record is lost.", error, NEEDS_OPERATOR)
            return []
        except Unavailable as error:
            self._backoff.failed()
            log.warning("%s. The commit will be retried; no record is lost.", error)
            return []
        confirmed, self._due, self.shut_out = self._due, [], False
        self._backoff.succeeded()
        for span in confirmed:
            span.tracker.committed(span.next_offset)
        return confirmed
