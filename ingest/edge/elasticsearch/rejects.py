"""Stores the rejects of all facilities: group by shape, search, mark as replayed, delete. One request per call.

No script or licence is needed: it works on the bare server and on the full distribution alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.ids import FACT_KINDS, index_pattern, index_patterns
from ingest.core.kafka_record import Coordinates
from ingest.core.model import ExitCode, Problem
from ingest.core.timestamps import iso
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.documents import DONE, CasDocuments, CurrentDocument
from ingest.edge.elasticsearch.query import Clause, all_of, any_of, terms, within, without
from ingest.edge.elasticsearch.search import Search

INDICES = index_pattern("rejects")
FACTS = index_patterns(FACT_KINDS)
PAGE = 1000
MAX_COPIES = 10
_KEYS = {"reason": "error.type", "source": "perf.source", "shape": "perf.reject.shape"}
_REPLAYED: Clause = {"exists": {"field": "perf.reject.replayed"}}
_OF_GROUP: Mapping[str, Any] = {
    "first": {"min": {"field": "@timestamp"}},
    "last": {"max": {"field": "@timestamp"}},
    "replayed": {"filter": _REPLAYED},
    "intakes": {"terms": {"field": "perf.intake", "size": 100}},
    "newest": {"top_hits": {"size": 1, "_source": False, "sort": [{"@timestamp": "desc"}]}},
}


@dataclass(frozen=True, slots=True)
class RejectQuery:
    """Selects rejects: all conditions must hold; an empty field sets no condition. Times are record times.

    Attributes:
        ids: ids of rejects, or coordinates of their dead letters.
        since_ms, until_ms: unix ms; `since_ms` inclusive, `until_ms` exclusive.
        replayed: whether the reject was replayed before.
    """

    reasons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    facilities: tuple[str, ...] = ()
    intakes: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    replayed: bool | None = None

    @property
    def everything(self) -> bool:
        """Whether no condition is set."""
        return self == RejectQuery()

    @property
    def body(self) -> Clause:
        """The query as Elasticsearch takes it."""
        clauses = terms(
            {
                "error.type": self.reasons,
                "perf.source": self.sources,
                "perf.facility": self.facilities,
                "perf.intake": self.intakes,
                "perf.reject.shape": self.shapes,
            }
        )
        if self.ids:
            clauses.append(any_of([{"ids": {"values": list(self.ids)}}, *terms({"perf.reject.letter": self.ids})]))
        clauses += within(self.since_ms, self.until_ms)
        if self.replayed is not None:
            clauses.append(_REPLAYED if self.replayed else without(_REPLAYED))
        return all_of(clauses)


@dataclass(frozen=True, slots=True)
class StoredReject(CurrentDocument):
    """A stored reject."""

    @property
    def record(self) -> str:
        """The coordinates of the record that was first rejected; all rejects of one record share them."""
        return "/".join(self.id.split("/")[:3])


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """The rejects of one shape; times are unix ms, `newest` is the id of the newest reject."""

    reason: str
    source: str | None
    shape: str | None
    count: int
    first_ms: int
    last_ms: int
    replayed: int
    intakes: tuple[str, ...]
    newest: str


class RejectIndex(CasDocuments):
    """The documents of kind `rejects`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        super().__init__(connected)
        self._search = Search(connected)

    def refresh(self) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._search.refresh(INDICES)

    def count(self, query: RejectQuery) -> int:
        """Return the number of matching rejects."""
        return self._search.count(INDICES, query.body)

    def groups(self, query: RejectQuery) -> Iterator[RejectGroup]:
        """Yield the matching rejects grouped by reason, source and shape, in no particular order."""
        sources = [{name: {"terms": {"field": field, "missing_bucket": True}}} for name, field in _KEYS.items()]
        return map(_group, self._search.buckets(INDICES, query.body, sources, _OF_GROUP))

    def scan(self, query: RejectQuery, fields: Sequence[str] | None = None) -> Iterator[StoredReject]:
        """Yield all matching rejects, in no particular order; with `fields=None` whole documents."""
        return self._scan(query.body, True if fields is None else list(fields))

    def newest(self, query: RejectQuery) -> StoredReject | None:
        """Return the newest matching reject, or None."""
        hits = self._search.first(INDICES, query.body, 1, ["@timestamp:desc"], seq_no_primary_term=True)
        return _stored_reject(hits[0]) if hits else None

    def of_records(self, coordinates: Sequence[str]) -> list[StoredReject]:
        """Return all rejects of these records, given the records' coordinates (`provenance.kafka`)."""
        return list(self._scan({"terms": {"provenance.kafka": list(coordinates)}}, True))

    def records_with_facts(self, coordinates: Sequence[str]) -> set[str]:
        """Return the coordinates of those records that have at least one stored fact."""
        if not coordinates:
            return set()
        of_records = {"terms": {"provenance.kafka": list(coordinates)}}
        by_record = {"records": {"terms": {"field": "provenance.kafka", "size": len(coordinates)}}}
        self._search.refresh(FACTS)
        results = self._search.aggregations(FACTS, of_records, by_record)
        return {bucket["key"] for bucket in results.get("records", {}).get("buckets", [])}

    def mark(self, sent: Sequence[tuple[StoredReject, str | None]], at_ms: int) -> None:
        """Mark rejects as replayed, each with the coordinates of its copy; concurrent writes are not overwritten.

        Raises `Problem` (69) if Elasticsearch does not accept the update.
        """
        copies = [copy for _, copy in sent]
        conflicting = self.merge(
            [reject for reject, _ in sent],
            lambda n, reject: _replayed(reject, copies[n], at_ms),
            "rejects could not be marked as replayed",
        )
        if conflicting:
            raise Problem(
                f"{conflicting[0].id} is replayed by somebody else again and again.",
                "Let one of you do it.",
                ExitCode.UNAVAILABLE,
            )

    def delete(self, rejects: Sequence[StoredReject]) -> int:
        """Delete rejects and return how many existed; `Problem` (69) if Elasticsearch does not delete them."""
        operations = [{"delete": {"_index": reject.index, "_id": reject.id}} for reject in rejects]
        return sum(status == DONE for status in self.bulk_statuses(operations, "rejects could not be deleted"))

    def _scan(self, query: Clause, source: Any) -> Iterator[StoredReject]:
        hits = self._search.scan(INDICES, query, PAGE, seq_no_primary_term=True, _source=source)
        return map(_stored_reject, hits)


