"""Lines with their truth, made once and put into one topic after another as record batches that are ready to be sent.

A producer would encode the same lines for every fault anew; the batches go to the broker as they are (KIP-98, magic 2),
by a produce request of version 3 written by hand.
"""

import socket
import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from kafka.record.memory_records import MemoryRecordsBuilder

from ingest.core.model import Provenance
from ingest.run.headers import written
from ingest.synthetic.workload import Fact, Made

PARTITIONS = 4
CHUNK = 100  # messages of one file that go to one partition together
BATCH = 1000
ANSWER_TIMEOUT_S = 30

Known = tuple[str | None, int, int | None, str | None, str, str, str, int]


def known(fact: Fact) -> Known:
    """What of a document is compared."""
    return (
        fact.original,
        fact.at_ms,
        fact.logged_ms,
        fact.run,
        fact.stage,
        fact.key,
        fact.script,
        fact.script_line,
    )


@dataclass(frozen=True)
class Cargo:
    """Messages in order of arrival, and what has to become of them."""

    messages: tuple[Made, ...]

    @cached_property
    def facts(self) -> frozenset[Known]:
        """The documents that must be there, each once."""
        return frozenset(known(fact) for made in self.messages for fact in made.truth.facts)

    @cached_property
    def bad(self) -> Counter[bytes]:
        """The messages that must be among the dead letters."""
        return Counter(made.data for made in self.messages if made.truth.outcome == "rejected")

    @cached_property
    def outcomes(self) -> Counter[str]:
        """What the ledger's numbers must add up to."""
        return Counter(
            "duplicate" if made.truth.repeats and made.truth.outcome == "stored" else made.truth.outcome
            for made in self.messages
        )

    @cached_property
    def batches(self) -> dict[int, list[bytes]]:
        """Partition -> its record batches."""
        shares: dict[int, list[Made]] = {n: [] for n in range(PARTITIONS)}
        for n, made in enumerate(self.messages):
            shares[n // CHUNK % PARTITIONS].append(made)
        return {
            n: [_batch(share[at : at + BATCH]) for at in range(0, len(share), BATCH)] for n, share in shares.items()
        }

    def post(self, kafka: str, topic: str, times: int = 1) -> int:
        """Put everything into a topic, several times if wanted; returns how many records that were."""
        with _connected(kafka) as connection:
            for _ in range(times):
                for n, batches in self.batches.items():
                    for batch in batches:
                        _produce(connection, topic, n, batch)
        return times * len(self.messages)

    def part(self, of: int, out_of: int) -> "Cargo":
        """One of several equal parts."""
        length = len(self.messages)
        return Cargo(self.messages[of * length // out_of : (of + 1) * length // out_of])


def _batch(share: Sequence[Made]) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=2**26)
    for n, made in enumerate(share):
        told = written(Provenance(made.host, made.path, n, "test"), backfill=True)
        builder.append(made.at_ms, f"{made.host}:{made.path}".encode(), made.data, list(told))
    builder.close()
    return bytes(builder.buffer())


def _connected(kafka: str) -> socket.socket:
    host, _, port = kafka.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=ANSWER_TIMEOUT_S)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _produce(connection: socket.socket, topic: str, partition: int, batch: bytes) -> None:
    """One produce request (0, version 3, acks all), and its answer read."""
    head = struct.pack(">hhi", 0, 3, 1) + _text("tests") + struct.pack(">hhi", -1, -1, ANSWER_TIMEOUT_S * 1000)
    body = struct.pack(">i", 1) + _text(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
    connection.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
    with connection.makefile("rb") as stream:
        answer = stream.read(*struct.unpack(">i", stream.read(4)))
    (error,) = struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic) + 4 + 4)
    assert error == 0, f"Kafka's error code {error} for {topic}/{partition}"


def joined(parts: Iterable[Cargo]) -> Cargo:
    """Several as one."""
    return Cargo(tuple(made for part in parts for made in part.messages))
