"""The outside oracle compares the contents of Elasticsearch and Kafka, read by its own clients, with the truth.

It trusts no count of the pipeline: it compares the ledger with Kafka's offsets and with the truth.
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.faults.cargo import Cargo, ComparedFields
from tests.support.ledger_checks import assert_tiled
from tests.support.world import World

FACT_FIELDS = ("@timestamp", "event.original*", "perf.run.id", "perf.stage.name", "perf.mark", "log.origin.file")
REJECT_FIELDS = ("event.original*", "provenance.kafka")
SHOWN = 3
LARGE_BYTES = 2**22  # messages that the dead-letter topic alone holds: the index has the reject without them


@dataclass(frozen=True)
class Counts:
    """The numbers that the oracle counted."""

    documents: int
    dead_letters: int
    duplicates: int


def judged(world: World, cargo: Cargo) -> Counts:
    """Nothing lost, nothing twice, nothing changed; dead letters and ledger right. Return the numbers."""
    documents = Counter(_compared_fields(body) for body in world.documents("marks", FACT_FIELDS).values())
    assert_same("documents", documents, Counter(cargo.facts))
    assert_dead_letters(world, cargo)
    assert_ledger(world, cargo)
    return Counts(documents.total(), cargo.bad.total(), world.ledger_sums()["duplicate"])


def assert_dead_letters(world: World, cargo: Cargo) -> None:
    """In the index one for each bad record, with its piece; in the topic each at least once, and nothing else."""
    rejects = world.documents("rejects", REJECT_FIELDS).values() if cargo.bad else ()
    by_record = {body["provenance"]["kafka"]: _bytes(body.get("event")) for body in rejects}
    in_the_index: Counter[bytes | None] = Counter({d: n for d, n in cargo.refused.items() if len(d) < LARGE_BYTES})
    in_the_index[None] = sum(n for data, n in cargo.refused.items() if len(data) >= LARGE_BYTES)
    assert_same("rejects", Counter(by_record.values()), +in_the_index)
    letters = Counter(bytes(letter.value) for letter in world.records(world.settings.delivery.dead_letter_topic))
    assert_same("distinct dead letters", Counter(set(letters)), Counter(set(cargo.bad)))
    few = {data for data, times in cargo.bad.items() if letters[data] < times}
    assert not few, f"{len(few)} dead letters stand in the topic less often than they came, e.g. {min(few)[:200]!r}"


def assert_ledger(world: World, cargo: Cargo) -> None:
    """Its ranges tile the committed offsets, which are the ends; its sums equal the outcomes of the lines."""
    assert_tiled(world)
    ends = world.ends()
    assert world.committed() == {n: end for n, end in ends.items() if end}
    assert sum(ends.values()) == len(cargo.messages)
    sums = world.ledger_sums()
    assert sums["records"] == len(cargo.messages)
    counts = {name: sums[name] for name in ("stored", "duplicate", "rejected", "ignored", "corrected")}
    assert counts == {name: cargo.outcomes[name] for name in counts}


def assert_same(name: str, actual: Mapping[Any, int], expected: Mapping[Any, int]) -> None:
    """Two multisets are the same; if not, say how many lack, how many are too many, and show some."""
    lacking, extra = Counter(expected) - Counter(actual), Counter(actual) - Counter(expected)
    missing = f"{name}: {lacking.total()} are missing, e.g. {_examples(lacking)}"
    added = f"{name}: {extra.total()} are too many or changed, e.g. {_examples(extra)}"
    assert not lacking, f"{missing}; {added}"
    assert not extra, added


def _examples(counted: Counter[Any]) -> str:
    return ", ".join(str(item)[:300] for item in _first(counted)) or "none"


def _first(counted: Iterable[Any]) -> list[Any]:
    return [item for _, item in zip(range(SHOWN), counted, strict=False)]


def _compared_fields(body: Mapping[str, Any]) -> ComparedFields:
    perf, origin = body["perf"], body["log"]["origin"]["file"]
    logged = perf["mark"].get("logged")
    return (
        body["event"]["original"],
        _ms(body["@timestamp"]),
        None if logged is None else _ms(logged),
        perf.get("run", {}).get("id"),
        perf["stage"]["name"],
        perf["mark"]["key"],
        origin["name"],
        origin["line"],
    )


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _bytes(event: Mapping[str, str] | None) -> bytes | None:
    if event is None or "original" not in event:
        return None
    encoded = event.get("original_b64")
    return event["original"].encode() if encoded is None else b64decode(encoded)
