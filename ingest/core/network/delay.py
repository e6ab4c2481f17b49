"""One-way delays (latency, latencybg) and round trips (rtt) of pScheduler -> ms, packets, loss.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

from ingest.core.network.lenient import (
    NETWORK,
    Convert,
    count_of,
    milliseconds,
    number_of,
    object_of,
    objects_of,
    put,
    put_count,
    whole_of,
)
from ingest.core.sources.convert import OutOfRange, integer, number
from ingest.core.sources.event import EventBuilder
from ingest.core.statistics import Histogram, histogram

DEFAULT_BUCKET_S = 0.001
OWAMP_START_TTL = 255
LONGEST_MS = 1e9  # eleven days: what is beyond is no delay of a packet
MOST_PACKETS = 10**12
PRINTED_SHARE = 0.01  # of a number of three digits
PRINTED_MS = 0.0011  # tools print milliseconds to three digits, and some cut where others round
RTT_ORDER = ("rtt_min", "rtt_mean", "rtt_max")
_PERCENTILES = {"p25": 25, "median": 50, "p75": 75, "p95": 95}


def latency(turn: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a latency or latencybg test."""
    counts = {name: put_count(turn, f"packets_{name}", result.get(f"packets-{name}"))
              for name in ("sent", "received", "lost")}  # fmt: skip
    put(turn, "packets_reordered", result.get("packets-reordered"), integer)
    _duplicates(turn, result.get("packets-duplicated"))
    put_loss(turn, counts["sent"], counts["lost"])
    check_counts(turn)
    put(turn, "max_clock_error_ms", result.get("max-clock-error"))
    _hops(turn, object_of(result.get("histogram-ttl")))
    width_s = number_of(spec.get("bucket-width", DEFAULT_BUCKET_S) or DEFAULT_BUCKET_S)
    if not width_s or width_s < 0:
        turn.flags.append("value_unreadable")  # without the width of a bucket its number says nothing [9]
        return
    buckets = result.get("histogram-latency")
    if isinstance(buckets, Mapping):
        put_histogram(turn, _buckets(buckets, width_s * 1000))


def put_histogram(turn: EventBuilder, buckets: Iterable[tuple[float | None, int | None]]) -> None:
    """Set the delay fields from (ms, count) of each bucket; None is what cannot be read.

    Of a histogram with a bucket that cannot be, nothing is computed: the rest of it is another distribution.
    """
    kept: list[tuple[float, int]] = []
    for value_ms, count in buckets:
        if value_ms is None or count is None:
            turn.flags.append("value_unreadable")
            return
        if abs(value_ms) > LONGEST_MS or not 0 <= count <= MOST_PACKETS:
            turn.flags.append("value_range")
            return
        kept.append((value_ms, count))
    delays = histogram(kept)
    _check_total(turn, delays.total if delays else 0)
    if delays:
        put_delays(turn, delays)


def _check_total(turn: EventBuilder, total: int) -> None:
    """A histogram holds what was received, each duplicate once or not at all."""
    sent, received, lost = (turn.body.get(f"{NETWORK}packets_{name}") for name in ("sent", "received", "lost"))
    duplicated = turn.body.get(NETWORK + "packets_duplicated", 0)
    if received is None and sent is not None and lost is not None and lost <= sent:
        received = sent - lost
    if received is not None and not received <= total <= received + duplicated:
        turn.flags.append("histogram_mismatch")


def put_delays(turn: EventBuilder, delays: Histogram) -> None:
    """Set the delay fields from a histogram in ms, and flag what clocks make doubtful [10]."""
    found = {"min": delays.values[0], "max": delays.values[-1], "mean": delays.mean}
    if delays.total > 1:
        found["stddev"] = delays.stddev
    found |= {name: delays.percentile(percent) for name, percent in _PERCENTILES.items()}
    for name, value in found.items():
        turn.body[f"perf.network.delay_{name}_ms"] = round(value, 6)
    turn.body["perf.network.delay_jitter_ms"] = round(found["p95"] - found["median"], 6)
    turn.body["perf.network.delay_histogram"] = {"values_ms": list(delays.values), "counts": list(delays.counts)}
    flag_doubtful(turn)


def flag_doubtful(turn: EventBuilder) -> None:
    """Flag a negative delay, and a median within the clocks' error: neither says much about the network."""
    least, median = turn.body.get("perf.network.delay_min_ms"), turn.body.get("perf.network.delay_median_ms")
    error = turn.body.get("perf.network.max_clock_error_ms")
    if least is not None and least < 0:
        turn.flags.append("negative_delay")
    if median is not None and error is not None and abs(median) <= error:
        turn.flags.append("within_clock_error")


def put_loss(turn: EventBuilder, sent: int | None, lost: int | None) -> None:
    """Set the loss ratio where something was sent and the loss is known; more lost than sent is flagged, not shown."""
    if lost is None:
        turn.flags.append("loss_unknown")
    elif sent and lost <= sent:
        turn.body["perf.network.loss_ratio"] = lost / sent
    elif lost and sent is not None:
        turn.flags.append("value_range")


def check_counts(turn: EventBuilder) -> None:
    """Flag counts of one test that contradict each other. What came twice may be counted among the received."""
    names = ("sent", "received", "lost", "duplicated")
    sent, received, lost, duplicated = (turn.body.get(f"{NETWORK}packets_{name}") for name in names)
    if sent is None or received is None:
        return
    if received > sent + (duplicated or 0):
        turn.flags.append("value_range")
    if lost is not None and not sent <= received + lost <= sent + (duplicated or 0):
        turn.flags.append("counts_disagree")


