"""One-way delays (latency, latencybg) and round trips (rtt) of pScheduler -> ms, packets, loss.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

from ingest.core.network.fields import NETWORK, put, put_count
from ingest.core.sources.convert import OutOfRange, integer, number
from ingest.core.sources.event import EventBuilder
from ingest.core.sources.lenient import Convert, count_of, milliseconds, number_of, object_of, objects_of, whole_of
from ingest.core.statistics import Histogram, histogram

DEFAULT_BUCKET_S = 0.001
OWAMP_START_TTL = 255
LONGEST_MS = 1e9  # eleven days: a larger value is not the delay of a packet
MOST_PACKETS = 10**12
PRINTED_SHARE = 0.01  # relative rounding error of a number of three digits
PRINTED_MS = 0.0011  # tools print milliseconds to three digits, and some cut where others round
RTT_ORDER = ("rtt_min", "rtt_mean", "rtt_max")
_PERCENTILES = {"p25": 25, "median": 50, "p75": 75, "p95": 95}


def latency(event: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a latency or latencybg test."""
    counts = {name: put_count(event, f"packets_{name}", result.get(f"packets-{name}"))
              for name in ("sent", "received", "lost")}  # fmt: skip
    put(event, "packets_reordered", result.get("packets-reordered"), integer)
    _duplicates(event, result.get("packets-duplicated"))
    put_loss(event, counts["sent"], counts["lost"])
    check_counts(event)
    put(event, "max_clock_error_ms", result.get("max-clock-error"))
    _hops(event, object_of(result.get("histogram-ttl")))
    width_s = number_of(spec.get("bucket-width", DEFAULT_BUCKET_S) or DEFAULT_BUCKET_S)
    if not width_s or width_s < 0:
        event.flags.append("value_unreadable")  # without the bucket width, bucket numbers have no meaning [9]
        return
    buckets = result.get("histogram-latency")
    if isinstance(buckets, Mapping):
        put_histogram(event, _buckets(buckets, width_s * 1000))


def put_histogram(event: EventBuilder, buckets: Iterable[tuple[float | None, int | None]]) -> None:
    """Set the delay fields from (ms, count) of each bucket; None stands for an unreadable value.

    If any bucket is unreadable, nothing is computed: the remaining buckets are a different distribution.
    """
    readable: list[tuple[float, int]] = []
    for value_ms, count in buckets:
        if value_ms is None or count is None:
            event.flags.append("value_unreadable")
            return
        if abs(value_ms) > LONGEST_MS or not 0 <= count <= MOST_PACKETS:
            event.flags.append("value_range")
            return
        readable.append((value_ms, count))
    delays = histogram(readable)
    _check_total(event, delays.total if delays else 0)
    if delays:
        put_delays(event, delays)


def _check_total(event: EventBuilder, total: int) -> None:
    """Flag a histogram whose total is not the packets received, plus at most the duplicates."""
    sent, received, lost = (event.body.get(f"{NETWORK}packets_{name}") for name in ("sent", "received", "lost"))
    duplicated = event.body.get(NETWORK + "packets_duplicated", 0)
    if received is None and sent is not None and lost is not None and lost <= sent:
        received = sent - lost
    if received is not None and not received <= total <= received + duplicated:
        event.flags.append("histogram_mismatch")


def put_delays(event: EventBuilder, delays: Histogram) -> None:
    """Set the delay fields from a histogram in ms, and flag delays that clock errors make doubtful [10]."""
    delays_ms = {"min": delays.values[0], "max": delays.values[-1], "mean": delays.mean}
    if delays.total > 1:
        delays_ms["stddev"] = delays.stddev
    delays_ms |= {name: delays.percentile(percent) for name, percent in _PERCENTILES.items()}
    for name, value in delays_ms.items():
        event.body[f"perf.network.delay_{name}_ms"] = round(value, 6)
    event.body["perf.network.delay_jitter_ms"] = round(delays_ms["p95"] - delays_ms["median"], 6)
    event.body["perf.network.delay_histogram"] = {"values_ms": list(delays.values), "counts": list(delays.counts)}
    flag_doubtful(event)


def flag_doubtful(event: EventBuilder) -> None:
    """Flag a negative delay, and a median within the clocks' error: neither says much about the network."""
    least, median = event.body.get("perf.network.delay_min_ms"), event.body.get("perf.network.delay_median_ms")
    error = event.body.get("perf.network.max_clock_error_ms")
    if least is not None and least < 0:
        event.flags.append("negative_delay")
    if median is not None and error is not None and abs(median) <= error:
        event.flags.append("within_clock_error")


def put_loss(event: EventBuilder, sent: int | None, lost: int | None) -> None:
    """Set the loss ratio if packets were sent and the loss is known; flag a loss larger than the number sent."""
    if lost is None:
        event.flags.append("loss_unknown")
    elif sent and lost <= sent:
        event.body["perf.network.loss_ratio"] = lost / sent
    elif lost and sent is not None:
        event.flags.append("value_range")


def check_counts(event: EventBuilder) -> None:
    """Flag counts of one test that contradict each other; duplicates may be included in the packets received."""
    names = ("sent", "received", "lost", "duplicated")
    sent, received, lost, duplicated = (event.body.get(f"{NETWORK}packets_{name}") for name in names)
    if sent is None or received is None:
        return
    if received > sent + (duplicated or 0):
        event.flags.append("value_range")
    if lost is not None and not sent <= received + lost <= sent + (duplicated or 0):
        event.flags.append("counts_disagree")


def check_delays(event: EventBuilder) -> None:
    """Remove and flag a minimum delay that exceeds the maximum by more than rounding to three digits [12]."""
    least, most = (event.body.get(f"{NETWORK}delay_{name}_ms", 0.0) for name in ("min", "max"))
    check_order(event, ("delay_min", "delay_max"), max(abs(least), abs(most)) * PRINTED_SHARE)


