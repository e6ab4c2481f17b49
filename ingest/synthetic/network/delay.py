"""Made-up one-way delays (powstream, owping) and round trips (ping) of a metropolitan path of some ten kilometres."""

from collections import Counter
from datetime import datetime
from math import log, sqrt
from random import Random
from typing import Any

from ingest.synthetic.network.path import PathConditions
from ingest.synthetic.network.pscheduler import ADDRESS, NERSC, Report, Task, duration

_LONGER_ROUTE_MS = 0.12
_START_TTL = 255


def one_way_ms(task: Task, load: float, rerouted: bool, packets: int, rng: Random) -> list[float]:
    """Return one delay a packet in ms: a floor of 0.5 to 0.7 ms by direction, and queueing that grows with load."""
    floor_ms = (0.56 if task.dest == NERSC else 0.64) + (_LONGER_ROUTE_MS if rerouted else 0.0)
    queue_ms = 0.02 + 0.12 * load**3
    draw = rng.random
    return [floor_ms - queue_ms * log(1.0 - draw()) for _ in range(packets)]


def lost_packets(congestion: float, packets: int, rng: Random) -> int:
    """Return how many of the packets were lost: mostly none, 0.1 to 2 % under congestion."""
    ratio = rng.uniform(0.001, 0.02) * congestion if congestion else 0.0
    stray = 1 if rng.random() < 0.004 else 0
    return min(packets, round(packets * ratio) + stray)


def hops(rerouted: bool) -> int:
    """Return how many routers lie on the way, the far end included: one more on the longer route."""
    return 7 if rerouted else 6


def latency(task: Task, path_conditions: PathConditions, when: datetime, packets: int, rng: Random) -> Report:
    """Return a latency or latencybg result of so many packets sent from that instant on."""
    rerouted = path_conditions.rerouted(when)
    lost = lost_packets(path_conditions.congestion(when), packets, rng)
    delays = one_way_ms(task, path_conditions.load(when), rerouted, packets - lost, rng)
    counts = Counter(round(delay * 100) for delay in delays)
    buckets = list(counts.items())
    rng.shuffle(buckets)
    result = {
        "schema": 1,
        "succeeded": True,
        "packets-sent": packets,
        "packets-received": packets - lost,
        "packets-lost": lost,
        "packets-duplicated": 0,
        "packets-reordered": rng.randint(1, 4) if lost and rng.random() < 0.2 else 0,
        "max-clock-error": round(rng.uniform(0.04, 0.42), 2),
        "histogram-latency": {f"{hundredths / 100:.2f}": count for hundredths, count in buckets},
        "histogram-ttl": {str(_START_TTL - hops(rerouted)): packets - lost},
    }
    return Report(merged=result, full=[result, {"succeeded": True, "diags": ""}])


def rtt(task: Task, path_conditions: PathConditions, when: datetime, packets: int, rng: Random) -> Report:
    """Return a ping result; a lost packet has no entry among the round trips, as ping prints none."""
    lost = lost_packets(path_conditions.congestion(when), packets, rng)
    rerouted = path_conditions.rerouted(when)
    outward_ms = one_way_ms(task, path_conditions.load(when), rerouted, packets, rng)
    back_ms = one_way_ms(task, path_conditions.load(when), rerouted, packets, rng)
    gone = set(rng.sample(range(packets), lost))
    times_s = {
        number + 1: round((outward_ms[number] + back_ms[number]) / 1000, 6)
        for number in range(packets)
        if number not in gone
    }
    result = {
        "schema": 1,
        "succeeded": True,
        "sent": packets,
        "received": len(times_s),
        "lost": lost,
        "loss": lost / packets,
        "duplicates": 0,
        "reorders": 0,
        "roundtrips": [_roundtrip(task, number, time_s, rerouted) for number, time_s in times_s.items()],
        **_spread(list(times_s.values())),
    }
    return Report(merged=result, full=[result])


def _roundtrip(task: Task, number: int, time_s: float, rerouted: bool) -> dict[str, Any]:
    return {
        "seq": number,
        "length": 64,
        "ip": ADDRESS[task.dest],
        "hostname": task.dest,
        "ttl": 64 - hops(rerouted) + 1,
        "rtt": duration(time_s),
    }


def _spread(times_s: list[float]) -> dict[str, str]:
    if not times_s:
        return {}
    mean = sum(times_s) / len(times_s)
    deviation = sqrt(sum((time - mean) ** 2 for time in times_s) / len(times_s))
    return {
        "min": duration(min(times_s)),
        "max": duration(max(times_s)),
        "mean": duration(mean),
        "stddev": duration(deviation),
    }
