"""Reads the workflow templates, and from which script lines marks were printed over time."""

from collections.abc import Iterator
from typing import Any

from elasticsearch import Elasticsearch as Client

from ingest.core.analysis.script_changes import Spell
from ingest.core.ids import index_pattern, index_patterns
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument, current_document
from ingest.edge.elasticsearch.query import alive, all_of, terms
from ingest.edge.elasticsearch.runs import RunQuery
from ingest.edge.elasticsearch.search import Search

SPELL = "1h"
_ORIGIN = {
    "script": "log.origin.file.name",
    "stage": "perf.stage.name",
    "key": "perf.mark.key",
    "line": "log.origin.file.line",
}


class Workflows(CasDocuments):
    """The documents of kind `workflows`, and what marks say about a workflow's scripts."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        super().__init__(connected)
        self._search = Search(connected)

    def refresh(self) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._search.refresh(index_patterns(("workflows", "marks")))

    def stored(self, facilities: tuple[str, ...] = (), workflows: tuple[str, ...] = ()) -> list[CurrentDocument]:
        """Return the templates of the given facilities and workflows, or of all if none are given."""
        query = all_of(terms({"perf.workflow": workflows}))
        hits = self._search.scan(index_pattern("workflows", facilities), query, seq_no_primary_term=True)
        return [current_document(hit) for hit in hits]

    def names(self, facility: str) -> list[str]:
        """Return the workflows of which the facility has runs."""
        sources = [{"workflow": {"terms": {"field": "perf.workflow"}}}]
        buckets = self._search.buckets(index_pattern("runs", (facility,)), alive([]), sources)
        return [bucket["key"]["workflow"] for bucket in buckets]

    def spells(self, query: RunQuery) -> Iterator[Spell]:
        """Yield for each script, stage, key and line the first and last mark within each hour."""
        sources: list[dict[str, Any]] = [{name: {"terms": {"field": field}}} for name, field in _ORIGIN.items()]
        sources.append({"hour": {"date_histogram": {"field": "@timestamp", "fixed_interval": SPELL}}})
        ends = {name: {name: {"field": "@timestamp"}} for name in ("min", "max")}
        for bucket in self._search.buckets(index_pattern("marks", query.facilities), query.body, sources, ends):
            key = bucket["key"]
            first_ms, last_ms = (int(bucket[end]["value"]) for end in ("min", "max"))
            yield Spell(key["script"], key["stage"], key["key"], key["line"], first_ms, last_ms)
