"""Queries for a facility's documents and for the sums of the ledger. Reads only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch as Client
from elasticsearch.helpers import scan

from ingest.core.ids import index_pattern
from ingest.edge.elasticsearch.query import alive

SCAN_SIZE = 2000
_OUTCOMES = ("records", "rejected", "corrected", "stored", "duplicate", "ignored", "documents")


class LedgerQueries:
    """The queries of the commands and the demo."""

    def __init__(self, client: Client) -> None:
        """Take an open client."""
        self._client = client

    def refresh(self, indices: str) -> None:
        """Make all earlier writes visible to the queries that follow."""
        self._client.indices.refresh(index=indices, ignore_unavailable=True, allow_no_indices=True)

    def documents(
        self, kind: str, facility: str, clauses: Sequence[Mapping[str, Any]], fields: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Yield `fields` of every document of a kind that matches all `clauses`, in no particular order."""
        return (hit["_source"] for hit in self.hits(kind, facility, clauses, fields))

    def hits(
        self, kind: str, facility: str, clauses: Sequence[Mapping[str, Any]], fields: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Yield the same documents as hits with `_id`, `_version` and `_source`; retracted documents are left out."""
        query = alive(clauses)
        index = index_pattern(kind, (facility,))
        body = {"query": query, "_source": list(fields), "version": True}
        yield from scan(self._client, query=body, index=index, size=SCAN_SIZE, ignore_unavailable=True)

    def ledger(self, group: str) -> dict[str, dict[str, int]]:
        """Return the sums of all ledger ranges of a consumer group, by topic."""
        sums = {name: {"sum": {"field": f"perf.ledger.{name}"}} for name in _OUTCOMES}
        response = self._client.search(
            index=index_pattern("ledger"),
            size=0,
            query={"term": {"perf.ledger.group": group}},
            aggs={"topics": {"terms": {"field": "perf.ledger.topic", "size": 1000}, "aggs": sums}},
            ignore_unavailable=True,
        )
        buckets = response.body.get("aggregations", {}).get("topics", {}).get("buckets", [])
        return {b["key"]: {name: int(b[name]["value"]) for name in _OUTCOMES} for b in buckets}
