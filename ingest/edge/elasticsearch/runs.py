"""Reads the stored runs and stages: list, find, suggest similar ids. Reads only; retracted documents are left out.

No script or licence is needed. A facility is selected by its index, because its field is hardly ever searched.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.batching import batched
from ingest.core.ids import index_pattern, index_patterns
from ingest.core.runs.stored import StoredRun, StoredStage, run_from, stage_from, with_stages
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.query import Clause, alive, any_of, containing, ending, terms, within
from ingest.edge.elasticsearch.search import Search

UIDS = 500
MOST_SIMILAR = 200
SHORTEST_PART = 3
_ID = "perf.run.id"


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
    def body(self) -> Clause:
        """The query as Elasticsearch takes it."""
        clauses = terms(
            {
                "perf.workflow": self.workflows,
                "perf.source": self.sources,
                "perf.run.state": self.states,
                "perf.run.id": self.runs,
                "perf.run.instance": () if self.instance is None else (self.instance,),
            }
        )
        return alive([*clauses, *within(self.since_ms, self.until_ms)])


class RunIndex:
    """The documents of kinds `runs` and `stages`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def refresh(self) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._search.refresh(index_patterns(("runs", "stages")))

    def count(self, query: RunQuery) -> int:
        """Return the number of matching runs."""
        return self._search.count(index_pattern("runs", query.facilities), query.body)

    def newest(self, query: RunQuery, most: int) -> list[StoredRun]:
        """Return up to `most` runs (at most 10,000), those that began last first."""
        sort = [{"@timestamp": "desc"}, {"perf.run.uid": "asc"}]
        hits = self._search.first(index_pattern("runs", query.facilities), query.body, most, sort)
        return [run_from(hit["_source"]) for hit in hits]

    def scan(self, query: RunQuery) -> Iterator[StoredRun]:
        """Yield all matching runs, in no particular order."""
        hits = self._search.scan(index_pattern("runs", query.facilities), query.body)
        return (run_from(hit["_source"]) for hit in hits)

    def whole(self, query: RunQuery) -> list[StoredRun]:
        """Return all matching runs with their stages, in the order in which the runs began."""
        runs = list(self.scan(query))
        return with_stages(runs, self.stages_of(runs))

    def stages_of(self, runs: Sequence[StoredRun]) -> Iterator[StoredStage]:
        """Yield the stages of these runs, in no particular order."""
        for chunk in batched(runs, max_items=UIDS):
            facilities = tuple(sorted({run.facility for run in chunk}))
            yield from self._stages(facilities, terms({"perf.run.uid": [run.uid for run in chunk]}))

    def stages_between(self, facility: str, since_ms: int, until_ms: int) -> Iterator[StoredStage]:
        """Yield stages of a facility that started in [since_ms, until_ms), in no particular order."""
        return self._stages((facility,), within(since_ms, until_ms))

    def newest_line_ms(self) -> dict[str, int]:
        """Return the time of the newest line of any run (unix ms), by facility."""
        newest = {"newest": {"max": {"field": "perf.run.last_seen"}}}
        sources = [{"facility": {"terms": {"field": "perf.facility"}}}]
        buckets = self._search.buckets(index_pattern("runs"), alive([]), sources, newest)
        return {bucket["key"]["facility"]: int(bucket["newest"]["value"]) for bucket in buckets}

    def similar_ids(self, run: str, query: RunQuery) -> list[str]:
        """Return run ids similar to this one: same beginning or end, containing it, or a letter or two apart."""
        part = max(len(run) // 3, SHORTEST_PART)
        similar: list[Clause] = [
            {"prefix": {_ID: run[:part]}},
            ending(_ID, run[-part:]),
            containing(_ID, run),
            {"fuzzy": {_ID: {"value": run}}},
        ]
        selection = alive([any_of(similar), replace(query, runs=(), instance=None).body])
        ids = {"ids": {"terms": {"field": _ID, "size": MOST_SIMILAR}}}
        results = self._search.aggregations(index_pattern("runs", query.facilities), selection, ids)
        return [bucket["key"] for bucket in results.get("ids", {}).get("buckets", [])]

    def _stages(self, facilities: Sequence[str], clauses: Sequence[Clause]) -> Iterator[StoredStage]:
        hits = self._search.scan(index_pattern("stages", facilities), alive(clauses))
        return (stage_from(hit["_id"], hit["_source"]) for hit in hits)


@contextmanager
def open_runs(settings: Elasticsearch) -> Iterator[RunIndex]:
    """Open the runs of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    with session(settings) as connected:
        runs = RunIndex(connected)
        runs.refresh()
        yield runs
