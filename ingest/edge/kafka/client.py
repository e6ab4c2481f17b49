"""Builds kafka-python's configuration from the settings and translates its errors."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from kafka import errors

from ingest.config.settings import Kafka
from ingest.core.model import ExitCode, Problem
from ingest.edge.errors import Fenced, RequestTooLarge, ServiceBlocked, Unavailable
from ingest.edge.kafka.brokers.bootstrap import bootstrap_servers, silent_brokers
from ingest.edge.kafka.brokers.failures import Address, BrokerRefused, NoBrokerAnswers, refusal
from ingest.edge.kafka.rights import Right, denied_rights, missing

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
_LIBRARIES = {"GSSAPI": "gssapi", "AWS_MSK_IAM": "botocore"}  # what kafka-python imports for a mechanism

# One broker did not answer: another one may.
SILENT = (
    errors.KafkaConnectionError,
    errors.KafkaTimeoutError,
    errors.NodeNotReadyError,
    errors.RequestTimedOutError,
)


def client_configuration(kafka: Kafka) -> dict[str, Any]:
    """Return the configuration that consumer, producer and admin client share.

    `Problem` (78) if a file that it names cannot be used, or the library of a mechanism is missing.
    """
    trust = _tls(kafka) if kafka.protocol.endswith("SSL") else None
    _demand_library(kafka)
    configuration: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers(kafka, trust),
        "client_id": f"perflog-{socket.gethostname()}",
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "security_protocol": kafka.protocol,
        "reconnect_backoff_max_ms": RECONNECT_MOST_MS,
    }
    optional = {
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.user,
        "sasl_plain_password": kafka.password,
        "ssl_context": trust,
    }
    return configuration | {key: value for key, value in optional.items() if value is not None}


def _tls(kafka: Kafka) -> ssl.SSLContext:
    """Return what TLS trusts: the CA of the settings, else those of the system."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if kafka.ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(kafka.ca_file)
    except ssl.SSLError as error:
        raise _unusable(kafka, "holds no certificate in PEM") from error
    except OSError as error:
        raise _unusable(kafka, f"cannot be read: {error.strerror}") from error
    return context


def _unusable(kafka: Kafka, why: str) -> Problem:
    remedy = "Set `kafka.ca_file` to the certificate, in PEM, of the CA that signed the brokers'."
    return Problem(f"The file {kafka.ca_file} {why}.", remedy, ExitCode.CONFIG)


def _demand_library(kafka: Kafka) -> None:
    library = _LIBRARIES.get(kafka.sasl_mechanism or "") if kafka.protocol.startswith("SASL") else None
    if library is not None and find_spec(library) is None:
        what = f"The mechanism {kafka.sasl_mechanism} needs the Python package {library}, which is not installed."
        raise Problem(what, f"Run `pip install {library}`.", ExitCode.CONFIG)


def unreachable(kafka: Kafka, error: Exception) -> Problem:
    """Return the `Problem` that Kafka does not answer, with what to check; it names the brokers that are silent now."""
    words = error.words if isinstance(error, NoBrokerAnswers) else type(error).__name__
    silent = silent_brokers(kafka) if len(kafka.bootstrap) > 1 else ()
    return Problem(
        f"Kafka at {', '.join(silent or kafka.bootstrap)} does not answer ({words}).",
        "Is the broker up (`perflog stack status`), and are `kafka.bootstrap` and its security settings right?",
        ExitCode.UNAVAILABLE,
    )


def _certain(kafka: Kafka, error: Exception, asked: Sequence[Right]) -> Problem | None:
    """Return why Kafka refuses, if only a person can change that; None if it may pass."""
    if isinstance(error, BrokerRefused):
        return error.problem
    if isinstance(error, errors.KafkaError) and (rights := denied_rights(error, asked)):
        return missing(rights, kafka)
    return refusal(error, Address(", ".join(kafka.bootstrap)), kafka, ask=False)


@contextmanager
def raising_problems(kafka: Kafka, asked: Sequence[Right] = ()) -> Iterator[None]:
    """Turn kafka-python's exceptions into a `Problem`, for interactive commands; `asked` are the rights they need."""
    try:
        yield
    except ServiceBlocked as error:
        cause = error.__cause__
        if isinstance(cause, Problem):
            raise Problem(cause.message, cause.remedy, cause.exit_code) from error
        raise Problem(f"{error}.", "", ExitCode.NO_PERMISSION) from error
    except (errors.KafkaError, Fenced, RequestTooLarge, Unavailable, OSError) as error:
        if problem := _certain(kafka, error, asked):
            raise problem from error
        if isinstance(error, (*SILENT, OSError)):
            raise unreachable(kafka, error) from error
        raise Problem(f"Kafka refuses: {error}.", "", ExitCode.UNAVAILABLE) from error


@contextmanager
def raising_port_errors(kafka: Kafka, asked: Sequence[Right] = ()) -> Iterator[None]:
    """Turn kafka-python's exceptions into the port errors of edge/errors.py, for loops that retry.

    What only a person can change is `ServiceBlocked`, raised from the `Problem` that it would be at the start.
    """
    try:
        yield
    except _LOST_GROUP as error:
        raise Fenced(f"{type(error).__name__}: {error}") from error
    except errors.MessageSizeTooLargeError as error:
        raise RequestTooLarge(str(error)) from error
    except (errors.KafkaError, OSError) as error:
        if problem := _certain(kafka, error, asked):
            problem.__cause__ = error
            raise ServiceBlocked(str(problem).rstrip(".")) from problem
        words = error.words if isinstance(error, NoBrokerAnswers) else str(error)
        raise Unavailable(f"Kafka: {type(error).__name__}: {words}") from error