def check_order(event: EventBuilder, names: Iterable[str], slack_ms: float) -> None:
    """Remove and flag a minimum, mean and maximum (those present, in this order) that are out of order."""
    fields = [f"{NETWORK}{name}_ms" for name in names]
    values = [event.body[name] for name in fields if name in event.body]
    if any(first > second + slack_ms for first, second in pairwise(values)):
        event.flags.append("value_range")
        for name in fields:
            event.body.pop(name, None)


def _duplicates(event: EventBuilder, value: Any) -> None:
    """Set the duplicates unless they are 0: the plug-ins do not count duplicates and always write 0."""
    if put_count(event, "packets_duplicated", value) == 0:
        del event.body[NETWORK + "packets_duplicated"]


def _hops(event: EventBuilder, ttls: Mapping[str, Any]) -> None:
    """Derive hops from the remaining TTL (OWAMP sends with 255); omit and flag an impossible TTL or count."""
    seen = [(whole_of(text), whole_of(times)) for text, times in ttls.items() if times is not None]
    fit = [
        (ttl, times) for ttl, times in seen if ttl in range(OWAMP_START_TTL + 1) and times is not None and times >= 0
    ]
    if len(fit) < len(seen):
        event.flags.append("value_range")
    hops = [OWAMP_START_TTL - ttl for ttl, times in fit if ttl is not None and times]
    if hops:
        event.body["perf.network.hops_min"], event.body["perf.network.hops_max"] = min(hops), max(hops)


def _buckets(buckets: Mapping[str, Any], width_ms: float) -> Iterator[tuple[float | None, int | None]]:
    """(ms, count) of each bucket; `0.9` and `0.90` are different keys of the same delay; null is skipped."""
    for text, times in buckets.items():
        if times is None:
            continue
        value = number_of(text)
        value_ms = None if value is None else value * width_ms
        yield value_ms if value_ms is None or not isfinite(value_ms) else round(value_ms, 6), whole_of(times)


def rtt(event: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a ping test."""
    trips = [trip for trip in objects_of(result.get("roundtrips")) if trip.get("rtt") is not None]
    sent, received, lost = (count_of(result.get(name)) for name in ("sent", "received", "lost"))
    if sent:
        lost = sent - received if lost is None and received is not None and received <= sent else lost
        for name, value in (("sent", sent), ("received", received), ("lost", lost)):
            put(event, f"packets_{name}", result.get(name) if value is None else value, integer)
        put(event, "packets_reordered", result.get("reorders"), integer)
        _duplicates(event, result.get("duplicates"))
        put_loss(event, sent, lost)
        check_counts(event)
    else:
        _unrecognised(event, result, len({str(trip.get("seq")) for trip in trips}), count_of(spec.get("count")))
    for name in ("min", "mean", "max", "stddev"):
        put(event, f"rtt_{name}_ms", result.get(name), trip_ms)
    check_order(event, RTT_ORDER, PRINTED_MS)
    if result.get("mean") is None and trips:
        _from_trips(event, trips)


def _in_range_ms(value_ms: float) -> float:
    """Check that a packet's time is plausible. Raises OutOfRange beyond eleven days, positive or negative."""
    if not abs(value_ms) <= LONGEST_MS:
        raise OutOfRange(f"{value_ms} ms is not a plausible time for a packet")
    return value_ms


def in_ms(unit_ms: float) -> Convert:
    """Return a conversion to ms, to a picosecond, from a unit of `unit_ms` ms."""

    def convert(value: Any) -> float | None:
        parsed = number(value)
        return None if parsed is None else _in_range_ms(round(parsed * unit_ms, 9))

    return convert


def trip_ms(value: Any) -> float | None:
    """Convert a round trip (a duration or seconds) to ms. Raises ValueError; OutOfRange beyond eleven days."""
    parsed = milliseconds(value)
    return None if parsed is None else _in_range_ms(parsed)


def _unrecognised(event: EventBuilder, result: Mapping[str, Any], answered: int, asked: int | None) -> None:
    """Handle 0 sent: the plug-in did not recognise ping's summary, and its loss is then 100.0, not 1.0 [13]."""
    loss = number_of(result.get("loss"))
    event.flags.append("loss_recomputed")
    if answered and asked and answered <= asked:
        event.body["perf.network.packets_sent"], event.body["perf.network.packets_received"] = asked, answered
        event.body["perf.network.packets_lost"] = asked - answered
        event.body["perf.network.loss_ratio"] = (asked - answered) / asked
    elif loss is not None and loss >= 0 and not answered:
        event.body["perf.network.loss_ratio"] = min(loss / 100 if loss > 1 else loss, 1.0)
    else:
        event.flags[-1] = "loss_unknown"


def _from_trips(event: EventBuilder, trips: list[Mapping[str, Any]]) -> None:
    probe = EventBuilder({}, 0, {})
    times: list[float] = []
    for trip in trips:
        put(probe, "rtt", trip.get("rtt"), trip_ms)
        times += [time] if (time := probe.body.pop("perf.network.rtt", None)) is not None else []
    if probe.flags:
        event.flags.extend(probe.flags)  # the remaining ones are a different distribution
        return
    delays = histogram((time, 1) for time in times)
    if delays:
        trips_ms = {"min": delays.values[0], "mean": delays.mean, "max": delays.values[-1]}
        if delays.total > 1:
            trips_ms["stddev"] = delays.stddev
        event.body.update({f"perf.network.rtt_{name}_ms": round(value, 6) for name, value in trips_ms.items()})
