"""The templates of workflows as they are stored, and where their scripts printed from: lines of scripts over time."""

from collections.abc import Iterator, Mapping
from typing import Any

from elasticsearch.helpers import scan

from ingest.core.analysis.script_changes import Spell
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument, current_document
from ingest.edge.elasticsearch.query import PAGE, alive, indices
from ingest.edge.elasticsearch.runs import RunQuery

SPELL = "1h"
_LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}
_AT = ("script", "stage", "key", "line")
_FIELDS = ("log.origin.file.name", "perf.stage.name", "perf.mark.key", "log.origin.file.line")


class Workflows(CasDocuments):
    """The documents of kind `workflows`, and what marks tell of a workflow's scripts."""

    def refresh(self) -> None:
        """Make everything written so far visible to the questions that follow."""
        self._client.indices.refresh(index="perf-workflows-*,perf-marks-*", **_LACKING)

    def stored(self, facilities: tuple[str, ...] = (), workflows: tuple[str, ...] = ()) -> list[CurrentDocument]:
        """The templates of these facilities and workflows; of all, where none are named."""
        named = [{"terms": {"perf.workflow": list(workflows)}}] if workflows else []
        body = {"query": {"bool": {"filter": named}}, "seq_no_primary_term": True}
        where = indices("workflows", facilities)
        return [current_document(hit) for hit in scan(self._client, query=body, index=where, size=PAGE, **_LACKING)]

    def names(self, facility: str) -> list[str]:
        """The workflows of which the facility has runs."""
        paging = {"size": PAGE, "sources": [{"workflow": {"terms": {"field": "perf.workflow"}}}]}
        found = self._buckets(indices("runs", (facility,)), alive([]), {"composite": paging})
        return [bucket["key"]["workflow"] for bucket in found]

    def spells(self, wanted: RunQuery) -> Iterator[Spell]:
        """Script, stage, key and line: when a mark was seen there first and last within each hour."""
        sources: list[dict[str, Any]] = [
            {name: {"terms": {"field": field}}} for name, field in zip(_AT, _FIELDS, strict=True)
        ]
        sources.append({"hour": {"date_histogram": {"field": "@timestamp", "fixed_interval": SPELL}}})
        ends = {name: {name: {"field": "@timestamp"}} for name in ("min", "max")}
        asked = {"composite": {"size": PAGE, "sources": sources}, "aggs": ends}
        for bucket in self._buckets(indices("marks", wanted.facilities), wanted.query, asked):
            key = bucket["key"]
            at = (int(bucket[end]["value"]) for end in ("min", "max"))
            yield Spell(key["script"], key["stage"], key["key"], key["line"], *at)

    def _buckets(self, index: str, query: dict[str, Any], asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """All buckets of a composite aggregation, page by page."""
        while True:
            answer = self._client.search(index=index, size=0, query=query, aggs={"found": asked}, **_LACKING)
            page = answer.body.get("aggregations", {}).get("found", {})
            yield from page.get("buckets", [])
            if "after_key" not in page:
                return
            asked["composite"]["after"] = page["after_key"]
