"""A kafka-python whose private parts are others than perflog expects is refused when a consumer is opened."""

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.cluster import ClusterMetadata
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import TopicPartitionState
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaTCPTransport
from kafka.record.default_records import DefaultRecordBatch

from ingest.config.settings import Delivery, Kafka
from ingest.core.model import ExitCode, Problem
from ingest.edge.kafka import consumer as consumer_module
from ingest.edge.kafka import internals
from ingest.edge.kafka.connections import RecordingManager
from ingest.edge.kafka.consumer import GroupConsumer

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


class Coordinator:
    """The installed coordinator's methods, and the attributes that it gets when it is built."""

    need_rejoin = ConsumerCoordinator.need_rejoin
    request_rejoin = ConsumerCoordinator.request_rejoin
    coordinator_unknown = ConsumerCoordinator.coordinator_unknown

    def __init__(self) -> None:
        """As before the first join."""
        self.rejoining, self.rejoin_needed = False, True


def installed() -> Any:
    """A consumer of the installed version, as far as the check looks at it; it has no broker."""
    manager = SimpleNamespace(refused_since_bootstrap=RecordingManager.refused_since_bootstrap)
    return SimpleNamespace(
        _client=SimpleNamespace(manager=manager, cluster=ClusterMetadata()),
        _coordinator=Coordinator(),
        _subscription=SimpleNamespace(assignment={}),
        _fetcher=SimpleNamespace(PartitionRecords=Fetcher.PartitionRecords),
    )


def test_the_installed_version_has_all_names() -> None:
    """The names of the records, of a partition's state and of a batch are those of the library itself."""
    assert internals.missing_names(installed()) == []


@pytest.mark.parametrize("name", internals.CONSUMER)
def test_a_name_that_a_consumer_lacks_stops_at_the_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 70; the message says which name is missing, the remedy which version to install."""
    lacking = installed()
    parent, last = name.rsplit(".", 1)
    owner = lacking
    for step in parent.split("."):
        owner = getattr(owner, step)
    if isinstance(owner, SimpleNamespace) or last in vars(owner):
        monkeypatch.delattr(owner, last)
    else:
        monkeypatch.delattr(type(owner), last)
    monkeypatch.setattr(consumer_module, "_client", lambda *_: lacking)

    with pytest.raises(Problem, match=name) as raised:
        GroupConsumer(Kafka(), Delivery(), ["topic"], "group")

    assert raised.value.exit_code == ExitCode.SOFTWARE
    assert internals.PINNED in raised.value.remedy


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Fetcher.PartitionRecords, "_is_batch_aborted"),
        (Fetcher.PartitionRecords, "drain"),
        (TopicPartitionState, "position"),
        (DefaultRecordBatch, "records_count"),
        (DefaultRecordBatch, "validate_crc"),
        (KafkaConnectionManager, "_build_transport"),
        (KafkaConnectionManager, "get_connection"),
        (KafkaTCPTransport, "_sock_recv"),
    ],
)
def test_a_name_that_a_part_lacks_is_missing(owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named with its class; nothing else is."""
    monkeypatch.delattr(owner, name)

    assert internals.missing_names(installed()) == [f"{owner.__name__}.{name}"]


def test_a_part_that_is_built_otherwise_is_missing_as_a_whole() -> None:
    """Another constructor: every name of it is reported, and the check itself does not fail."""
    other = installed()
    other._fetcher.PartitionRecords = type("PartitionRecords", (), {"_unpack_records": None})

    assert internals.missing_names(other) == [f"PartitionRecords.{name}" for name in internals.PARTITION_RECORDS]


def test_the_version_that_is_named_is_the_one_that_is_pinned() -> None:
    """The dependency in pyproject.toml, its extras apart."""
    dependencies = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]

    assert internals.PINNED in {dependency.replace("[crc32c]", "") for dependency in dependencies}
