"""A request goes to a node that answers, at once, and to a second one only where that is safe."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from elasticsearch import ApiError
from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.bulk import create, index, index_if
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument
from ingest.edge.elasticsearch.nodes import failover
from ingest.edge.elasticsearch.nodes.failover import NoAnswer, is_repeatable
from ingest.edge.elasticsearch.store import ElasticsearchStore
from tests.support.http_nodes import EMPTY, PAGE, HttpNode, Reply, frozen_node, gone_node, http_node

REQUESTS = 12
FAR_FUTURE_S = 4e9
CREATED: Reply = (
    201,
    "application/json",
    b'{"_seq_no": 0, "_primary_term": 1, "items": [{"x": {"status": 200}}]}',
)
ALONE: Reply = (503, "application/json", b'{"error": {"type": "master_not_discovered_exception"}, "status": 503}')
NO_SHARD: Reply = (503, "application/json", b'{"error": {"type": "search_phase_execution_exception"}, "status": 503}')
BUSY: Reply = (429, "application/json", b'{"error": {"type": "es_rejected_execution_exception"}, "status": 429}')


@pytest.fixture(autouse=True)
def short_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small request that a frozen node does not answer takes less time here."""
    monkeypatch.setattr(failover, "PROBE_TIMEOUT_S", 1.0)


@pytest.fixture
def good() -> Iterator[HttpNode]:
    """A node that answers."""
    with http_node() as node:
        yield node


def connected(*urls: str) -> Client:
    """A client of these nodes."""
    return client(Elasticsearch(url=urls))


@pytest.mark.parametrize("broken", [gone_node, frozen_node])
def test_every_request_is_answered_while_one_of_two_nodes_is_away(good: HttpNode, broken: object) -> None:
    """Whichever stands first, none of the requests fails, and each is sent once."""
    with broken() as address:  # type: ignore[operator]  # both are context managers
        for urls in ((address, good.address), (good.address, address)):
            opened = connected(*urls)
            for _ in range(REQUESTS):
                opened.search(index="i")
            opened.close()

    assert good.requests == ["POST /i/_search"] * 2 * REQUESTS


def test_a_node_alone_gets_no_small_requests(good: HttpNode) -> None:
    """There is nothing to choose, so nothing is asked."""
    connected(good.address).search(index="i")

    assert (good.probes, len(good.requests)) == (0, 1)


def test_a_node_that_answers_is_asked_once(good: HttpNode) -> None:
    """Both nodes get their share of the requests, and one small request each before it."""
    with http_node() as other:
        opened = connected(good.address, other.address)
        for _ in range(REQUESTS):
            opened.search(index="i")

    assert (good.probes, other.probes) == (1, 1)
    assert len(good.requests) == len(other.requests) == REQUESTS // 2


