"""A client comes to know the cluster through a broker that answers, and an error names those that do not."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ingest.config.settings import Kafka
from ingest.edge.kafka.brokers.bootstrap import bootstrap_servers, silent_brokers
from ingest.edge.kafka.client import unreachable
from tests.support.http_nodes import frozen_node, gone_node, make_authority, make_certificate, raw_server

TIMEOUT_S = 1.0
ROUNDS = 4


@contextmanager
def broker(
    answer: bytes = b"\0\0\0\4\0\0\0\0", wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain
) -> Iterator[str]:
    """Something that answers each connection by these bytes, and closes it; no bytes: it only closes it."""

    def serve(connection: socket.socket) -> None:
        with wrap(connection) as spoken:
            spoken.recv(100)
            spoken.sendall(answer)

    with raw_server(serve) as address:
        yield address


@pytest.fixture
def addresses() -> Iterator[tuple[str, str, str]]:
    """Of a broker that is frozen, of one that is gone, and of one that answers."""
    with ExitStack() as stack:
        frozen, gone = (stack.enter_context(node()).removeprefix("http://") for node in (frozen_node, gone_node))
        yield frozen, gone, stack.enter_context(broker())


def test_a_broker_that_answers_is_taken(addresses: tuple[str, str, str]) -> None:
    """However the addresses are ordered, and however often one asks."""
    frozen, gone, good = addresses
    for order in ((frozen, gone, good), (good, gone, frozen), (gone, good)):
        for _ in range(ROUNDS):
            assert bootstrap_servers(Kafka(bootstrap=order), timeout_s=TIMEOUT_S) == [good]


def test_one_address_is_not_asked_and_no_answer_keeps_them_all(addresses: tuple[str, str, str]) -> None:
    """There is nothing to choose: kafka-python tries, and its error says why."""
    frozen, gone, _ = addresses

    assert bootstrap_servers(Kafka(bootstrap=(frozen,)), timeout_s=TIMEOUT_S) == [frozen]
    assert bootstrap_servers(Kafka(bootstrap=(frozen, gone)), timeout_s=TIMEOUT_S) == [frozen, gone]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\0\2\2\x46"])
def test_any_answer_is_one(answer: bytes) -> None:
    """A closed connection, another protocol, an alert of TLS: kafka-python can say what is wrong with it."""
    with broker(answer) as odd, frozen_node() as frozen:
        kafka = Kafka(bootstrap=(frozen.removeprefix("http://"), odd))
        assert bootstrap_servers(kafka, timeout_s=TIMEOUT_S) == [odd]


def test_with_tls_the_handshake_is_the_answer(tmp_path: Path) -> None:
    """A frozen broker accepts the connection and shakes no hands; whose certificate it is does not matter here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(make_authority(tmp_path, "ca"), "broker", -1, "DNS:elsewhere"))
    with frozen_node() as address, broker(wrap=lambda plain: context.wrap_socket(plain, server_side=True)) as good:
        frozen = address.removeprefix("http://")
        kafka = Kafka(bootstrap=(frozen, good), protocol="SASL_SSL")
        assert bootstrap_servers(kafka, timeout_s=TIMEOUT_S) == [good]
        assert silent_brokers(kafka, timeout_s=TIMEOUT_S) == [frozen]


def test_an_error_names_the_brokers_that_do_not_answer(
    addresses: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frozen one and the one that is gone, not the one that answers; all if it is none of them."""
    frozen, gone, good = addresses
    monkeypatch.setattr("ingest.edge.kafka.brokers.bootstrap.ANSWER_TIMEOUT_S", TIMEOUT_S)

    assert silent_brokers(Kafka(bootstrap=(frozen, good)), [gone, good], TIMEOUT_S) == [frozen, gone]
    assert f"Kafka at {frozen}, {gone} does not answer" in unreachable(Kafka(bootstrap=addresses), OSError()).message
    assert f"Kafka at {good}, {good} does" in unreachable(Kafka(bootstrap=(good, good)), OSError()).message


def test_ports_and_names_are_read_as_kafka_writes_them() -> None:
    """An address of version 6 stands in brackets; what is none does not answer."""
    assert silent_brokers(Kafka(bootstrap=("[::1]:1", "no.such.host.invalid:1", "127.0.0.1:x"))) == [
        "[::1]:1",
        "no.such.host.invalid:1",
        "127.0.0.1:x",
    ]
