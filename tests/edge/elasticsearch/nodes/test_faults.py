"""Why no node answered, in words with the remedy: for a command, and in the lines of a worker that waits."""

from pathlib import Path

import pytest

from ingest.config.settings import Elasticsearch
from ingest.core.bulk import index
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.client import client, session
from ingest.edge.elasticsearch.search import Search
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.errors import ServiceBlocked, Unavailable
from tests.support.http_nodes import (
    PAGE,
    Reply,
    frozen_node,
    gone_node,
    http_node,
    make_authority,
    make_certificate,
    raw_server,
)

UNAUTHORIZED: Reply = (
    401,
    "application/json",
    b'{"error": {"type": "security_exception", "reason": "unable to authenticate user [p]"}, "status": 401}',
)
FORBIDDEN: Reply = (
    403,
    "application/json",
    b'{"error": {"type": "security_exception", "reason": "action [x] is unauthorized for user [p]"}, "status": 403}',
)
SECRET = "wrong"
LOCALHOST, ELSEWHERE = "IP:127.0.0.1", "DNS:es.example.org"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority that signed the nodes' certificates."""
    return make_authority(tmp_path_factory.mktemp("tls"), "ca")


def command_problem(settings: Elasticsearch) -> Problem:
    """What a command says."""
    with pytest.raises(Problem) as caught, session(settings) as connected:
        Search(connected).refresh("perf-runs-*")
    return caught.value


def worker_words(settings: Elasticsearch) -> str:
    """What a worker says before `Trying again in …`."""
    store = ElasticsearchStore(client(settings))
    with pytest.raises((Unavailable, ServiceBlocked)) as caught:
        store.bulk([index("i", "1", 1, "{}")])
    return str(caught.value)


UNSIGNED = "its certificate is signed by nobody that is trusted here"


@pytest.mark.parametrize(
    ("certificate", "ca_name", "words", "remedy"),
    [
        ((2, LOCALHOST), None, UNSIGNED, "`elasticsearch.ca_certs`"),
        ((2, LOCALHOST), "other", UNSIGNED, "`elasticsearch.ca_certs`"),
        ((-1, LOCALHOST), "ca", "its certificate has expired", "Renew the server's certificate"),
        ((2, ELSEWHERE), "ca", "its certificate is for another host name", "`elasticsearch.url`"),
    ],
    ids=["no authority", "another authority", "expired", "another host"],
)
def test_a_certificate_that_does_not_hold_is_named_with_its_fault(
    authority: Path, certificate: tuple[int, str], ca_name: str | None, words: str, remedy: str
) -> None:
    """A command ends with 69, a worker waits; both say what is wrong with the certificate and what to do."""
    make_authority(authority.parent, "other")
    ca_certs = str(authority.with_name(f"{ca_name}.pem")) if ca_name else None
    with http_node(make_certificate(authority, "node", *certificate)) as node:
        settings = Elasticsearch(url=(node.address,), ca_certs=ca_certs)
        problem, waiting = command_problem(settings), worker_words(settings)

    assert problem.exit_code == ExitCode.UNAVAILABLE
    assert problem.message.startswith(f"Elasticsearch at {node.address} cannot be used: {words}")
    assert remedy in problem.remedy
    assert words in waiting
    assert remedy in waiting


def test_a_certificate_that_holds_is_no_fault(authority: Path) -> None:
    """The node behind TLS is used as any other, also beside one that is away."""
    certificate = make_certificate(authority, "good", 2, LOCALHOST)
    with http_node(certificate) as node, gone_node() as address:
        for urls in ((node.address,), (node.address, address.replace("http:", "https:"))):
            with session(Elasticsearch(url=urls, ca_certs=str(authority))) as connected:
                Search(connected).refresh("perf-runs-*")

    assert node.requests == ["POST /perf-runs-*/_refresh"] * 2


def test_https_to_a_port_without_tls_says_so() -> None:
    """The remedy names http://."""
    with http_node() as node:
        settings = Elasticsearch(url=(node.address.replace("http:", "https:"),))
        problem, waiting = command_problem(settings), worker_words(settings)

    assert "it speaks no TLS at this port" in problem.message
    assert "`http://`" in problem.remedy
    assert "it speaks no TLS at this port" in waiting


