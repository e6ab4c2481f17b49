"""Summarises the network tests of a time span, one direction at a time: throughput, loss and delay.

A direction is never averaged with its reverse. Loss is packets over packets, not a mean of ratios. If no test lies in
the span, there is no number; the nearest throughput test outside it is reported with its distance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.timestamps import iso_ms

DELAY_TESTS = ("latency", "latencybg")
Direction = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test, as shown beside a run; None for values that it did not measure."""

    direction: Direction
    test_type: str
    start_ms: int
    end_ms: int
    failed: bool
    synthetic: bool = False
    throughput_bps: float | None = None
    packets_sent: int | None = None
    packets_lost: int | None = None
    delay_median_ms: float | None = None
    delay_p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class NetworkWindow:
    """The network in a time span.

    Attributes:
        throughput_bps: median of `throughput_tests` tests.
        nearest_bps, nearest_s: if the span has no throughput test, the nearest one and its distance.
        loss_ratio: lost over sent packets of all delay tests in the span.
        delay_median_ms: median of the tests' medians; delay_p95_ms: the largest 95th percentile.
        failed: how many of all `tests` in the span failed.
    """

    throughput_bps: float | None
    throughput_tests: int
    nearest_bps: float | None
    nearest_s: float | None
    loss_ratio: float | None
    delay_median_ms: float | None
    delay_p95_ms: float | None
    tests: int
    failed: int


def measured_of(body: Mapping[str, Any]) -> TestResult | None:
    """Convert a document of kind network; None if it does not name both sites."""
    source, destination = lookup(body, "source.site"), lookup(body, "destination.site")
    if source is None or destination is None:
        return None
    network = body["perf"]["network"]
    start_ms = iso_ms(body["@timestamp"])
    end = lookup(body, "event.end")
    return TestResult(
        direction=(source, destination),
        test_type=network.get("test_type", ""),
        start_ms=start_ms,
        end_ms=iso_ms(end) if end else start_ms,
        failed=lookup(body, "event.outcome") == "failure",
        synthetic=bool(body["perf"].get("synthetic")),
        throughput_bps=network.get("throughput_bps"),
        packets_sent=network.get("packets_sent"),
        packets_lost=network.get("packets_lost"),
        delay_median_ms=network.get("delay_median_ms"),
        delay_p95_ms=network.get("delay_p95_ms"),
    )


def network_window(tests: Iterable[TestResult], direction: Direction, start_ms: int, end_ms: int) -> NetworkWindow:
    """Summarise one direction from `start_ms` to `end_ms`, using every test that overlaps the span."""
    mine = [test for test in tests if test.direction == direction]
    inside = [test for test in mine if test.start_ms <= end_ms and test.end_ms >= start_ms]
    rates = [test.throughput_bps for test in inside if test.throughput_bps is not None]
    nearest = None if rates else _nearest(mine, start_ms, end_ms)
    delays = [test for test in inside if test.test_type in DELAY_TESTS]
    medians = [test.delay_median_ms for test in delays if test.delay_median_ms is not None]
    return NetworkWindow(
        throughput_bps=median(rates) if rates else None,
        throughput_tests=len(rates),
        nearest_bps=nearest.throughput_bps if nearest else None,
        nearest_s=_distance_s(nearest, start_ms, end_ms) if nearest else None,
        loss_ratio=_loss_ratio(delays),
        delay_median_ms=median(medians) if medians else None,
        delay_p95_ms=max((test.delay_p95_ms for test in delays if test.delay_p95_ms is not None), default=None),
        tests=len(inside),
        failed=sum(test.failed for test in inside),
    )


def _loss_ratio(tests: Sequence[TestResult]) -> float | None:
    counted = [(t.packets_lost, t.packets_sent) for t in tests if t.packets_lost is not None and t.packets_sent]
    sent = sum(sent for _, sent in counted)
    return sum(lost for lost, _ in counted) / sent if sent else None


def _nearest(tests: Iterable[TestResult], start_ms: int, end_ms: int) -> TestResult | None:
    with_rate = [test for test in tests if test.throughput_bps is not None]
    return min(with_rate, key=lambda test: _distance_s(test, start_ms, end_ms), default=None)


def _distance_s(test: TestResult, start_ms: int, end_ms: int) -> float:
    return max(start_ms - test.end_ms, test.start_ms - end_ms, 0) / 1000
