"""Infer the protocol of a throughput test: as requested, as reported by its tool, or as its counts show.

An unknown protocol is None: a tool's default is not assumed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.sources.convert import boolean
from ingest.core.sources.lenient import number_of, object_of, objects_of

UDP, TCP = "udp", "tcp"
COUNTS = {UDP: ("jitter", "lost", "sent"), TCP: ("retransmits", "rtt", "tcp-window-size")}
"""The counts that only one of the two has, in pScheduler's words; tools write null or 0 for the other's counts."""

_COUNTS_OF_IPERF3 = {UDP: ("jitter_ms", "lost_packets", "packets"), TCP: ("retransmits",)}
Datum = Mapping[str, Any]


def requested_transport(spec: Mapping[str, Any]) -> str | None:
    """The protocol in a test's specification; None if it is missing or unreadable."""
    try:
        return None if spec.get("udp") is None else UDP if boolean(spec["udp"]) else TCP
    except ValueError:
        return None


def counted(data: Iterable[Datum], counts: Mapping[str, tuple[str, ...]] = COUNTS) -> str | None:
    """The protocol whose counts are not all 0; None if this holds for neither or for both."""
    return _only({protocol for protocol, values in _values(data, counts) if any(values)})


def present(data: Iterable[Datum], counts: Mapping[str, tuple[str, ...]] = COUNTS) -> str | None:
    """The protocol whose counts are present, 0 or not; None if this holds for neither or for both."""
    return _only({protocol for protocol, values in _values(data, counts) if values})


def of_iperf3(tree: Mapping[str, Any]) -> str | None:
    """The protocol of iperf3's own JSON: as it names it, else from its counts."""
    named = lookup(tree, "start.test_start.protocol")
    if isinstance(named, str) and named:
        return named.lower()
    end = object_of(tree.get("end"))
    data = [object_of(part) for part in end.values()]
    data += [object_of(part) for stream in objects_of(end.get("streams")) for part in stream.values()]
    return counted(data, _COUNTS_OF_IPERF3) or present(data, _COUNTS_OF_IPERF3)


def _values(data: Iterable[Datum], counts: Mapping[str, tuple[str, ...]]) -> list[tuple[str, list[float]]]:
    listed = list(data)
    return [
        (protocol, [value for datum in listed for name in names if (value := number_of(datum.get(name))) is not None])
        for protocol, names in counts.items()
    ]


def _only(protocols: set[str]) -> str | None:
    return protocols.pop() if len(protocols) == 1 else None
