"""The words for a failed connection, where no broker is needed to see them (a real one: test_connections.py)."""

import ssl

import pytest
from kafka import errors

from ingest.config.settings import Kafka
from ingest.core.model import ExitCode
from ingest.edge.kafka.brokers.failures import Address, failure_words, refusal

AT = Address("kafka.example", 9093)
KAFKA = Kafka(protocol="SASL_SSL", sasl_mechanism="PLAIN", user="u", ca_file="ca.pem")


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    """What Python raises for a certificate that OpenSSL does not accept."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, "is not valid yet"),
        (10, "has expired"),
        (18, "is signed by no CA"),
        (62, "is not made out to kafka.example"),
        (26, "is not accepted (unsuitable certificate purpose)"),
    ],
)
def test_a_certificate_is_told_by_what_is_wrong_with_it(code: int, words: str) -> None:
    """Also when kafka-python has wrapped the error; 78, and a remedy for each."""
    wrapped = errors.KafkaConnectionError("Handshake failed")
    wrapped.__cause__ = certificate_error(code, "unsuitable certificate purpose")

    problem = refusal(wrapped, AT, KAFKA, ask=False)

    assert problem is not None
    assert problem.message.startswith(f"The certificate of Kafka at kafka.example:9093 {words}")
    assert problem.remedy
    assert problem.exit_code == ExitCode.CONFIG


def test_an_alert_of_tls_is_told_in_its_words() -> None:
    """Such as a broker's that demands a certificate of the client."""
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"

    problem = refusal(errors.KafkaConnectionError(alert), AT, KAFKA, ask=False)

    assert problem is not None
    assert "ends the TLS handshake (tlsv13 alert certificate required)" in problem.message
    assert problem.exit_code == ExitCode.CONFIG


def test_the_words_of_a_broker_are_printable_and_short() -> None:
    """Whoever answers on that port cannot control the terminal or fill the log."""
    error = errors.SaslAuthenticationFailedError(f"SaslAuthenticationFailedError: no\x1b[31m\n{'x' * 10_000}")

    problem = refusal(error, AT, KAFKA, ask=False)

    assert problem is not None
    assert problem.message.isprintable()
    assert len(problem.message) < 500
    assert problem.exit_code == ExitCode.NO_PERMISSION


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.KafkaConnectionError("111 ECONNREFUSED"), "nobody listens there"),
        (errors.KafkaConnectionError("DNS Resolution failure"), "no host has this name"),
        (errors.KafkaConnectionError("113 EHOSTUNREACH"), "no route leads there"),
        (errors.RequestTimedOutError("Request timed out after 30 ms"), "it gives no answer in time"),
        (errors.KafkaConnectionError("socket disconnected"), "it closes the connection"),
    ],
)
def test_what_may_pass_is_no_refusal(error: Exception, words: str) -> None:
    """A broker that is away is told with its address and the reason, and tried again."""
    assert refusal(error, AT, KAFKA, ask=False) is None
    assert failure_words(error, AT) == f"kafka.example:9093: {words}"


def test_an_error_that_is_its_own_cause_ends() -> None:
    """Causes are followed for a bounded number of steps."""
    first, second = errors.KafkaConnectionError("a"), errors.KafkaConnectionError("b")
    first.__cause__, second.__cause__ = second, first

    assert refusal(first, AT, KAFKA, ask=False) is None
