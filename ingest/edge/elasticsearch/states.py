"""The sweeper's queries: the writers of a source, and run states that are due by time or by a new template.

Reads only.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from elasticsearch import Elasticsearch as Client

from ingest.core.ids import index_pattern, index_patterns
from ingest.core.runs.completeness import OPEN_YET, SETTLED
from ingest.edge.elasticsearch.client import raising_port_errors
from ingest.edge.elasticsearch.query import Clause, alive, all_of, any_of, in_time, terms, without
from ingest.edge.elasticsearch.search import Hit, Search
from ingest.edge.ports import Due, Unjudged

SCAN_SIZE = 1000
_KINDS = ("runstate", "writers", "runs", "workflows")
_RECORD_TIME = "perf.writer.record_time"


class ElasticsearchStates:
    """Implements `ports.States`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def refresh(self, facility: str) -> None:
        """Make all earlier writes visible to the searches that follow."""
        with raising_port_errors():
            self._search.refresh(index_patterns(_KINDS, (facility,)))

    def writers(self, facility: str, source: str, active_ms: int) -> list[dict[str, Any]]:
        """Return writers active within `active_ms` of the source's newest record; backfills are measured apart."""
        is_backfill = {"term": {"perf.writer.backfill": True}}
        documents = []
        for group in (without(is_backfill), is_backfill):
            clauses = [*_of_source(source), {"exists": {"field": _RECORD_TIME}}, group]
            newest_ms = self._newest_record_ms(facility, clauses)
            if newest_ms is not None:
                active = all_of([*clauses, in_time(_RECORD_TIME, gte=newest_ms - active_ms)])
                documents += [hit["_source"] for hit in self._scan("writers", facility, active)]
        return documents

    def _newest_record_ms(self, facility: str, clauses: Sequence[Clause]) -> int | None:
        index, sort = index_pattern("writers", (facility,)), [{_RECORD_TIME: "desc"}]
        with raising_port_errors():
            hits = self._search.first(index, all_of(clauses), 1, sort, source=False)
        return int(hits[0]["sort"][0]) if hits else None

    def due(self, facility: str, source: str, until_ms: int) -> Iterator[Due]:
        """Yield the states that are due at a watermark, as of the time of the query."""
        query = all_of([*_of_source(source), in_time("perf.runstate.due", lte=until_ms)])
        for hit in self._scan("runstate", facility, query, ["perf.runstate.marks"]):
            yield Due(hit["_id"], hit["_source"]["perf"]["runstate"]["marks"])

    def templates(self, facility: str) -> list[dict[str, Any]]:
        """Return the documents of the facility's workflows."""
        return [hit["_source"] for hit in self._scan("workflows", facility, {"match_all": {}})]

    def unjudged(self, selection: Unjudged) -> Iterator[Due]:
        """Yield the states of these runs; a state may come more than once."""
        judged = {"range": {"perf.run.completeness.template_version": {"gte": selection.version}}}
        still_open = all_of(
            [{"term": {"perf.run.completeness.verdict": OPEN_YET}}, _last_seen_before(selection.over_ms)]
        )
        query = alive(
            [
                *_of_source(selection.source),
                {"term": {"perf.workflow": selection.workflow}},
                *terms({"perf.run.state": SETTLED}),
                _last_seen_before(selection.settled_ms),
                any_of([without(judged), still_open]),
            ]
        )
        for hit in self._scan("runs", selection.facility, query, ["perf.run.uid", "perf.run.marks"]):
            run = hit["_source"]["perf"]["run"]
            yield Due(run["uid"].rpartition(".")[0], run["marks"])

    def sets(self, facility: str, source: str, runs: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Yield the states of all run ids of a source, or of the given ids."""
        query = all_of([*_of_source(source), *terms({"perf.run.id": runs})])
        for hit in self._scan("runstate", facility, query):
            yield hit["_source"]

    def _scan(self, kind: str, facility: str, query: Clause, fields: Any = True) -> Iterator[Hit]:
        with raising_port_errors():
            yield from self._search.scan(index_pattern(kind, (facility,)), query, SCAN_SIZE, _source=fields)


def _last_seen_before(ms: int) -> Clause:
    return in_time("perf.run.last_seen", lt=ms)


def _of_source(source: str) -> list[Clause]:
    return [{"term": {"perf.source": source}}]
