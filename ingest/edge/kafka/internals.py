"""Checks that the installed kafka-python has the private parts that perflog uses, before a consumer joins its group.

perflog replaces the innermost loop that decodes records (record_batches.py), delays rejoins (rebalance.py), compares
positions with end offsets (stuck.py) and keeps why connections fail (connections.py). kafka-python has no public
interface for these, and may change its private parts with any version. A missing part would otherwise show as lost
time or a stuck partition, hours later.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from kafka import TopicPartition
from kafka import __version__ as kafka_version

from ingest.core.model import ExitCode, Problem

PINNED = "kafka-python>=3.0.9,<3.1"
CONSUMER = (
    "_client.manager.refused_since_bootstrap",
    "_client.cluster.bootstrap_brokers",
    "_client.cluster.broker_metadata",
    "_client.cluster.is_bootstrap",
    "_coordinator.need_rejoin",
    "_coordinator.rejoining",
    "_coordinator.rejoin_needed",
    "_coordinator.request_rejoin",
    "_coordinator.coordinator_unknown",
    "_fetcher.PartitionRecords._unpack_records",
    "_subscription.assignment",
)
PARTITION_RECORDS = (
    "_consume_aborted_transactions_up_to",
    "_contains_abort_marker",
    "_is_batch_aborted",
    "aborted_producer_ids",
    "bytes_read",
    "check_crcs",
    "drain",
    "leader_epoch",
    "next_fetch_offset",
    "records_read",
)
PARTITION_STATE = ("position",)
MANAGER = ("_build_transport", "get_connection")
TRANSPORT = ("_sock_recv",)
RECORD_BATCH = (
    "__iter__",
    "_buffer",
    "_pos",
    "base_offset",
    "first_timestamp",
    "has_producer_id",
    "is_control_batch",
    "last_offset",
    "leader_epoch",
    "magic",
    "max_timestamp",
    "next_offset",
    "producer_id",
    "records_count",
    "size_in_bytes",
    "timestamp_type",
    "validate_crc",
)
BATCH_HEAD_BYTES = 61


def check(consumer: Any) -> None:
    """Raise `Problem` (70) if a private part of this KafkaConsumer is missing."""
    missing = missing_names(consumer)
    if missing:
        raise Problem(
            f"kafka-python {kafka_version} lacks what perflog uses of its internals: {', '.join(missing)}.",
            f"Install the version that perflog is tested with: `pip install '{PINNED}'`.",
            ExitCode.SOFTWARE,
        )


def missing_names(consumer: Any) -> list[str]:
    """Return the private parts that are missing, each with the class it belongs to."""
    return [
        *_missing("KafkaConsumer", consumer, CONSUMER),
        *_missing("PartitionRecords", _built(lambda: _partition_records(consumer)), PARTITION_RECORDS),
        *_missing("TopicPartitionState", _built(_partition_state), PARTITION_STATE),
        *_missing("DefaultRecordBatch", _built(_record_batch), RECORD_BATCH),
        *_missing("KafkaConnectionManager", _part("net.manager", "KafkaConnectionManager"), MANAGER),
        *_missing("KafkaTCPTransport", _part("net.transport", "KafkaTCPTransport"), TRANSPORT),
    ]


def _partition_records(consumer: Any) -> Any:
    return consumer._fetcher.PartitionRecords(0, TopicPartition("topic", 0), None)


def _partition_state() -> Any:
    return import_module("kafka.consumer.subscription_state").TopicPartitionState()


def _record_batch() -> Any:
    return import_module("kafka.record.default_records").DefaultRecordBatch(bytes(BATCH_HEAD_BYTES))


def _part(module: str, name: str) -> Any:
    return getattr(import_module(f"kafka.{module}"), name, None)


def _built(build: Callable[[], Any]) -> Any:
    """Return the instance, None if the class is missing or built otherwise."""
    try:
        return build()
    except (AttributeError, ImportError, TypeError, ValueError):
        return None


def _missing(owner: str, instance: Any, names: Iterable[str]) -> list[str]:
    return [f"{owner}.{name}" for name in names if not _has(instance, name)]


def _has(instance: Any, dotted_name: str) -> bool:
    for name in dotted_name.split("."):
        if not hasattr(instance, name):
            return False
        instance = getattr(instance, name)
    return True
