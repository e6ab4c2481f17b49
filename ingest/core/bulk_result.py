"""Results of bulk items, and how each must be handled."""

from enum import Enum
from typing import NamedTuple


class ItemResult(NamedTuple):
    """Elasticsearch's answer to one action.

    `failure_store`: the document went to the failure store, not to the index. `seen` is set only for a successful swap.
    """

    status: int
    result: str = ""
    error: str = ""
    reason: str = ""
    failure_store: bool = False
    seen: "Seen | None" = None


Seen = tuple[int, int]
"""Sequence number and primary term of a document, compared by compare-and-swap."""

CREATED = ItemResult(201, "created")
"""The answer to nearly every action; always this same object, so it can be compared by identity."""

UPDATED = ItemResult(200, "updated")

KNOWN_CONFLICT = ItemResult(409)
"""Stands in for the answer to an action that is not sent because its document is known to exist."""


class StoredVersion(NamedTuple):
    """A stored document's `provenance.kafka` (None if it has none) and its version."""

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
    """How one item of a bulk request must be handled."""

    STORED = "stored"
    CORRECTED = "corrected"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    RETRY = "retry"
    BLOCKED = "blocked"


def item_status(result: ItemResult) -> ItemStatus:
    """Classify one answer; an error not known to be the document's fault is `BLOCKED`, so none is dropped.

    >>> item_status(ItemResult(201, "created")), item_status(ItemResult(429))
    (<ItemStatus.STORED: 'stored'>, <ItemStatus.RETRY: 'retry'>)
    >>> item_status(ItemResult(403, error="cluster_block_exception"))
    <ItemStatus.BLOCKED: 'blocked'>
    """
    if result.failure_store or result.error in DOCUMENT_FAULTS:
        return ItemStatus.REJECTED
    if result.status in (200, 201):
        return ItemStatus.CORRECTED if result.result == "updated" else ItemStatus.STORED
    if result.status == 409:
        return ItemStatus.CONFLICT
    return ItemStatus.RETRY if result.status == 429 or result.status >= 500 else ItemStatus.BLOCKED


def is_final(result: ItemResult) -> bool:
    """Whether a retry would not change the answer."""
    return item_status(result) not in (ItemStatus.RETRY, ItemStatus.BLOCKED)
