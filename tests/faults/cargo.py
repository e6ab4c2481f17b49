"""Lines with their truth: made once, then put into one topic after another as ready record batches.

A producer would encode the same lines again for every fault; these batches go to the broker as they are.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from kafka.record.memory_records import MemoryRecordsBuilder

from ingest.core.model import Provenance
from ingest.core.records.headers import to_headers
from ingest.synthetic.workload.generator import Made
from ingest.synthetic.workload.truth import ExpectedDocument
from tests.faults.wire import wire

PARTITIONS = 4
CHUNK = 100  # messages of one file that go to one partition together
BATCH = 1000

ComparedFields = tuple[str | None, int, int | None, str | None, str, str, str, int]


def compared_fields(fact: ExpectedDocument) -> ComparedFields:
    """The fields of a document that are compared."""
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
    """Messages in order of arrival, and the outcomes that they must have."""

    messages: tuple[Made, ...]

    @cached_property
    def facts(self) -> frozenset[ComparedFields]:
        """The documents that must be there, each once."""
        return frozenset(compared_fields(fact) for made in self.messages for fact in made.truth.facts)

    @cached_property
    def bad(self) -> Counter[bytes]:
        """The messages that must be among the dead letters."""
        return Counter(made.data for made in self.messages if made.truth.outcome == "rejected")

    @cached_property
    def refused(self) -> Counter[bytes]:
        """The pieces that must be rejected: of a message that has a good line too, the remainder."""
        return Counter(_refused(made) for made in self.messages if made.truth.outcome == "rejected")

    @cached_property
    def outcomes(self) -> Counter[str]:
        """The sums that the ledger must have."""
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
        """Put everything into a topic, one or several times; return the number of records."""
        with wire(kafka) as connection:
            for _ in range(times):
                for n, batches in self.batches.items():
                    for batch in batches:
                        connection.produce(topic, n, batch)
        return times * len(self.messages)


def _refused(made: Made) -> bytes:
    left = made.data
    for fact in made.truth.facts:
        left = left.replace((fact.original or "").encode(), b"", 1)
    return left


def _batch(share: Sequence[Made]) -> bytes:
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=2**26)
    for n, made in enumerate(share):
        headers = to_headers(Provenance(made.host, made.path, n, "test"), backfill=True)
        builder.append(made.at_ms, f"{made.host}:{made.path}".encode(), made.data, list(headers))
    builder.close()
    return bytes(builder.buffer())


def joined(parts: Iterable[Cargo]) -> Cargo:
    """Several as one."""
    return Cargo(tuple(made for part in parts for made in part.messages))


def parted(whole: Cargo, count: int) -> list[Cargo]:
    """In so many equal parts, in order."""
    length = -(-len(whole.messages) // count)
    return [Cargo(whole.messages[n * length : (n + 1) * length]) for n in range(count)]
