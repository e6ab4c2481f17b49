"""What a port speaks: nothing that it answers breaks the question, or makes it last (a broker: test_connections.py)."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ingest.edge.kafka.brokers import listener

ACCEPTED_AT_MOST = 2  # once as plain bytes, once by TLS


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that answers each connection with these bytes, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_all() -> None:
            for _ in range(ACCEPTED_AT_MOST):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def framed(error: int, *names: bytes, count: int | None = None, correlation: int = 0) -> bytes:
    """An answer to the SASL handshake."""
    listed = b"".join(struct.pack(">H", len(name)) + name for name in names)
    body = struct.pack(">ihi", correlation, error, len(names) if count is None else count) + listed
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(
    ("answer", "spoken"),
    [
        (framed(33, b"PLAIN", b"GSSAPI"), listener.Listener("SASL_PLAINTEXT", ("PLAIN", "GSSAPI"))),
        (framed(34), listener.Listener("PLAINTEXT")),
        (framed(34, correlation=7), None),
        (framed(0), None),
        (framed(33, b"PLAIN", count=2**31 - 1), None),
        (framed(33, b"\xff"), None),
        (framed(33)[:9], None),
        (struct.pack(">i", -5), None),
        (struct.pack(">i", 2**31 - 1) + bytes(100), None),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", None),
        (b"\x15\x03\x03\x00\x02\x02\x50", None),
        (b"", None),
    ],
)
def test_an_answer_is_a_listener_or_nothing(answer: bytes, spoken: listener.Listener | None) -> None:
    """An answer of Kafka's is read; any other, and one that is cut or lies about its size, is none."""
    with answering(answer) as port:
        assert listener.ask("127.0.0.1", port) == spoken


def test_who_never_answers_is_no_listener() -> None:
    """The question ends by its own time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert listener.ask("127.0.0.1", silent.getsockname()[1], timeout_s=0.05) is None
