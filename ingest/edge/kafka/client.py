"""Builds kafka-python's configuration from the settings and translates its errors."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import errors

from ingest.config.settings import Kafka
from ingest.core.model import ExitCode, Problem
from ingest.edge.errors import Fenced, RequestTooLarge, Unavailable
from ingest.edge.kafka.bootstrap import bootstrap_servers, silent_brokers

BOOTSTRAP_TIMEOUT_MS = 10_000
RECONNECT_MOST_MS = 2000  # with kafka-python's 30 s a broker that is back stays unused for half a minute
ENVELOPE_BYTES = 64 * 1024  # key, headers and batch frame around a message; topics accept this much more than a message

_LOST_GROUP = (
    errors.CommitFailedError,
    errors.RebalanceInProgressError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
    errors.FencedInstanceIdError,
)
_DENIED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.SaslAuthenticationFailedError,
)

# One broker did not answer: another one may.
SILENT = (
    errors.KafkaConnectionError,
    errors.KafkaTimeoutError,
    errors.NodeNotReadyError,
    errors.RequestTimedOutError,
)


def client_configuration(kafka: Kafka) -> dict[str, Any]:
    """Return the configuration that consumer, producer and admin client share."""
    configuration: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers(kafka),
        "client_id": f"perflog-{socket.gethostname()}",
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "security_protocol": kafka.protocol,
        "reconnect_backoff_max_ms": RECONNECT_MOST_MS,
    }
    optional = {
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.user,
        "sasl_plain_password": kafka.password,
        "ssl_cafile": kafka.ca_file,
    }
    return configuration | {key: value for key, value in optional.items() if value is not None}


def unreachable(kafka: Kafka, error: Exception) -> Problem:
    """Return the `Problem` that Kafka does not answer, with what to check; it names the brokers that are silent now."""
    silent = silent_brokers(kafka) if len(kafka.bootstrap) > 1 else ()
    return Problem(
        f"Kafka at {', '.join(silent or kafka.bootstrap)} does not answer ({type(error).__name__}).",
        "Is the broker up (`perflog stack status`), and are `kafka.bootstrap` and its security settings right?",
        ExitCode.UNAVAILABLE,
    )


@contextmanager
def raising_problems(kafka: Kafka) -> Iterator[None]:
    """Turn kafka-python's exceptions into a `Problem`, for interactive commands."""
    try:
        yield
    except _DENIED as error:
        raise Problem(
            f"Kafka denies access: {error}.", "Grant the user of `kafka.user` the permission.", ExitCode.NO_PERMISSION
        ) from error
    except (*SILENT, OSError) as error:
        raise unreachable(kafka, error) from error
    except errors.KafkaConfigurationError as error:
        raise Problem(
            f"The section [kafka] of the settings does not work: {error}.", "Correct it there.", ExitCode.CONFIG
        ) from error
    except (errors.KafkaError, Fenced, RequestTooLarge, Unavailable) as error:
        raise Problem(f"Kafka refuses: {error}.", "", ExitCode.UNAVAILABLE) from error


@contextmanager
def raising_port_errors() -> Iterator[None]:
    """Turn kafka-python's exceptions into the port errors of edge/errors.py, for loops that retry."""
    try:
        yield
    except _LOST_GROUP as error:
        raise Fenced(f"{type(error).__name__}: {error}") from error
    except _DENIED as error:
        raise Problem(
            f"Kafka denies access: {error}.", "Grant the user of `kafka.user` the permission.", ExitCode.NO_PERMISSION
        ) from error
    except errors.MessageSizeTooLargeError as error:
        raise RequestTooLarge(str(error)) from error
    except (errors.KafkaError, OSError) as error:
        raise Unavailable(f"Kafka: {type(error).__name__}: {error}") from error
