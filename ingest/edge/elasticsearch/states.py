"""The sweeper's queries: the writers of a source, and run states that are due by time or by a new template.

Reads only.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from elasticsearch import Elasticsearch as Client
from elasticsearch.helpers import scan

from ingest.core.ids import index_pattern, index_patterns
from ingest.core.runs.completeness import OPEN_YET, SETTLED
from ingest.edge.elasticsearch.client import raising_port_errors
from ingest.edge.ports import Due, Unjudged

SCAN_SIZE = 1000
_KINDS = ("runstate", "writers", "runs", "workflows")
_RECORD_TIME = "perf.writer.record_time"


class ElasticsearchStates:
    """Implements `ports.States`."""

    def __init__(self, client: Client) -> None:
        """Take an open client."""
        self._client = client

    def refresh(self, facility: str) -> None:
        """Make all earlier writes visible to the queries that follow."""
        with raising_port_errors():
            index = index_patterns(_KINDS, (facility,))
            self._client.indices.refresh(index=index, ignore_unavailable=True, allow_no_indices=True)

    def writers(self, facility: str, source: str, active_ms: int) -> list[dict[str, Any]]:
        """Return writers active within `active_ms` of the source's newest record; backfills are measured apart."""
        documents, index = [], index_pattern("writers", (facility,))
        for backfill in (False, True):
            clauses = _of_source(source)
            clauses["filter"].append({"exists": {"field": _RECORD_TIME}})
            clauses["must" if backfill else "must_not"] = [{"term": {"perf.writer.backfill": True}}]
            with raising_port_errors():
                newest = self._client.search(
                    index=index, query={"bool": clauses}, sort=[{_RECORD_TIME: "desc"}], size=1,
                    source=False, ignore_unavailable=True,
                ).body["hits"]["hits"]  # fmt: skip
            if newest:
                since_ms = newest[0]["sort"][0] - active_ms
                clauses["filter"].append({"range": {_RECORD_TIME: {"gte": since_ms, "format": "epoch_millis"}}})
                documents += [hit["_source"] for hit in self._all(index, {"bool": clauses}, True)]
        return documents

    def due(self, facility: str, source: str, until_ms: int) -> Iterator[Due]:
        """Yield the states that are due at a watermark, as of the time of the query."""
        clauses = _of_source(source)
        clauses["filter"].append({"range": {"perf.runstate.due": {"lte": until_ms, "format": "epoch_millis"}}})
        for hit in self._all(index_pattern("runstate", (facility,)), {"bool": clauses}, ["perf.runstate.marks"]):
            yield Due(hit["_id"], hit["_source"]["perf"]["runstate"]["marks"])

    def templates(self, facility: str) -> list[dict[str, Any]]:
        """Return the documents of the facility's workflows."""
        return [hit["_source"] for hit in self._all(index_pattern("workflows", (facility,)), {"match_all": {}}, True)]

    def unjudged(self, wanted: Unjudged) -> Iterator[Due]:
        """Yield the states of these runs; a state may come more than once."""
        judged = {"range": {"perf.run.completeness.template_version": {"gte": wanted.version}}}
        open_yet = [{"term": {"perf.run.completeness.verdict": OPEN_YET}}, _seen_before(wanted.over_ms)]
        either = [{"bool": {"must_not": [judged]}}, {"bool": {"filter": open_yet}}]
        clauses = _of_source(wanted.source)
        clauses["filter"] += [
            {"term": {"perf.workflow": wanted.workflow}},
            {"terms": {"perf.run.state": list(SETTLED)}},
            _seen_before(wanted.settled_ms),
            {"bool": {"should": either, "minimum_should_match": 1}},
        ]
        clauses["must_not"] = [{"term": {"perf.retracted": True}}]
        fields = ["perf.run.uid", "perf.run.marks"]
        for hit in self._all(index_pattern("runs", (wanted.facility,)), {"bool": clauses}, fields):
            run = hit["_source"]["perf"]["run"]
            yield Due(run["uid"].rpartition(".")[0], run["marks"])

    def sets(self, facility: str, source: str, runs: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Yield the states of all run ids of a source, or of the given ids."""
        clauses = _of_source(source)
        if runs:
            clauses["filter"].append({"terms": {"perf.run.id": list(runs)}})
        for hit in self._all(index_pattern("runstate", (facility,)), {"bool": clauses}, True):
            yield hit["_source"]

    def _all(self, index: str, query: dict[str, Any], source: Any) -> Iterator[dict[str, Any]]:
        body = {"query": query, "_source": source}
        with raising_port_errors():
            yield from scan(self._client, query=body, index=index, size=SCAN_SIZE, ignore_unavailable=True)


def _seen_before(ms: int) -> dict[str, Any]:
    return {"range": {"perf.run.last_seen": {"lt": ms, "format": "epoch_millis"}}}


def _of_source(source: str) -> dict[str, list[dict[str, Any]]]:
    return {"filter": [{"term": {"perf.source": source}}]}
