"""From settings to a client, and from its errors to ours. The client's own retries are off: `run` alone tries again.

But for a search of an index that somebody else is just making: it has no shard for a moment, which is no failure.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from elastic_transport import NdjsonSerializer, ObjectApiResponse, TransportError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import ApiError, OrjsonSerializer
from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.model import Problem
from ingest.edge.errors import RequestTooLarge, ServiceBlocked, Unavailable

BUSY = (429, 500, 502, 503, 504)
TOO_LARGE = 413
DENIED = (401, 403)
NO_SHARD, STARTING_S, PAUSE_S = 503, 5.0, 0.1
T = TypeVar("T")


class _Lines(NdjsonSerializer):
    """Bodies of bulk requests go as they are: the client's own way copies these megabytes twice."""

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) and data.endswith(b"\n") else super().dumps(data)


class _Client(Client):
    """Searches and counts wait for shards that start."""

    def search(self, **asked: Any) -> ObjectApiResponse[Any]:
        """As the client's."""
        return once_started(lambda: super(_Client, self).search(**asked), STARTING_S)

    def count(self, **asked: Any) -> ObjectApiResponse[Any]:
        """As the client's."""
        return once_started(lambda: super(_Client, self).count(**asked), STARTING_S)


def once_started(ask: Callable[[], T], most_s: float) -> T:
    """The answer to a search, when the shards of an index that is just being made have started; waits so long."""
    deadline = time.monotonic() + most_s
    while True:
        try:
            return ask()
        except ApiError as error:
            if error.status_code != NO_SHARD or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def client(settings: Elasticsearch, connections: int = 1) -> Client:
    """A client for the cluster in the settings, for so many threads at a time; nothing is sent yet."""
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
            f"The section [elasticsearch] of the settings does not work: {error}.", "Correct it there.", 78
        ) from error


@contextmanager
def raising_problems(settings: Elasticsearch) -> Iterator[None]:
    """Turn what the client raises into a `Problem`, for commands that a person waits for."""
    where = ", ".join(settings.url)
    try:
        yield
    except TransportError as error:
        raise Problem(
            f"Elasticsearch at {where} does not answer ({type(error).__name__}).",
            "Is it up (`perflog stack status`), and are `elasticsearch.url` and `ca_certs` right?",
            69,
        ) from error
    except ApiError as error:
        if error.status_code in DENIED:
            remedy = "Give the API key or user of [elasticsearch] the right."
            raise Problem(f"Elasticsearch at {where} denies it: {described(error)}.", remedy, 77) from error
        raise Problem(f"Elasticsearch at {where} refuses: {described(error)}.", "", 69) from error


@contextmanager
def raising_port_errors() -> Iterator[None]:
    """Turn what the client raises into the errors of ports, for loops that try again."""
    try:
        yield
    except TransportError as error:
        _let_go(error)
        raise Unavailable(f"Elasticsearch: {type(error).__name__}: {error.message}") from error
    except ApiError as error:
        if error.status_code in BUSY:
            raise Unavailable(f"Elasticsearch: {error.status_code}: {described(error)}") from error
        if error.status_code == TOO_LARGE:
            raise RequestTooLarge(described(error)) from error
        raise ServiceBlocked(f"Elasticsearch: {error.status_code}: {described(error)}") from error


def _let_go(error: BaseException) -> None:
    """Part an error, and those before it, from the calls it went through: elastic-transport keeps them in a cycle.

    Each holds its request, megabytes that nothing but a collection would free, and a worker collects seldom: while
    Elasticsearch was away, every attempt would leave one behind.
    """
    due: list[BaseException | None] = [error]
    while due:
        if (one := due.pop()) is not None and one.__traceback__ is not None:
            one.__traceback__ = None
            due += [one.__cause__, one.__context__, *getattr(one, "errors", ())]


def described(error: ApiError) -> str:
    """The server's own words, short."""
    body = error.body if isinstance(error.body, dict) else {}
    cause = body.get("error", error.message)
    return f"{cause.get('type')}: {cause.get('reason')}" if isinstance(cause, dict) else str(cause)
