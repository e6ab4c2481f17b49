"""Why a broker does not let a client in, in words, at its first answer; against a real broker with TLS and SASL."""

import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from ingest.config.settings import Kafka
from ingest.core.kafka_record import ProducerRecord
from ingest.core.model import ExitCode, Problem
from ingest.edge.errors import ServiceBlocked
from ingest.edge.kafka import client
from ingest.edge.kafka.brokers.failures import BrokerRefused, NoBrokerAnswers
from ingest.edge.kafka.client import client_configuration
from ingest.edge.kafka.connections import open_client
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.edge.kafka.topics import open_topics
from tests.conftest import free_port
from tests.support.cli import perflog
from tests.support.secure_broker import (
    ELSEWHERE,
    EXPIRED,
    OPERATOR,
    PASSWORD,
    SECURE,
    TLS,
    SecureBroker,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.stack
PLAIN: dict[str, str | None] = {"sasl_mechanism": "PLAIN", "user": "user0", "password": "secret0"}
FAULTS: dict[str, tuple[str, str, dict[str, str | None], int, str]] = {
    "wrong password": (PASSWORD, "SASL_PLAINTEXT", {**PLAIN, "password": "other"}, 77, "rejects the user `user0`"),
    "unknown user": (PASSWORD, "SASL_PLAINTEXT", {**PLAIN, "user": "nobody"}, 77, "rejects the user `nobody`"),
    "wrong password by TLS": (SECURE, "SASL_SSL", {**PLAIN, "password": "other"}, 77, "rejects the user `user0`"),
    "wrong password by SCRAM": (PASSWORD, "SASL_PLAINTEXT", {**PLAIN, "sasl_mechanism": "SCRAM-SHA-512"}, 77,
                                "(SCRAM-SHA-512: Authentication failed"),
    "mechanism not enabled": (PASSWORD, "SASL_PLAINTEXT", {**PLAIN, "sasl_mechanism": "SCRAM-SHA-256"}, 78,
                              "does not take the mechanism SCRAM-SHA-256; it takes PLAIN, SCRAM-SHA-512"),
    "another CA": (TLS, "SSL", {"ca_file": "other"}, 78, "is signed by no CA that is trusted by `kafka.ca_file`"),
    "no CA": (TLS, "SSL", {"ca_file": None}, 78, "as `kafka.ca_file` is not set"),
    "expired": (EXPIRED, "SSL", {}, 78, "has expired"),
    "another host": (ELSEWHERE, "SSL", {}, 78, "is not made out to 127.0.0.1"),
    "plaintext to TLS": (TLS, "PLAINTEXT", {}, 78, "speaks SSL, not PLAINTEXT"),
    "TLS to plaintext": (OPERATOR, "SSL", {}, 78, "speaks PLAINTEXT, not SSL"),
    "plaintext to SASL": (PASSWORD, "PLAINTEXT", {}, 78, "speaks SASL_PLAINTEXT, not PLAINTEXT"),
    "plaintext to SASL by TLS": (SECURE, "PLAINTEXT", {}, 78, "speaks SASL_SSL, not PLAINTEXT"),
    "TLS to SASL by TLS": (SECURE, "SSL", {}, 78, "speaks SASL_SSL, not SSL"),
    "SASL to plaintext": (OPERATOR, "SASL_PLAINTEXT", PLAIN, 78, "speaks PLAINTEXT, not SASL_PLAINTEXT"),
    "SASL to TLS": (TLS, "SASL_PLAINTEXT", PLAIN, 78, "speaks SSL, not SASL_PLAINTEXT"),
    "SASL by TLS to TLS": (TLS, "SASL_SSL", PLAIN, 78, "speaks SSL, not SASL_SSL"),
}  # fmt: skip
# What no test may wait for: an answer that came would be told long before.
NEVER_MS = 3_600_000


def kafka_of(broker: SecureBroker, listener: str, protocol: str, **security: str | None) -> Kafka:
    """The settings for one of the broker's listeners."""
    ca_files = {"own": str(broker.ca_file), "other": str(broker.other_ca_file), None: None}
    ca_file = ca_files[security.pop("ca_file", "own")]
    return Kafka(bootstrap=(broker.address(listener),), protocol=protocol, ca_file=ca_file, **security)  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refused_client_is_told_the_cause_at_the_first_answer(
    fault: str, broker: SecureBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words and exit code; the bootstrap time-out is an hour, so it is the answer that ends the attempt."""
    listener, protocol, security, exit_code, words = FAULTS[fault]
    monkeypatch.setattr(client, "BOOTSTRAP_TIMEOUT_MS", NEVER_MS)

    with pytest.raises(Problem) as raised, open_topics(kafka_of(broker, listener, protocol, **security)):
        pass

    assert words in raised.value.message
    assert broker.address(listener) in raised.value.message
    assert raised.value.remedy
    assert raised.value.exit_code == exit_code


@pytest.mark.parametrize(
    ("listener", "protocol", "security"),
    [(OPERATOR, "PLAINTEXT", {}), (PASSWORD, "SASL_PLAINTEXT", PLAIN), (SECURE, "SASL_SSL", PLAIN), (TLS, "SSL", {})],
)
def test_a_client_with_the_right_settings_is_let_in(
    listener: str, protocol: str, security: dict[str, str | None], broker: SecureBroker
) -> None:
    """By each protocol, TLS with the broker's own CA."""
    with open_topics(kafka_of(broker, listener, protocol, **security)) as cluster:
        assert cluster.describe([]) == {}


def test_every_command_that_talks_to_kafka_tells_the_cause(broker: SecureBroker, tmp_path: Path) -> None:
    """Exit code and last line on stderr say it, of each command that asks Kafka first; `run` also with two workers."""
    lines = tmp_path / "lines.log"
    lines.write_text("a line\n")
    settings = tmp_path / "perflog.toml"
    settings.write_text(f"""
[kafka]
bootstrap = "{broker.address(PASSWORD)}"
protocol = "SASL_PLAINTEXT"
sasl_mechanism = "PLAIN"
user = "user0"
password = "other"
[[intake]]
name = "als-lines"
topic = "perf.lines"
facility = "als"
sources = ["als_perf"]
""")
    ship, generate = f"ship {lines} --intake als-lines", "generate --lines 5 --rate 9 --intake als-lines"
    for words in ("setup", ship, generate, "run", "run --workers 2", "sweep --once"):
        done = perflog("--config", str(settings), *words.split())

        assert done.returncode == ExitCode.NO_PERMISSION, words
        last = done.stderr.decode().splitlines()[-1]
        assert last.startswith(f"perflog: Kafka at {broker.address(PASSWORD)} rejects the user `user0`"), words


def test_one_broker_of_several_that_refuses_does_not_end_the_attempt(broker: SecureBroker) -> None:
    """The certificate of one has expired; the other lets the client in."""
    kafka = kafka_of(broker, EXPIRED, "SSL")

    with open_topics(replace(kafka, bootstrap=(broker.address(EXPIRED), broker.address(TLS)))) as cluster:
        assert cluster.describe([]) == {}


def test_a_broker_that_is_away_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens, and a server that never answers: each with its address; this may pass, so it is 69."""
    monkeypatch.setattr(client, "BOOTSTRAP_TIMEOUT_MS", 500)
    closed = f"127.0.0.1:{free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Problem) as raised, open_topics(Kafka(bootstrap=(closed,))):
            pass
        with pytest.raises(Problem) as unanswered, open_topics(Kafka(bootstrap=(mute,))):
            pass

    assert f"{closed}: nobody listens there" in raised.value.message
    assert f"{mute}: it gives no answer in time" in unanswered.value.message
    assert raised.value.exit_code == unanswered.value.exit_code == ExitCode.UNAVAILABLE


def test_a_client_that_is_not_let_in_leaves_nothing_behind(broker: SecureBroker) -> None:
    """No thread of it is left, after a refusal and after a time-out: a worker tries for hours."""
    refused = client_configuration(kafka_of(broker, TLS, "PLAINTEXT"))
    away = {**client_configuration(Kafka(bootstrap=(f"127.0.0.1:{free_port()}",))), "bootstrap_timeout_ms": 100}
    before = threading.active_count()

    for _ in range(3):
        with pytest.raises(BrokerRefused):
            open_client(KafkaAdminClient, kafka_of(broker, TLS, "PLAINTEXT"), **refused)
        with pytest.raises(NoBrokerAnswers):
            open_client(KafkaAdminClient, Kafka(), **away)

    assert threading.active_count() == before


def test_a_producer_waits_for_an_operator_and_a_command_ends(broker: SecureBroker) -> None:
    """A rejected password is `ServiceBlocked` for a worker's producer, and for a command the problem it stands for."""
    kafka = kafka_of(broker, PASSWORD, "SASL_PLAINTEXT", **{**PLAIN, "password": "other"})
    record = ProducerRecord("perf.any", None, b"")

    with pytest.raises(ServiceBlocked, match="rejects the user `user0`"):
        AcknowledgedProducer(kafka).send([record])
    with pytest.raises(Problem) as raised, open_producer(kafka) as producer:
        producer.send([record])

    assert raised.value.exit_code == ExitCode.NO_PERMISSION


def test_a_new_password_is_taken_without_a_restart(broker: SecureBroker) -> None:
    """A producer that was rejected sends as soon as the password is right again."""
    kafka = kafka_of(broker, PASSWORD, "SASL_PLAINTEXT", sasl_mechanism="SCRAM-SHA-512", user="late", password="right")  # noqa: S106
    with broker.operator() as admin:
        admin.create_topics({"perf.late": {"num_partitions": 1}}, wait_for_metadata=True)
    broker.grant("late", "WRITE TOPIC perf.late")
    broker.set_password("late", "wrong")
    producer = AcknowledgedProducer(kafka)

    with pytest.raises(ServiceBlocked):
        producer.send([ProducerRecord("perf.late", None, b"")])
    broker.set_password("late", "right")

    def is_sent() -> bool:
        try:
            return producer.send([ProducerRecord("perf.late", None, b"")]) != []
        except ServiceBlocked:
            return False

    eventually(is_sent)
    producer.close()
