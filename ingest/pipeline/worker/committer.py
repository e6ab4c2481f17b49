"""The books of a worker: the ledger's document of a range first, then its commit, then the next range.

One round at a time. A range that was written down is committed as it stands, however often that has to be tried: if it
grew meanwhile and we died between ledger and commit, our successor's ranges would overlap it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from ingest.core.bulk_result import ItemResult, ItemStatus, item_status
from ingest.core.decode.decoder import Decoder
from ingest.core.kafka_record import Partition
from ingest.core.model import Problem
from ingest.edge.errors import Fenced, Unavailable
from ingest.edge.ports import Consumer
from ingest.pipeline.sink.retry import StopRequested, delay_s
from ingest.pipeline.worker.ledger import WorkerIdentity, ledger_action
from ingest.pipeline.worker.offsets import CommittableRange, OffsetTracker
from ingest.pipeline.worker.threads import WorkerThreads

log = logging.getLogger("perflog.run")
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 5.0


@dataclass(slots=True)
class Committer:
    """Ledger and commit.

    Attributes:
        overtaken: partitions that somebody else has taken an epoch of.
        shut_out: the group refused the last commit: only a poll, which joins it anew, can change that.
    """

    inbox: Consumer
    threads: WorkerThreads
    flows: Mapping[str, Decoder]
    worker: WorkerIdentity
    every_s: float
    overtaken: set[Partition] = field(default_factory=set)
    shut_out: bool = False
    _asked: "Future[list[ItemResult]] | None" = None
    _written: list[CommittableRange] = field(default_factory=list)
    _due: list[CommittableRange] = field(default_factory=list)
    _last_s: float = field(default_factory=time.monotonic)
    _not_before_s: float = 0.0
    _attempt: int = 0

    @property
    def idle(self) -> bool:
        """Whether no round is under way."""
        return self._asked is None and not self._due

    def awaited(self) -> list[str]:
        """What a round waits for, in words."""
        if self._asked is not None:
            return ["Elasticsearch to take the ledger"]
        if not self._due:
            return []
        return ["the group to let us commit" if self.shut_out else "Kafka to take the commit"]

    def keep(self, trackers: Mapping[Partition, OffsetTracker], at_once: bool = False) -> list[CommittableRange]:
        """One step, which waits for Kafka's confirmation at most; the ranges that were confirmed by it."""
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            with suppress(StopRequested):
                self._due = self._accepted(asked.result())
            if self.overtaken:
                return []  # those partitions are begun anew before anything more is written
        if self._due:
            return self._commit(trackers)
        if self._asked is None and (at_once or time.monotonic() - self._last_s >= self.every_s):
            self._write_down(filter(None, (tracker.settled() for tracker in trackers.values())))
        return []

    def _write_down(self, ranges: Iterable[CommittableRange]) -> None:
        self._written = list(ranges)
        if not self._written:
            return
        services = self.threads.services
        now_ms = services.now_ms()
        actions = [ledger_action(r, self.worker, self.flows[r.partition.topic].intake, now_ms) for r in self._written]
        self._last_s = time.monotonic()
        self._asked = self.threads.submit_commit(lambda: services.writer.write(actions))

    def _accepted(self, answers: Sequence[ItemResult]) -> list[CommittableRange]:
        """Ranges whose ledger document was accepted; the others belong to a successor by now."""
        accepted = []
        for span, answer in zip(self._written, answers, strict=True):
            found = item_status(answer)
            if found is ItemStatus.REFUSED:
                remedy = "Run `perflog setup`; until then nothing is committed."
                raise Problem(f"Elasticsearch refuses the ledger: {answer.error}: {answer.reason}.", remedy, 78)
            if found is ItemStatus.PRESENT:
                log.warning("%s/%d has a new owner; dropping what is in hand of it.", *span.partition)
                self.overtaken.add(span.partition)
            else:
                accepted.append(span)
        return accepted

    def _commit(self, trackers: Mapping[Partition, OffsetTracker]) -> list[CommittableRange]:
        """Commit what is still ours. The ranges that were confirmed; nothing when it has to be tried again."""
        self._due = [span for span in self._due if trackers.get(span.partition) is span.tracker]
        self.shut_out = self.shut_out and bool(self._due)
        if not self._due or time.monotonic() < self._not_before_s:
            return []
        try:
            self.inbox.commit({span.partition: span.next_offset for span in self._due})
        except Fenced as error:
            self.shut_out = True
            self._again(f"The group is changing ({error}); committing what is still ours afterwards.", log.info)
            return []
        except Unavailable as error:
            self._again(f"{error}. The commit is tried again; nothing is lost meanwhile.", log.warning)
            return []
        done, self._due, self._attempt, self.shut_out = self._due, [], 0, False
        for span in done:
            span.tracker.committed(span.next_offset)
        return done

    def _again(self, why: str, say: Callable[[str], None]) -> None:
        say(why)
        self._not_before_s = time.monotonic() + delay_s(self._attempt, RETRY_FIRST_S, RETRY_MOST_S, 1.0)
        self._attempt += 1
