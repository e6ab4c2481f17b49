"""Chooses the address by which a client comes to know the cluster: that of a broker that answers.

kafka-python asks one address at random and waits for it until its whole time is up. A broker that is frozen accepts
the connection and stays silent, so one of three would make every third command fail while the other two answer.
"""

import random
import socket
import ssl
import struct
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ingest.config.settings import Kafka

ANSWER_TIMEOUT_S = 2.0
_API_VERSIONS = 18
# Version 0 has no body, and a broker answers it before it asks for a password.
_REQUEST = struct.pack(">hhih7s", _API_VERSIONS, 0, 0, 7, b"perflog")


# A command opens several clients: all but the first ask the address that answered before.
_ANSWERED: dict[tuple[str, ...], str] = {}


def bootstrap_servers(
    kafka: Kafka, trust: ssl.SSLContext | None = None, timeout_s: float = ANSWER_TIMEOUT_S
) -> list[str]:
    """Return one address at which a broker answers; all of them if there is one only, or if none answers.

    With TLS, `trust` is what the client trusts: a broker whose certificate does not pass is not chosen.
    """
    if len(kafka.bootstrap) == 1:
        return list(kafka.bootstrap)
    last = _ANSWERED.get(kafka.bootstrap)
    in_random_order = random.sample(kafka.bootstrap, len(kafka.bootstrap))
    for address in sorted(in_random_order, key=lambda address: address != last):
        if _answers(kafka, address, timeout_s, trust):
            _ANSWERED[kafka.bootstrap] = address
            return [address]
    return list(kafka.bootstrap)


def silent_brokers(kafka: Kafka, known: Iterable[str] = (), timeout_s: float = ANSWER_TIMEOUT_S) -> list[str]:
    """Return at which addresses no broker answers: of the settings, and `known` ones besides; asks all at once."""
    addresses = list(dict.fromkeys([*kafka.bootstrap, *known]))
    with ThreadPoolExecutor(len(addresses)) as pool:
        answers = list(pool.map(lambda address: _answers(kafka, address, timeout_s), addresses))
    return [address for address, answer in zip(addresses, answers, strict=True) if not answer]


def _answers(kafka: Kafka, address: str, timeout_s: float, trust: ssl.SSLContext | None = None) -> bool:
    """Whether something at the address answers in time, whatever it says: kafka-python judges the answer.

    With `trust`, its certificate has to pass too.
    """
    name, _, port = address.rpartition(":")
    host = name.strip("[]")
    try:
        with socket.create_connection((host, int(port)), timeout_s) as connection:
            connection.settimeout(timeout_s)
            if kafka.protocol.endswith("SSL"):
                return _answers_tls(connection, host, trust or _trust_all())
            return _answers_request(connection)
    except (OSError, ValueError):
        return False


def _answers_request(connection: socket.socket) -> bool:
    connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
    try:
        connection.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True  # it closes the connection, which only a process that runs can do
    return True


def _answers_tls(connection: socket.socket, host: str, trust: ssl.SSLContext) -> bool:
    try:
        trust.wrap_socket(connection, server_hostname=host).close()
    except (TimeoutError, ssl.SSLCertVerificationError):
        return False
    except OSError:
        return True
    return True


def _trust_all() -> ssl.SSLContext:
    # Nothing is sent over it but the handshake, so whose certificate it is does not matter.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
