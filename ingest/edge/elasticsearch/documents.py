"""Single documents that are created once and changed by compare-and-swap. One request per call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import ConflictError
from elasticsearch import Elasticsearch as Client


@dataclass(frozen=True, slots=True)
class CurrentDocument:
    """A stored document: its index and id, the sequence number of its last write, and its body."""

    index: str
    id: str
    seq_no: int
    primary_term: int
    body: dict[str, Any]


class CasDocuments:
    """Creates and changes single documents."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._client = connected

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


def current_document(hit: Mapping[str, Any]) -> CurrentDocument:
    """Convert a search hit that carries sequence number and primary term."""
    return CurrentDocument(hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit["_source"])
