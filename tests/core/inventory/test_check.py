"""Which expected tests are silent, which nobody expects, and under which name a host counts."""

from dataclasses import replace

import pytest

from ingest.core.inventory.check import Arrival, ExpectedPair, by_known_name, check, last_seen
from ingest.core.inventory.expected import ExpectedTest
from ingest.core.inventory.host import Host, inventory_of

NOW_MS, HOUR_MS = 1_772_700_000_000, 3_600_000
ALS = Host(("ps-als.example", "198.51.100.7", "2001:db8::7"), "ALS")
NERSC = Host(("ps-nersc.example",), "NERSC")
INVENTORY = inventory_of([ALS, NERSC])
THROUGHPUT = ExpectedTest("tp", "throughput", "2001:db8::7", "ps-nersc.example", 21_600)
PAIR = ExpectedPair("throughput", "ps-als.example", "ps-nersc.example")


@pytest.mark.parametrize(
    ("every_s", "age_h", "is_silent"),
    [(21_600, 23, False), (21_600, 25, True), (86_400, 71, False), (86_400, 73, True), (None, 25, True)],
)
def test_silence_is_a_day_or_three_intervals(every_s: float | None, age_h: int, is_silent: bool) -> None:
    """Whichever is longer: a test that is missed once is no silence."""
    test = replace(THROUGHPUT, every_s=every_s)
    result = check(INVENTORY, [test], {PAIR: Arrival(7, NOW_MS - age_h * HOUR_MS)}, NOW_MS)

    assert bool(result.silent) is is_silent
    if is_silent:
        assert result.silent[0].last_ms == NOW_MS - age_h * HOUR_MS


def test_a_test_that_never_came_is_silent_without_a_time() -> None:
    """Told by the task that expects it; two tasks that expect the same test are one."""
    again = ExpectedTest("other", "throughput", "ps-als.example", "ps-nersc.example", 3600)
    (silent,) = check(INVENTORY, [THROUGHPUT, again], {}, NOW_MS).silent

    assert silent == (PAIR, ("other", "tp"), 3600, None)


def test_the_reverse_is_another_test() -> None:
    """A direction says nothing of the other: it is unexpected, and the expected one is silent."""
    reverse = ExpectedPair("throughput", "ps-nersc.example", "ps-als.example")
    result = check(INVENTORY, [THROUGHPUT], {reverse: Arrival(3, NOW_MS)}, NOW_MS)

    assert [test.key for test in result.unexpected] == [reverse]
    assert [test.key for test in result.silent] == [PAIR]


def test_a_host_counts_under_one_name_whichever_address_a_test_tells() -> None:
    """By IPv6, by IPv4 and by name: one pair, its tests added; a host that nobody knows is listed."""
    seen = [
        ("throughput", ("ps-als.example", "198.51.100.7"), ("ps-nersc.example",), 2, NOW_MS - HOUR_MS),
        ("throughput", ("2001:db8::7",), ("PS-NERSC.example",), 3, NOW_MS),
        ("rtt", ("198.51.100.7",), ("192.0.2.1",), 1, NOW_MS),
    ]
    arrived = by_known_name(INVENTORY, seen)

    assert arrived[PAIR] == Arrival(5, NOW_MS)
    assert check(INVENTORY, [THROUGHPUT], arrived, NOW_MS).unknown_hosts == ("192.0.2.1",)
    assert last_seen(arrived, ALS) == Arrival(6, NOW_MS)
    assert last_seen(arrived, Host(("other.example",))) is None
