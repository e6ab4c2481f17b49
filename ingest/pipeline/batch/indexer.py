"""Indexes a batch: documents to Elasticsearch, rejects to the dead letters, and one outcome for every record.

Runs on a bulk thread, which may block for as long as needed; nothing here commits offsets. The result has the counts of
each partition batch and the updates that runs are derived from. Updates come from the documents that are now stored,
whether this batch wrote them or they were stored before, and never from rejected ones. The byte ranges received of each
file include all records, whatever their outcome.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from ingest.core.bulk_result import CREATED, KNOWN_CONFLICT, UPDATED, ItemResult, ItemStatus, StoredVersion, item_status
from ingest.core.decode.fast_path import PlainMark
from ingest.core.kafka_record import ConsumerRecord, ProducerRecord
from ingest.core.model import Document, Intake
from ingest.core.records import dead_letter
from ingest.core.records.decoded import DecodedRecord, PartitionBatch
from ingest.core.records.outcomes import OutcomeCounts, document_outcome, record_outcome
from ingest.core.records.updates import BatchUpdates
from ingest.edge.errors import RequestTooLarge
from ingest.pipeline.batch import retraction
from ingest.pipeline.batch.context import BatchContext

log = logging.getLogger("perflog.run")
ALIKE = {CREATED: "stored", UPDATED: "corrected", KNOWN_CONFLICT: "duplicate"}


@dataclass(slots=True)
class _RejectedRecord:
    """A record with at least one reject."""

    received: ConsumerRecord
    special: DecodedRecord
    intake: Intake


@dataclass(slots=True)
class _Classified:
    """Outcomes of a partition batch: counts, rejected records, and the actions that lost to a higher version."""

    count: OutcomeCounts
    refused: list[_RejectedRecord] = field(default_factory=list)
    overtaken: set[int] = field(default_factory=set)


@dataclass(slots=True)
class IndexedBatch:
    """The counts of each partition batch, and the updates that runs are derived from."""

    counts: list[OutcomeCounts]
    gathered: BatchUpdates = field(default_factory=BatchUpdates)


def index_batch(portions: Sequence[PartitionBatch], services: BatchContext) -> IndexedBatch:
    """Write a batch's documents and dead letters; returns when all of them are confirmed."""
    answers = _write_documents(portions, services)
    classified = []
    updates = BatchUpdates()
    start = 0
    for portion in portions:
        positions = slice(start, start + len(portion.reading.actions))
        start = positions.stop
        classified.append(_classify(portion, answers[positions], services))
        if services.derive:
            _collect_updates(portion, answers[positions], classified[-1].overtaken, updates)
            updates.add_files(portion.reading.files)
            updates.add_ends(portion.reading.ends)
    services.limit.judge([result.count for result in classified])
    _write_dead_letters([record for result in classified for record in result.refused], services)
    for portion in portions:
        updates.add_forgotten(retraction.retract(portion.reading, portion.records, services))
    return IndexedBatch([result.count for result in classified], updates)


def _write_documents(portions: Sequence[PartitionBatch], services: BatchContext) -> list[ItemResult]:
    """Return the answer to each action; actions whose document is known to be stored are not sent."""
    actions = [action for portion in portions for action in portion.reading.actions]
    if not any(portion.reading.already_stored for portion in portions):
        return services.writer.write(actions)
    known = [n in portion.reading.already_stored for portion in portions for n in range(len(portion.reading.actions))]
    due = [n for n, is_known in enumerate(known) if not is_known]
    answers = [KNOWN_CONFLICT] * len(actions)
    for n, answer in zip(due, services.writer.write([actions[n] for n in due]), strict=True):
        answers[n] = answer
    return answers


def _collect_updates(
    portion: PartitionBatch, answers: Sequence[ItemResult], overtaken: set[int], into: BatchUpdates
) -> None:
    """Collect updates from the stored facts; if a higher version is stored, its own writer reports it."""
    reading, records = portion.reading, portion.records
    outdated = overtaken | reading.outdated
    already_stored = BatchUpdates()
    start = 0
    for stop, backfill in reading.segments:
        plain: list[tuple[str, PlainMark, int]] = []
        plain_stored: list[tuple[str, PlainMark, int]] = []
        for n in range(start, stop):
            if n in outdated or (answers[n] is not CREATED and item_status(answers[n]) is ItemStatus.REJECTED):
                continue
            fact, owner = reading.facts[n], reading.owners[n]
            if isinstance(fact, Document):
                message = reading.special[owner].message
                target = already_stored if n in reading.already_stored else into
                target.add_document(fact, message.record_time_ms, None if message.bare else message.backfill)
            else:
                row = reading.actions[n].id, fact, records[owner].time_ms
                (plain_stored if n in reading.already_stored else plain).append(row)
        into.add_plain(plain, backfill)
        already_stored.add_plain(plain_stored, None)
        start = stop
    into.add_standing(already_stored)


