"""One-way delays (latency, latencybg) and round trips (rtt) of pScheduler -> ms, packets, loss.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.core.convert import integer
from ingest.core.histogram import Histogram, histogram
from ingest.core.tolerant import count_of, milliseconds, number_of, object_of, objects_of, put
from ingest.core.turn import Turn

DEFAULT_BUCKET_S = 0.001
OWAMP_START_TTL = 255
LONGEST_MS = 1e9  # eleven days: what is beyond is no delay of a packet
MOST_PACKETS = 10**12
_PERCENTILES = {"p25": 25, "median": 50, "p75": 75, "p95": 95}


def latency(turn: Turn, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a latency or latencybg test."""
    counts = {name: count_of(result.get(f"packets-{name}")) for name in ("sent", "received", "lost")}
    for name, value in counts.items():
        put(turn, f"packets_{name}", value, integer)
    put(turn, "packets_reordered", result.get("packets-reordered"), integer)
    _duplicates(turn, result.get("packets-duplicated"))
    put_loss(turn, counts["sent"], counts["lost"])
    put(turn, "max_clock_error_ms", result.get("max-clock-error"))
    _hops(turn, object_of(result.get("histogram-ttl")))
    width_s = number_of(spec.get("bucket-width", DEFAULT_BUCKET_S) or DEFAULT_BUCKET_S)
    if not width_s or width_s < 0:
        turn.flags.append("value_unreadable")  # without the width of a bucket its number says nothing [9]
        return
    delays = histogram(_buckets(object_of(result.get("histogram-latency")), width_s * 1000))
    if delays:
        put_delays(turn, delays)


def put_delays(turn: Turn, delays: Histogram) -> None:
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


def flag_doubtful(turn: Turn) -> None:
    """Flag a negative delay, and a median within the clocks' error: neither says much about the network."""
    least, median = turn.body.get("perf.network.delay_min_ms"), turn.body.get("perf.network.delay_median_ms")
    error = turn.body.get("perf.network.max_clock_error_ms")
    if least is not None and least < 0:
        turn.flags.append("negative_delay")
    if median is not None and error is not None and abs(median) <= error:
        turn.flags.append("within_clock_error")


def put_loss(turn: Turn, sent: int | None, lost: int | None) -> None:
    """Set the loss ratio where something was sent and the loss is known; more lost than sent is flagged, not shown."""
    if lost is None:
        turn.flags.append("loss_unknown")
    elif sent and lost <= sent:
        turn.body["perf.network.loss_ratio"] = lost / sent
    elif lost:
        turn.flags.append("value_range")


def _duplicates(turn: Turn, value: Any) -> None:
    """The plug-ins never count duplicates and always write 0: only another number is a count."""
    if count_of(value):
        put(turn, "packets_duplicated", value, integer)


def _hops(turn: Turn, ttls: Mapping[str, Any]) -> None:
    """Hops from the TTL left over; OWAMP sends with 255."""
    seen = [ttl for text, times in ttls.items() if (ttl := count_of(text)) is not None and count_of(times)]
    hops = [OWAMP_START_TTL - ttl for ttl in seen if ttl <= OWAMP_START_TTL]
    if hops:
        turn.body["perf.network.hops_min"], turn.body["perf.network.hops_max"] = min(hops), max(hops)


def _buckets(buckets: Mapping[str, Any], width_ms: float) -> Iterator[tuple[float, int]]:
    """(ms, count) of each bucket; `0.9` and `0.90` are different keys of the same delay."""
    for text, times in buckets.items():
        value, count = number_of(text), count_of(times)
        if value is not None and count is not None and abs(value) * width_ms <= LONGEST_MS and count <= MOST_PACKETS:
            yield round(value * width_ms, 6), count


def rtt(turn: Turn, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a ping test."""
    trips = [trip for trip in objects_of(result.get("roundtrips")) if trip.get("rtt") is not None]
    sent, received, lost = (count_of(result.get(name)) for name in ("sent", "received", "lost"))
    if sent:
        lost = sent - received if lost is None and received is not None and received <= sent else lost
        for name, value in (("sent", sent), ("received", received), ("lost", lost)):
            put(turn, f"packets_{name}", value, integer)
        put(turn, "packets_reordered", result.get("reorders"), integer)
        _duplicates(turn, result.get("duplicates"))
        put_loss(turn, sent, lost)
    else:
        _unrecognised(turn, result, len({str(trip.get("seq")) for trip in trips}), count_of(spec.get("count")))
    for name in ("min", "mean", "max", "stddev"):
        put(turn, f"rtt_{name}_ms", result.get(name), milliseconds)
    if result.get("mean") is None and trips:
        _from_trips(turn, trips)


def _unrecognised(turn: Turn, result: Mapping[str, Any], answered: int, asked: int | None) -> None:
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


def _from_trips(turn: Turn, trips: list[Mapping[str, Any]]) -> None:
    probe = Turn({}, 0, {})
    times: list[float] = []
    for trip in trips:
        put(probe, "rtt", trip.get("rtt"), milliseconds)
        times += [time] if (time := probe.body.pop("perf.network.rtt", None)) is not None else []
    delays = histogram((time, 1) for time in times)
    if delays:
        found = {"min": delays.values[0], "mean": delays.mean, "max": delays.values[-1]}
        if delays.total > 1:
            found["stddev"] = delays.stddev
        turn.body.update({f"perf.network.rtt_{name}_ms": round(value, 6) for name, value in found.items()})
