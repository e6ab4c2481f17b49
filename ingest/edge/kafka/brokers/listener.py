"""Asks a port of a broker which security protocol it speaks, to say what is wrong after a connection was broken off.

A broker that is addressed by another protocol than its own closes the connection without a word. A SASL handshake with
a mechanism that nobody has is answered by every listener of Kafka, before and without any authentication: with the
mechanisms of the listener, or with the error that it has no SASL. It is sent by hand, as plain bytes, then by TLS.
"""

import socket
import ssl
import struct
from contextlib import suppress
from typing import NamedTuple

TIMEOUT_S = 2.0
ANSWER_MOST_BYTES = 64 * 1024
NO_SASL, UNKNOWN_MECHANISM = 34, 33  # Kafka's error codes
_CLIENT, _MECHANISM = b"perflog", b"?"
# SaslHandshake (17), version 1, correlation 0.
_REQUEST = struct.pack(f">hhih{len(_CLIENT)}sh{len(_MECHANISM)}s", 17, 1, 0, len(_CLIENT), _CLIENT, 1, _MECHANISM)


class Listener(NamedTuple):
    """The security protocol of a port, and the mechanisms of SASL that it takes."""

    protocol: str
    mechanisms: tuple[str, ...] = ()


def ask(host: str, port: int, timeout_s: float = TIMEOUT_S) -> Listener | None:
    """Return what the port speaks; None if nobody there answers as a broker does.

    Asks twice; connecting, the handshake of TLS and the answer may each take `timeout_s`.
    """
    for by_tls in (False, True):
        with suppress(OSError, struct.error, UnicodeDecodeError), _connection(host, port, timeout_s, by_tls) as opened:
            opened.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            with opened.makefile("rb") as stream:
                (size_bytes,) = struct.unpack(">i", stream.read(4))
                answer = stream.read(min(max(size_bytes, 0), ANSWER_MOST_BYTES))
            return _listener(answer, "SSL" if by_tls else "PLAINTEXT")
    return None


def _connection(host: str, port: int, timeout_s: float, by_tls: bool) -> socket.socket:
    opened = socket.create_connection((host, port), timeout=timeout_s)
    if not by_tls:
        return opened
    # Any certificate will do: nothing but the question above is sent, and the answer is only shown to a person.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return context.wrap_socket(opened, server_hostname=host)
    except BaseException:
        opened.close()
        raise


def _listener(answer: bytes, transport: str) -> Listener:
    """Read the answer; `struct.error` if it is none of Kafka's."""
    correlation, error, count = struct.unpack_from(">ihi", answer)
    if correlation != 0 or error not in (NO_SASL, UNKNOWN_MECHANISM):
        raise struct.error("no answer to this request")
    if error == NO_SASL:
        return Listener(transport)
    position, mechanisms = 10, []
    for _ in range(count):
        (length_bytes,) = struct.unpack_from(">H", answer, position)
        mechanisms.append(answer[position + 2 : position + 2 + length_bytes].decode())
        position += 2 + length_bytes
    return Listener("SASL_SSL" if transport == "SSL" else "SASL_PLAINTEXT", tuple(mechanisms))
