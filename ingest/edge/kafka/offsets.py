"""Reads end offsets and committed offsets from the brokers."""

from collections import defaultdict

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import TopicAuthorizationFailedError

from ingest.config.settings import Kafka
from ingest.edge.kafka.client import raising_port_errors, raising_problems
from ingest.edge.kafka.rights import DESCRIBE, GROUP, TOPIC, Right
from ingest.edge.kafka.topics import open_admin
from ingest.edge.ports import Progress


def progress(kafka: Kafka, group: str, topic: str) -> Progress:
    """Return a topic's end offsets, then a group's committed offsets, so the commits are the later ones.

    Records that the brokers have deleted count as read, since nothing more can come of them. Raises
    `Unavailable` or `ServiceBlocked`.
    """
    needed = [Right(DESCRIBE, TOPIC, topic), Right(DESCRIBE, GROUP, group)]
    with raising_port_errors(kafka, needed):
        admin = open_admin(kafka)
        try:
            (description,) = admin.describe_topics([topic])
            if description["error_code"] == TopicAuthorizationFailedError.errno:
                raise TopicAuthorizationFailedError(topic)
            partitions = [
                TopicPartition(topic, partition["partition_index"]) for partition in description["partitions"]
            ]
            ends, begins = (
                admin.list_partition_offsets(dict.fromkeys(partitions, spec))
                for spec in (OffsetSpec.LATEST, OffsetSpec.EARLIEST)
            )
            committed = admin.list_group_offsets({group: partitions}).get(group, {})
        finally:
            admin.close()
    offsets = {at: metadata.offset for at, metadata in committed.items()}
    return Progress(
        {at.partition: ends[at].offset for at in partitions},
        {at.partition: max(offsets.get(at, 0), begins[at].offset) for at in partitions},
    )


def committed(kafka: Kafka, group: str) -> dict[str, int]:
    """Return the sum of the committed offsets of each topic's partitions."""
    with raising_problems(kafka, [Right(DESCRIBE, GROUP, group)]):
        admin = open_admin(kafka)
        try:
            offsets = admin.list_group_offsets({group: None}).get(group, {})
        finally:
            admin.close()
    sums: dict[str, int] = defaultdict(int)
    for partition, at in offsets.items():
        sums[partition.topic] += max(at.offset, 0)
    return dict(sums)
