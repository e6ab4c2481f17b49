"""Interfaces of the services that the pipeline uses: store, states, consumer, producer, notifier.

Services return the values and errors defined here; no name of a client library goes beyond edge.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import ItemResult, Seen, StoredVersion
from ingest.core.kafka_record import ConsumerRecord, Partition, ProducerRecord
from ingest.core.movements.record import TransferRecord
from ingest.core.movements.state import TransferState
from ingest.core.movements.units import UnitKey


class StoredDocument(NamedTuple):
    """A stored document: the sequence number a compare-and-swap must match, its body and its version."""

    seen: Seen
    body: dict[str, Any]
    version: int


class Store(Protocol):
    """Documents, written in bulk and read by id. Every method may raise `Unavailable` or `ServiceBlocked`."""

    def bulk(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Return one result per action, in order; `RequestTooLarge` if the request as a whole is too large."""

    def rewrite(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Like `bulk`, for actions that may be written twice; every result is CREATED if none failed."""

    def swap(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Like `bulk`, for compare-and-swaps: the results carry the sequence number that the next one must match."""

    def get(self, refs: Sequence[tuple[str, str]]) -> list[StoredDocument | None]:
        """Return the documents at (index, id), in order, independent of refreshes; None where none exists."""

    def versions(self, refs: Sequence[tuple[str, str]]) -> list[StoredVersion | None]:
        """Return the origin and version of the document at (index, id), in order; None where none exists."""

    def raise_epoch(self, index: str, doc_id: str, body: Mapping[str, object]) -> int:
        """Take the next epoch of an assignment by compare-and-swap and write it with `body`; the first is 1."""


class Due(NamedTuple):
    """A state that is due: the id of its document, and the number of its marks."""

    id: str
    marks: int


class Unjudged(NamedTuple):
    """Selects runs to judge: settled runs that `version` has not judged, or that stayed open for too long.

    Attributes:
        settled_ms, over_ms: latest time (unix ms) of the last line of such runs.
    """

    facility: str
    source: str
    workflow: str
    version: int
    settled_ms: int
    over_ms: int


class States(Protocol):
    """The sweeper's queries. Every method may raise `Unavailable` or `ServiceBlocked`."""

    def refresh(self, facility: str) -> None:
        """Make all earlier writes visible to the queries that follow."""

    def writers(self, facility: str, source: str, active_ms: int) -> list[dict[str, Any]]:
        """Return writers active within `active_ms` of the source's newest record; backfills are measured apart."""

    def due(self, facility: str, source: str, until_ms: int) -> Iterable[Due]:
        """Yield the states that are due at a watermark (unix ms)."""

    def templates(self, facility: str) -> list[dict[str, Any]]:
        """Return the documents of the facility's workflows."""

    def unjudged(self, selection: "Unjudged") -> Iterable[Due]:
        """Yield the states of these runs; a state may come more than once."""


class FileStates(Protocol):
    """The sweeper's queries for files. Every method may raise `Unavailable` or `ServiceBlocked`."""

    def due(self, facility: str, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (id, document) of the files that have something to find out or to write."""


class TransferStates(Protocol):
    """The sweeper's queries for transfers. Every method may raise `Unavailable` or `ServiceBlocked`."""

    def refresh(self, facility: str) -> None:
        """Make all earlier writes visible to the queries that follow."""

    def due(self, facility: str) -> Iterable[TransferState]:
        """Yield the states whose movements have to be derived."""

    def sharing(self, facility: str, keys: Sequence[str]) -> Iterable[TransferState]:
        """Yield the states that have at least one of the keys; a state may come more than once."""

    def records(self, facility: str, units: Sequence[UnitKey]) -> Iterable[TransferRecord]:
        """Yield the facts of units; a fact may belong to none of them."""


class Progress(NamedTuple):
    """A topic's end offsets, and a group's committed offsets read a little later, by partition."""

    ends: Mapping[int, int]
    read: Mapping[int, int]

    def past(self, ends: Mapping[int, int]) -> bool:
        """Whether the group has read everything before these end offsets."""
        return all(self.read.get(number, 0) >= end for number, end in ends.items())


class Consumer(Protocol):
    """A member of a consumer group; the assignment changes only inside `poll`.

    Any method may raise `Unavailable`, or `ServiceBlocked` if a right is missing or the broker refuses the client.
    """

    def poll(self, timeout_s: float, most: int) -> list[list[ConsumerRecord]]:
        """Return up to `most` records of the partitions that were begun, one ordered list per partition."""

    def is_rebalancing(self) -> bool:
        """Whether the group is rebalancing; `poll` takes part in a rebalance only after this returned True."""

    def is_reachable(self) -> bool:
        """Whether the group coordinator is known and connected."""

    def take_changes(self) -> tuple[set[Partition], set[Partition]]:
        """Return partitions (lost, new) since the last call; a new partition yields no records until `begin`."""

    def begin(self, partition: Partition) -> int:
        """Start reading a partition; returns the offset at which its first ledger range starts."""

    def keep_alive(self) -> None:
        """Poll as a member of the group, without taking a record."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit and wait for the confirmation; `Fenced` if the partitions were reassigned."""

    def committed(self, partition: Partition) -> int | None:
        """Return the group's committed offset, whoever owns the partition."""

    def position(self, partition: Partition) -> int | None:
        """Return the next offset to read, past control records and gaps; None if the partition is not ours."""

    def end_offsets(self, topics: Sequence[str]) -> dict[Partition, int]:
        """Return the end offset of every partition of the topics: the offset after the newest record."""

    def close(self) -> None:
        """Leave the group without committing."""

    def first_offsets(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Return the oldest offset that still exists, for each partition."""


class Producer(Protocol):
    """Produces dead letters.

    May raise `Unavailable` or `ServiceBlocked`, or `RequestTooLarge` if the topic does not accept a record.
    """

    def send(self, records: Sequence["ProducerRecord"]) -> list[str | None]:
        """Produce all records and wait for their acknowledgements; returns their coordinates, None where unknown."""

    def close(self) -> None:
        """Close the connection."""


class Notice(NamedTuple):
    """What people are told about an incident.

    Attributes:
        id: of the incident; what: fired, worse or closed; severity: warning or critical.
        text: the sentence; meaning: what the rule says it means and what to look at.
    """

    id: str
    what: str
    severity: str
    text: str
    meaning: str


class Notifier(Protocol):
    """Notifies people, at least once: a notice may repeat after a crash but is never lost. May raise `Unavailable`."""

    def tell(self, notice: Notice) -> None:
        """Deliver a notice; returns once it was accepted."""
