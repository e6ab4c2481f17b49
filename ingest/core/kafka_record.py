"""Kafka's side of the core: partitions, coordinates, and records consumed and produced."""

from dataclasses import dataclass
from typing import NamedTuple


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


class Coordinates(NamedTuple):
    """The position of a record in Kafka, written as `topic/partition/offset`."""

    partition: Partition
    offset: int

    def __str__(self) -> str:
        return f"{self.partition.topic}/{self.partition.number}/{self.offset}"

    @classmethod
    def read(cls, text: str) -> "Coordinates | None":
        """Parse `topic/partition/offset`; None if the text is something else."""
        topic, _, rest = text.partition("/")
        number, _, offset = rest.partition("/")
        digits = all(part.isascii() and part.isdigit() and len(part) < 20 for part in (number, offset))
        return cls(Partition(topic, int(number)), int(offset)) if topic and digits else None


Header = tuple[str, bytes]


class ConsumerRecord(NamedTuple):
    """One consumed record; `time_ms` is its append time (unix ms).

    Its headers are kept in two parts, because the records of a shipper usually differ only in the last one. Consecutive
    records with equal first headers share one `head` object, so that it is parsed once for all of them.
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
        """All headers, in order."""
        return self.head if self.tail is None else (*self.head, self.tail)

    @property
    def coordinates(self) -> str:
        """`topic/partition/offset`: names the record in provenance and in ids of rejects."""
        return str(Coordinates(self.partition, self.offset))


@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """A record to produce; `headers` keep their order."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def size_bytes(self) -> int:
        """Size of key, value and headers, plus a rounded-up allowance for Kafka's record overhead."""
        return (
            len(self.key or b"") + len(self.value or b"") + sum([len(k) + len(v) + 10 for k, v in self.headers]) + 100
        )
