"""Stores the incidents of all facilities: search, create once, change by compare-and-swap. One request per call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch.helpers import scan

from ingest.core.ids import index_pattern
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument, current_document
from ingest.edge.elasticsearch.query import MOST, PAGE, within

_LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Selects incidents: all conditions must hold; an empty field sets no condition.

    Attributes:
        since_ms, until_ms: when the stage that began the incident started (unix ms); `since_ms` inclusive, `until_ms`
        exclusive.
    """

    facilities: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The Elasticsearch query."""
        named = {"perf.alert.rule": self.rules, "perf.alert.state": self.states}
        clauses: list[dict[str, Any]] = [{"terms": {name: list(values)}} for name, values in named.items() if values]
        return {"bool": {"filter": [*clauses, *within(self.since_ms, self.until_ms)]}}


class Alerts(CasDocuments):
    """The documents of kind `alerts`."""

    def refresh(self) -> None:
        """Make all earlier writes visible to the queries that follow."""
        self._client.indices.refresh(index=index_pattern("alerts"), **_LACKING)

    def count(self, wanted: AlertQuery) -> int:
        """Return the number of matching incidents."""
        where = index_pattern("alerts", wanted.facilities)
        return int(self._client.count(index=where, query=wanted.query, **_LACKING)["count"])

    def newest(self, wanted: AlertQuery, most: int) -> list[CurrentDocument]:
        """Return up to `most` incidents (at most 10,000), newest first."""
        answer = self._client.search(
            index=index_pattern("alerts", wanted.facilities),
            query=wanted.query,
            size=min(most, MOST),
            sort=[{"@timestamp": "desc"}, {"perf.alert.stage_id": "asc"}],
            seq_no_primary_term=True,
            **_LACKING,
        )
        return [current_document(hit) for hit in answer["hits"]["hits"]]

    def reaching(self, facility: str, rule: str, since_ms: int) -> Iterator[CurrentDocument]:
        """Yield incidents of a rule that are firing, or that include runs closed at `since_ms` or later."""
        through = {"range": {"perf.alert.through": {"gte": since_ms, "format": "epoch_millis"}}}
        either = {"bool": {"should": [through, {"term": {"perf.alert.state": "firing"}}], "minimum_should_match": 1}}
        query = {"bool": {"filter": [{"term": {"perf.alert.rule": rule}}, either]}}
        body = {"query": query, "seq_no_primary_term": True}
        for hit in scan(self._client, query=body, index=index_pattern("alerts", (facility,)), size=PAGE, **_LACKING):
            yield current_document(hit)
