"""What became of records, in numbers. Pure."""

from collections import Counter
from dataclasses import dataclass, field

TOLD_FIRST = ("stored", "duplicate", "corrected", "rejected", "ignored")


@dataclass(slots=True)
class Count:
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

    def add(self, other: "Count") -> None:
        """Sum up."""
        self.records += other.records
        self.documents += other.documents
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.shapes += other.shapes
