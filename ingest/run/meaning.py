"""What an answer means and what becomes of a record: decisions only, as tables and pure functions."""

from collections.abc import Iterable
from enum import Enum

from ingest.edge.ports import Answer

OUTCOMES = ("rejected", "corrected", "stored", "duplicate", "ignored")

DOCUMENT_FAULTS = frozenset(
    {
        "strict_dynamic_mapping_exception",
        "document_parsing_exception",
        "mapper_parsing_exception",
        "illegal_argument_exception",
        "too_large",
    }
)


class Meaning(Enum):
    """What is to be done about one item of a bulk request."""

    STORED = "stored"
    CORRECTED = "corrected"
    PRESENT = "present"
    REFUSED = "refused"
    AGAIN = "again"
    OURS = "ours"


def meaning(answer: Answer) -> Meaning:
    """Read one answer; what is not known to be the document's fault is ours, so that nothing is thrown away by mistake.

    >>> meaning(Answer(201, "created")), meaning(Answer(429)), meaning(Answer(403, error="cluster_block_exception"))
    (<Meaning.STORED: 'stored'>, <Meaning.AGAIN: 'again'>, <Meaning.OURS: 'ours'>)
    """
    if answer.failure_store or answer.error in DOCUMENT_FAULTS:
        return Meaning.REFUSED
    if answer.status in (200, 201):
        return Meaning.CORRECTED if answer.result == "updated" else Meaning.STORED
    if answer.status == 409:
        return Meaning.PRESENT
    return Meaning.AGAIN if answer.status == 429 or answer.status >= 500 else Meaning.OURS


def final(answer: Answer) -> bool:
    """Whether asking again would not change anything."""
    return meaning(answer) not in (Meaning.AGAIN, Meaning.OURS)


def fate(found: Meaning, origin: str | None, coordinates: str) -> str:
    """A document's fate: one that is there already because of this very record was stored by it before a crash."""
    if found is Meaning.PRESENT:
        return "stored" if origin == coordinates else "duplicate"
    return "rejected" if found is Meaning.REFUSED else found.value


def outcome(rejected: bool, fates: Iterable[str]) -> str:
    """What a Kafka record counts as: the first of OUTCOMES that applies to any part of it."""
    found = {*fates, *(["rejected"] if rejected else [])}
    return next((name for name in OUTCOMES if name in found), "ignored")
