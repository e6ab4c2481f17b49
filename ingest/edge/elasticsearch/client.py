"""Builds a client from the settings and translates its errors.

Only `perflog run` retries: a request that fails goes to another node where one answers (nodes/failover.py), never to
the same one again. The one exception is a search of an index that is just being created: its shards are not started for
a moment, which is not a failure.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

from elastic_transport import NdjsonSerializer, ObjectApiResponse, TransportError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import ApiError, OrjsonSerializer, UnsupportedProductError
from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.nodes.failover import CUT_OFF, AnsweringNodes, FailoverTransport
from ingest.edge.elasticsearch.nodes.faults import failure_words
from ingest.edge.errors import RequestTooLarge, ServiceBlocked, Unavailable
from ingest.edge.http.bodies import error_line, one_line
from ingest.edge.http.causes import drop_tracebacks

BUSY = (429, 500, 502, 503, 504)
TOO_LARGE = 413
DENIED = {
    401: "Correct `api_key`, or `user` and `password`, in [elasticsearch].",
    403: "Give the API key or user of [elasticsearch] the right.",
}
REASON_CHARACTERS = 1000
NO_SHARD, STARTING_S, PAUSE_S = 503, 5.0, 0.1
T = TypeVar("T")


class _Lines(NdjsonSerializer):
    """Passes bulk bodies through as they are; the client's own serializer would copy these megabytes twice."""

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) and data.endswith(b"\n") else super().dumps(data)


class _Client(Client):
    """A client whose searches and counts wait for shards that are starting."""

    def search(self, **request: Any) -> ObjectApiResponse[Any]:
        """Search, waiting for shards that are starting."""
        return once_started(lambda: super(_Client, self).search(**request), STARTING_S)

    def count(self, **request: Any) -> ObjectApiResponse[Any]:
        """Count, waiting for shards that are starting."""
        return once_started(lambda: super(_Client, self).count(**request), STARTING_S)


def once_started(search: Callable[[], T], most_s: float) -> T:
    """Run a search, repeating it for up to `most_s` seconds while the shards of a new index are starting."""
    deadline = time.monotonic() + most_s
    while True:
        try:
            return search()
        except ApiError as error:
            if error.status_code != NO_SHARD or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def client(settings: Elasticsearch, connections: int = 1) -> Client:
    """Build a client for the cluster in the settings, for `connections` concurrent threads; sends nothing yet."""
    basic = (settings.user, settings.password or "") if settings.user else None
    _demand_certificates(settings)
    try:
        return _Client(
            list(settings.url),
            api_key=settings.api_key,
            basic_auth=None if settings.api_key else basic,
            ca_certs=settings.ca_certs or DEFAULT,
            request_timeout=settings.timeout_s,
            connections_per_node=connections,
            transport_class=FailoverTransport,
            node_pool_class=AnsweringNodes,
            serializers={OrjsonSerializer.mimetype: OrjsonSerializer(), _Lines.mimetype: _Lines()},
        )
    except (ValueError, TypeError, OSError) as error:
        raise Problem(
            f"The section [elasticsearch] of the settings does not work: {error}.", "Correct it there.", ExitCode.CONFIG
        ) from error


def _demand_certificates(settings: Elasticsearch) -> None:
    """Raise a `Problem` (78) if `ca_certs` names a file without certificates."""
    if settings.ca_certs is None:
        return
    try:
        ssl.create_default_context(cafile=settings.ca_certs)
    except OSError as error:  # an SSLError is one
        why = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
        raise Problem(
            f"`elasticsearch.ca_certs`: {settings.ca_certs} {why}.",
            "Name a PEM file with the authority's certificate.",
            ExitCode.CONFIG,
        ) from error


@contextmanager
def raising_problems(settings: Elasticsearch) -> Iterator[None]:
    """Turn the client's exceptions into a `Problem`, for interactive commands."""
    where = ", ".join(settings.url)
    try:
        yield
    except TransportError as error:
        fault = failure_words(error)
        remedy = fault.remedy or "Is it up (`perflog stack status`), and is `elasticsearch.url` right?"
        raise Problem(f"{fault.words}.", remedy, ExitCode.UNAVAILABLE) from error
    except UnsupportedProductError as error:
        what = f"What answers at {where} is not Elasticsearch: {described(error)}."
        raise Problem(what, "Is `elasticsearch.url` right?", ExitCode.UNAVAILABLE) from error
    except ApiError as error:
        if error.status_code in DENIED:
            verb = "denies it" if error.status_code == HTTPStatus.FORBIDDEN else "does not accept who asks"
            what = f"Elasticsearch at {where} {verb}: {described(error)}."
            raise Problem(what, DENIED[error.status_code], ExitCode.NO_PERMISSION) from error
        behind_proxy = error.status_code in CUT_OFF and not isinstance(error.body, dict)
        remedy = "A proxy says so: is Elasticsearch up behind it?" if behind_proxy else ""
        raise Problem(f"Elasticsearch at {where} refuses: {described(error)}.", remedy, ExitCode.UNAVAILABLE) from error


@contextmanager
def session(settings: Elasticsearch) -> Iterator[Client]:
    """Open a client for an interactive command; its exceptions become a `Problem`, and it is closed at the end.

    The `Problem` says 69 if Elasticsearch does not answer, and 77 if it denies access.
    """
    connected = client(settings)
    with raising_problems(settings), closing(connected):
        yield connected


@contextmanager
def raising_port_errors() -> Iterator[None]:
    """Turn the client's exceptions into the port errors of edge/errors.py, for loops that retry."""
    try:
        yield
    except TransportError as error:
        drop_tracebacks(error)
        fault = failure_words(error)
        raise Unavailable(f"{fault.words}. {fault.remedy}".rstrip(" .")) from error
    except ApiError as error:
        if error.status_code in BUSY:
            raise Unavailable(f"Elasticsearch: {_status_and_reason(error)}") from error
        if error.status_code == TOO_LARGE:
            raise RequestTooLarge(described(error)) from error
        raise ServiceBlocked(f"Elasticsearch: {_status_and_reason(error)}") from error


def _status_and_reason(error: ApiError) -> str:
    words = described(error)
    return words if words.startswith(str(error.status_code)) else f"{error.status_code}: {words}"


def described(error: ApiError) -> str:
    """Return the server's error type and reason in one line; of a page of HTML the status and the title."""
    if not isinstance(error.body, dict):
        return error_line(error.status_code, str(error.body or ""))
    cause = error.body.get("error", error.message)
    words = f"{cause.get('type')}: {cause.get('reason')}" if isinstance(cause, dict) else str(cause)
    return one_line(words, REASON_CHARACTERS)
