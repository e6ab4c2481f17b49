"""Decides from bulk results and stored versions what each document and record counts as, and counts the outcomes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from ingest.core.bulk_result import CREATED, KNOWN_CONFLICT, UPDATED, ItemResult, ItemStatus, StoredVersion, item_status
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.model import Intake
from ingest.core.records import dead_letter
from ingest.core.records.decoded import DecodedBatch, DecodedRecord, PartitionBatch

CORRECTED, STORED, DUPLICATE = "corrected", "stored", "duplicate"
DISPLAY_ORDER = ("stored", "duplicate", "corrected", "rejected", "ignored")
OUTCOMES = ("rejected", "corrected", "stored", "duplicate", "ignored")
UNIFORM = {CREATED: STORED, UPDATED: CORRECTED, KNOWN_CONFLICT: DUPLICATE}
"""The outcome of a record whose only document has this result."""

Versions = Mapping[int, StoredVersion | None]
"""By position of an action: the stored version that it conflicted with; None if nothing is stored by now."""


@dataclass(slots=True)
class OutcomeCounts:
    """Outcome counts of the records of one range, or of a whole run of a worker."""

    records: int = 0
    documents: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)

    def numbers(self) -> dict[str, int]:
        """Return all counts by name, in display order."""
        return {
            "records": self.records,
            **{name: self.outcomes[name] for name in DISPLAY_ORDER},
            "documents": self.documents,
        }

    def add(self, other: "OutcomeCounts") -> None:
        """Add other counts."""
        self.records += other.records
        self.documents += other.documents
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.shapes += other.shapes


@dataclass(slots=True)
class RejectedRecord:
    """A record with at least one reject."""

    received: ConsumerRecord
    special: DecodedRecord
    intake: Intake


@dataclass(slots=True)
class ClassifiedBatch:
    """Outcomes of a partition batch: counts, rejected records, and actions that lost to a higher stored version."""

    counts: OutcomeCounts
    rejected: list[RejectedRecord] = field(default_factory=list)
    outdated: set[int] = field(default_factory=set)


def classify_uniform(batch: PartitionBatch, results: Sequence[ItemResult]) -> ClassifiedBatch | None:
    """Classify a batch of plain records whose documents all have the same result, as nearly every batch is.

    Returns None for any other batch, which needs `classify`.
    """
    decoded = batch.reading
    if decoded.special or decoded.reconciled or decoded.outdated or not results or results[0] not in UNIFORM:
        return None
    if results.count(results[0]) != len(results):
        return None
    outcomes = Counter({UNIFORM[results[0]]: len(batch.records)})
    return ClassifiedBatch(OutcomeCounts(len(batch.records), len(results), outcomes))


def unknown_conflicts(decoded: DecodedBatch, results: Sequence[ItemResult]) -> list[int]:
    """Return the actions that conflicted with a stored document of which nothing is known."""
    return [
        n
        for n, result in enumerate(results)
        if item_status(result) is ItemStatus.CONFLICT and n not in decoded.already_stored
    ]


def classify(batch: PartitionBatch, results: Sequence[ItemResult], versions: Versions) -> ClassifiedBatch:
    """Classify each record, given the stored versions of the `unknown_conflicts`.

    A document that Elasticsearch rejected becomes one more reject of its record.
    """
    decoded = batch.reading
    classified = ClassifiedBatch(OutcomeCounts(records=len(batch.records), documents=len(results)))
    counts = classified.counts
    outcomes = _document_outcomes(batch, results, versions, classified)
    for n, received in enumerate(batch.records):
        special = decoded.special.get(n)
        is_rejected = bool(special and special.rejects)
        word = record_outcome(is_rejected, outcomes.get(n) or outcome_without_documents(n, decoded))
        counts.outcomes[word] += 1
        if special is not None and is_rejected:
            counts.reasons.update(reject.reason for _, reject in special.rejects)
            classified.rejected.append(RejectedRecord(received, special, batch.intake))
        if special is not None and word == "ignored":
            counts.shapes.update(ignored.shape for ignored in special.outcomes.ignored)
    return classified


def _document_outcomes(
    batch: PartitionBatch, results: Sequence[ItemResult], versions: Versions, classified: ClassifiedBatch
) -> dict[int, list[str]]:
    """Return the outcomes of each record's documents, by record number; add a reject for each rejected document."""
    decoded = batch.reading
    outcomes: dict[int, list[str]] = {}
    for n, result in enumerate(results):
        owner = decoded.owners[n]
        received = batch.records[owner]
        status = item_status(result)
        stored = versions.get(n)
        if stored is not None and stored.version > decoded.version(n):
            classified.outdated.add(n)
        word = document_outcome(status, stored.origin if stored else None, received.coordinates)
        outcomes.setdefault(owner, []).append(outcome_after_reread(word, n, owner, decoded))
        if status is ItemStatus.REJECTED:
            special = decoded.made_special(owner, received)
            provenance = (special.outcomes.inner or special.message).provenance
            reject = dead_letter.reject_of_document(result, orjson.loads(decoded.actions[n].json), provenance)
            special.rejects.append((dead_letter.INDEX_STAGE, reject))
    return outcomes


def outcome_after_reread(word: str, n: int, owner: int, decoded: DecodedBatch) -> str:
    """Adjust a document's outcome for a line read again: a version that lost is a duplicate of the one that counts."""
    if n in decoded.outdated:
        return DUPLICATE
    verdict = decoded.reconciled.get(owner)
    corrects = n in decoded.corrected or (verdict is not None and verdict.is_correction)
    return CORRECTED if word == STORED and corrects else word


def outcome_without_documents(n: int, decoded: DecodedBatch) -> Sequence[str]:
    """Return the outcomes of a record that no longer makes a document."""
    return (CORRECTED,) if n in decoded.reconciled and decoded.reconciled[n].is_correction else ()


def document_outcome(status: ItemStatus, origin: str | None, coordinates: str) -> str:
    """Return a document's outcome; a document that this same record stored before a crash counts as `stored`."""
    if status is ItemStatus.CONFLICT:
        return "stored" if origin == coordinates else "duplicate"
    return "rejected" if status is ItemStatus.REJECTED else status.value


def record_outcome(rejected: bool, document_outcomes: Iterable[str]) -> str:
    """Return what a Kafka record counts as: the first of OUTCOMES that applies to any of its documents or rejects."""
    outcomes = {*document_outcomes, *(["rejected"] if rejected else [])}
    return next((name for name in OUTCOMES if name in outcomes), "ignored")
