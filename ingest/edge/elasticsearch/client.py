"""Builds a client from the settings and translates its errors.

The client's own retries are off: only `perflog run` retries. The one exception is a search of an index that is just
being created: its shards are not started for a moment, which is not a failure.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from elastic_transport import NdjsonSerializer, ObjectApiResponse, TransportError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import ApiError, OrjsonSerializer
from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.model import ExitCode, Problem
from ingest.edge.errors import RequestTooLarge, ServiceBlocked, Unavailable

BUSY = (429, 500, 502, 503, 504)
TOO_LARGE = 413
DENIED = (401, 403)
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
    try:
        return _Client(
            list(settings.url),
            api_key=settings.api_key,
            basic_auth=None if settings.api_key else basic,
            ca_certs=settings.ca_certs or DEFAULT,
            request_timeout=settings.timeout_s,
            connections_per_node=connections,
            max_retries=0,
            retry_on_timeout=False,
            serializers={OrjsonSerializer.mimetype: OrjsonSerializer(), _Lines.mimetype: _Lines()},
        )
    except (ValueError, TypeError, OSError) as error:
        raise Problem(
            f"The section [elasticsearch] of the settings does not work: {error}.", "Correct it there.", ExitCode.CONFIG
        ) from error


@contextmanager
def raising_problems(settings: Elasticsearch) -> Iterator[None]:
    """Turn the client's exceptions into a `Problem`, for interactive commands."""
    where = ", ".join(settings.url)
    try:
        yield
    except TransportError as error:
        raise Problem(
            f"Elasticsearch at {where} does not answer ({type(error).__name__}).",
            "Is it up (`perflog stack status`), and are `elasticsearch.url` and `ca_certs` right?",
            ExitCode.UNAVAILABLE,
        ) from error
    except ApiError as error:
        if error.status_code in DENIED:
            remedy = "Give the API key or user of [elasticsearch] the right."
            raise Problem(
                f"Elasticsearch at {where} denies it: {described(error)}.", remedy, ExitCode.NO_PERMISSION
            ) from error
        raise Problem(f"Elasticsearch at {where} refuses: {described(error)}.", "", ExitCode.UNAVAILABLE) from error


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
        _drop_tracebacks(error)
        raise Unavailable(f"Elasticsearch: {type(error).__name__}: {error.message}") from error
    except ApiError as error:
        if error.status_code in BUSY:
            raise Unavailable(f"Elasticsearch: {error.status_code}: {described(error)}") from error
        if error.status_code == TOO_LARGE:
            raise RequestTooLarge(described(error)) from error
        raise ServiceBlocked(f"Elasticsearch: {error.status_code}: {described(error)}") from error


def _drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an error and of its causes: elastic-transport keeps them in a reference cycle.

    Each traceback holds its request: megabytes that only the garbage collector would free, and a worker collects
    rarely. While Elasticsearch is down, every attempt would leak one.
    """
    due: list[BaseException | None] = [error]
    while due:
        if (cause := due.pop()) is not None and cause.__traceback__ is not None:
            cause.__traceback__ = None
            due += [cause.__cause__, cause.__context__, *getattr(cause, "errors", ())]


def described(error: ApiError) -> str:
    """Return the server's error type and reason in one line."""
    body = error.body if isinstance(error.body, dict) else {}
    cause = body.get("error", error.message)
    return f"{cause.get('type')}: {cause.get('reason')}" if isinstance(cause, dict) else str(cause)
