"""Reading all stored facts from the real node: each once, and those of one time close together."""

import os
from collections.abc import Iterator
from itertools import count, pairwise

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk

from ingest.config.settings import Elasticsearch as ElasticsearchSettings
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.facts import SHORTEST_MS, FactIndex, FactQuery, StoredFact
from ingest.edge.local.stack import Running

pytestmark = pytest.mark.stack
BEGIN_MS = 1_454_700_000_000
_NUMBERS = count()


@pytest.fixture
def connected(stack: Running) -> Iterator[Elasticsearch]:
    """An open client."""
    opened = client(ElasticsearchSettings(url=(stack.elasticsearch,)))
    yield opened
    opened.close()


def stored(connected: Elasticsearch, times_ms: list[int]) -> str:
    """Store a mark at each of these times (after BEGIN_MS), in this order; return their new facility."""
    facility = f"facts{os.getpid()}x{next(_NUMBERS)}"
    index = f"perf-marks-{facility}-2016.02"
    connected.indices.create(index=index, mappings={"properties": {"@timestamp": {"type": "date"}}})
    bulk(connected, ({"_index": index, "_id": str(n), "@timestamp": BEGIN_MS + ms} for n, ms in enumerate(times_ms)))
    return facility


def pages(connected: Elasticsearch, facility: str, span: int) -> list[list[StoredFact]]:
    """Read the facility's facts, in spans of at most so many documents."""
    return list(FactIndex(connected, span).pages(FactQuery(facilities=(facility,))))


def test_every_document_comes_once_and_spans_of_time_follow_one_another(connected: Elasticsearch) -> None:
    """However they were stored: 300 in disorder, with a gap of weeks; no page reaches into the time of the next."""
    times_ms = [(n * 7_919) % 300 * 60_000 + (0 if n % 3 else 20 * 86_400_000) for n in range(300)]
    facility = stored(connected, times_ms)

    read = pages(connected, facility, 20)

    assert sorted(int(fact.id) for page in read for fact in page) == list(range(300))
    assert all(0 < len(page) <= 20 for page in read)
    spans = [[fact.body["@timestamp"] for fact in page] for page in read]
    assert all(max(earlier) < min(later) for earlier, later in pairwise(spans))


def test_the_documents_of_one_second_are_one_span_however_many_they_are(connected: Elasticsearch) -> None:
    """Halving ends at a second; a facility without documents has no page."""
    facility = stored(connected, [n * SHORTEST_MS // 100 for n in range(90)])

    read = pages(connected, facility, 5)

    assert [len(page) for page in read] == [90]
    assert pages(connected, "nothing-of-the-kind", 5) == []