def _classify(portion: PartitionBatch, answers: Sequence[ItemResult], services: BatchContext) -> _Classified:
    reading = portion.reading
    count = OutcomeCounts(records=len(portion.records), documents=len(answers))
    plainly = not reading.special and not reading.reconciled and not reading.outdated
    if plainly and answers and answers[0] in ALIKE and answers.count(answers[0]) == len(answers):
        count.outcomes[ALIKE[answers[0]]] = len(portion.records)
        return _Classified(count)
    classified = _Classified(count)
    outcomes = _document_outcomes(portion, answers, classified, services)
    for n, received in enumerate(portion.records):
        special = reading.special.get(n)
        refused = bool(special and special.rejects)
        word = record_outcome(refused, outcomes.get(n) or retraction.outcome_without_documents(n, reading))
        count.outcomes[word] += 1
        if special is not None and refused:
            count.reasons.update(reject.reason for _, reject in special.rejects)
            classified.refused.append(_RejectedRecord(received, special, portion.intake))
        if special is not None and word == "ignored":
            count.shapes.update(ignored.shape for ignored in special.outcomes.ignored)
    return classified


def _document_outcomes(
    portion: PartitionBatch, answers: Sequence[ItemResult], classified: _Classified, services: BatchContext
) -> dict[int, list[str]]:
    """Return the outcomes of each record's documents, by record number; add a reject for each rejected document."""
    reading = portion.reading
    versions = _stored_versions(portion, answers, services)
    outcomes: dict[int, list[str]] = {}
    for n, answer in enumerate(answers):
        owner = reading.owners[n]
        received = portion.records[owner]
        status = item_status(answer)
        stored = versions.get(n)
        if stored is not None and stored.version > reading.version(n):
            classified.overtaken.add(n)
        word = document_outcome(status, stored.origin if stored else None, received.coordinates)
        outcomes.setdefault(owner, []).append(retraction.outcome_after_reread(word, n, owner, reading))
        if status is ItemStatus.REJECTED:
            special = reading.made_special(owner, received)
            reject = dead_letter.reject_of_document(
                answer, orjson.loads(reading.actions[n].json), (special.outcomes.inner or special.message).provenance
            )
            special.rejects.append((dead_letter.INDEX_STAGE, reject))
    return outcomes


def _stored_versions(
    portion: PartitionBatch, answers: Sequence[ItemResult], services: BatchContext
) -> dict[int, StoredVersion | None]:
    """Look up the stored version for each action that met a conflict, except where it is known to be the same."""
    reading = portion.reading
    present = [
        n for n, a in enumerate(answers) if item_status(a) is ItemStatus.CONFLICT and n not in reading.already_stored
    ]
    wanted = [reading.actions[n][:2] for n in present]
    versions = services.retry_policy.until_done(lambda: services.store.versions(wanted))
    return dict(zip(present, versions, strict=True))


def _write_dead_letters(refused: Sequence[_RejectedRecord], services: BatchContext) -> None:
    """Write rejected records to the dead-letter topic and the rejects index; repeated index writes change nothing."""
    if not refused:
        return
    refs = [dead_letter.reject_ref(r.received, r.special, r.intake) for r in refused]
    letters = _send_dead_letters(refused, refs, services)
    now_ms = services.now_ms()
    actions = [
        action
        for r, ref, letter_at in zip(refused, refs, letters, strict=True)
        for action in dead_letter.actions(ref, r.special.message, r.intake, r.special.rejects, now_ms, letter_at)
    ]
    answers = services.writer.write(actions)
    rejected = [a for a, answer in zip(actions, answers, strict=True) if item_status(answer) is ItemStatus.REJECTED]
    services.writer.write([dead_letter.without_bytes(action) for action in rejected])


def _send_dead_letters(
    refused: Sequence[_RejectedRecord], refs: Sequence[tuple[str, str]], services: BatchContext
) -> list[str | None]:
    """Send the dead letters and return their coordinates, in order.

    None stands for a letter whose coordinates are unknown, or for a replayed record that has a dead letter already.
    """
    replayed = [n for n, r in enumerate(refused) if r.special.replay]
    versions = services.retry_policy.until_done(lambda: services.store.versions([refs[n] for n in replayed]))
    has_letter = {n for n, stored in zip(replayed, versions, strict=True) if stored is not None and stored.origin}
    due = [n for n in range(len(refused)) if n not in has_letter]
    topic = services.dead_letter_topic
    letters = [
        dead_letter.dead_letter_record(topic, refused[n].received, refused[n].intake, refused[n].special.rejects)
        for n in due
    ]
    sent = dict(zip(due, _send(letters, services), strict=True))
    return [sent.get(n) for n in range(len(refused))]


def _send(letters: Sequence[ProducerRecord], services: BatchContext) -> list[str | None]:
    """Send all dead letters; if one is too large for the topic, send each by itself and that one without its value."""
    if not letters:
        return []
    try:
        return services.retry_policy.until_done(lambda: services.outbox.send(letters))
    except RequestTooLarge:
        if len(letters) == 1:
            log.error("A dead letter is too large for %s; it is sent without its value.", letters[0].topic)
            return services.retry_policy.until_done(
                lambda: services.outbox.send([dead_letter.without_value(letters[0])])
            )
        return [at for letter in letters for at in _send([letter], services)]
