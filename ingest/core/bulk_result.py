"""What an answer means and what becomes of a record: decisions only, as tables and pure functions."""

from enum import Enum
from typing import NamedTuple


class ItemResult(NamedTuple):
    """What Elasticsearch said of one action.

    `failure_store` = it went to the failure store instead of the index; `seen` is known of a swap that was done.
    """

    status: int
    result: str = ""
    error: str = ""
    reason: str = ""
    failure_store: bool = False
    seen: "Seen | None" = None


Seen = tuple[int, int]
"""Sequence number and primary term of a document: what a compare-and-swap compares."""

CREATED = ItemResult(201, "created")
"""The answer to nearly every action: always this very object."""

UPDATED = ItemResult(200, "updated")

KNOWN_CONFLICT = ItemResult(409)
"""What is said for an action that nobody asked Elasticsearch for, since its document is known to stand there."""


class StoredVersion(NamedTuple):
    """A document that is there: `provenance.kafka` of it, None where it tells none, and its version."""

    origin: str | None
    version: int


DOCUMENT_FAULTS = frozenset(
    {
        "strict_dynamic_mapping_exception",
        "document_parsing_exception",
        "mapper_parsing_exception",
        "illegal_argument_exception",
        "too_large",
    }
)


class ItemStatus(Enum):
    """What is to be done about one item of a bulk request."""

    STORED = "stored"
    CORRECTED = "corrected"
    PRESENT = "present"
    REFUSED = "refused"
    AGAIN = "again"
    OURS = "ours"


def item_status(answer: ItemResult) -> ItemStatus:
    """Read one answer; what is not known to be the document's fault is ours, so that nothing is thrown away by mistake.

    >>> meaning(Answer(201, "created")), meaning(Answer(429)), meaning(Answer(403, error="cluster_block_exception"))
    (<Meaning.STORED: 'stored'>, <Meaning.AGAIN: 'again'>, <Meaning.OURS: 'ours'>)
    """
    if answer.failure_store or answer.error in DOCUMENT_FAULTS:
        return ItemStatus.REFUSED
    if answer.status in (200, 201):
        return ItemStatus.CORRECTED if answer.result == "updated" else ItemStatus.STORED
    if answer.status == 409:
        return ItemStatus.PRESENT
    return ItemStatus.AGAIN if answer.status == 429 or answer.status >= 500 else ItemStatus.OURS


def is_final(answer: ItemResult) -> bool:
    """Whether asking again would not change anything."""
    return item_status(answer) not in (ItemStatus.AGAIN, ItemStatus.OURS)
