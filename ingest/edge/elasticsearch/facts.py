"""Reads the stored facts (marks, network results, transfers): counts them and pages through them. Reads only.

No script, licence or sort is needed: a scroll in index order reads any number of documents at a constant rate. It goes
index by index and time span by time span, some ten thousand documents each, so that the facts of one line and the lines
of one run come close together, however the index was filled.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.batching import batched
from ingest.core.bulk import new_tuple
from ingest.core.ids import FACT_KINDS, index_pattern, index_patterns, revision_of
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.query import Clause, alive, all_of, any_of, terms, wildcard, within
from ingest.edge.elasticsearch.search import Search

PAGES = {kind: 200 if kind == "network" else 2000 for kind in FACT_KINDS}  # a network result may be some megabytes
SPAN = 50_000  # documents per time span
SHORTEST_MS = 1000  # shortest time span, however many documents it holds
SCROLL = "15m"  # how long the caller may take for one page


@dataclass(frozen=True, slots=True)
class FactQuery:
    """Selects facts: all conditions must hold; an empty field sets no condition.

    A facility is selected by its indices.

    Attributes:
        files: paths; `*` matches anything.
        since_ms, until_ms: event time (unix ms); `since_ms` inclusive, `until_ms` exclusive.
    """

    facilities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def everything(self) -> bool:
        """Whether no condition is set."""
        return self == FactQuery()

    @property
    def body(self) -> Clause:
        """The query as Elasticsearch takes it."""
        clauses = terms({"perf.source": self.sources, "perf.run.id": self.runs})
        if self.files:
            clauses.append(any_of(wildcard("log.file.path", path) for path in self.files))
        return all_of([*clauses, *within(self.since_ms, self.until_ms)])


_ENDS = {"oldest": "asc", "newest": "desc"}
_REVISIONS: Mapping[str, Any] = {
    "facility": {
        "terms": {"field": "perf.facility", "size": 1000},
        "aggs": {
            "source": {
                "terms": {"field": "perf.source", "size": 1000},
                "aggs": {
                    end: {"top_hits": {"size": 1, "sort": [{"@timestamp": order}], "version": True, "_source": False}}
                    for end, order in _ENDS.items()
                },
            }
        },
    }
}


class StoredFact(NamedTuple):
    """A stored document of kind marks or network, possibly retracted."""

    index: str  # type: ignore[assignment]  # see core/bulk.py
    id: str
    version: int
    body: dict[str, Any]


class FactIndex:
    """The documents of kinds `marks` and `network`."""

    def __init__(self, connected: Client, span: int = SPAN) -> None:
        """Take an open client, and the maximum number of documents per time span."""
        self._search = Search(connected)
        self._span = span

    def count(self, query: FactQuery) -> int:
        """Return the number of matching facts, retracted ones included."""
        return self._search.count(index_patterns(PAGES, query.facilities), query.body)

    def pages(self, query: FactQuery) -> Iterator[list[StoredFact]]:
        """Yield all matching facts in pages, index by index and time span by time span."""
        for kind, size in PAGES.items():
            for index in self._indices(kind, query.facilities):
                for span in self._spans(index, query.body):
                    facts = map(_fact, self._search.scan(index, span, size, SCROLL, version=True))
                    yield from batched(facts, max_items=size)

    def revisions(self) -> dict[tuple[str, str], int]:
        """Map (facility, source) to the lower revision of its oldest and its newest fact, retracted ones excluded."""
        index = index_patterns(PAGES)
        self._search.refresh(index)
        results = self._search.aggregations(index, alive([]), _REVISIONS)
        return {
            (facility["key"], source["key"]): min(revision_of(_version(source[end])) for end in _ENDS)
            for facility in results.get("facility", {}).get("buckets", ())
            for source in facility["source"]["buckets"]
        }

    def _spans(self, index: str, query: Clause) -> Iterator[Clause]:
        """Yield one query per time span, in order; spans are halved until each holds few enough documents."""
        ends = {name: {name: {"field": "@timestamp"}} for name in ("min", "max")}
        bounds = self._search.aggregations(index, query, ends)
        if not bounds or bounds["min"]["value"] is None:
            return
        todo = [(int(bounds["min"]["value"]), int(bounds["max"]["value"]) + 1)]
        while todo:
            since_ms, until_ms = todo.pop()
            span = all_of([query, *within(since_ms, until_ms)])
            if self._search.count(index, span) <= self._span or until_ms - since_ms <= SHORTEST_MS:
                yield span
            else:
                middle_ms = (since_ms + until_ms) // 2
                todo += [(middle_ms, until_ms), (since_ms, middle_ms)]

    def _indices(self, kind: str, facilities: Sequence[str]) -> list[str]:
        pattern = index_pattern(kind, facilities)
        self._search.refresh(pattern)
        return self._search.indices(pattern)


def _version(top_hits: Mapping[str, Any]) -> int:
    """Return the version of the single `top_hits` hit."""
    return int(top_hits["hits"]["hits"][0]["_version"])


def _fact(hit: Mapping[str, Any]) -> StoredFact:
    return new_tuple(StoredFact, (hit["_index"], hit["_id"], hit["_version"], hit["_source"]))


@contextmanager
def open_facts(settings: Elasticsearch) -> Iterator[FactIndex]:
    """Open the facts of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    with session(settings) as connected:
        yield FactIndex(connected)
