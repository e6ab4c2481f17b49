"""Says in words why a broker does not let a client in, and what to correct.

A refusal is certain: trying again changes nothing until a person has changed a setting, a password or a certificate.
Everything else, such as a port where nobody listens, may pass.
"""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from kafka import errors

from ingest.config.settings import Kafka
from ingest.core.model import ExitCode, Problem
from ingest.edge.kafka.brokers import listener

WORDS_MOST = 200
_EXPIRED, _NOT_YET_VALID, _UNTRUSTED = (10,), (9,), (2, 18, 19, 20, 21)  # OpenSSL's X509_V_ERR_*
_OTHER_HOST = (62, 64)
_CAUSES_MOST = 10
_UNREACHED = (
    (re.compile(r"ECONNREFUSED"), "nobody listens there"),
    (re.compile(r"DNS"), "no host has this name"),
    (re.compile(r"EHOSTUNREACH|ENETUNREACH"), "no route leads there"),
    (re.compile(r"[Tt]imed out|Timeout"), "it gives no answer in time"),
    (re.compile(r"socket disconnected|ECONNRESET|EOF"), "it closes the connection"),
)


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of a broker, as settings or cluster name them; without a port, the addresses of all of them."""

    host: str
    port: int | None = None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


class BrokerRefused(errors.KafkaError):  # type: ignore[misc]  # kafka-python is untyped
    """A broker refused the client for good; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        """Keep the problem for whoever tells it."""
        super().__init__(problem.message)
        self.problem = problem


class NoBrokerAnswers(errors.KafkaTimeoutError):  # type: ignore[misc]
    """No broker let the client in before the time-out; each had a reason that may pass: `words` names them."""

    def __init__(self, words: str) -> None:
        """Keep the reasons."""
        super().__init__(words)
        self.words = words


def refusal(error: BaseException, at: Address, kafka: Kafka, ask: bool = True) -> Problem | None:
    """Return why the broker refuses this client, None if the failure may pass.

    With `ask`, a broker that broke the connection off is asked what its port speaks, which takes seconds at most.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, errors.SaslAuthenticationFailedError):
            return _login(cause, at, kafka)
        if isinstance(cause, errors.UnsupportedSaslMechanismError):
            return _mechanism(at, kafka, _ask(at) if ask else None)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, at, kafka)
        if isinstance(cause, errors.KafkaConfigurationError):
            what = f"The section [kafka] of the settings does not work: {_legible(str(cause))}."
            return Problem(what, "Correct it there.", ExitCode.CONFIG)
    if ask and any(map(_is_broken_off, causes)) and (other := _protocol(at, kafka)):
        return other
    alert = next(
        (cause for cause in causes if isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or "")), None
    )
    return _alert(alert, at) if alert is not None else None


def failure_words(error: BaseException, at: Address) -> str:
    """Say why a broker was not reached, when that may pass."""
    text = " ".join(str(cause) for cause in _causes(error))
    words = next((words for pattern, words in _UNREACHED if pattern.search(text)), _legible(str(error)))
    return f"{at}: {words}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, the outermost first."""
    due: list[object] = [error]
    for _ in range(_CAUSES_MOST):
        if not due:
            return
        cause = due.pop(0)
        if isinstance(cause, BaseException):
            yield cause
            due += [cause.__cause__ or cause.__context__, *cause.args]


def _is_broken_off(cause: BaseException) -> bool:
    """Whether the broker took the connection and then ended it, as it does when it is addressed wrongly."""
    kinds = (ssl.SSLError, ConnectionError, errors.IllegalSaslStateError, errors.KafkaProtocolError)
    return isinstance(cause, kinds) or "socket disconnected" in str(cause)


def _ask(at: Address) -> listener.Listener | None:
    return None if at.port is None else listener.ask(at.host, at.port)


def _login(cause: BaseException, at: Address, kafka: Kafka) -> Problem:
    words = _legible(str(cause).rpartition("SaslAuthenticationFailedError: ")[2])
    what = f"Kafka at {at} rejects the user `{kafka.user}` or the password ({kafka.sasl_mechanism}: {words})."
    remedy = "Correct `kafka.user` and `kafka.password`; Kafka does not say which of them is wrong."
    return Problem(what, remedy, ExitCode.NO_PERMISSION)


def _mechanism(at: Address, kafka: Kafka, spoken: listener.Listener | None) -> Problem:
    what = f"Kafka at {at} does not take the mechanism {kafka.sasl_mechanism}"
    if spoken is None or not spoken.mechanisms:
        return Problem(f"{what}.", "Set `kafka.sasl_mechanism` to one that the broker has enabled.", ExitCode.CONFIG)
    names = _legible(", ".join(spoken.mechanisms))
    return Problem(f"{what}; it takes {names}.", "Set `kafka.sasl_mechanism` accordingly.", ExitCode.CONFIG)


def _certificate(cause: ssl.SSLCertVerificationError, at: Address, kafka: Kafka) -> Problem:
    code = cause.verify_code
    if code in _EXPIRED:
        what, remedy = "has expired", "Have the broker's certificate renewed, or correct this machine's clock."
    elif code in _NOT_YET_VALID:
        what, remedy = "is not valid yet", "Correct the clock of this machine, or the broker's certificate."
    elif code in _OTHER_HOST:
        what = f"is not made out to {at.host}"
        remedy = (
            "Write the host in `kafka.bootstrap` as the certificate names it, or have the certificate name this one."
        )
    elif code in _UNTRUSTED:
        trusted = (
            f"`kafka.ca_file` ({kafka.ca_file})" if kafka.ca_file else "this system, as `kafka.ca_file` is not set"
        )
        what = f"is signed by no CA that is trusted by {trusted}"
        remedy = "Set `kafka.ca_file` to the certificate of the CA that signed the broker's."
    else:
        what, remedy = f"is not accepted ({_legible(cause.verify_message)})", "Correct certificate or `kafka.ca_file`."
    return Problem(f"The certificate of Kafka at {at} {what}.", remedy, ExitCode.CONFIG)


def _protocol(at: Address, kafka: Kafka) -> Problem | None:
    """Return that the port speaks another protocol, if it does."""
    spoken = _ask(at)
    if spoken is None or spoken.protocol == kafka.protocol:
        return None
    remedy = f'Set `kafka.protocol = "{spoken.protocol}"`, or name another port in `kafka.bootstrap`.'
    if spoken.mechanisms:
        remedy += f" It takes the mechanisms {_legible(', '.join(spoken.mechanisms))}."
    return Problem(f"Kafka at {at} speaks {spoken.protocol}, not {kafka.protocol}.", remedy, ExitCode.CONFIG)


def _alert(alert: ssl.SSLError, at: Address) -> Problem:
    words = _legible((alert.reason or "").lower().replace("_", " "))
    remedy = "Does it ask for a certificate of the client, or for a version of TLS that this machine lacks?"
    return Problem(f"Kafka at {at} ends the TLS handshake ({words}).", remedy, ExitCode.CONFIG)


def _legible(text: str) -> str:
    """Return a server's words on one line, printable and short."""
    line = "".join(char if char.isprintable() else " " for char in text).strip(" .")
    return line if len(line) <= WORDS_MOST else f"{line[:WORDS_MOST]}…"
