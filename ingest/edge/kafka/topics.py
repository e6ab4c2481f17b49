"""Reads, creates, alters and deletes topics through the admin client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError

from ingest.config.settings import Kafka
from ingest.core.kafka_record import Partition
from ingest.core.model import ExitCode, Problem
from ingest.edge.kafka.client import SILENT, client_configuration, raising_problems

TIMESTAMP_TYPE = "message.timestamp.type"
MAX_MESSAGE_BYTES = "max.message.bytes"
MIN_IN_SYNC = "min.insync.replicas"
MOST_BROKERS = 3  # that are asked the same; a second silent one is rare enough


@dataclass(frozen=True, slots=True)
class Replication:
    """How many brokers keep a topic, and how many of these acknowledge a record."""

    factor: int
    min_in_sync: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and its settings, as described by the cluster."""

    name: str
    partitions: int
    replication: Replication
    append_time: bool
    max_message_bytes: int


class Topics:
    """The cluster's topics."""

    def __init__(self, admin: Any) -> None:
        """Take an open admin client."""
        self._admin = admin

    def describe(self, names: Sequence[str]) -> dict[str, Topic]:
        """Return those of the topics that exist."""
        present = [t for t in self._admin.describe_topics(list(names)) if t["error_code"] == 0]
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, t["name"], [TIMESTAMP_TYPE, MAX_MESSAGE_BYTES, MIN_IN_SYNC])
            for t in present
        ]
        configs = self._admin.describe_configs(resources, config_filter="all")["topic"] if resources else {}
        return {t["name"]: _topic(t, configs[t["name"]]) for t in present}

    def count_brokers(self) -> int:
        """Return how many brokers the cluster has, those included that are down."""
        return len(self._admin.describe_cluster()["brokers"])

    def create(
        self, name: str, partitions: int, configs: Mapping[str, str], replication: Replication | None = None
    ) -> bool:
        """Create a topic, with the cluster's default replication if none is given; returns False if it already exists.

        Raises `Problem` (78) if the cluster has fewer brokers than the topic is to have copies.
        """
        topic: dict[str, Any] = {"num_partitions": partitions, "configs": dict(configs)}
        if replication is not None:
            topic["replication_factor"] = replication.factor
            topic["configs"][MIN_IN_SYNC] = str(replication.min_in_sync)
        try:
            self._admin.create_topics({name: topic})
        except TopicAlreadyExistsError:
            return False
        except InvalidReplicationFactorError as error:
            copies = replication.factor if replication else 1
            raise Problem(
                f"Kafka cannot keep {copies} copies of topic {name}: its brokers are {self.count_brokers()}.",
                "Lower `kafka.replication_factor`, or start the brokers that are missing.",
                ExitCode.CONFIG,
            ) from error
        self._admin.wait_for_topics([name])
        return True

    def delete(self, names: Sequence[str]) -> None:
        """Delete topics and all their records."""
        self._admin.delete_topics(list(names))

    def alter(self, name: str, configs: Mapping[str, str]) -> None:
        """Set some of a topic's settings."""
        self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(configs))])

    def delete_before(self, offsets: Mapping[Partition, int]) -> None:
        """Delete every record below these offsets; `Problem` (69) if the broker does not."""
        first_offsets = {TopicPartition(*partition): offset for partition, offset in offsets.items()}
        if first_offsets:
            self._admin.delete_records(first_offsets)


class AnyBroker:
    """An admin client whose requests go to another broker if the first one chosen does not answer.

    kafka-python asks one of the brokers that it knows, and goes on knowing a controller that is gone. So a new client
    asks again. Each request that is made here does the same twice as once.
    """

    def __init__(self, open_admin: Callable[[], Any]) -> None:
        """Open an admin client."""
        self._open_admin = open_admin
        self._admin = open_admin()

    def __getattr__(self, name: str) -> Any:
        """Return a function of the admin client, which is asked of a few brokers at most."""
        return partial(self._ask, name)

    def _ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        for others in reversed(range(MOST_BROKERS)):
            try:
                return getattr(self._admin, name)(*arguments, **options)
            except SILENT:
                if not others:
                    raise
                self._admin.close()
                self._admin = self._open_admin()
        raise AssertionError("the last broker's answer is returned, or its failure raised")


def open_admin(kafka: Kafka) -> AnyBroker:
    """Open an admin client of the cluster in the settings."""
    return AnyBroker(lambda: KafkaAdminClient(**client_configuration(kafka)))


def _topic(description: dict[str, Any], configs: dict[str, Any]) -> Topic:
    replicas = [partition["replica_nodes"] for partition in description["partitions"]]
    return Topic(
        name=description["name"],
        partitions=len(description["partitions"]),
        replication=Replication(min(map(len, replicas)), int(configs[MIN_IN_SYNC]["value"])),
        append_time=configs[TIMESTAMP_TYPE]["value"] == "LogAppendTime",
        max_message_bytes=int(configs[MAX_MESSAGE_BYTES]["value"]),
    )


@contextmanager
def open_topics(kafka: Kafka) -> Iterator[Topics]:
    """Open the topics of the cluster in the settings; `Problem` (69) if it does not answer."""
    with raising_problems(kafka):
        admin = open_admin(kafka)
        try:
            yield Topics(admin)
        finally:
            admin.close()
