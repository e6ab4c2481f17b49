"""Updates documents in bulk by compare-and-swap, so that concurrent writers cannot overwrite each other.

A `CasDocument` is one document being updated: it holds the stored version (from a cache or a read) and computes the
next one. Each round sends one request to read the documents that are not known and one to write the changes (each split
by the writer's limits). Documents that lost to another writer are read and changed again at once: waiting would not
help.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.core.bulk import BulkAction, create, index_if
from ingest.core.bulk_result import ItemStatus, Seen, item_status
from ingest.edge.ports import Store
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.retry import RetryPolicy

log = logging.getLogger("perflog.run")
READ_AT_ONCE = 500


class CasDocument(ABC):
    """One document being updated.

    Attributes:
        place: its index and id.
        known: whether the stored version is known.
        lost: Elasticsearch rejected the document.
        seen: sequence number and primary term of the stored version; None if no document is stored.
    """

    def __init__(self, index: str, doc_id: str) -> None:
        """Start without knowing the stored version."""
        self.place = (index, doc_id)
        self.known = False
        self.lost = False
        self.seen: Seen | None = None

    @abstractmethod
    def take(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored body; None if no document is stored."""

    @abstractmethod
    def changed(self) -> str | None:
        """Return the next body as JSON; None if the stored one is up to date."""

    @abstractmethod
    def keep(self) -> None:
        """Take the body that `changed` returned as the stored one."""

    def action(self, json: str) -> BulkAction:
        """Build the bulk action that writes the body."""
        return create(*self.place, json) if self.seen is None else index_if(*self.place, self.seen, json)


class CasWriter:
    """Writes compare-and-swap documents until each of them is up to date."""

    def __init__(self, store: Store, writer: BulkWriter, retry_policy: RetryPolicy) -> None:
        """Bind a store, the writer for its swaps, and the retry policy."""
        self._store, self._writer, self._retry_policy = store, writer, retry_policy

    def write(self, cells: Iterable[CasDocument]) -> int:
        """Write until every document is up to date; return how many writes lost to another writer."""
        pending, conflicts = list(cells), 0
        while pending:
            self.read([cell for cell in pending if not cell.known])
            pending = self.write_once(pending)
            conflicts += len(pending)
        return conflicts

    def read(self, cells: Sequence[CasDocument]) -> None:
        """Load the stored versions of the documents."""
        for start in range(0, len(cells), READ_AT_ONCE):
            chunk = cells[start : start + READ_AT_ONCE]
            wanted = [cell.place for cell in chunk]
            stored_documents = self._retry_policy.until_done(lambda wanted=wanted: self._store.get(wanted))  # type: ignore[misc]
            for cell, stored in zip(chunk, stored_documents, strict=True):
                cell.seen, cell.known = (stored.seen if stored else None), True
                cell.take(stored.body if stored else None)

    def write_once(self, cells: Iterable[CasDocument]) -> list[CasDocument]:
        """Try once; return the documents that lost to another writer and have to be read again."""
        changes = [(cell, json) for cell in cells if (json := cell.changed()) is not None]
        answers = self._writer.write([cell.action(json) for cell, json in changes])
        conflicting = []
        for (cell, _), answer in zip(changes, answers, strict=True):
            status = item_status(answer)
            if status is ItemStatus.CONFLICT:
                cell.known = False
                conflicting.append(cell)
            elif status is ItemStatus.REJECTED:
                cell.lost = True
                log.error("Elasticsearch refuses %s/%s: %s: %s.", *cell.place, answer.error, answer.reason)
            else:
                cell.seen = answer.seen
                cell.keep()
        return conflicting
