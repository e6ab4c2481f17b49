"""A generated workload through the real servers: documents and rejects equal its truth, poison included."""

import json
from base64 import b64decode
from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingest.core.timestamps import iso
from tests.support.world import World

pytestmark = pytest.mark.stack
RATE = 1_000
LINES = 2_000
SHARES = ("torn", "glued", "refused", "poisoned", "foreign", "repeated")


def fact_fields(fact: dict[str, Any]) -> tuple[Any, ...]:
    """The fields of a fact that are compared."""
    return (fact["original"], iso(fact["at_ms"]), iso(fact["logged_ms"]), fact["run"], fact["stage"], fact["key"])


def document_fields(body: dict[str, Any]) -> tuple[Any, ...]:
    """The same fields of a stored document."""
    perf = body["perf"]
    instants = (body["@timestamp"], perf["mark"]["logged"])
    return (body["event"]["original"], *instants, perf["run"]["id"], perf["stage"]["name"], perf["mark"]["key"])


def generated(world: World, out: Path) -> dict[str, Any]:
    """Send lines of every kind to the topic at the rate; return the report of `perflog generate`."""
    shares = [word for name in SHARES for word in ("--share", f"{name}=0.05")]
    sending = ("--intake", "lines", "--rate", str(RATE), "--backfill", "--json")
    done = world.perflog("generate", str(out), "--lines", str(LINES), *shares, *sending)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_documents_and_rejects_are_as_the_generator_says(world: World) -> None:
    """Documents equal the truth; Elasticsearch refuses each poisoned line by itself."""
    world.set_up()
    out = world.folder / "out"
    report = generated(world, out)
    entries = [json.loads(line) for line in (out / "truth.jsonl").read_bytes().splitlines()]

    world.drain()

    expected = Counter({fact_fields(fact): 1 for entry in entries for fact in entry["facts"]})
    assert Counter(document_fields(body) for body in world.documents().values()) == expected
    rejects = world.documents("rejects").values()
    refused = Counter(
        b64decode_or_text(body["event"]) for body in rejects if body["perf"]["reject"]["stage"] == "index"
    )
    assert refused == Counter(data(out, entry) for entry in entries if entry["reason"] == "index")
    assert {b["error"]["type"] for b in rejects if b["perf"]["reject"]["stage"] == "index"} == {"document_parsing"}
    assert Counter(body["error"]["type"] for body in rejects if body["perf"]["reject"]["stage"] == "read") == Counter(
        entry["reason"] for entry in entries if entry["reason"] not in (None, "index")
    )
    sums = world.ledger_sums()
    assert (sums["records"], sums["rejected"], sums["ignored"], sums["duplicate"]) == (
        LINES, *(report["counts"][name] for name in ("rejected", "ignored", "repeats")),
    )  # fmt: skip


def test_the_pace_is_even_and_as_asked(world: World) -> None:
    """By Kafka's own clock; others may work on this machine, hence three tries."""
    world.set_up()

    assert any(is_even(world, generated(world, world.folder / f"out-{n}")) for n in range(3))


def data(out: Any, entry: dict[str, Any]) -> bytes:
    """The bytes of a message."""
    rest: bytes = (out / entry["file"]).read_bytes()[entry["offset_bytes"] :]
    return rest.partition(b"\n")[0]


def b64decode_or_text(event: dict[str, str]) -> bytes:
    """A reject's bytes."""
    return b64decode(event["original_b64"]) if "original_b64" in event else event["original"].encode()


def is_even(world: World, report: dict[str, Any]) -> bool:
    """Whether no 100 ms hold much more than their share, and no pause is long."""
    times = sorted(record.timestamp for record in world.records(world.topic))[-LINES:]
    assert len(times) == LINES
    most = max(bisect_left(times, begin + 100) - n for n, begin in enumerate(times))
    longest_ms = max(after - before for before, after in pairwise(times[1:]))
    print(report["rate_reached"], most, longest_ms)
    return 0.7 * RATE < report["rate_reached"] <= 1.05 * RATE and most <= 0.25 * RATE and longest_ms < 500
