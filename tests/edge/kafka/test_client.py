"""What is wrong with the settings of [kafka] on this machine is told before anything is connected."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ingest.config.settings import Delivery, Kafka
from ingest.core.model import ExitCode, Problem
from ingest.edge.kafka.consumer import GroupConsumer
from ingest.edge.kafka.fetch import open_fetcher
from ingest.edge.kafka.offsets import committed
from ingest.edge.kafka.producer import open_producer
from ingest.edge.kafka.topics import open_topics


def entered(opened: AbstractContextManager[Any]) -> None:
    """Open it and close it again."""
    with opened:
        pass


OPENERS: dict[str, Callable[[Kafka], object]] = {
    "topics": lambda kafka: entered(open_topics(kafka)),
    "producer": lambda kafka: entered(open_producer(kafka)),
    "fetcher": lambda kafka: entered(open_fetcher(kafka, Delivery())),
    "consumer": lambda kafka: GroupConsumer(kafka, Delivery(), ["topic"], "group"),
    "offsets": lambda kafka: committed(kafka, "group"),
}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("content", "words"), [(None, "cannot be read: No such file"), ("no PEM", "holds no certificate in PEM")]
)
def test_a_ca_file_that_cannot_be_used_is_named_before_any_connection(
    opener: str, content: str | None, words: str, tmp_path: Path
) -> None:
    """78 with the file and the key of the settings; nobody has connected to the broker's port."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    with socket.create_server(("127.0.0.1", 0)) as port:
        kafka = Kafka(bootstrap=(f"127.0.0.1:{port.getsockname()[1]}",), protocol="SSL", ca_file=str(ca_file))
        with pytest.raises(Problem) as raised:
            OPENERS[opener](kafka)

        port.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            port.accept()
    assert f"{ca_file} {words}" in raised.value.message
    assert "`kafka.ca_file`" in raised.value.remedy
    assert raised.value.exit_code == ExitCode.CONFIG


def test_a_mechanism_whose_library_is_missing_is_named_before_any_connection() -> None:
    """78 with the package to install; a CA file that is not used without TLS does not matter."""
    kafka = Kafka(protocol="SASL_PLAINTEXT", sasl_mechanism="GSSAPI", ca_file="missing.pem")

    with pytest.raises(Problem) as raised:
        committed(kafka, "group")

    assert "GSSAPI needs the Python package gssapi" in raised.value.message
    assert raised.value.exit_code == ExitCode.CONFIG
