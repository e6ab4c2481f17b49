"""What run asks of the world, in our words: an inbox, a store, an outbox for dead letters, a way to tell people.

The services answer with the values and errors of this room; no name of a client library goes further up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ingest.core.actions import Action


class Unavailable(Exception):
    """The service did not answer, or said that it is busy: the same request may succeed later."""


class Refusal(Exception):
    """The service refuses, and not because of a document: a right, a block, a setting. Waits for a person."""


class RequestTooLarge(Exception):
    """The request as a whole is larger than the service takes; in smaller parts it may pass."""


class Fenced(Exception):
    """The group took the partitions away: what is in hand must not be committed."""


class Partition(NamedTuple):
    """A topic's partition."""

    topic: str
    number: int


class Coordinates(NamedTuple):
    """Where a record lies in Kafka; written as `topic/partition/offset`."""

    partition: Partition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition.topic}/{self.partition.number}/{self.offset}"

    @classmethod
    def read(cls, text: str) -> "Coordinates | None":
        """The coordinates that a text names; None when it names none."""
        topic, _, rest = text.partition("/")
        number, _, offset = rest.partition("/")
        digits = all(part.isascii() and part.isdigit() and len(part) < 20 for part in (number, offset))
        return cls(Partition(topic, int(number)), int(offset)) if topic and digits else None


Header = tuple[str, bytes]


class Received(NamedTuple):
    """One Kafka record as it came; `time_ms` is its append time (unix ms).

    Its headers are held in two parts, because those of a shipper's records differ in the last one only: `head` is one
    and the same object for records that follow one another and share it, so that what it says is worked out once.
    """

    partition: Partition
    offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    head: tuple[Header, ...] = ()
    tail: Header | None = None

    @property
    def headers(self) -> tuple[Header, ...]:
        """All of them, in order."""
        return self.head if self.tail is None else (*self.head, self.tail)

    @property
    def coordinates(self) -> str:
        """`topic/partition/offset`: the record's name in provenance and in the rejects' ids."""
        return str(Coordinates(self.partition, self.offset))


class Answer(NamedTuple):
    """What Elasticsearch said of one action.

    `failure_store` = it went to the failure store instead of the index; `seen` is known of a swap that was done.
    """

    status: int
    result: str = ""
    error: str = ""
    reason: str = ""
    failure_store: bool = False
    seen: "Seen | None" = None


Seen = tuple[int, int]
"""Sequence number and primary term of a document: what a compare-and-swap compares."""


class Kept(NamedTuple):
    """A document that is there: what a compare-and-swap of it must have seen, and its version."""

    seen: Seen
    body: dict[str, Any]
    version: int


CREATED = Answer(201, "created")
"""The answer to nearly every action: always this very object."""
UPDATED = Answer(200, "updated")
PRESENT = Answer(409)
"""What is said for an action that nobody asked Elasticsearch for, since its document is known to stand there."""


class Standing(NamedTuple):
    """A document that is there: `provenance.kafka` of it, None where it tells none, and its version."""

    origin: str | None
    version: int


class Store(Protocol):
    """Documents, written in bulk and looked up by id. Every method may raise `Unavailable` or `Refusal`."""

    def bulk(self, actions: Sequence[Action]) -> list[Answer]:
        """One answer for each action, in order; `RequestTooLarge` when the request as a whole was."""

    def rewrite(self, actions: Sequence[Action]) -> list[Answer]:
        """As `bulk`, for what may be written twice; CREATED for each when none failed."""

    def swap(self, actions: Sequence[Action]) -> list[Answer]:
        """As `bulk`, for compare-and-swaps: the answers say what the next one has to have seen."""

    def kept(self, wanted: Sequence[tuple[str, str]]) -> list["Kept | None"]:
        """The documents (index, id), in order, newer than any refresh; None where there is none."""

    def standing(self, wanted: Sequence[tuple[str, str]]) -> list[Standing | None]:
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


class Inbox(Protocol):
    """A member of a consumer group. Every method may raise `Unavailable`; membership changes only inside `poll`."""

    def poll(self, timeout_s: float, most: int) -> list[list[Received]]:
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


class Outbox(Protocol):
    """Where dead letters go. May raise `Unavailable`, or `RequestTooLarge` when the topic does not take one of them."""

    def send(self, letters: Sequence["Letter"]) -> list[str | None]:
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


@dataclass(frozen=True, slots=True)
class Letter:
    """A record to produce: `headers` in order, as Kafka keeps them."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size_bytes(self) -> int:
        """Key, value and headers, with Kafka's overhead of a record rounded up."""
        return (
            len(self.key or b"") + len(self.value or b"") + sum([len(k) + len(v) + 10 for k, v in self.headers]) + 100
        )
