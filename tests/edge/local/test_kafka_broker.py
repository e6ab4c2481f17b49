"""When a broker counts as answering; the real one answers in test_stack, here are those that do not."""

import socket
import threading

import pytest

from ingest.edge.local import kafka_broker

_OTHER_BROKER = b"\0\0\0\0" + b"\0\0\0\1" + b"\0\0\0\1" + b"\0\1h" + b"\0\0\0\7" + b"\xff\xff" + b"\0\0\0\1\0\0\0\0"


def test_a_closed_port_does_not_answer() -> None:
    """At once, not after a time-out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert not kafka_broker.answers(port)


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\x08\0\0\0\0\0\0\0\0",
        b"\0\0\0\x08\0\0\0\0\0\0\0\1",
        len(_OTHER_BROKER).to_bytes(4) + _OTHER_BROKER,
    ],
    ids=["hangs up", "half a length", "no Kafka", "no broker yet", "cut short", "another broker"],
)
def test_an_open_port_alone_is_no_answer(reply: bytes) -> None:
    """Something listens, but no broker that names itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(reply)

        other = threading.Thread(target=answer)
        other.start()
        assert not kafka_broker.answers(server.getsockname()[1])
        other.join()
