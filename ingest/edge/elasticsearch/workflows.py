"""Reads the workflow templates, and from which script lines marks were printed over time."""

from collections.abc import Iterator, Mapping
from typing import Any

from elasticsearch.helpers import scan

from ingest.core.analysis.script_changes import Spell
from ingest.core.ids import index_pattern, index_patterns
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument, current_document
from ingest.edge.elasticsearch.query import PAGE, alive
from ingest.edge.elasticsearch.runs import RunQuery

KINDS = ("workflows", "marks")
SPELL = "1h"
_LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}
_AT = ("script", "stage", "key", "line")
_FIELDS = ("log.origin.file.name", "perf.stage.name", "perf.mark.key", "log.origin.file.line")


class Workflows(CasDocuments):
    """The documents of kind `workflows`, and what marks say about a workflow's scripts."""

    def refresh(self) -> None:
        """Make all earlier writes visible to the queries that follow."""
        self._client.indices.refresh(index=index_patterns(KINDS), **_LACKING)

    def stored(self, facilities: tuple[str, ...] = (), workflows: tuple[str, ...] = ()) -> list[CurrentDocument]:
        """Return the templates of the given facilities and workflows, or of all if none are given."""
        named = [{"terms": {"perf.workflow": list(workflows)}}] if workflows else []
        body = {"query": {"bool": {"filter": named}}, "seq_no_primary_term": True}
        where = index_pattern("workflows", facilities)
        return [current_document(hit) for hit in scan(self._client, query=body, index=where, size=PAGE, **_LACKING)]

    def names(self, facility: str) -> list[str]:
        """Return the workflows of which the facility has runs."""
        paging = {"size": PAGE, "sources": [{"workflow": {"terms": {"field": "perf.workflow"}}}]}
        buckets = self._buckets(index_pattern("runs", (facility,)), alive([]), {"composite": paging})
        return [bucket["key"]["workflow"] for bucket in buckets]

    def spells(self, wanted: RunQuery) -> Iterator[Spell]:
        """Yield for each script, stage, key and line the first and last mark within each hour."""
        sources: list[dict[str, Any]] = [
            {name: {"terms": {"field": field}}} for name, field in zip(_AT, _FIELDS, strict=True)
        ]
        sources.append({"hour": {"date_histogram": {"field": "@timestamp", "fixed_interval": SPELL}}})
        ends = {name: {name: {"field": "@timestamp"}} for name in ("min", "max")}
        aggregation = {"composite": {"size": PAGE, "sources": sources}, "aggs": ends}
        for bucket in self._buckets(index_pattern("marks", wanted.facilities), wanted.query, aggregation):
            key = bucket["key"]
            at = (int(bucket[end]["value"]) for end in ("min", "max"))
            yield Spell(key["script"], key["stage"], key["key"], key["line"], *at)

    def _buckets(self, index: str, query: dict[str, Any], asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield all buckets of a composite aggregation, page by page."""
        while True:
            answer = self._client.search(index=index, size=0, query=query, aggs={"found": asked}, **_LACKING)
            page = answer.body.get("aggregations", {}).get("found", {})
            yield from page.get("buckets", [])
            if "after_key" not in page:
                return
            asked["composite"]["after"] = page["after_key"]