def test_a_node_that_stops_answering_costs_one_request_and_is_then_avoided(
    good: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request under way goes to the other node; the next ones do not even try, until the node answers again."""
    with http_node(reply=lambda method, path: None) as failing:
        opened = connected(good.address, failing.address)
        for _ in range(REQUESTS):
            opened.search(index="i")
        failed = list(failing.requests)
        failing.reply = lambda method, path: EMPTY
        years_later = SimpleNamespace(time=lambda: FAR_FUTURE_S)  # the pause of the node is over
        monkeypatch.setattr("elastic_transport._node_pool.time", years_later)
        for _ in range(REQUESTS):
            opened.search(index="i")

    assert len(failed) == 1
    assert len(failing.requests) > 1
    assert len(good.requests) + len(failing.requests) == 2 * REQUESTS + 1


@pytest.mark.parametrize(
    "write",
    [
        lambda documents: documents.create("i", "1", {}),
        lambda documents: documents.change(CurrentDocument("i", "1", 0, 1, {}), {}),
        lambda documents: documents.bulk_statuses([{"delete": {"_index": "i", "_id": "1"}}], "are left"),
    ],
    ids=["create", "change", "bulk"],
)
def test_a_conditional_write_that_may_have_been_carried_out_goes_to_no_second_node(
    good: HttpNode, write: Callable[[CasDocuments], object]
) -> None:
    """The second node would answer 409, as if somebody else had written: the caller would decide wrongly."""
    good.reply = lambda method, path: CREATED

    with http_node(reply=lambda method, path: None) as failing:
        documents = CasDocuments(connected(failing.address, good.address))

        def write_to_both() -> None:
            for _ in range(2):
                write(documents)

        with pytest.raises(NoAnswer) as caught:
            write_to_both()

    assert list(caught.value.failures) == [failing.address]
    assert len(failing.requests) == 1
    assert len(good.requests) < 2


def test_a_conditional_write_that_reached_no_node_goes_to_another(good: HttpNode) -> None:
    """A refused connection carried nothing out."""
    good.reply = lambda method, path: CREATED
    with gone_node() as address:
        documents = CasDocuments(connected(address, good.address))
        # As if it had answered before: only the request itself meets the closed port.
        for node in documents._client.transport.node_pool.all():
            documents._client.transport.node_pool.note_answer(node)  # type: ignore[attr-defined]

        assert all(documents.create("i", str(n), {}) for n in range(REQUESTS))

    assert len(good.requests) == REQUESTS


def test_a_bulk_request_of_the_worker_goes_to_another_node(good: HttpNode) -> None:
    """Its writes carry versions or conditions whose conflicts the pipeline resolves, as after a lost answer."""
    body = b'{"errors": false, "items": [{"index": {"status": 200, "result": "updated"}}]}'
    good.reply = lambda method, path: (200, "application/json", body)
    with http_node(reply=lambda method, path: None) as failing:
        for urls in ((failing.address, good.address), (good.address, failing.address)):
            store = ElasticsearchStore(connected(*urls))
            for action in (index("i", "1", 1, "{}"), create("i", "1", "{}"), index_if("i", "1", (0, 1), "{}")):
                assert [result.status for result in store.swap([action])] == [200]

    assert failing.requests == ["PUT /_bulk"] * len(failing.requests) != []


@pytest.mark.parametrize("answer", [ALONE, PAGE])
def test_a_node_without_the_others_and_a_proxy_without_its_node_are_passed_over(good: HttpNode, answer: Reply) -> None:
    """Master not discovered, or a proxy's page: reads go to the other node, writes under a condition are answered."""
    with http_node(reply=lambda method, path: answer) as failing:
        for urls in ((failing.address, good.address), (good.address, failing.address)):
            opened = connected(*urls)
            for _ in range(REQUESTS):
                opened.search(index="i")
    assert len(good.requests) == 2 * REQUESTS


@pytest.mark.parametrize("answer", [BUSY, NO_SHARD])
def test_what_the_cluster_answers_is_not_asked_again(
    good: HttpNode, answer: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429, and a 503 of a search: any node would say the same, so it is the answer."""
    monkeypatch.setattr("ingest.edge.elasticsearch.client.STARTING_S", -1.0)
    good.reply = lambda method, path: answer
    with http_node(reply=lambda method, path: answer) as other:
        opened = connected(good.address, other.address)
        for _ in range(4):
            with pytest.raises(ApiError):
                opened.search(index="i")

        assert len(good.requests) + len(other.requests) == 4
        assert (good.probes, other.probes) == (1, 1), "such a node answers, and needs no small request again"


def test_when_none_answers_every_node_is_named_and_asked_once() -> None:
    """No pause, no second round: whether to try again is the caller's to say."""
    with gone_node() as first, gone_node() as second, pytest.raises(NoAnswer) as caught:
        connected(first, second).search(index="i")

    assert set(caught.value.failures) == {first, second}


@pytest.mark.parametrize(
    ("request_line", "repeatable"),
    [
        ("GET /i/_doc/1", True),
        ("HEAD /", True),
        ("POST /i/_search?ignore_unavailable=true", True),
        ("POST /i/_count", True),
        ("POST /_mget?filter_path=docs", True),
        ("POST /i/_refresh", True),
        ("POST /i/_pit?keep_alive=1m", True),
        ("PUT /_index_template/perf-marks", True),
        ("PUT /i/_mapping", True),
        ("PUT /_bulk", False),
        ("POST /_bulk", False),
        ("PUT /i/_create/_search", False),
        ("PUT /i/_doc/1?if_seq_no=1&if_primary_term=1", False),
        ("POST /i/_update/1", False),
        ("DELETE /i", False),
        ("PUT /i", False),
    ],
)
def test_what_may_be_asked_twice(request_line: str, repeatable: bool) -> None:
    """Reads, and writes of the same template or mapping; nothing else unless its caller says so."""
    assert is_repeatable(*request_line.split()) is repeatable
