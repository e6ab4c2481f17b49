"""Updates documents in bulk by compare-and-swap, so that concurrent writers cannot overwrite each other.

A `CasDocument` is one document being updated: it holds the stored version (from a cache or a read) and computes the
next one. Each round sends one request to read the documents that are not known and one to write the changes (each split
by the writer's limits). Documents that lost to another writer are read and changed again at once: waiting would not
help. Single documents that are not written in bulk use edge/elasticsearch/documents.py.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.core.batching import batched
from ingest.core.bulk import BulkAction, create, index_if
from ingest.core.bulk_result import ItemResult, ItemStatus, Seen, item_status
from ingest.edge.ports import Store, StoredDocument
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.retry import RetryPolicy

log = logging.getLogger("perflog.run")
READ_AT_ONCE = 500


class CasDocument(ABC):
    """One document being updated.

    Attributes:
        doc_ref: its index and id.
        known: whether the stored version is known.
        rejected: whether Elasticsearch rejected the document.
        seen: sequence number and primary term of the stored version; None if no document is stored.
    """

    def __init__(self, index: str, doc_id: str) -> None:
        """Start without knowing the stored version."""
        self.doc_ref = (index, doc_id)
        self.known = False
        self.rejected = False
        self.seen: Seen | None = None

    @abstractmethod
    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored body; None if no document is stored."""

    @abstractmethod
    def next_body(self) -> str | None:
        """Return the next body as JSON; None if the stored one is up to date."""

    @abstractmethod
    def confirm(self) -> None:
        """Take the body that `next_body` returned as the stored one."""

    def action(self, json: str) -> BulkAction:
        """Build the bulk action that writes the body."""
        return create(*self.doc_ref, json) if self.seen is None else index_if(*self.doc_ref, self.seen, json)


class CasWriter:
    """Writes compare-and-swap documents until each of them is up to date."""

    def __init__(self, store: Store, writer: BulkWriter, retry_policy: RetryPolicy) -> None:
        """Bind a store, the writer for its swaps, and the retry policy."""
        self._store, self._writer, self._retry_policy = store, writer, retry_policy

    def write(self, documents: Iterable[CasDocument]) -> int:
        """Write until every document is up to date; return how many writes lost to another writer."""
        pending, conflicts = list(documents), 0
        while pending:
            self.read([document for document in pending if not document.known])
            pending = self.write_once(pending)
            conflicts += len(pending)
        return conflicts

    def read(self, documents: Sequence[CasDocument]) -> None:
        """Load the stored versions of the documents."""
        for chunk in batched(documents, max_items=READ_AT_ONCE):
            for document, stored in zip(chunk, self._stored(chunk), strict=True):
                document.seen, document.known = (stored.seen if stored else None), True
                document.load(stored.body if stored else None)

    def _stored(self, documents: Sequence[CasDocument]) -> list[StoredDocument | None]:
        doc_refs = [document.doc_ref for document in documents]
        return self._retry_policy.until_done(lambda: self._store.get(doc_refs))

    def write_once(self, documents: Iterable[CasDocument]) -> list[CasDocument]:
        """Try once; return the documents that lost to another writer and have to be read again."""
        changes = [(document, json) for document in documents if (json := document.next_body()) is not None]
        results = self._writer.write([document.action(json) for document, json in changes])
        changed = [document for document, _ in changes]
        return [document for document, result in zip(changed, results, strict=True) if not _settled(document, result)]


def _settled(document: CasDocument, result: ItemResult) -> bool:
    """Tell the document what its write came to; return False if another writer was faster."""
    status = item_status(result)
    if status is ItemStatus.CONFLICT:
        document.known = False
        return False
    if status is ItemStatus.REJECTED:
        document.rejected = True
        log.error("Elasticsearch rejects %s/%s: %s: %s.", *document.doc_ref, result.error, result.reason)
    else:
        document.seen = result.seen
        document.confirm()
    return True
