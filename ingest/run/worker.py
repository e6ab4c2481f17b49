"""The loop of `perflog run`: poll, read, write, ledger, commit last.

An offset is committed only when Elasticsearch has answered for every document that came from it and the ledger has its
range. Partitions come and go inside `poll` alone; what is in hand for a partition that went is dropped uncommitted, and
its next owner reads it again.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.core.flow import Flow
from ingest.core.model import Problem
from ingest.edge.ports import Fenced, Inbox, Partition, Received
from ingest.run.batch import Services, answered, ranges
from ingest.run.ledger import Count, Hold, Range, Worker, assignment, ledger_action
from ingest.run.meaning import Meaning, meaning
from ingest.run.patience import Stopped
from ingest.run.writing import Limits

log = logging.getLogger("perflog.run")
POLL_S = 0.5
JOIN_POLL_S = 0.1
SETTLE_S = 0.2
TELL_EVERY_S = 60.0


@dataclass(slots=True)
class Loop:
    """One worker: its place in the group, its services, and what it has counted so far (by intake)."""

    inbox: Inbox
    services: Services
    flows: Mapping[str, Flow]
    worker: Worker
    limits: Limits
    flush_s: float
    holds: dict[Partition, Hold] = field(default_factory=dict)
    counts: dict[str, Count] = field(default_factory=dict)
    skipped_offsets: int = 0
    told_s: float = field(default_factory=time.monotonic)

    def run(self, caught_up: Callable[["Loop"], bool] = lambda _: False) -> None:
        """Until asked to stop, or until `caught_up` says so while nothing is in hand."""
        for flow in self.flows.values():
            self.counts[flow.intake.name] = Count()
        try:
            while not self.services.patience.stop and not caught_up(self):
                records = self.gather()
                if records:
                    self.process(records)
                self._tell_sometimes()
        except Fenced as error:
            remedy = "Does another worker use the same `kafka.instance`?"
            raise Problem(f"The group {self.worker.group} shut this worker out: {error}.", remedy, 69) from error
        except Stopped as stopped:
            log.warning("Stopped while waiting (%s) What was in hand is not committed and will be read again.", stopped)

    def _tell_sometimes(self) -> None:
        """One line a minute while there is anything to tell, for who reads the log of a service."""
        if time.monotonic() - self.told_s < TELL_EVERY_S:
            return
        self.told_s = time.monotonic()
        for name, count in self.counts.items():
            if count.records:
                log.info("%s so far: %s", name, ", ".join(f"{what} {n}" for what, n in count.numbers().items()))

    def gather(self) -> list[Received]:
        """Records for one batch: until it is full, or `flush_s` after the first of them."""
        records: list[Received] = []
        size_bytes = 0
        deadline: float | None = None
        while len(records) < self.limits.documents and size_bytes < self.limits.size_bytes:
            left_s = (POLL_S if self.holds else JOIN_POLL_S) if deadline is None else deadline - time.monotonic()
            if left_s <= 0 or self.services.patience.stop:
                break
            found = self.services.patience.until_done(lambda span=left_s: self.inbox.poll(span))  # type: ignore[misc]
            moved = self.settle()
            records = [r for r in records if r.partition not in moved] + found
            size_bytes += sum(record.size_bytes for record in found)
            if not records:
                break
            deadline = deadline or time.monotonic() + self.flush_s
        return [r for r in records if r.partition in self.holds]

    def settle(self) -> set[Partition]:
        """Let go of what was taken from us and begin what was given; all partitions that changed hands."""
        gone, new = self.inbox.changes()
        for partition in gone | new:
            self.holds.pop(partition, None)
        for partition in sorted(new):
            self._begin(partition)
        return gone | new

    def _begin(self, partition: Partition) -> None:
        """Take the assignment's epoch first: from then on no former owner's ledger range is accepted."""
        intake = self.flows[partition.topic].intake
        index, doc_id, body = assignment(partition, self.worker, intake, self.services.now_ms())
        patience = self.services.patience
        epoch = patience.until_done(lambda: self.services.store.raise_epoch(index, doc_id, body))
        first = patience.until_done(lambda: self.inbox.begin(partition))
        self.holds[partition] = Hold(epoch, first)
        log.info("Reading %s/%d from offset %d (assignment %d).", *partition, first, epoch)

    def process(self, records: Sequence[Received]) -> None:
        """One batch, from its records to its commit."""
        held = dict(self.holds)
        items = answered(records, self.flows, self.services)
        self.settle()
        spans = self._still_ours(ranges(items, held))
        spans = self._written_down(spans)
        for span in self._committed(spans):
            span.hold.first_offset = span.next_offset
            self.counts[self.flows[span.partition.topic].intake.name].add(span.count)
            self._explain_gaps(span)

    def _still_ours(self, spans: Sequence[Range]) -> list[Range]:
        return [span for span in spans if self.holds.get(span.partition) is span.hold]

    def _written_down(self, spans: Sequence[Range]) -> list[Range]:
        """Ranges whose ledger document was accepted; the others belong to a successor by now."""
        now_ms = self.services.now_ms()
        actions = [ledger_action(s, self.worker, self.flows[s.partition.topic].intake, now_ms) for s in spans]
        accepted = []
        for span, answer in zip(spans, self.services.writer.write(actions), strict=True):
            found = meaning(answer)
            if found is Meaning.REFUSED:
                remedy = "Run `perflog setup`; until then nothing is committed."
                raise Problem(f"Elasticsearch refuses the ledger: {answer.error}: {answer.reason}.", remedy, 78)
            if found is Meaning.PRESENT:
                log.warning("%s/%d has a new owner; dropping what is in hand of it.", *span.partition)
                self._retake(span.partition)
            else:
                accepted.append(span)
        return accepted

    def _retake(self, partition: Partition) -> None:
        """The group still says that it is ours though an epoch above ours was taken: start over with a new one."""
        self.holds.pop(partition, None)
        self._begin(partition)

    def _committed(self, spans: Sequence[Range]) -> list[Range]:
        """Commit, and wait for the confirmation; what is lost on the way is dropped. The ranges that were confirmed."""
        due = list(spans)
        while due:
            offsets = {span.partition: span.next_offset for span in due}
            try:
                self.services.patience.until_done(lambda o=offsets: self.inbox.commit(o))  # type: ignore[misc]
                return due
            except Fenced as error:
                if self.services.patience.stop:
                    raise Stopped("The group is changing.") from error
                log.info("The group is changing (%s); committing what is still ours.", error)
                self.services.patience.until_done(lambda: self.inbox.keep_alive(SETTLE_S))
                self.settle()
                due = self._still_ours(due)
        return []

    def _explain_gaps(self, span: Range) -> None:
        """Offsets that were no records: say so when retention took records that nobody had read."""
        if span.skipped <= 0:
            return
        self.skipped_offsets += span.skipped
        oldest = self.services.patience.until_done(lambda: self.inbox.first_offsets([span.partition]))[span.partition]
        if oldest > span.first_offset:
            log.error(
                "%s/%d: up to %d records before offset %d were deleted by Kafka's retention before they were read. "
                "Raise the topic's retention, or run more workers.",
                *span.partition,
                min(oldest - span.first_offset, span.skipped),
                oldest,
            )


def drained(inbox: Inbox, ends: Mapping[Partition, int]) -> Callable[[Loop], bool]:
    """Whether every partition has been read and committed up to its end as it was at the start, by us or by others.

    A group that stands beyond the end has not read a topic that was made anew: such a partition counts once it is ours.
    """
    left = dict(ends)
    anew = {partition for partition, end in ends.items() if (inbox.committed(partition) or 0) > end}

    def reached(loop: Loop, partition: Partition, end: int) -> bool:
        if partition in loop.holds:
            at = inbox.position(partition)
        else:
            at = (
                None
                if partition in anew
                else loop.services.patience.until_done(lambda: inbox.committed(partition)) or 0
            )
        return at is not None and at >= end

    def caught_up(loop: Loop) -> bool:
        for partition, end in list(left.items()):
            if reached(loop, partition, end):
                del left[partition]
        return not left

    return caught_up
