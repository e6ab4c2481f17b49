"""Stores the incidents of all facilities: search, create once, change by compare-and-swap. One request per call."""

from collections.abc import Iterator
from dataclasses import dataclass

from elasticsearch import Elasticsearch as Client

from ingest.core.ids import index_pattern
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument, current_document
from ingest.edge.elasticsearch.query import Clause, all_of, any_of, in_time, terms, within
from ingest.edge.elasticsearch.search import Search

KIND = "alerts"


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
    def body(self) -> Clause:
        """The query as Elasticsearch takes it."""
        clauses = terms({"perf.alert.rule": self.rules, "perf.alert.state": self.states})
        return all_of([*clauses, *within(self.since_ms, self.until_ms)])


class Alerts(CasDocuments):
    """The documents of kind `alerts`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        super().__init__(connected)
        self._search = Search(connected)

    def refresh(self) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._search.refresh(index_pattern(KIND))

    def count(self, query: AlertQuery) -> int:
        """Return the number of matching incidents."""
        return self._search.count(index_pattern(KIND, query.facilities), query.body)

    def newest(self, query: AlertQuery, most: int) -> list[CurrentDocument]:
        """Return up to `most` incidents (at most 10,000), newest first."""
        sort = [{"@timestamp": "desc"}, {"perf.alert.stage_id": "asc"}]
        index = index_pattern(KIND, query.facilities)
        return [
            current_document(hit) for hit in self._search.first(index, query.body, most, sort, seq_no_primary_term=True)
        ]

    def reaching(self, facility: str, rule: str, since_ms: int) -> Iterator[CurrentDocument]:
        """Yield incidents of a rule that are firing, or that include runs closed at `since_ms` or later."""
        either = any_of([in_time("perf.alert.through", gte=since_ms), {"term": {"perf.alert.state": "firing"}}])
        query = all_of([{"term": {"perf.alert.rule": rule}}, either])
        for hit in self._search.scan(index_pattern(KIND, (facility,)), query, seq_no_primary_term=True):
            yield current_document(hit)
