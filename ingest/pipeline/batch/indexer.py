"""A batch on its way: actions to Elasticsearch, refusals to the dead letters, and what became of every record.

Runs on a thread of the crew, which may wait as long as it takes; nothing here commits anything. Services are those of
`BatchContext`; the result is the count of each portion, and what runs are to be derived from: the facts that are there
now, whether they were written or had been there before, and never what was refused. Which bytes of which file were
received is told of all records, whatever became of them.
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
from ingest.core.records.headers import replay_of
from ingest.core.records.outcomes import OutcomeCounts, document_outcome, record_outcome
from ingest.core.records.updates import BatchUpdates
from ingest.edge.errors import RequestTooLarge
from ingest.pipeline.batch import retraction
from ingest.pipeline.batch.context import BatchContext

log = logging.getLogger("perflog.run")
ALIKE = {CREATED: "stored", UPDATED: "corrected", KNOWN_CONFLICT: "duplicate"}


@dataclass(slots=True)
class _RejectedRecord:
    """A record of which something was refused, with the stage of each reject."""

    received: ConsumerRecord
    special: DecodedRecord
    intake: Intake


@dataclass(slots=True)
class _Classified:
    """What became of a portion: the count, the records with refused parts, the actions of lower versions."""

    count: OutcomeCounts
    refused: list[_RejectedRecord] = field(default_factory=list)
    overtaken: set[int] = field(default_factory=set)


@dataclass(slots=True)
class IndexedBatch:
    """The count of each portion, and what is to be derived from."""

    counts: list[OutcomeCounts]
    gathered: BatchUpdates = field(default_factory=BatchUpdates)


def index_batch(portions: Sequence[PartitionBatch], services: BatchContext) -> IndexedBatch:
    """Write and, where refused, dead-letter; returns when all of it was confirmed."""
    answers = _write_documents(portions, services)
    told = []
    gathered = BatchUpdates()
    start = 0
    for portion in portions:
        mine = slice(start, start + len(portion.reading.actions))
        start = mine.stop
        told.append(_classify(portion, answers[mine], services))
        if services.derive:
            _collect_updates(portion, answers[mine], told[-1].overtaken, gathered)
            gathered.add_files(portion.reading.files)
            gathered.add_ends(portion.reading.ends)
    services.limit.judge([each.count for each in told])
    _write_dead_letters([refused for each in told for refused in each.refused], services)
    for portion in portions:
        gathered.add_forgotten(retraction.retract(portion.reading, portion.records, services))
    return IndexedBatch([each.count for each in told], gathered)


def _write_documents(portions: Sequence[PartitionBatch], services: BatchContext) -> list[ItemResult]:
    """The answer to each action; what is known to stand there is not asked for."""
    actions = [action for portion in portions for action in portion.reading.actions]
    if not any(portion.reading.there for portion in portions):
        return services.writer.write(actions)
    stands = [n in portion.reading.there for portion in portions for n in range(len(portion.reading.actions))]
    due = [n for n, there in enumerate(stands) if not there]
    answers = [KNOWN_CONFLICT] * len(actions)
    for n, answer in zip(due, services.writer.write([actions[n] for n in due]), strict=True):
        answers[n] = answer
    return answers


def _collect_updates(
    portion: PartitionBatch, answers: Sequence[ItemResult], overtaken: set[int], into: BatchUpdates
) -> None:
    """The facts that are there now; of one that a higher version has overtaken, that one's writer tells."""
    reading, records = portion.reading, portion.records
    passed = overtaken | reading.lost
    standing = BatchUpdates()
    start = 0
    for stop, backfill in reading.stretches:
        plain: list[tuple[str, PlainMark, int]] = []
        stood: list[tuple[str, PlainMark, int]] = []
        for n in range(start, stop):
            if n in passed or (answers[n] is not CREATED and item_status(answers[n]) is ItemStatus.REFUSED):
                continue
            fact, owner = reading.facts[n], reading.owners[n]
            if isinstance(fact, Document):
                of = reading.special[owner].message
                to = standing if n in reading.there else into
                to.add_document(fact, of.record_time_ms, None if of.bare else of.backfill)
            else:
                row = reading.actions[n].id, fact, records[owner].time_ms
                (stood if n in reading.there else plain).append(row)
        into.add_plain(plain, backfill)
        standing.add_plain(stood, None)
        start = stop
    into.add_standing(standing)


