"""Reads, creates, alters and deletes topics through the admin client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from kafka import TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, MemberToRemove

from ingest.config.settings import Kafka
from ingest.core.kafka_record import Partition
from ingest.core.model import ExitCode, Problem
from ingest.edge.kafka.client import SILENT, client_configuration, raising_problems
from ingest.edge.kafka.connections import open_client
from ingest.edge.kafka.rights import (
    ALTER_CONFIGS,
    CREATE,
    DESCRIBE,
    DESCRIBE_CONFIGS,
    READ,
    TOPIC,
    Right,
    missing,
    topic_rights,
)

TIMESTAMP_TYPE = "message.timestamp.type"
MAX_MESSAGE_BYTES = "max.message.bytes"
MIN_IN_SYNC = "min.insync.replicas"
MOST_BROKERS = 3  # that are asked the same; a second silent one is rare enough
NOBODY = "perflog-nobody"  # the id of no member
_DENIED = errors.TopicAuthorizationFailedError.errno
_COORDINATOR_STARTING = (
    errors.CoordinatorLoadInProgressError,
    errors.CoordinatorNotAvailableError,
    errors.NotCoordinatorError,
)


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
    """The cluster's topics, and what this client may do with them."""

    def __init__(self, admin: Any, kafka: Kafka) -> None:
        """Take an open admin client, and the settings that name its user."""
        self._admin, self._kafka = admin, kafka

    def demand(self, rights: Sequence[Right]) -> None:
        """Raise `Problem` (77) that names each of these rights that is missing; changes nothing."""
        names = sorted({right.name for right in rights if right.resource == TOPIC})
        described = {topic["name"]: topic for topic in self._admin.describe_topics(names)} if names else {}
        lacking = [right for right in rights if not self._has(right, described)]
        if lacking:
            raise missing(lacking, self._kafka)

    def _has(self, right: Right, described: Mapping[str, Mapping[str, Any]]) -> bool:
        if right.resource == TOPIC:
            return _allows(described[right.name], right.operation)
        return self._has_group(right)

    def _has_group(self, right: Right) -> bool:
        """Whether a right on a group is granted: for READ, a member that does not exist is asked to leave."""
        try:
            if right.operation == READ:
                self._admin.remove_group_members(right.name, [MemberToRemove(member_id=NOBODY)])
            else:
                self._admin.describe_groups([right.name])
        except errors.GroupAuthorizationFailedError:
            return False
        except _COORDINATOR_STARTING:
            return True  # the cluster has never had a group: nothing is known yet, and a worker asks again as it joins
        return True

    def demand_creation(self, names: Sequence[str]) -> None:
        """Raise `Problem` (77) unless these topics may be created; creates none."""
        if names:
            self._create({name: {"num_partitions": 1} for name in names}, validate_only=True)

    def describe(self, names: Sequence[str]) -> dict[str, Topic]:
        """Return those of the topics that exist; `Problem` (77) if one may not be described."""
        described = {t["name"]: t for t in self._admin.describe_topics(list(names))}
        denied = [name for name, t in described.items() if t["error_code"] == _DENIED]
        if denied:
            raise missing(topic_rights(denied, DESCRIBE), self._kafka)
        present = [t for t in described.values() if t["error_code"] == 0]
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, t["name"], [TIMESTAMP_TYPE, MAX_MESSAGE_BYTES, MIN_IN_SYNC])
            for t in present
        ]
        configs = self._admin.describe_configs(resources, config_filter="all")["topic"] if resources else {}
        # kafka-python drops the error of a topic whose settings may not be seen, and returns none of them.
        unseen = [t["name"] for t in present if TIMESTAMP_TYPE not in configs[t["name"]]]
        if unseen:
            raise missing(topic_rights(unseen, DESCRIBE_CONFIGS), self._kafka)
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
            is_created = self._create({name: topic})
        except errors.InvalidReplicationFactorError as error:
            copies = replication.factor if replication else 1
            raise Problem(
                f"Kafka cannot keep {copies} copies of topic {name}: its brokers are {self.count_brokers()}.",
                "Lower `kafka.replication_factor`, or start the brokers that are missing.",
                ExitCode.CONFIG,
            ) from error
        if not is_created:
            return False
        self._admin.wait_for_topics([name])
        return True

    def _create(self, topics: Mapping[str, Any], validate_only: bool = False) -> bool:
        """Create topics, or only ask whether they could be; returns False if one exists already."""
        answer = self._admin.create_topics(dict(topics), validate_only=validate_only, raise_errors=False)["topics"]
        denied = [topic["name"] for topic in answer if topic["error_code"] == _DENIED]
        if denied:
            raise missing(topic_rights(denied, CREATE), self._kafka)
        for topic in answer:
            if topic["error_code"] not in (0, errors.TopicAlreadyExistsError.errno):
                raise errors.for_code(topic["error_code"])(f"topic {topic['name']}: {topic.get('error_message')}")
        return all(topic["error_code"] == 0 for topic in answer)

    def delete(self, names: Sequence[str]) -> None:
        """Delete topics and all their records."""
        self._admin.delete_topics(list(names))

    def alter(self, name: str, configs: Mapping[str, str]) -> None:
        """Set some of a topic's settings."""
        self.demand([Right(ALTER_CONFIGS, TOPIC, name)])
        done = self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(configs))])
        if (answer := done["topic"][name]) != "OK":  # kafka-python raises nothing
            raise Problem(f"Kafka refuses to alter the topic {name}: {answer}.", "", ExitCode.UNAVAILABLE)

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
    return AnyBroker(lambda: open_client(KafkaAdminClient, kafka, **client_configuration(kafka))[0])


def _allows(topic: Mapping[str, Any], operation: str) -> bool:
    """Whether the client may do this with a topic; True if the broker is too old to say."""
    operations = topic.get("authorized_operations")
    return topic["error_code"] != _DENIED and (operations is None or operation in operations)


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
            yield Topics(admin, kafka)
        finally:
            admin.close()
