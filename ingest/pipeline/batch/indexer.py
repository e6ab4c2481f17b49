"""Indexes a batch: documents to Elasticsearch, rejects to the dead letters, and one outcome for every record.

Runs on a bulk thread, which may block for as long as needed; nothing here commits offsets. The result has the counts of
each partition batch and the updates that runs are derived from. Updates come from the documents that are now stored,
whether this batch wrote them or they were stored before, and never from rejected ones. The byte ranges received of each
file include all records, whatever their outcome.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.core.bulk_result import KNOWN_CONFLICT, ItemResult, ItemStatus, item_status
from ingest.core.kafka_record import ProducerRecord
from ingest.core.records import dead_letter
from ingest.core.records.decoded import PartitionBatch
from ingest.core.records.outcomes import (
    ClassifiedBatch,
    OutcomeCounts,
    RejectedRecord,
    Versions,
    classify,
    classify_uniform,
    unknown_conflicts,
)
from ingest.core.records.updates import BatchUpdates
from ingest.edge.errors import RequestTooLarge
from ingest.pipeline.batch import retraction
from ingest.pipeline.batch.context import BatchContext

log = logging.getLogger("perflog.run")


@dataclass(slots=True)
class IndexedBatch:
    """The counts of each partition batch, and the updates that runs are derived from."""

    counts: list[OutcomeCounts]
    updates: BatchUpdates = field(default_factory=BatchUpdates)


def index_batch(batches: Sequence[PartitionBatch], context: BatchContext) -> IndexedBatch:
    """Write the documents and dead letters of some partition batches; returns when all of them are confirmed."""
    results = _write_documents(batches, context)
    classified = []
    updates = BatchUpdates()
    start = 0
    for batch in batches:
        batch_results = results[start : start + len(batch.reading.actions)]
        start += len(batch_results)
        classified.append(_classify(batch, batch_results, context))
        if context.derive:
            updates.add_batch(batch, batch_results, classified[-1].outdated)
    context.limit.judge([result.counts for result in classified])
    _write_dead_letters([record for result in classified for record in result.rejected], context)
    for batch in batches:
        updates.add_removals(retraction.retract(batch.reading, batch.records, context))
    return IndexedBatch([result.counts for result in classified], updates)


def _write_documents(batches: Sequence[PartitionBatch], context: BatchContext) -> list[ItemResult]:
    """Return the result of each action; actions whose document is known to be stored are not sent."""
    actions = [action for batch in batches for action in batch.reading.actions]
    if not any(batch.reading.already_stored for batch in batches):
        return context.writer.write(actions)
    known = [n in batch.reading.already_stored for batch in batches for n in range(len(batch.reading.actions))]
    due = [n for n, is_known in enumerate(known) if not is_known]
    results = [KNOWN_CONFLICT] * len(actions)
    for n, result in zip(due, context.writer.write([actions[n] for n in due]), strict=True):
        results[n] = result
    return results


def _classify(batch: PartitionBatch, results: Sequence[ItemResult], context: BatchContext) -> ClassifiedBatch:
    return classify_uniform(batch, results) or classify(batch, results, _stored_versions(batch, results, context))


def _stored_versions(batch: PartitionBatch, results: Sequence[ItemResult], context: BatchContext) -> Versions:
    """Look up the stored version for each action that met a conflict, except where it is known to be the same."""
    conflicts = unknown_conflicts(batch.reading, results)
    doc_refs = [batch.reading.actions[n][:2] for n in conflicts]
    versions = context.retry_policy.until_done(lambda: context.store.versions(doc_refs))
    return dict(zip(conflicts, versions, strict=True))


def _write_dead_letters(rejected_records: Sequence[RejectedRecord], context: BatchContext) -> None:
    """Write rejected records to the dead-letter topic and the rejects index; repeated index writes change nothing."""
    if not rejected_records:
        return
    refs = [dead_letter.reject_ref(r.received, r.special, r.intake, context.schema) for r in rejected_records]
    letters = _send_dead_letters(rejected_records, refs, context)
    now_ms = context.now_ms()
    actions = [
        action
        for r, ref, letter_at in zip(rejected_records, refs, letters, strict=True)
        for action in dead_letter.actions(ref, r.special.message, r.intake, r.special.rejects, now_ms, letter_at)
    ]
    results = context.writer.write(actions)
    rejected = [a for a, result in zip(actions, results, strict=True) if item_status(result) is ItemStatus.REJECTED]
    context.writer.write([dead_letter.without_bytes(action) for action in rejected])


def _send_dead_letters(
    rejected_records: Sequence[RejectedRecord], refs: Sequence[tuple[str, str]], context: BatchContext
) -> list[str | None]:
    """Send the dead letters and return their coordinates, in order.

    None stands for a letter whose coordinates are unknown, or for a replayed record that has a dead letter already.
    """
    replayed = [n for n, r in enumerate(rejected_records) if r.special.replay]
    versions = context.retry_policy.until_done(lambda: context.store.versions([refs[n] for n in replayed]))
    has_letter = {n for n, stored in zip(replayed, versions, strict=True) if stored is not None and stored.origin}
    due = [n for n in range(len(rejected_records)) if n not in has_letter]
    topic = context.dead_letter_topic
    letters = [
        dead_letter.dead_letter_record(topic, r.received, r.intake, r.special.rejects)
        for r in (rejected_records[n] for n in due)
    ]
    sent = dict(zip(due, _send(letters, context), strict=True))
    return [sent.get(n) for n in range(len(rejected_records))]


def _send(letters: Sequence[ProducerRecord], context: BatchContext) -> list[str | None]:
    """Send all dead letters; if one is too large for the topic, send each by itself and that one without its value."""
    if not letters:
        return []
    try:
        return context.retry_policy.until_done(lambda: context.producer.send(letters))
    except RequestTooLarge:
        if len(letters) == 1:
            log.error("A dead letter is too large for %s; it is sent without its value.", letters[0].topic)
            return context.retry_policy.until_done(
                lambda: context.producer.send([dead_letter.without_value(letters[0])])
            )
        return [at for letter in letters for at in _send([letter], context)]
