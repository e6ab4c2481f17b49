"""What became of records, in numbers. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.core.bulk_result import ItemStatus

TOLD_FIRST = ("stored", "duplicate", "corrected", "rejected", "ignored")


@dataclass(slots=True)
class OutcomeCounts:
    """What became of the records of one range, or of a whole run."""

    records: int = 0
    documents: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)

    def numbers(self) -> dict[str, int]:
        """All of them by name, in the order in which they are told."""
        return {
            "records": self.records,
            **{name: self.outcomes[name] for name in TOLD_FIRST},
            "documents": self.documents,
        }

    def add(self, other: "OutcomeCounts") -> None:
        """Sum up."""
        self.records += other.records
        self.documents += other.documents
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.shapes += other.shapes


OUTCOMES = ("rejected", "corrected", "stored", "duplicate", "ignored")


def document_outcome(found: ItemStatus, origin: str | None, coordinates: str) -> str:
    """A document's fate: one that is there already because of this very record was stored by it before a crash."""
    if found is ItemStatus.PRESENT:
        return "stored" if origin == coordinates else "duplicate"
    return "rejected" if found is ItemStatus.REFUSED else found.value


def record_outcome(rejected: bool, fates: Iterable[str]) -> str:
    """What a Kafka record counts as: the first of OUTCOMES that applies to any part of it."""
    found = {*fates, *(["rejected"] if rejected else [])}
    return next((name for name in OUTCOMES if name in found), "ignored")