def _classify(portion: PartitionBatch, answers: Sequence[ItemResult], services: BatchContext) -> _Classified:
    reading = portion.reading
    count = OutcomeCounts(records=len(portion.records), documents=len(answers))
    plainly = not reading.special and not reading.judged and not reading.lost
    if plainly and answers and answers[0] in ALIKE and answers.count(answers[0]) == len(answers):
        count.outcomes[ALIKE[answers[0]]] = len(portion.records)
        return _Classified(count)
    found = _Classified(count)
    fates = _fates(portion, answers, found, services)
    for n, received in enumerate(portion.records):
        special = reading.special.get(n)
        refused = bool(special and special.refused)
        word = record_outcome(refused, fates.get(n) or retraction.outcome_without_documents(n, reading))
        count.outcomes[word] += 1
        if special is not None and refused:
            count.reasons.update(reject.reason for _, reject in special.refused)
            found.refused.append(_RejectedRecord(received, special, portion.intake))
        if special is not None and word == "ignored":
            count.shapes.update(ignored.shape for ignored in special.outcomes.ignored)
    return found


def _fates(
    portion: PartitionBatch, answers: Sequence[ItemResult], told: _Classified, services: BatchContext
) -> dict[int, list[str]]:
    """What became of the documents of each record; where Elasticsearch refused one, its record becomes special."""
    reading = portion.reading
    standing = _stored_versions(portion, answers, services)
    fates: dict[int, list[str]] = {}
    for n, answer in enumerate(answers):
        owner = reading.owners[n]
        received = portion.records[owner]
        found = item_status(answer)
        stands = standing.get(n)
        if stands is not None and stands.version > reading.version(n):
            told.overtaken.add(n)
        word = document_outcome(found, stands.origin if stands else None, received.coordinates)
        fates.setdefault(owner, []).append(retraction.outcome_after_reread(word, n, owner, reading))
        if found is ItemStatus.REFUSED:
            special = reading.made_special(owner, received)
            reject = dead_letter.reject_of_document(
                answer, orjson.loads(reading.actions[n].json), (special.outcomes.inner or special.message).provenance
            )
            special.refused.append((dead_letter.INDEX_STAGE, reject))
    return fates


def _stored_versions(
    portion: PartitionBatch, answers: Sequence[ItemResult], services: BatchContext
) -> dict[int, StoredVersion | None]:
    """What stands where an action found something; not asked for what is known to stand there just so."""
    reading = portion.reading
    present = [n for n, a in enumerate(answers) if item_status(a) is ItemStatus.PRESENT and n not in reading.there]
    wanted = [reading.actions[n][:2] for n in present]
    found = services.retry_policy.until_done(lambda: services.store.standing(wanted))
    return dict(zip(present, found, strict=True))


def _write_dead_letters(refused: Sequence[_RejectedRecord], services: BatchContext) -> None:
    """To the dead-letter topic and to the rejects index, both confirmed; twice is the same once in the index."""
    if not refused:
        return
    places = [dead_letter.reject_ref(r.received, r.special.message, r.intake) for r in refused]
    letters = _send_dead_letters(refused, places, services)
    now_ms = services.now_ms()
    actions = [
        action
        for r, at, letter_at in zip(refused, places, letters, strict=True)
        for action in dead_letter.actions(at, r.special.message, r.intake, r.special.refused, now_ms, letter_at)
    ]
    answers = services.writer.write(actions)
    again = [a for a, answer in zip(actions, answers, strict=True) if item_status(answer) is ItemStatus.REFUSED]
    services.writer.write([dead_letter.without_bytes(action) for action in again])


def _send_dead_letters(
    refused: Sequence[_RejectedRecord], places: Sequence[tuple[str, str]], services: BatchContext
) -> list[str | None]:
    """Write the letters; where each lies. A replayed record that is refused again has one, which its reject names."""
    replayed = [n for n, r in enumerate(refused) if replay_of(r.received)]
    there = services.retry_policy.until_done(lambda: services.store.standing([places[n] for n in replayed]))
    has_one = {n for n, stands in zip(replayed, there, strict=True) if stands is not None and stands.origin}
    due = [n for n in range(len(refused)) if n not in has_one]
    topic = services.dead_letter_topic
    letters = [
        dead_letter.dead_letter_record(topic, refused[n].received, refused[n].intake, refused[n].special.refused)
        for n in due
    ]
    sent = dict(zip(due, _send(letters, services), strict=True))
    return [sent.get(n) for n in range(len(refused))]


def _send(letters: Sequence[ProducerRecord], services: BatchContext) -> list[str | None]:
    """All letters, or, when the topic does not take one of them, each for itself and that one without its value."""
    if not letters:
        return []
    try:
        return services.retry_policy.until_done(lambda: services.outbox.send(letters))
    except RequestTooLarge:
        if len(letters) == 1:
            log.error("%s takes no letter of this size; it goes without its value.", letters[0].topic)
            return services.retry_policy.until_done(
                lambda: services.outbox.send([dead_letter.without_value(letters[0])])
            )
        return [at for letter in letters for at in _send([letter], services)]