def _group(bucket: dict[str, Any]) -> RejectGroup:
    key = bucket["key"]
    return RejectGroup(
        reason=key["reason"] or "",
        source=key["source"],
        shape=key["shape"],
        count=bucket["doc_count"],
        first_ms=int(bucket["first"]["value"]),
        last_ms=int(bucket["last"]["value"]),
        replayed=bucket["replayed"]["doc_count"],
        intakes=tuple(sorted(intake["key"] for intake in bucket["intakes"]["buckets"])),
        newest=bucket["newest"]["hits"]["hits"][0]["_id"],
    )


def _stored_reject(hit: Mapping[str, Any]) -> StoredReject:
    return StoredReject(hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit.get("_source", {}))


def _replayed(reject: CurrentDocument, copy: str | None, at_ms: int) -> dict[str, Any]:
    """Return the fields that mark a reject as replayed."""
    copies = [*(reject.value("perf.reject.replayed_as") or ()), *([copy] if copy else ())][-MAX_COPIES:]
    fields: dict[str, Any] = {"replayed": iso(at_ms), "replays": (reject.value("perf.reject.replays") or 0) + 1}
    return {"perf": {"reject": fields | ({"replayed_as": copies} if copies else {})}}


def letter_of(reject: StoredReject) -> Coordinates | None:
    """Return the coordinates of the reject's dead letter, if they were stored."""
    return Coordinates.read(reject.value("perf.reject.letter") or "")


@contextmanager
def open_rejects(settings: Elasticsearch) -> Iterator[RejectIndex]:
    """Open the rejects of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    with session(settings) as connected:
        rejects = RejectIndex(connected)
        rejects.refresh()
        yield rejects
