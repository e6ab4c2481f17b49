"""Producing: every record acknowledged by all in-sync replicas before anybody is told that it is there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import DefaultPartitioner

from ingest.config.settings import Kafka
from ingest.core.kafka_record import Coordinates, Partition, ProducerRecord
from ingest.edge.errors import RequestTooLarge, Unavailable
from ingest.edge.kafka.client import client_configuration, raising_port_errors, raising_problems

BATCH_BYTES = 256 * 1024
LINGER_MS = 50
NO_LIMIT_BYTES = 2**31 - 1  # the topic decides, by the size of the compressed batch
DELIVERY_TIMEOUT_MS = 60_000


class _Partitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python is untyped
    """The usual partition of a key, worked out once for records that follow one another: in Python that is slow."""

    _last: tuple[str, bytes | None] = ("", None)
    _partition = 0

    def partition(self, topic: str, key: Any, serialized_key: bytes | None, *rest: Any) -> int:
        """The partition of a record."""
        if serialized_key is None or self._last != (topic, serialized_key):
            self._partition = super().partition(topic, key, serialized_key, *rest)
            self._last = (topic, serialized_key)
        return self._partition


class AcknowledgedProducer:
    """An idempotent producer for one thread at a time, made anew after a refusal, for which it has no cure."""

    def __init__(self, kafka: Kafka) -> None:
        """Connect lazily, when the first record is sent."""
        self._kafka = kafka
        self._producer: Any = None
        self._one_at_a_time = Lock()

    def send(self, letters: Sequence[ProducerRecord]) -> list[str | None]:
        """Produce all of them and wait until each was acknowledged; the coordinates of each, None where unknown.

        Raises `Unavailable` when one was not, `RequestTooLarge` when the topic does not take one; others may be there.
        """
        try:
            with self._one_at_a_time, raising_port_errors():
                futures = [self._open().send(o.topic, o.value, o.key, list(o.headers)) for o in letters]
                self._open().flush(DELIVERY_TIMEOUT_MS / 1000)
                return [_coordinates(future.get(timeout=1)) for future in futures]
        except (Unavailable, RequestTooLarge):
            self.close()
            raise

    def _open(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(
                **client_configuration(self._kafka),
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

    def close(self) -> None:
        """Let the connection go; the next `send` makes a new one."""
        if self._producer is not None:
            with suppress(KafkaError):  # a broken producer cannot be closed any better
                self._producer.close(timeout=5)
            self._producer = None


def _coordinates(told: Any) -> str | None:
    """Where an acknowledged record lies; a broker that had it already does not say where."""
    return None if told.offset < 0 else str(Coordinates(Partition(told.topic, told.partition), told.offset))


@contextmanager
def open_producer(kafka: Kafka) -> Iterator[AcknowledgedProducer]:
    """A producer for a command that a person waits for: `Problem` (69) when the cluster does not answer."""
    made = AcknowledgedProducer(kafka)
    with raising_problems(kafka):
        try:
            yield made
        finally:
            made.close()
