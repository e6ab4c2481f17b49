"""What Kafka gives and takes: partitions, coordinates, records."""

from dataclasses import dataclass
from typing import NamedTuple


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


class ConsumerRecord(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class ProducerRecord:
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
