"""Reads records by their coordinates, outside any consumer group: nothing is committed, no group is disturbed."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from ingest.config.settings import Delivery, Kafka
from ingest.core.kafka_record import ConsumerRecord, Coordinates, Partition
from ingest.edge.errors import Unavailable
from ingest.edge.kafka.client import ENVELOPE_BYTES, client_configuration, raising_problems
from ingest.edge.kafka.connections import open_client
from ingest.edge.kafka.record_batches import to_consumer_record
from ingest.edge.kafka.rights import READ, topic_rights
from ingest.edge.kafka.topics import open_topics

SILENCE_S = 15.0
POLL_MS = 500
NEAR_OFFSETS = 500  # up to this distance, reading on is cheaper than seeking
FETCH_BYTES = 1024 * 1024


class RecordFetcher:
    """Reads single records of topics."""

    def __init__(self, consumer: Any, kafka: Kafka) -> None:
        """Take an open consumer that has no group, and the settings of its cluster."""
        self._consumer, self._kafka = consumer, kafka
        self._spans: dict[str, dict[Partition, tuple[int, int]]] = {}

    def span(self, topic: str, needed: str = READ) -> Mapping[Partition, tuple[int, int]]:
        """Return (oldest, end) offset of each partition as of the first call; empty if the topic does not exist.

        `Problem` (77) if the topic may not be seen: to a consumer it looks as if there were none. `needed` is the right
        that the caller needs of it.
        """
        if topic not in self._spans:
            every = [TopicPartition(topic, n) for n in sorted(self._consumer.partitions_for_topic(topic) or ())]
            if not every:
                self._demand(topic, needed)
            first, end = (
                (self._consumer.beginning_offsets(every), self._consumer.end_offsets(every)) if every else ({}, {})
            )
            self._spans[topic] = {Partition(*at): (int(first[at]), int(end[at])) for at in every}
        return self._spans[topic]

    def _demand(self, topic: str, needed: str) -> None:
        with open_topics(self._kafka) as cluster:
            cluster.demand(topic_rights([topic], needed))

    def records(self, coordinates: Iterable[Coordinates]) -> Iterator[ConsumerRecord]:
        """Yield those of the wanted records that still exist, partition by partition, in offset order."""
        offsets: dict[Partition, set[int]] = defaultdict(set)
        for at in coordinates:
            first, end = self.span(at.partition.topic).get(at.partition, (0, 0))
            if first <= at.offset < end:
                offsets[at.partition].add(at.offset)
        for partition in sorted(offsets):
            yield from self._records_of(partition, sorted(offsets[partition]))

    def _records_of(self, partition: Partition, offsets: Sequence[int]) -> Iterator[ConsumerRecord]:
        at = TopicPartition(*partition)
        self._consumer.assign([at])
        left = list(reversed(offsets))
        while left:
            if not 0 <= left[-1] - self._position(at) <= NEAR_OFFSETS:
                self._consumer.seek(at, left[-1])
            for record in self._poll(at, left[-1]):
                while left and left[-1] < record.offset:
                    left.pop()  # compacted away, or a control record
                if left and left[-1] == record.offset:
                    left.pop()
                    yield to_consumer_record(record, Partition(*at))

    def _position(self, at: Any) -> int:
        position = self._consumer.position(at, timeout_ms=int(SILENCE_S * 1000))
        return -1 if position is None else int(position)

    def _poll(self, at: Any, offset: int) -> list[Any]:
        """Return the next records; raises `Unavailable` if none come although there must be some."""
        deadline = time.monotonic() + SILENCE_S
        while time.monotonic() < deadline:
            batches = self._consumer.poll(timeout_ms=POLL_MS)
            if batches:
                return [record for records in batches.values() for record in records]
        raise Unavailable(f"{at.topic}/{at.partition} gives no record from offset {offset} on")


@contextmanager
def open_fetcher(kafka: Kafka, delivery: Delivery) -> Iterator[RecordFetcher]:
    """Open a fetcher for the cluster in the settings; `Problem` (69) if it does not answer."""
    with raising_problems(kafka):
        consumer, _ = open_client(
            KafkaConsumer,
            kafka,
            **client_configuration(kafka),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=max(FETCH_BYTES, delivery.max_message_bytes + 2 * ENVELOPE_BYTES),
            fetch_max_wait_ms=100,
        )
        try:
            yield RecordFetcher(consumer, kafka)
        finally:
            consumer.close(autocommit=False)