def test_http_to_a_port_with_tls_says_so(authority: Path) -> None:
    """A server with TLS closes the connection, as Elasticsearch does, or sends an alert: the remedy names https://."""
    closing = raw_server(lambda connection: connection.close() if connection.recv(65536) else None)
    with closing as closed, http_node(make_certificate(authority, "tls", 2, LOCALHOST)) as node:
        for address in (f"http://{closed}", node.address.replace("https:", "http:")):
            settings = Elasticsearch(url=(address,))
            problem, waiting = command_problem(settings), worker_words(settings)

            assert f"Elasticsearch at {address} does not answer" in problem.message
            assert "`https://`" in problem.remedy
            assert "`https://`" in waiting

        with_tls = command_problem(Elasticsearch(url=(f"https://{closed}",)))

    assert f"Elasticsearch at https://{closed} " in with_tls.message
    assert "closes the connection" in with_tls.message
    assert "`https://`" not in with_tls.remedy


def test_a_file_of_authorities_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    """Missing, or no certificate: 78, with the key and the file, before anything is sent."""
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")
    for path, words in ((tmp_path / "nowhere.pem", "No such file"), (empty, "no certificate"), (tmp_path, "directory")):
        with pytest.raises(Problem) as caught:
            client(Elasticsearch(url=("https://127.0.0.1:9",), ca_certs=str(path)))

        assert caught.value.exit_code == ExitCode.CONFIG
        assert caught.value.message.startswith(f"`elasticsearch.ca_certs`: {path} ")
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("answer", "words", "remedy"),
    [
        (UNAUTHORIZED, "does not accept who asks: security_exception: unable to authenticate user [p].", "`password`"),
        (FORBIDDEN, "denies it: security_exception: action [x] is unauthorized for user [p].", "the right"),
    ],
)
def test_a_wrong_password_and_a_missing_right_are_two_things(answer: Reply, words: str, remedy: str) -> None:
    """401 and 403: both end a command with 77, and make a worker wait for an operator."""
    with http_node(reply=lambda method, path: answer) as node:
        settings = Elasticsearch(url=(node.address,), user="p", password=SECRET)
        problem, waiting = command_problem(settings), worker_words(settings)

    assert problem.exit_code == ExitCode.NO_PERMISSION
    assert words in problem.message
    assert remedy in problem.remedy
    assert waiting.startswith(f"Elasticsearch: {answer[0]}: security_exception: ")


def test_a_proxys_page_is_one_line() -> None:
    """Status and title, no HTML: for a command with a remedy, in a worker's wait without."""
    with http_node(reply=lambda method, path: PAGE) as node:
        settings = Elasticsearch(url=(node.address,))
        problem, waiting = command_problem(settings), worker_words(settings)

    assert problem.message == f"Elasticsearch at {node.address} refuses: 502 Bad Gateway (a page of HTML)."
    assert "proxy" in problem.remedy
    assert waiting == "Elasticsearch: 502 Bad Gateway (a page of HTML)"


def test_what_is_no_elasticsearch_says_so() -> None:
    """Another server's page at the address: no title of it makes it Elasticsearch."""
    page: Reply = (200, "text/html", b"<html><title>Welcome to nginx!</title></html>")
    broken: Reply = (200, "application/json", b"{")
    with http_node(reply=lambda method, path: page) as node:
        problem = command_problem(Elasticsearch(url=(node.address,)))
        node.reply = lambda method, path: broken
        no_json = command_problem(Elasticsearch(url=(node.address,)))

    assert "200 Welcome to nginx! (a page of HTML)" in problem.message
    assert no_json.message == f"Elasticsearch at {node.address} does not answer in JSON."


def test_each_node_has_its_own_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """One refuses connections, one is frozen: both are named with what they do."""
    monkeypatch.setattr("ingest.edge.elasticsearch.nodes.failover.PROBE_TIMEOUT_S", 0.1)
    with gone_node() as gone, frozen_node() as frozen:
        settings = Elasticsearch(url=(gone, frozen), timeout_s=0.1)
        problem, waiting = command_problem(settings), worker_words(settings)
    unknown = command_problem(Elasticsearch(url=("http://es.invalid:9200",)))

    for words in (problem.message, waiting):
        assert f"at {gone} does not answer (connection refused)" in words
        assert f"at {frozen} gives no answer in time" in words
    assert "its host name is not known" in unknown.message