def check_delays(turn: EventBuilder) -> None:
    """Leave out and flag a least delay above the largest by more than rounding: three digits are printed [12]."""
    least, most = (turn.body.get(f"{NETWORK}delay_{name}_ms", 0.0) for name in ("min", "max"))
    check_order(turn, ("delay_min", "delay_max"), max(abs(least), abs(most)) * PRINTED_SHARE)


def check_order(turn: EventBuilder, names: Iterable[str], slack_ms: float) -> None:
    """Leave out and flag a minimum, mean and maximum (those that are there, in this order) that are out of order."""
    fields = [f"{NETWORK}{name}_ms" for name in names]
    found = [turn.body[name] for name in fields if name in turn.body]
    if any(first > second + slack_ms for first, second in pairwise(found)):
        turn.flags.append("value_range")
        for name in fields:
            turn.body.pop(name, None)


def _duplicates(turn: EventBuilder, value: Any) -> None:
    """The plug-ins never count duplicates and always write 0: only another number is a count."""
    if put_count(turn, "packets_duplicated", value) == 0:
        del turn.body[NETWORK + "packets_duplicated"]


def _hops(turn: EventBuilder, ttls: Mapping[str, Any]) -> None:
    """Hops from the TTL left over; OWAMP sends with 255. A TTL or a count that cannot be is left out and flagged."""
    seen = [(whole_of(text), whole_of(times)) for text, times in ttls.items() if times is not None]
    fit = [
        (ttl, times) for ttl, times in seen if ttl in range(OWAMP_START_TTL + 1) and times is not None and times >= 0
    ]
    if len(fit) < len(seen):
        turn.flags.append("value_range")
    hops = [OWAMP_START_TTL - ttl for ttl, times in fit if ttl is not None and times]
    if hops:
        turn.body["perf.network.hops_min"], turn.body["perf.network.hops_max"] = min(hops), max(hops)


def _buckets(buckets: Mapping[str, Any], width_ms: float) -> Iterator[tuple[float | None, int | None]]:
    """(ms, count) of each bucket; `0.9` and `0.90` are different keys of the same delay; null is no bucket."""
    for text, times in buckets.items():
        if times is None:
            continue
        value = number_of(text)
        value_ms = None if value is None else value * width_ms
        yield value_ms if value_ms is None or not isfinite(value_ms) else round(value_ms, 6), whole_of(times)


def rtt(turn: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a ping test."""
    trips = [trip for trip in objects_of(result.get("roundtrips")) if trip.get("rtt") is not None]
    sent, received, lost = (count_of(result.get(name)) for name in ("sent", "received", "lost"))
    if sent:
        lost = sent - received if lost is None and received is not None and received <= sent else lost
        for name, value in (("sent", sent), ("received", received), ("lost", lost)):
            put(turn, f"packets_{name}", result.get(name) if value is None else value, integer)
        put(turn, "packets_reordered", result.get("reorders"), integer)
        _duplicates(turn, result.get("duplicates"))
        put_loss(turn, sent, lost)
        check_counts(turn)
    else:
        _unrecognised(turn, result, len({str(trip.get("seq")) for trip in trips}), count_of(spec.get("count")))
    for name in ("min", "mean", "max", "stddev"):
        put(turn, f"rtt_{name}_ms", result.get(name), trip_ms)
    check_order(turn, RTT_ORDER, PRINTED_MS)
    if result.get("mean") is None and trips:
        _from_trips(turn, trips)


def _in_range_ms(value_ms: float) -> float:
    """A time that a packet can take. Raises OutOfRange beyond eleven days, before or after."""
    if not abs(value_ms) <= LONGEST_MS:
        raise OutOfRange(f"{value_ms} ms are no time that a packet takes")
    return value_ms


def in_ms(unit_ms: float) -> Convert:
    """A conversion of a packet's time in a unit of so many ms -> ms, to a picosecond."""

    def convert(value: Any) -> float | None:
        found = number(value)
        return None if found is None else _in_range_ms(round(found * unit_ms, 9))

    return convert


def trip_ms(value: Any) -> float | None:
    """A round trip: a duration or a number of seconds -> ms. Raises ValueError; OutOfRange beyond eleven days."""
    found = milliseconds(value)
    return None if found is None else _in_range_ms(found)


def _unrecognised(turn: EventBuilder, result: Mapping[str, Any], answered: int, asked: int | None) -> None:
    """0 sent means that the plug-in did not recognise ping's summary; its loss is then 100.0, not 1.0 [13]."""
    loss = number_of(result.get("loss"))
    turn.flags.append("loss_recomputed")
    if answered and asked and answered <= asked:
        turn.body["perf.network.packets_sent"], turn.body["perf.network.packets_received"] = asked, answered
        turn.body["perf.network.packets_lost"] = asked - answered
        turn.body["perf.network.loss_ratio"] = (asked - answered) / asked
    elif loss is not None and loss >= 0 and not answered:
        turn.body["perf.network.loss_ratio"] = min(loss / 100 if loss > 1 else loss, 1.0)
    else:
        turn.flags[-1] = "loss_unknown"


def _from_trips(turn: EventBuilder, trips: list[Mapping[str, Any]]) -> None:
    probe = EventBuilder({}, 0, {})
    times: list[float] = []
    for trip in trips:
        put(probe, "rtt", trip.get("rtt"), trip_ms)
        times += [time] if (time := probe.body.pop("perf.network.rtt", None)) is not None else []
    if probe.flags:
        turn.flags.extend(probe.flags)  # what is left of them would be another distribution
        return
    delays = histogram((time, 1) for time in times)
    if delays:
        found = {"min": delays.values[0], "mean": delays.mean, "max": delays.values[-1]}
        if delays.total > 1:
            found["stddev"] = delays.stddev
        turn.body.update({f"perf.network.rtt_{name}_ms": round(value, 6) for name, value in found.items()})
