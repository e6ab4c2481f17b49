"""Queries for a facility's documents and for the sums of the ledger. Reads only."""

from collections.abc import Iterator, Sequence
from typing import Any

from elasticsearch import Elasticsearch as Client

from ingest.core.ids import index_pattern
from ingest.edge.elasticsearch.query import Clause, alive
from ingest.edge.elasticsearch.search import Search

_OUTCOMES = ("records", "rejected", "corrected", "stored", "duplicate", "ignored", "documents")


class LedgerQueries:
    """The queries of the commands and the demo."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def refresh(self, indices: str) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._search.refresh(indices)

    def documents(
        self, kind: str, facility: str, clauses: Sequence[Clause], fields: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """Yield `fields` of every document of a kind that matches all `clauses`; retracted ones are left out."""
        hits = self._search.scan(index_pattern(kind, (facility,)), alive(clauses), _source=list(fields))
        return (hit["_source"] for hit in hits)

    def ledger(self, group: str) -> dict[str, dict[str, int]]:
        """Return the sums of all ledger ranges of a consumer group, by topic."""
        sums = {name: {"sum": {"field": f"perf.ledger.{name}"}} for name in _OUTCOMES}
        topics = {"terms": {"field": "perf.ledger.topic", "size": 1000}, "aggs": sums}
        of_group = {"term": {"perf.ledger.group": group}}
        results = self._search.aggregations(index_pattern("ledger"), of_group, {"topics": topics})
        buckets = results.get("topics", {}).get("buckets", [])
        return {bucket["key"]: {name: int(bucket[name]["value"]) for name in _OUTCOMES} for bucket in buckets}
