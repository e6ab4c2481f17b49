"""Reads the stored files and gaps, for the sweeper and for `perflog gaps`. Reads only."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.ids import index_pattern, index_patterns
from ingest.edge.elasticsearch.client import raising_port_errors, session
from ingest.edge.elasticsearch.query import MOST, Clause, all_of, any_of, ending, terms
from ingest.edge.elasticsearch.search import Search

SCAN_SIZE = 1000
_PATH = "log.file.path"


class ElasticsearchFiles:
    """Implements `ports.FileStates`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def due(self, facility: str, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (id, document) of the files that have something to find out or to write."""
        index = index_pattern("files", (facility,))
        query = all_of([{"term": {"perf.file.due": True}}, {"term": {"perf.file.topic": topic}}])
        with raising_port_errors():
            self._search.refresh(index)
            return [(hit["_id"], hit["_source"]) for hit in self._search.scan(index, query, SCAN_SIZE)]


@dataclass(frozen=True, slots=True)
class GapQuery:
    """Selects gaps: all conditions must hold; an empty field sets no condition."""

    facilities: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    states: tuple[str, ...] = ()

    @property
    def of_file(self) -> list[Clause]:
        """The clauses that select the gaps' files."""
        clauses = terms({"host.name": self.hosts})
        if self.files:
            clauses.append(any_of(clause for name in self.files for clause in _named(name)))
        return clauses

    @property
    def body(self) -> Clause:
        """The query as Elasticsearch takes it."""
        return all_of([*self.of_file, *terms({"perf.gap.state": self.states})])


def _named(name: str) -> list[Clause]:
    """Return the clauses that match a path or the end of one."""
    return [{"term": {_PATH: name}}, ending(_PATH, f"/{name}")]


class GapIndex:
    """The documents of kinds `gaps` and `files`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def list_gaps(self, query: GapQuery, most: int) -> list[dict[str, Any]]:
        """Return up to `most` gaps, open ones first, then newest first."""
        sort = [{"perf.gap.state": "desc"}, {"@timestamp": "desc"}, {"perf.gap.first_byte": "asc"}]
        hits = self._search.first(index_pattern("gaps", query.facilities), query.body, most, sort)
        return [hit["_source"] for hit in hits]

    def count_gaps(self, query: GapQuery) -> int:
        """Return the number of matching gaps."""
        return self._search.count(index_pattern("gaps", query.facilities), query.body)

    def count_files(self, query: GapQuery) -> int:
        """Return the number of files whose byte ranges are tracked."""
        return self._search.count(index_pattern("files", query.facilities), all_of(query.of_file))

    def list_unsettled(self, query: GapQuery) -> list[dict[str, Any]]:
        """Return files with holes that are not gaps yet: just shipped, not yet checked, or in too many pieces."""
        holes = {"range": {"perf.file.missing_bytes": {"gt": 0}}}
        either = any_of([{"term": {"perf.file.due": True}}, {"term": {"perf.file.scattered": True}}])
        index, selection = index_pattern("files", query.facilities), all_of([*query.of_file, holes, either])
        without_set = {"source_excludes": ["perf.file.set"]}
        hits = self._search.first(index, selection, MOST, [{"@timestamp": "desc"}], **without_set)
        return [hit["_source"] for hit in hits]


@contextmanager
def open_gaps(settings: Elasticsearch) -> Iterator[GapIndex]:
    """Open the gaps of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies access."""
    with session(settings) as connected:
        Search(connected).refresh(index_patterns(("gaps", "files")))
        yield GapIndex(connected)
