"""Stores the rejects of all facilities: group by shape, search, mark as replayed, delete. One request per call.

No script or licence is needed: it works on the bare server and on the full distribution alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch.helpers import scan

from ingest.config.settings import Elasticsearch
from ingest.core.kafka_record import Coordinates
from ingest.core.model import ExitCode, Problem
from ingest.core.timestamps import iso
from ingest.edge.elasticsearch.client import client, raising_problems
from ingest.edge.elasticsearch.documents import DONE, CasDocuments, CurrentDocument

INDICES = "perf-rejects-*"
FACTS = "perf-marks-*,perf-network-*"
PAGE = 1000
MAX_COPIES = 10
_KEYS = {"reason": "error.type", "source": "perf.source", "shape": "perf.reject.shape"}
_LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}


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
    def query(self) -> dict[str, Any]:
        """The Elasticsearch query."""
        named = {
            "error.type": self.reasons,
            "perf.source": self.sources,
            "perf.facility": self.facilities,
            "perf.intake": self.intakes,
            "perf.reject.shape": self.shapes,
        }
        clauses: list[dict[str, Any]] = [{"terms": {name: list(values)}} for name, values in named.items() if values]
        if self.ids:
            by_id = [{"ids": {"values": list(self.ids)}}, {"terms": {"perf.reject.letter": list(self.ids)}}]
            clauses.append({"bool": {"should": by_id, "minimum_should_match": 1}})
        span = {"gte": self.since_ms, "lt": self.until_ms}
        if given := {name: ms for name, ms in span.items() if ms is not None}:
            clauses.append({"range": {"@timestamp": {**given, "format": "epoch_millis"}}})
        if self.replayed is not None:
            exists = {"exists": {"field": "perf.reject.replayed"}}
            clauses.append(exists if self.replayed else {"bool": {"must_not": [exists]}})
        return {"bool": {"filter": clauses}}


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

    def refresh(self) -> None:
        """Make all earlier writes visible to the queries that follow."""
        self._client.indices.refresh(index=INDICES, **_LACKING)

    def count(self, wanted: RejectQuery) -> int:
        """Return the number of matching rejects."""
        return int(self._client.count(index=INDICES, query=wanted.query, **_LACKING)["count"])

    def groups(self, wanted: RejectQuery) -> Iterator[RejectGroup]:
        """Yield the matching rejects grouped by reason, source and shape, in no particular order."""
        sources = [{name: {"terms": {"field": field, "missing_bucket": True}}} for name, field in _KEYS.items()]
        paging: dict[str, Any] = {"size": PAGE, "sources": sources}
        while True:
            aggregation = {"shapes": {"composite": paging, "aggs": _of_group()}}
            answer = self._client.search(index=INDICES, size=0, query=wanted.query, aggs=aggregation, **_LACKING)
            composite = answer.body.get("aggregations", {}).get("shapes", {})
            yield from (_group(bucket) for bucket in composite.get("buckets", []))
            if "after_key" not in composite:
                return
            paging["after"] = composite["after_key"]

    def each(self, wanted: RejectQuery, fields: Sequence[str] | None = None) -> Iterator[StoredReject]:
        """Yield all matching rejects, in no particular order; with `fields=None` whole documents."""
        body = {"query": wanted.query, "seq_no_primary_term": True, "_source": True if fields is None else list(fields)}
        for hit in scan(self._client, query=body, index=INDICES, size=PAGE, **_LACKING):
            yield _found(hit)

    def newest(self, wanted: RejectQuery) -> StoredReject | None:
        """Return the newest matching reject, or None."""
        answer = self._client.search(
            index=INDICES, query=wanted.query, size=1, sort=["@timestamp:desc"], seq_no_primary_term=True, **_LACKING
        )
        return next((_found(hit) for hit in answer["hits"]["hits"]), None)

    def of_records(self, coordinates: Sequence[str]) -> list[StoredReject]:
        """Return all rejects of these records, given the records' coordinates (`provenance.kafka`)."""
        body = {"query": {"terms": {"provenance.kafka": list(coordinates)}}, "seq_no_primary_term": True}
        return [_found(hit) for hit in scan(self._client, query=body, index=INDICES, size=PAGE, **_LACKING)]

    def stored(self, coordinates: Sequence[str]) -> set[str]:
        """Return the coordinates of those records that have at least one stored fact."""
        if not coordinates:
            return set()
        counted = {"records": {"terms": {"field": "provenance.kafka", "size": len(coordinates)}}}
        query = {"terms": {"provenance.kafka": list(coordinates)}}
        self._client.indices.refresh(index=FACTS, **_LACKING)
        answer = self._client.search(index=FACTS, size=0, query=query, aggs=counted, **_LACKING)
        buckets = answer.body.get("aggregations", {}).get("records", {}).get("buckets", [])
        return {bucket["key"] for bucket in buckets}

    def mark(self, sent: Sequence[tuple[StoredReject, str | None]], at_ms: int) -> None:
        """Mark rejects as replayed, each with the coordinates of its copy; concurrent writes are not overwritten.

        Raises `Problem` (69) if Elasticsearch does not accept the update.
        """
        copies = [copy for _, copy in sent]
        conflicting = self.merge(
            [reject for reject, _ in sent],
            lambda n, reject: _marked(reject, copies[n], at_ms),
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


def _of_group() -> dict[str, Any]:
    return {
        "first": {"min": {"field": "@timestamp"}},
        "last": {"max": {"field": "@timestamp"}},
        "replayed": {"filter": {"exists": {"field": "perf.reject.replayed"}}},
        "intakes": {"terms": {"field": "perf.intake", "size": 100}},
        "newest": {"top_hits": {"size": 1, "_source": False, "sort": [{"@timestamp": "desc"}]}},
    }


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
        intakes=tuple(sorted(one["key"] for one in bucket["intakes"]["buckets"])),
        newest=bucket["newest"]["hits"]["hits"][0]["_id"],
    )


def _found(hit: Mapping[str, Any]) -> StoredReject:
    return StoredReject(hit["_index"], hit["_id"], hit["_seq_no"], hit["_primary_term"], hit.get("_source", {}))


def _marked(reject: CurrentDocument, copy: str | None, at_ms: int) -> dict[str, Any]:
    copies = [*(reject.value("perf.reject.replayed_as") or ()), *([copy] if copy else ())][-MAX_COPIES:]
    mark: dict[str, Any] = {"replayed": iso(at_ms), "replays": (reject.value("perf.reject.replays") or 0) + 1}
    return {"perf": {"reject": mark | ({"replayed_as": copies} if copies else {})}}


def letter_of(found: StoredReject) -> Coordinates | None:
    """Return the coordinates of the reject's dead letter, if they were stored."""
    return Coordinates.read(found.value("perf.reject.letter") or "")


@contextmanager
def open_rejects(settings: Elasticsearch) -> Iterator[RejectIndex]:
    """Open the rejects of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    connected = client(settings)
    with raising_problems(settings):
        try:
            made = RejectIndex(connected)
            made.refresh()
            yield made
        finally:
            connected.close()
