"""Reads the stored movements: counts, lists and finds them. Reads only; movements that were taken back are left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.ids import index_pattern
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.query import Clause, alive, any_of, containing, terms, within, without
from ingest.edge.elasticsearch.search import Hit, Search

_MOVEMENTS, _TRANSFERS = "movements", "transfers"
RECORDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class MovementQuery:
    """Selects movements: all conditions must hold; an empty field sets no condition.

    Attributes:
        sources, destinations: sites or host names of the ends.
        labels: texts that the label contains.
        probes: also tests of services, which are no production data.
        since_ms, until_ms: when it began (unix ms); `since_ms` inclusive, `until_ms` exclusive.
    """

    facilities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    probes: bool = False
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def body(self) -> Clause:
        """The query as Elasticsearch takes it."""
        clauses = terms({"event.outcome": self.outcomes, "perf.run.id": self.runs})
        for end, names in (("source", self.sources), ("destination", self.destinations)):
            if names:
                fields = (f"{end}.site", f"{end}.domain")
                clauses.append(any_of(clause for field in fields for clause in terms({field: names})))
        if self.labels:
            clauses.append(any_of(containing("perf.movement.label", label) for label in self.labels))
        if not self.probes:
            clauses.append(without({"term": {"perf.movement.probe": True}}))
        return alive([*clauses, *within(self.since_ms, self.until_ms)])


class MovementIndex:
    """The documents of kind `movements`, and the facts that they name."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def count(self, query: MovementQuery) -> int:
        """Return the number of matching movements."""
        return self._search.count(index_pattern(_MOVEMENTS, query.facilities), query.body)

    def newest(self, query: MovementQuery, most: int) -> list[dict[str, Any]]:
        """Return up to `most` movements (at most 10,000), those that began last first."""
        sort = [{"@timestamp": "desc"}, {"perf.movement.key": "asc"}]
        return _bodies(self._search.first(index_pattern(_MOVEMENTS, query.facilities), query.body, most, sort))

    def find(self, name: str, facilities: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the movements of that id, or told by a transfer or a task of that id."""
        keys = [name, *(f"{level}:{name}" for level in ("task", "file")), f"task:globus:{name.lower()}"]
        named = [{"ids": {"values": [name]}}, *terms({"perf.movement.key": keys, "perf.movement.records": [name]})]
        ending = {"wildcard": {"perf.movement.key": {"value": f"file:*:{_literal(name)}"}}}
        query = alive([any_of([*named, ending])])
        return _bodies(self._search.first(index_pattern(_MOVEMENTS, facilities), query, 10, [{"@timestamp": "desc"}]))

    def records(self, facility: str, ids: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the facts of these ids, in no particular order."""
        for start in range(0, len(ids), RECORDS_AT_ONCE):
            query: Clause = {"ids": {"values": ids[start : start + RECORDS_AT_ONCE]}}
            yield from _bodies(self._search.scan(index_pattern(_TRANSFERS, (facility,)), query))


def _literal(text: str) -> str:
    return "".join(f"\\{char}" if char in "*?\\" else char for char in text)


def _bodies(hits: Any) -> list[dict[str, Any]]:
    """The documents with their ids."""
    return [_with_id(hit) for hit in hits]


def _with_id(hit: Hit) -> dict[str, Any]:
    return {"_id": hit["_id"], **hit["_source"]}


@contextmanager
def open_movements(settings: Elasticsearch) -> Iterator[MovementIndex]:
    """Open the stored movements; the `Problem` says 69 if Elasticsearch does not answer."""
    with session(settings) as connected:
        yield MovementIndex(connected)
