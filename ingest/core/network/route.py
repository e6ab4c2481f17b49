"""pScheduler trace results -> hops, addresses, AS numbers, identity of the route.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8). Hop times are not kept: the traceroute
plug-in cuts them to 0.1 ms [32].
"""

from collections.abc import Mapping
from typing import Any

from ingest.core.ids import digest_id
from ingest.core.sources.endpoint import ip_of, name_of
from ingest.core.sources.event import EventBuilder
from ingest.core.sources.lenient import count_of, object_of

Hop = Mapping[str, Any]
MAX_TTL = 255
MAX_AS = 2**32 - 1


def trace(event: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a trace; if it has several paths, the first is the route."""
    raw = result.get("paths")
    paths = [
        [object_of(hop) for hop in path] for path in (raw if isinstance(raw, list) else []) if isinstance(path, list)
    ]
    if not paths or not paths[0]:
        event.flags.append("empty_result")
        return
    before = min(count_of(spec.get("first-ttl")) or 1, MAX_TTL) - 1
    lengths = [before + len(path) for path in paths if path and _answered(path[-1])]
    if lengths:
        event.body["perf.network.hops_min"], event.body["perf.network.hops_max"] = min(lengths), max(lengths)
    _first_path(event, paths[0])
    mtus = [mtu for path in paths for hop in path if (mtu := count_of(hop.get("mtu")))]
    if mtus:
        event.body["perf.network.mtu_bytes"] = min(mtus)
    reached = _reached(event, paths[0][-1])
    if reached is not None:
        event.body["perf.network.reached"] = reached


def _answered(hop: Hop) -> bool:
    """Whether a router answered: `{}` is the placeholder of one that did not [19]."""
    return any(hop.get(key) is not None for key in ("ip", "hostname", "rtt", "error"))


def _first_path(event: EventBuilder, path: list[Hop]) -> None:
    addresses = [_ip(hop) for hop in path]
    event.body["perf.network.hops_answered"] = sum(_answered(hop) for hop in path)
    event.body["perf.network.path_hash"] = digest_id(*((address or "").encode() for address in addresses))
    answered_addresses = [address for address in addresses if address]
    if answered_addresses:
        event.body["perf.network.path_ips"] = answered_addresses
    systems = _systems(path)
    if systems:
        event.body["perf.network.path_as"] = systems
    if any(hop.get("error") is not None for hop in path):
        event.flags.append("hop_error")


def _ip(hop: Hop) -> str | None:
    """The hop's address; None for `[LOCALHOST]` or a name in its place."""
    text = hop.get("ip")
    return ip_of(text) if isinstance(text, str) else None


def _systems(path: list[Hop]) -> list[int]:
    """AS numbers in order, without consecutive repeats; written as an object with a number, or as the bare number."""
    systems: list[int] = []
    for hop in path:
        system = hop.get("as")
        number = count_of(system.get("number") if isinstance(system, Mapping) else system)
        if number and number <= MAX_AS and systems[-1:] != [number]:
            systems.append(number)
    return systems


def _reached(event: EventBuilder, last: Hop) -> bool | None:
    """Whether the last hop is the destination; None if that is unknown without a DNS lookup."""
    if not _answered(last) or last.get("error") is not None:
        return False
    address, name = _ip(last), last.get("hostname")
    if "destination.ip" in event.body and address:
        return bool(event.body["destination.ip"] == address)
    destination = event.body.get("destination.domain")
    if destination and isinstance(name, str) and name_of(name) == destination:
        return True
    return None
