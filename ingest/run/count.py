"""What became of records, in numbers. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from ingest.run.meaning import OUTCOMES
from ingest.telemetry import COUNTERS


@dataclass(slots=True)
class Count:
    """What became of the records of one range, or of a whole run."""

    records: int = 0
    documents: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)

    def numbers(self) -> dict[str, int]:
        """All of them under the names of telemetry, in its order."""
        found = {
            "records": self.records,
            "documents": self.documents,
            **{name: self.outcomes[name] for name in OUTCOMES},
        }
        return {name: found[name] for name in COUNTERS if name in found}

    def add(self, other: "Count") -> None:
        """Sum up."""
        self.records += other.records
        self.documents += other.documents
        self.outcomes += other.outcomes
        self.reasons += other.reasons
        self.shapes += other.shapes
