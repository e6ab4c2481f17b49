"""A member of a consumer group that commits only on request, and only partitions that it owns.

kafka-python joins and rebalances only inside `poll`, so the assignment cannot change between two polls; the listener
below only records changes. New partitions are paused until `begin` has read the group's committed offset: otherwise a
partition could yield records before the assignment's epoch is taken.
A client that stops reading one of our partitions is replaced by a new one: see stuck.py.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError

from ingest.config.settings import Delivery, Kafka
from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.edge.kafka import internals
from ingest.edge.kafka.brokers.failures import BrokerRefused
from ingest.edge.kafka.client import ENVELOPE_BYTES, client_configuration, raising_port_errors, raising_problems
from ingest.edge.kafka.connections import open_client
from ingest.edge.kafka.rebalance import RebalanceGate
from ingest.edge.kafka.record_batches import install
from ingest.edge.kafka.rights import GROUP, READ, Right, topic_rights
from ingest.edge.kafka.stuck import StuckDetector

log = logging.getLogger("perflog.kafka")
FETCH_BYTES = 16 * 1024 * 1024
KEEP_ALIVE_POLL_MS = 20
CLOSE_MS = 5000
LOOK_MS = 2000
COMMIT_MS = 10_000


class _Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python is untyped
    """The owned and begun partitions and their changes; called on the client's own thread, where it must not block."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._lost: set[Partition] = set()
        self._new: set[Partition] = set()
        self._begun: set[Partition] = set()

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Record that partitions were revoked (or, under its other name, lost)."""
        lost = {Partition(*p) for p in revoked}
        with self._lock:
            self._lost |= lost
            self._new -= lost
            self._begun -= lost

    on_partitions_lost = on_partitions_revoked

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Record new partitions and pause them until `begin`."""
        if assigned:
            self._consumer.pause(*assigned)
        with self._lock:
            self._new |= {Partition(*p) for p in assigned}

    def take_changes(self) -> tuple[set[Partition], set[Partition]]:
        """Return the changes since the last call as (lost, new)."""
        with self._lock:
            lost, new = self._lost, self._new
            self._lost, self._new = set(), set()
        return lost, new

    def begin(self, partition: Partition) -> None:
        """Mark a partition as readable."""
        with self._lock:
            self._begun.add(partition)

    @property
    def begun(self) -> list[Partition]:
        """The partitions that may be read now."""
        with self._lock:
            return sorted(self._begun)


def _client(kafka: Kafka, delivery: Delivery, group: str) -> Any:
    consumer, _ = open_client(
        KafkaConsumer,
        kafka,
        **client_configuration(kafka),
        group_id=group,
        group_instance_id=kafka.instance,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        partition_assignment_strategy=[CooperativeStickyAssignor],
        session_timeout_ms=int(kafka.session_timeout_s * 1000),
        heartbeat_interval_ms=int(kafka.heartbeat_s * 1000),
        max_poll_interval_ms=int(kafka.max_poll_interval_s * 1000),
        max_poll_records=delivery.bulk_documents,
        max_partition_fetch_bytes=delivery.max_message_bytes + ENVELOPE_BYTES,
        fetch_max_bytes=max(FETCH_BYTES, delivery.max_message_bytes + ENVELOPE_BYTES),
        fetch_max_wait_ms=200,
    )
    return consumer


def _by_partition(offsets: Mapping[Any, int]) -> dict[Partition, int]:
    return {Partition(*p): int(o) for p, o in offsets.items()}


