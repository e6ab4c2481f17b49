"""Which protocol a test of throughput ran over, as far as that is known: asked for, told by its tool, or evident.

What is not known is None: no default of a tool is taken for what it did.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.network.lenient import number_of, object_of, objects_of
from ingest.core.sources.convert import boolean

UDP, TCP = "udp", "tcp"
COUNTS = {UDP: ("jitter", "lost", "sent"), TCP: ("retransmits", "rtt", "tcp-window-size")}
"""What only one of the two counts, in pScheduler's words; tools write null or 0 for what the other would."""

_COUNTS_OF_IPERF3 = {UDP: ("jitter_ms", "lost_packets", "packets"), TCP: ("retransmits",)}
Datum = Mapping[str, Any]


def asked(spec: Mapping[str, Any]) -> str | None:
    """What a test's specification says; None where it says nothing, or nothing that can be read."""
    try:
        return None if spec.get("udp") is None else UDP if boolean(spec["udp"]) else TCP
    except ValueError:
        return None


def counted(data: Iterable[Datum], counts: Mapping[str, tuple[str, ...]] = COUNTS) -> str | None:
    """The protocol whose counts are not all 0; None when neither's or both's are."""
    return _only({protocol for protocol, values in _values(data, counts) if any(values)})


def told(data: Iterable[Datum], counts: Mapping[str, tuple[str, ...]] = COUNTS) -> str | None:
    """The protocol whose counts are there, 0 or not; None when neither's or both's are."""
    return _only({protocol for protocol, values in _values(data, counts) if values})


def of_iperf3(tree: Mapping[str, Any]) -> str | None:
    """The protocol of iperf3's own JSON: as it names it, else by what it counted."""
    named = lookup(tree, "start.test_start.protocol")
    if isinstance(named, str) and named:
        return named.lower()
    end = object_of(tree.get("end"))
    data = [object_of(part) for part in end.values()]
    data += [object_of(part) for stream in objects_of(end.get("streams")) for part in stream.values()]
    return counted(data, _COUNTS_OF_IPERF3) or told(data, _COUNTS_OF_IPERF3)


def _values(data: Iterable[Datum], counts: Mapping[str, tuple[str, ...]]) -> list[tuple[str, list[float]]]:
    kept = list(data)
    return [
        (protocol, [found for datum in kept for name in names if (found := number_of(datum.get(name))) is not None])
        for protocol, names in counts.items()
    ]


def _only(found: set[str]) -> str | None:
    return found.pop() if len(found) == 1 else None
