"""Produces records; each is acknowledged by all in-sync replicas before `send` returns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import DefaultPartitioner

from ingest.config.settings import Kafka
from ingest.core.kafka_record import Coordinates, Partition, ProducerRecord
from ingest.edge.errors import RequestTooLarge, ServiceBlocked, Unavailable
from ingest.edge.kafka.brokers.bootstrap import silent_brokers
from ingest.edge.kafka.client import client_configuration, raising_port_errors, raising_problems
from ingest.edge.kafka.connections import open_client
from ingest.edge.kafka.rights import WRITE, Right, topic_rights

BATCH_BYTES = 256 * 1024
LINGER_MS = 50
NO_LIMIT_BYTES = 2**31 - 1  # the topic's own limit applies, to the compressed batch
DELIVERY_TIMEOUT_MS = 60_000
CLOSE_S = 2.0  # everything was flushed, or cannot be


class _Partitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python is untyped
    """The default partitioner, caching the partition of the last key: hashing is slow in Python."""

    _last: tuple[str, bytes | None] = ("", None)
    _partition = 0

    def partition(self, topic: str, key: Any, serialized_key: bytes | None, *rest: Any) -> int:
        """Return the partition of a record."""
        if serialized_key is None or self._last != (topic, serialized_key):
            self._partition = super().partition(topic, key, serialized_key, *rest)
            self._last = (topic, serialized_key)
        return self._partition


class AcknowledgedProducer:
    """An idempotent producer for one thread at a time, rebuilt after an error, from which it cannot recover."""

    def __init__(self, kafka: Kafka) -> None:
        """Connect lazily, when the first record is sent."""
        self._kafka, self._configuration = kafka, client_configuration(kafka)
        self._producer: Any = None
        self._brokers: tuple[str, ...] = ()
        self._one_at_a_time = Lock()

    def send(self, records: Sequence[ProducerRecord]) -> list[str | None]:
        """Produce all records and wait for their acknowledgements; returns their coordinates, None where unknown.

        Raises `Unavailable` if a record was not acknowledged, `ServiceBlocked` if a right is missing or the broker
        refuses this client, `RequestTooLarge` if the topic does not accept a record; the others may have been written.
        """
        try:
            with self._one_at_a_time, raising_port_errors(self._kafka, _needed(records)):
                futures = [self._open().send(r.topic, r.value, r.key, list(r.headers)) for r in records]
                self._open().flush(DELIVERY_TIMEOUT_MS / 1000)
                return [_coordinates(future.get(timeout=1)) for future in futures]
        except (Unavailable, ServiceBlocked, RequestTooLarge):
            self.close()
            raise

    def _open(self) -> Any:
        if self._producer is None:
            self._producer, _ = open_client(
                KafkaProducer,
                self._kafka,
                **self._configuration,
                acks="all",
                enable_idempotence=True,
                compression_type=None if self._kafka.compression == "none" else self._kafka.compression,
                linger_ms=LINGER_MS,
                partitioner=_Partitioner(),
                batch_size=BATCH_BYTES,
                max_request_size=NO_LIMIT_BYTES,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
                allow_auto_create_topics=False,
            )
        return self._producer

    def silent_brokers(self) -> list[str]:
        """Return which brokers do not answer now, of the settings and of the cluster as it was known last."""
        return silent_brokers(self._kafka, self._brokers)

    def close(self) -> None:
        """Close the connection; the next `send` opens a new one."""
        if self._producer is not None:
            # kafka-python's own part, only for the words of an error: they do without it.
            cluster = getattr(self._producer, "_metadata", None)
            self._brokers = tuple(f"{broker.host}:{broker.port}" for broker in cluster.brokers()) if cluster else ()
            producer, self._producer = self._producer, None
            try:
                producer.close(timeout=CLOSE_S)
            except KafkaError:  # records that are not acknowledged: it stays open, and its finalizer would try again
                with suppress(AttributeError):  # kafka-python's own parts
                    producer._sender.force_close()
                    producer._closed = True


def _needed(records: Sequence[ProducerRecord]) -> list[Right]:
    return topic_rights(sorted({record.topic for record in records}), WRITE)


def _coordinates(metadata: Any) -> str | None:
    """Return the coordinates of an acknowledged record; None if the broker already had it and does not say where."""
    return (
        None
        if metadata.offset < 0
        else str(Coordinates(Partition(metadata.topic, metadata.partition), metadata.offset))
    )


@contextmanager
def open_producer(kafka: Kafka) -> Iterator[AcknowledgedProducer]:
    """Open a producer for an interactive command; `Problem` (69) if the cluster does not answer."""
    with raising_problems(kafka):
        producer = AcknowledgedProducer(kafka)
        try:
            yield producer
        finally:
            producer.close()