class GroupConsumer:
    """Implements `ports.Consumer`."""

    def __init__(self, kafka: Kafka, delivery: Delivery, topics: Sequence[str], group: str) -> None:
        """Join `group` for `topics`; `Problem` if the cluster does not answer (69) or refuses this client (77, 78)."""
        self._new_client = partial(_client, kafka, delivery, group)
        self._topics = list(topics)
        needed = [*topic_rights(topics, READ), Right(READ, GROUP, group)]
        self._raising = partial(raising_port_errors, kafka, needed)
        self._stuck_detector = StuckDetector()
        with raising_problems(kafka):
            self._join(self._new_client())

    def _join(self, client: Any) -> None:
        internals.check(client)
        install(client)
        self._consumer, self._membership = client, _Membership(client)
        self._gate = RebalanceGate(client._coordinator)
        self._stuck_detector.forget()
        client.subscribe(topics=self._topics, listener=self._membership)

    def poll(self, timeout_s: float, most: int) -> list[list[ConsumerRecord]]:
        """Return records of the partitions that were begun, one list per partition."""
        with self._raising():
            batches = list(self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=most).values())
            if not batches and (refused := self._consumer._client.manager.refused_since_bootstrap()):
                raise BrokerRefused(refused)
            if not batches and self.is_reachable() and not self._gate.due() and self._stuck_detector.due():
                self._rejoin_if_stuck()
            return batches

    def _rejoin_if_stuck(self) -> None:
        """Check for stuck partitions; if there are any, leave the group and join it again with a new client."""
        begun = self._begun()
        assigned = self._consumer._subscription.assignment
        at = {p: position.offset for p in begun if p in assigned and (position := assigned[p].position) is not None}
        ends = self._consumer.end_offsets(begun, timeout_ms=LOOK_MS) if begun else {}
        if stuck := self._stuck_detector.stuck(_by_partition(at), _by_partition(ends)):
            names = ", ".join(f"{topic}/{number}" for topic, number in stuck)
            log.warning("Stuck although there are more records: %s. Rejoining the group; nothing is lost.", names)
            client = self._new_client()
            self.close()
            self._join(client)
            self._membership.on_partitions_revoked(begun)

    def is_rebalancing(self) -> bool:
        """Whether the next poll would rejoin the group, which leaves time to finish the records in flight.

        kafka-python revokes partitions in the middle of that poll, on a thread that must not block. So no poll rejoins
        before this method has returned True.
        """
        return self._gate.announce()

    def is_reachable(self) -> bool:
        """Whether the group coordinator is known; while it is not, polls return nothing and raise nothing."""
        return not self._consumer._coordinator.coordinator_unknown()

    def take_changes(self) -> tuple[set[Partition], set[Partition]]:
        """Return the partitions lost and the partitions gained since the last call."""
        return self._membership.take_changes()

    def begin(self, partition: Partition) -> int:
        """Start reading at the committed offset, or at the oldest record if there is none."""
        at = TopicPartition(*partition)
        with self._raising():
            first = self._consumer.committed(at)
            if first is not None and first > self._consumer.end_offsets([at])[at]:
                log.error("%s/%d ends before offset %d, where the group stands: was the topic recreated?", *at, first)
                first = None
            if first is None:
                first = self._consumer.beginning_offsets([at])[at]
            self._consumer.seek(at, first)
            self._consumer.resume(at)
        self._membership.begin(partition)
        return int(first)

    def keep_alive(self) -> None:
        """Poll with every partition paused, so that the worker stays in the group while it waits."""
        self._stuck_detector.forget()
        with self._raising():
            self._consumer.pause(*self._begun())
            try:
                self._consumer.poll(timeout_ms=KEEP_ALIVE_POLL_MS)
            finally:  # a poll that is denied must not leave them paused
                self._consumer.resume(*self._begun())

    def _begun(self) -> list[Any]:
        return [TopicPartition(*p) for p in self._membership.begun]

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit and wait for the confirmation."""
        with self._raising():
            positions = {TopicPartition(*p): OffsetAndMetadata(o, "", -1) for p, o in offsets.items()}
            self._consumer.commit(positions, timeout_ms=COMMIT_MS)

    def committed(self, partition: Partition) -> int | None:
        """Return the group's committed offset, whoever owns the partition."""
        with self._raising():
            offset = self._consumer.committed(TopicPartition(*partition))
        return None if offset is None else int(offset)

    def position(self, partition: Partition) -> int | None:
        """Return the next offset to read, past control records and gaps; None if we do not own the partition."""
        at = TopicPartition(*partition)
        if partition not in self._membership.begun:
            return None
        with self._raising():
            offset = self._consumer.position(at, timeout_ms=1000)
        return None if offset is None else int(offset)

    def first_offsets(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the oldest offset that still exists, for each partition."""
        with self._raising():
            return _by_partition(self._consumer.beginning_offsets([TopicPartition(*p) for p in partitions]))

    def end_offsets(self, topics: Sequence[str]) -> dict[Partition, int]:
        """Return the end offset of every partition of the topics: the offset after the newest record."""
        with self._raising():
            every = [TopicPartition(t, n) for t in topics for n in self._consumer.partitions_for_topic(t) or ()]
            return _by_partition(self._consumer.end_offsets(every))

    def close(self) -> None:
        """Leave the group without committing; if Kafka is down, the session times out."""
        with suppress(KafkaError):
            self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)
