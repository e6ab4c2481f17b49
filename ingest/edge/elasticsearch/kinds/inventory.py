"""Reads the inventory: hosts, expected tests, and when tests between hosts last arrived. Reads only."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.ids import index_pattern, index_patterns
from ingest.core.inventory.documents import HOSTS, TESTS, expected_tests, host_of
from ingest.core.inventory.expected import ExpectedTest
from ingest.core.inventory.host import Host
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.query import alive, within
from ingest.edge.elasticsearch.search import Search

_ENDS = ("source", "destination")
_PARTS = ("domain", "ip")


class SeenTests(NamedTuple):
    """Tests of one type that arrived between two ends, which have a name, an address, or both.

    `last_ms` is the newest one's time (unix ms).
    """

    type: str
    source: tuple[str, ...]
    destination: tuple[str, ...]
    tests: int
    last_ms: int


class InventoryIndex:
    """The documents of kinds `inventory` and `tests`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def refresh(self) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._search.refresh(index_patterns((HOSTS, TESTS)))

    def hosts(self, facilities: tuple[str, ...] = ()) -> Iterator[Host]:
        """Yield every host that was imported, in no particular order; several origins may describe one."""
        for hit in self._search.scan(index_pattern(HOSTS, facilities), alive([])):
            yield host_of(hit["_source"])

    def tests(self, facilities: tuple[str, ...] = ()) -> Iterator[ExpectedTest]:
        """Yield every expected test, in no particular order."""
        for hit in self._search.scan(index_pattern(TESTS, facilities), alive([])):
            yield from expected_tests(hit["_source"])

    def ids_of(self, facility: str, origin: str) -> set[tuple[str, str]]:
        """Return (index, id) of every document that was imported from an origin and was not taken back."""
        query = alive([{"term": {"perf.inventory.origin": origin}}])
        pattern = index_patterns((HOSTS, TESTS), (facility,))
        return {(hit["_index"], hit["_id"]) for hit in self._search.scan(pattern, query, _source=False)}

    def seen(self, facilities: tuple[str, ...], since_ms: int) -> Iterator[SeenTests]:
        """Yield what arrived since then, by type of test and ends."""
        fields = [f"{end}.{part}" for end in _ENDS for part in _PARTS]
        sources: list[dict[str, Any]] = [{"type": {"terms": {"field": "perf.network.test_type"}}}]
        sources += [{field: {"terms": {"field": field, "missing_bucket": True}}} for field in fields]
        newest = {"last": {"max": {"field": "@timestamp"}}}
        query = alive(within(since_ms, None))
        for bucket in self._search.buckets(index_pattern("network", facilities), query, sources, newest):
            key: Mapping[str, Any] = bucket["key"]
            source, destination = (_known(key[f"{end}.{part}"] for part in _PARTS) for end in _ENDS)
            yield SeenTests(key["type"], source, destination, bucket["doc_count"], int(bucket["last"]["value"]))


def _known(values: Iterator[Any]) -> tuple[str, ...]:
    return tuple(str(value) for value in values if value is not None)


@contextmanager
def open_inventory(settings: Elasticsearch) -> Iterator[InventoryIndex]:
    """Open the stored inventory; the `Problem` says 69 if Elasticsearch does not answer."""
    with session(settings) as connected:
        yield InventoryIndex(connected)
