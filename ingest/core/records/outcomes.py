"""Counts the outcomes of records, and decides what each document and record counts as."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.core.bulk_result import ItemStatus

TOLD_FIRST = ("stored", "duplicate", "corrected", "rejected", "ignored")


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
            **{name: self.outcomes[name] for name in TOLD_FIRST},
            "documents": self.documents,
        }

    def add(self, other: "OutcomeCounts") -> None:
        """Add other counts."""
        self.records += other.records
        self.documents += other.documents
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.shapes += other.shapes


OUTCOMES = ("rejected", "corrected", "stored", "duplicate", "ignored")


def document_outcome(status: ItemStatus, origin: str | None, coordinates: str) -> str:
    """Return a document's outcome; a document that this same record stored before a crash counts as `stored`."""
    if status is ItemStatus.CONFLICT:
        return "stored" if origin == coordinates else "duplicate"
    return "rejected" if status is ItemStatus.REJECTED else status.value


def record_outcome(rejected: bool, document_outcomes: Iterable[str]) -> str:
    """Return what a Kafka record counts as: the first of OUTCOMES that applies to any of its documents or rejects."""
    outcomes = {*document_outcomes, *(["rejected"] if rejected else [])}
    return next((name for name in OUTCOMES if name in outcomes), "ignored")
