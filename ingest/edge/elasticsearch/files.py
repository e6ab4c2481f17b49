"""Reads the stored files and gaps, for the sweeper and for `perflog gaps`. Reads only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch as Client
from elasticsearch.helpers import scan

from ingest.config.settings import Elasticsearch
from ingest.core.ids import index_pattern, index_patterns
from ingest.edge.elasticsearch.client import client, raising_port_errors, raising_problems

SCAN_SIZE = 1000
MOST = 10_000
_WILD = str.maketrans({"*": r"\*", "?": r"\?", "\\": r"\\"})
_LACKING: dict[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}


class ElasticsearchFiles:
    """Implements `ports.FileStates`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._client = connected

    def due(self, facility: str, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (id, document) of the files that have something to find out or to write."""
        index = index_pattern("files", (facility,))
        clauses = [{"term": {"perf.file.due": True}}, {"term": {"perf.file.topic": topic}}]
        body = {"query": {"bool": {"filter": clauses}}, "_source": True}
        with raising_port_errors():
            self._client.indices.refresh(index=index, **_LACKING)
            hits = scan(self._client, query=body, index=index, size=SCAN_SIZE, ignore_unavailable=True)
            return [(hit["_id"], hit["_source"]) for hit in hits]


@dataclass(frozen=True, slots=True)
class GapQuery:
    """Selects gaps: all conditions must hold; an empty field sets no condition."""

    facilities: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    @property
    def of_file(self) -> list[dict[str, Any]]:
        """The clauses that select the gaps' files."""
        hosts = [{"terms": {"host.name": list(self.hosts)}}] if self.hosts else []
        named = [clause for name in self.files for clause in _named(name)]
        return [*hosts, *([{"bool": {"should": named, "minimum_should_match": 1}}] if named else [])]

    @property
    def query(self) -> dict[str, Any]:
        """The Elasticsearch query."""
        states = [{"terms": {"perf.gap.state": list(self.states)}}] if self.states else []
        return {"bool": {"filter": [*self.of_file, *states]}}


def _named(name: str) -> list[dict[str, Any]]:
    """Return the clauses that match a path or the end of one."""
    ending = {"wildcard": {"log.file.path": {"value": f"*/{name.translate(_WILD)}"}}}
    return [{"term": {"log.file.path": name}}, ending]


class GapIndex:
    """The documents of kinds `gaps` and `files`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._client = connected

    def listed(self, wanted: GapQuery, most: int) -> tuple[list[dict[str, Any]], int]:
        """Return up to `most` gaps, open ones first, then newest first; and the total number."""
        answer = self._client.search(
            index=index_pattern("gaps", wanted.facilities),
            query=wanted.query,
            size=min(most, MOST),
            sort=[{"perf.gap.state": "desc"}, {"@timestamp": "desc"}, {"perf.gap.first_byte": "asc"}],
            track_total_hits=True,
            **_LACKING,
        ).body["hits"]
        return [hit["_source"] for hit in answer["hits"]], int(answer["total"]["value"])

    def files(self, wanted: GapQuery) -> int:
        """Return the number of files whose byte ranges are tracked."""
        query = {"bool": {"filter": wanted.of_file}}
        return int(
            self._client.count(index=index_pattern("files", wanted.facilities), query=query, **_LACKING)["count"]
        )

    def unsettled(self, wanted: GapQuery) -> list[dict[str, Any]]:
        """Return files with holes that are not gaps yet: just shipped, not yet checked, or in too many pieces."""
        either = [{"term": {"perf.file.due": True}}, {"term": {"perf.file.scattered": True}}]
        holes = {"range": {"perf.file.missing_bytes": {"gt": 0}}}
        clauses = [*wanted.of_file, holes, {"bool": {"should": either, "minimum_should_match": 1}}]
        answer = self._client.search(
            index=index_pattern("files", wanted.facilities),
            query={"bool": {"filter": clauses}},
            size=MOST,
            sort=[{"@timestamp": "desc"}],
            source_excludes=["perf.file.set"],
            **_LACKING,
        )
        return [hit["_source"] for hit in answer.body["hits"]["hits"]]


@contextmanager
def open_gaps(settings: Elasticsearch) -> Iterator[GapIndex]:
    """Open the gaps of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    connected = client(settings)
    with raising_problems(settings):
        try:
            connected.indices.refresh(index=index_patterns(("gaps", "files")), **_LACKING)
            yield GapIndex(connected)
        finally:
            connected.close()
