"""What run asks of the world, in our words: an inbox, a store, an outbox for dead letters, a way to tell people.

The services answer with the values and errors of this room; no name of a client library goes further up.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import ItemResult, Seen, StoredVersion
from ingest.core.kafka_record import ConsumerRecord, Partition, ProducerRecord


class StoredDocument(NamedTuple):
    """A document that is there: what a compare-and-swap of it must have seen, and its version."""

    seen: Seen
    body: dict[str, Any]
    version: int


class Store(Protocol):
    """Documents, written in bulk and looked up by id. Every method may raise `Unavailable` or `Refusal`."""

    def bulk(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """One answer for each action, in order; `RequestTooLarge` when the request as a whole was."""

    def rewrite(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """As `bulk`, for what may be written twice; CREATED for each when none failed."""

    def swap(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """As `bulk`, for compare-and-swaps: the answers say what the next one has to have seen."""

    def kept(self, wanted: Sequence[tuple[str, str]]) -> list[StoredDocument | None]:
        """The documents (index, id), in order, newer than any refresh; None where there is none."""

    def standing(self, wanted: Sequence[tuple[str, str]]) -> list[StoredVersion | None]:
        """What stands at (index, id), in order; None where nothing does."""

    def raise_epoch(self, index: str, doc_id: str, body: Mapping[str, object]) -> int:
        """Take the next epoch of an assignment by compare-and-swap and write it with `body`; from 1."""


class Due(NamedTuple):
    """A state that is due: its document's id, and how many marks it holds."""

    id: str
    marks: int


class Unjudged(NamedTuple):
    """Which runs are to be judged: settled ones of a workflow that `version` did not judge, or called open too long.

    Attributes:
        settled_ms, over_ms: when (unix ms) the last line of such runs was printed at the latest.
    """

    facility: str
    source: str
    workflow: str
    version: int
    settled_ms: int
    over_ms: int


class States(Protocol):
    """What the sweeper asks for. Every method may raise `Unavailable` or `Refusal`."""

    def refresh(self, facility: str) -> None:
        """Make what was written so far visible to the questions that follow."""

    def writers(self, facility: str, source: str, active_ms: int) -> list[dict[str, Any]]:
        """The documents of the source's writers heard within so many ms of its newest record, backfills apart."""

    def due(self, facility: str, source: str, until_ms: int) -> Iterable[Due]:
        """The states that are due at a watermark (unix ms)."""

    def templates(self, facility: str) -> list[dict[str, Any]]:
        """The documents of the facility's workflows."""

    def unjudged(self, wanted: "Unjudged") -> Iterable[Due]:
        """The states of these runs; a state may come more than once."""


class FileStates(Protocol):
    """What the sweeper asks for of files. Every method may raise `Unavailable` or `Refusal`."""

    def due(self, facility: str, topic: str) -> list[tuple[str, dict[str, Any]]]:
        """The files with something to find out or to write, as they stand now: id and document."""


class Progress(NamedTuple):
    """Where a topic ended at a moment, and how far a group had read it a little later, by partition."""

    ends: Mapping[int, int]
    read: Mapping[int, int]

    def past(self, ends: Mapping[int, int]) -> bool:
        """Whether everything before these ends was read."""
        return all(self.read.get(number, 0) >= end for number, end in ends.items())


class Consumer(Protocol):
    """A member of a consumer group. Every method may raise `Unavailable`; membership changes only inside `poll`."""

    def poll(self, timeout_s: float, most: int) -> list[list[ConsumerRecord]]:
        """At most so many records of the partitions that were begun, a list for each, in order."""

    def changing(self) -> bool:
        """Whether the group is being shared out anew: no `poll` takes part in it before this was told."""

    def reachable(self) -> bool:
        """Whether the broker that keeps the group is known and connected."""

    def changes(self) -> tuple[set[Partition], set[Partition]]:
        """Partitions that (were lost, came new) since the last call; a new one yields nothing until `begin`."""

    def begin(self, partition: Partition) -> int:
        """Start reading a partition; the offset that its first ledger range starts at."""

    def keep_alive(self) -> None:
        """Poll as a member of the group, without taking a record."""

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit and wait for the confirmation; `Fenced` when the group has moved on."""

    def committed(self, partition: Partition) -> int | None:
        """Where the group stands, whoever owns the partition."""

    def position(self, partition: Partition) -> int | None:
        """The offset that is read next, past whatever is not a record; None when the partition is not ours."""

    def end_offsets(self, topics: Sequence[str]) -> dict[Partition, int]:
        """The offset after the newest record, for every partition of the topics."""

    def close(self) -> None:
        """Leave the group, committing nothing."""

    def first_offsets(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """The oldest offset that still exists, for each."""


class Producer(Protocol):
    """Where dead letters go. May raise `Unavailable`, or `RequestTooLarge` when the topic does not take one of them."""

    def send(self, letters: Sequence["ProducerRecord"]) -> list[str | None]:
        """Produce all of them; returns when every one was acknowledged: the coordinates of each, None where unknown."""

    def close(self) -> None:
        """Let the connection go."""


class Notice(NamedTuple):
    """What people are to be told of an incident.

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
    """A way to tell people. Told twice is possible after a crash; untold is not. May raise `Unavailable`."""

    def tell(self, notice: Notice) -> None:
        """Returns when it was taken over."""
