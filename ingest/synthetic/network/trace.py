"""Made-up traceroute results: a silent router, a name with its root dot, one more hop on the longer route."""

from random import Random
from typing import Any

from ingest.synthetic.network.pscheduler import ADDRESS, NERSC, Report, Task, duration

_LAB = {"number": 64500, "owner": "EXAMPLE-LAB"}
_NETWORK = {"number": 64501, "owner": "EXAMPLE-NETWORK"}
_CENTRE = {"number": 64502, "owner": "EXAMPLE-CENTRE"}

_ROUTE: tuple[dict[str, Any], ...] = (
    {"ip": "198.51.100.1", "hostname": "gateway.lab.example", "as": _LAB},
    {},
    {"ip": "203.0.113.1", "hostname": "metro-1.network.example.", "as": _NETWORK},
    {"ip": "203.0.113.9", "as": _NETWORK},
    {"ip": "192.0.2.1", "hostname": "border.centre.example", "as": _CENTRE},
)
_DETOUR = {"ip": "203.0.113.5", "hostname": "metro-2.network.example.", "as": _NETWORK}


def trace(task: Task, rerouted: bool, rng: Random) -> Report:
    """Return one path of hops to the far end; times are cut to 0.1 ms as the traceroute plug-in cuts them."""
    routers = list(_ROUTE[:3]) + ([_DETOUR] if rerouted else []) + list(_ROUTE[3:])
    if task.dest != NERSC:
        routers.reverse()
    end = {"ip": ADDRESS[task.dest], "hostname": task.dest, "as": _CENTRE if task.dest == NERSC else _LAB}
    hops = [*routers, end]
    path = [_timed(hop, number / len(hops), rng) for number, hop in enumerate(hops, start=1)]
    result = {"schema": 1, "succeeded": True, "paths": [path]}
    return Report(merged=result, full=[result])


def _timed(hop: dict[str, Any], share: float, rng: Random) -> dict[str, Any]:
    if not hop:
        return {}
    rtt_ms = 1.3 * share * rng.uniform(0.9, 1.3)
    return {**hop, "rtt": duration(int(rtt_ms * 10) / 10_000)}
