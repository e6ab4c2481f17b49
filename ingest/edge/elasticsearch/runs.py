"""Reads the stored runs and stages: list, find, suggest similar ids. Reads only; retracted documents are left out.

No script or licence is needed. A facility is selected by its index, because its field is hardly ever searched.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from elasticsearch import Elasticsearch as Client
from elasticsearch.helpers import scan

from ingest.config.settings import Elasticsearch
from ingest.core.ids import index_pattern, index_patterns
from ingest.core.runs.stored import StoredRun, StoredStage, run_from, stage_from, with_stages
from ingest.edge.elasticsearch.client import client, raising_problems
from ingest.edge.elasticsearch.query import _LACKING, _WILD, MOST, PAGE, alive, within

KINDS = ("runs", "stages")
UIDS = 500
NEAR = 200
SHORTEST_PART = 3


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Selects runs: all conditions must hold; an empty field sets no condition.

    Attributes:
        since_ms, until_ms: when the run began (unix ms); `since_ms` inclusive, `until_ms` exclusive.
        instance: which use of the run id, if the id was used more than once.
    """

    facilities: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    instance: int | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The Elasticsearch query."""
        named = {
            "perf.workflow": self.workflows,
            "perf.source": self.sources,
            "perf.run.state": self.states,
            "perf.run.id": self.runs,
            "perf.run.instance": () if self.instance is None else (self.instance,),
        }
        clauses: list[dict[str, Any]] = [{"terms": {name: list(values)}} for name, values in named.items() if values]
        return alive([*clauses, *within(self.since_ms, self.until_ms)])


class RunIndex:
    """The documents of kinds `runs` and `stages`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._client = connected

    def refresh(self) -> None:
        """Make all earlier writes visible to the queries that follow."""
        self._client.indices.refresh(index=index_patterns(KINDS), **_LACKING)

    def count(self, wanted: RunQuery) -> int:
        """Return the number of matching runs."""
        return int(
            self._client.count(index=index_pattern("runs", wanted.facilities), query=wanted.query, **_LACKING)["count"]
        )

    def newest(self, wanted: RunQuery, most: int) -> list[StoredRun]:
        """Return up to `most` runs (at most 10,000), those that began last first."""
        answer = self._client.search(
            index=index_pattern("runs", wanted.facilities),
            query=wanted.query,
            size=min(most, MOST),
            sort=[{"@timestamp": "desc"}, {"perf.run.uid": "asc"}],
            **_LACKING,
        )
        return [run_from(hit["_source"]) for hit in answer["hits"]["hits"]]

    def each(self, wanted: RunQuery) -> Iterator[StoredRun]:
        """Yield all matching runs, in no particular order."""
        return (run_from(hit["_source"]) for hit in self._scan("runs", wanted.facilities, wanted.query))

    def whole(self, wanted: RunQuery) -> list[StoredRun]:
        """Return all matching runs with their stages, in the order in which the runs began."""
        runs = list(self.each(wanted))
        return with_stages(runs, self.stages_of(runs))

    def stages_of(self, runs: Sequence[StoredRun]) -> Iterator[StoredStage]:
        """Yield the stages of these runs, in no particular order."""
        for begin in range(0, len(runs), UIDS):
            chunk = runs[begin : begin + UIDS]
            facilities = tuple(sorted({run.facility for run in chunk}))
            query = alive([{"terms": {"perf.run.uid": [run.uid for run in chunk]}}])
            yield from (stage_from(hit["_id"], hit["_source"]) for hit in self._scan("stages", facilities, query))

    def stages_between(self, facility: str, since_ms: int, until_ms: int) -> Iterator[StoredStage]:
        """Yield stages of a facility that started in [since_ms, until_ms), in no particular order."""
        query = alive(within(since_ms, until_ms))
        return (stage_from(hit["_id"], hit["_source"]) for hit in self._scan("stages", (facility,), query))

    def newest_line_ms(self) -> dict[str, int]:
        """Return the time of the newest line of any run (unix ms), by facility."""
        newest = {"newest": {"max": {"field": "perf.run.last_seen"}}}
        paging: dict[str, Any] = {"size": PAGE, "sources": [{"facility": {"terms": {"field": "perf.facility"}}}]}
        newest_ms: dict[str, int] = {}
        while True:
            aggregations = {"facilities": {"composite": paging, "aggs": newest}}
            answer = self._client.search(
                index=index_pattern("runs"), size=0, query=alive([]), aggs=aggregations, **_LACKING
            )
            page = answer.body.get("aggregations", {}).get("facilities", {})
            newest_ms |= {b["key"]["facility"]: int(b["newest"]["value"]) for b in page.get("buckets", [])}
            if "after_key" not in page:
                return newest_ms
            paging["after"] = page["after_key"]

    def near(self, run: str, wanted: RunQuery) -> list[str]:
        """Return run ids similar to this one: same beginning or end, containing it, or a letter or two apart."""
        part = max(len(run) // 3, SHORTEST_PART)
        likely: list[dict[str, Any]] = [
            {"prefix": {"perf.run.id": run[:part]}},
            {"wildcard": {"perf.run.id": f"*{run[-part:].translate(_WILD)}"}},
            {"wildcard": {"perf.run.id": f"*{run.translate(_WILD)}*"}},
            {"fuzzy": {"perf.run.id": {"value": run}}},
        ]
        either = {"bool": {"should": likely, "minimum_should_match": 1}}
        query = alive([either, replace(wanted, runs=(), instance=None).query])
        ids = {"ids": {"terms": {"field": "perf.run.id", "size": NEAR}}}
        answer = self._client.search(
            index=index_pattern("runs", wanted.facilities), size=0, query=query, aggs=ids, **_LACKING
        )
        return [b["key"] for b in answer.body.get("aggregations", {}).get("ids", {}).get("buckets", [])]

    def _scan(self, kind: str, facilities: Sequence[str], query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        yield from scan(
            self._client, query={"query": query}, index=index_pattern(kind, facilities), size=PAGE, **_LACKING
        )


@contextmanager
def open_runs(settings: Elasticsearch) -> Iterator[RunIndex]:
    """Open the runs of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    connected = client(settings)
    with raising_problems(settings):
        try:
            made = RunIndex(connected)
            made.refresh()
            yield made
        finally:
            connected.close()
