"""Compare the tests that are expected with those that arrived: which are silent, and which nobody expects."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ingest.core.inventory.expected import ExpectedTest
from ingest.core.inventory.host import Host, Inventory

SILENT_MS = 24 * 3_600_000
REPEATS = 3  # of its interval: a single test that is missed is no silence


class ExpectedPair(NamedTuple):
    """A type of test between two hosts, by the names that they are known by; `destination` is "" for a test of one."""

    type: str
    source: str
    destination: str


class Arrival(NamedTuple):
    """How many tests arrived, and when the newest did (unix ms)."""

    tests: int
    last_ms: int


class SilentTest(NamedTuple):
    """An expected test that does not arrive; `last_ms` is None if none was seen in the period that was looked at."""

    key: ExpectedPair
    tasks: tuple[str, ...]
    every_s: float | None
    last_ms: int | None


class UnexpectedTest(NamedTuple):
    """A test that arrives and that no task expects."""

    key: ExpectedPair
    tests: int
    last_ms: int


class InventoryCheck(NamedTuple):
    """The result: expected tests in all, those that are silent, those that nobody expects, and hosts not known."""

    expected: int
    silent: tuple[SilentTest, ...]
    unexpected: tuple[UnexpectedTest, ...]
    unknown_hosts: tuple[str, ...]


def known_as(inventory: Inventory, names: Iterable[str]) -> str:
    """The name that a host is known by, from any of its names and addresses; the first of them if it is not known."""
    listed = list(names)
    hosts = (inventory.find(name) for name in listed)
    return next((host.name for host in hosts if host is not None), listed[0] if listed else "")


def check(
    inventory: Inventory, expected: Iterable[ExpectedTest], arrived: Mapping[ExpectedPair, Arrival], now_ms: int
) -> InventoryCheck:
    """Compare; a test is silent if none arrived for a day, or for three times its interval if that is longer."""
    tasks: dict[ExpectedPair, list[ExpectedTest]] = {}
    for test in expected:
        destination = known_as(inventory, [test.destination]) if test.destination else ""
        pair = ExpectedPair(test.type, known_as(inventory, [test.source]), destination)
        tasks.setdefault(pair, []).append(test)
    silent = []
    for key, tests in tasks.items():
        every_s = min((test.every_s for test in tests if test.every_s is not None), default=None)
        arrival = arrived.get(key)
        if arrival is None or now_ms - arrival.last_ms > max(SILENT_MS, REPEATS * 1000 * (every_s or 0)):
            names = tuple(sorted({test.task for test in tests}))
            silent.append(SilentTest(key, names, every_s, arrival.last_ms if arrival else None))
    unexpected = [UnexpectedTest(key, *arrival) for key, arrival in arrived.items() if key not in tasks]
    ends = {end for key in arrived for end in key[1:] if end}
    unknown = tuple(sorted(end for end in ends if inventory.find(end) is None))
    return InventoryCheck(len(tasks), tuple(sorted(silent)), tuple(sorted(unexpected)), unknown)


def by_known_name(
    inventory: Inventory, seen: Iterable[tuple[str, tuple[str, ...], tuple[str, ...], int, int]]
) -> dict[ExpectedPair, Arrival]:
    """Add up what arrived: type, names of the source, names of the destination, tests, newest (unix ms)."""
    arrived: dict[ExpectedPair, Arrival] = {}
    for kind, source, destination, tests, last_ms in seen:
        key = ExpectedPair(kind, known_as(inventory, source), known_as(inventory, destination))
        before = arrived.get(key, Arrival(0, 0))
        arrived[key] = Arrival(before.tests + tests, max(before.last_ms, last_ms))
    return arrived


def last_seen(arrived: Mapping[ExpectedPair, Arrival], host: Host) -> Arrival | None:
    """How many tests a host took part in, and when the newest arrived; None if none did."""
    own = [arrival for key, arrival in arrived.items() if host.name in key[1:]]
    return Arrival(sum(a.tests for a in own), max(a.last_ms for a in own)) if own else None
