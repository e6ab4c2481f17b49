"""Single documents that are created once and changed by compare-and-swap. Requests are not retried, conflicts are.

Everything that writes with `if_seq_no` outside a worker's bulk requests (pipeline/sink/cas.py) is written here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import ConflictError, NotFoundError
from elasticsearch import Elasticsearch as Client

from ingest.core.lookup import lookup
from ingest.core.model import ExitCode, Problem

MAX_CONFLICTS = 5
DONE, GONE, CONFLICT = 200, 404, 409


@dataclass(frozen=True, slots=True)
class CurrentDocument:
    """A stored document: its index and id, the sequence number of its last write, and its body."""

    index: str
    id: str
    seq_no: int
    primary_term: int
    body: dict[str, Any]

    def value(self, name: str) -> Any:
        """Return the value of a field, or None."""
        return lookup(self.body, name)


class CasDocuments:
    """Creates and changes single documents."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._client = connected

    def get(self, index: str, doc_id: str) -> CurrentDocument | None:
        """Return the document as it is now, independent of refreshes; None if it does not exist."""
        try:
            return current_document(self._client.get(index=index, id=doc_id).body)
        except NotFoundError:
            return None

    def create(self, index: str, doc_id: str, body: Mapping[str, Any]) -> CurrentDocument | None:
        """Create a document; returns None if it already exists."""
        try:
            answer = self._client.create(index=index, id=doc_id, document=body).body
        except ConflictError:
            return None
        return CurrentDocument(index, doc_id, answer["_seq_no"], answer["_primary_term"], dict(body))

    def change(self, stored: CurrentDocument, body: Mapping[str, Any]) -> CurrentDocument | None:
        """Replace a document's body; returns None if somebody else wrote it since it was read."""
        try:
            answer = self._client.index(
                index=stored.index,
                id=stored.id,
                document=body,
                if_seq_no=stored.seq_no,
                if_primary_term=stored.primary_term,
            ).body
        except ConflictError:
            return None
        return CurrentDocument(stored.index, stored.id, answer["_seq_no"], answer["_primary_term"], dict(body))

    def update(
        self, index: str, doc_id: str, next_body: Callable[[CurrentDocument | None], Mapping[str, Any]]
    ) -> CurrentDocument:
        """Read the document and write what `next_body` makes of it, until nobody else wrote in between."""
        while True:
            stored = self.get(index, doc_id)
            body = next_body(stored)
            written = self.create(index, doc_id, body) if stored is None else self.change(stored, body)
            if written is not None:
                return written

    def merge(
        self,
        documents: Sequence[CurrentDocument],
        fields: Callable[[int, CurrentDocument], Mapping[str, Any]],
        failure: str,
    ) -> list[CurrentDocument]:
        """Merge `fields(number, document)` into the documents, with one bulk request a round.

        A document that somebody else wrote meanwhile is read again; one that was deleted is left out. Returns those
        that somebody else wrote first in MAX_CONFLICTS rounds. `Problem` (69) with `failure` if an update fails.
        """
        pending = list(enumerate(documents))
        for _ in range(MAX_CONFLICTS):
            if not pending:
                break
            updates = [line for number, document in pending for line in _update(document, fields(number, document))]
            statuses = self.bulk_statuses(updates, failure)
            conflicting = [pair for pair, status in zip(pending, statuses, strict=True) if status == CONFLICT]
            pending = [
                (number, current)
                for number, document in conflicting
                if (current := self.get(document.index, document.id)) is not None
            ]
        return [document for _, document in pending]

    def bulk_statuses(self, operations: Sequence[Mapping[str, Any]], failure: str) -> list[int]:
        """Return the status of each item; any failure other than not found or a conflict is a `Problem` (69).

        `failure` is what the problem says of the failed items, such as "rejects could not be deleted".
        """
        if not operations:
            return []
        answer = self._client.bulk(operations=operations, filter_path="items.*.status,items.*.error.reason")
        items = [next(iter(item.values())) for item in answer.body["items"]]
        failed = [item for item in items if item["status"] not in (DONE, GONE, CONFLICT)]
        if failed:
            why = failed[0].get("error", {}).get("reason", failed[0]["status"])
            raise Problem(
                f"{len(failed):,} {failure}: {why}.",
                "Try again once this is fixed.",
                ExitCode.UNAVAILABLE,
            )
        return [item["status"] for item in items]


def current_document(hit: Mapping[str, Any]) -> CurrentDocument:
    """Convert a search hit or a read document that carries sequence number and primary term."""
    return CurrentDocument(hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit["_source"])


def _update(document: CurrentDocument, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two lines of an update that fails if somebody else wrote the document since it was read."""
    unchanged = {"if_seq_no": document.seq_no, "if_primary_term": document.primary_term}
    return {"update": {"_index": document.index, "_id": document.id, **unchanged}}, {"doc": fields}
