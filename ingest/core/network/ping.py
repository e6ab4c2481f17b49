"""Read ping's and traceroute's text into round trips, loss, route; terminals are in grammars/ping and /traceroute."""

import re
from collections.abc import Mapping
from typing import Any

from ingest.core.network.delay import PRINTED_MS, RTT_ORDER, check_counts, check_order, in_ms, put_loss
from ingest.core.network.fields import NETWORK, put, put_ends
from ingest.core.network.route import MAX_TTL, trace
from ingest.core.sources.convert import integer
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord, at_capture
from ingest.core.timestamps import EARLIEST_MS

_HOP = re.compile(r"\n {0,2}([0-9]{1,3})(?![0-9])([^\n]*(?:\n {3,}[^\n]*)*)")
_WORD = re.compile(
    r"(?P<name>[^\s()*!\[]\S*) \((?P<address>[^()\s]+)\)|(?P<time>[0-9.]+) ?ms\b"
    r"|\[AS(?P<system>[0-9]{1,10})[^\]]*\]|(?P<error>![^\s]*)|(?P<bare>[^\s()*!\[]\S*)"
)
_PROBE = re.compile(r"(?<=[0-9]) ?ms\b|(?<!\S)\*(?!\S)")
_PROBE_END = re.compile(r"(?:[0-9] ?ms|\s\*|\s![^\s]*|\([0-9]+% loss\))\s*\Z")
_ERRORS = {"!H": "host-unreachable", "!N": "net-unreachable", "!P": "protocol-unreachable"}


def ping(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one output of ping. Raises InvalidRecord if no time is known."""
    _head(event, context, "rtt", "ping")
    sent, received = int(event.values["SENT"]), int(event.values["RECEIVED"])
    put(event, "packets_sent", sent, integer)
    put(event, "packets_received", received, integer)
    for name, terminal in (("packets_duplicated", "DUPLICATES"), ("packets_error", "ERRORS")):
        put(event, name, event.values.get(terminal), integer)
    if sent >= received:
        put(event, "packets_lost", sent - received, integer)
    put_loss(event, sent, sent - received if sent >= received else None)
    check_counts(event)
    event.body["event.outcome"] = "success" if sent else "failure"
    if not sent:
        event.body["error.message"] = "ping sent no packet."
    for name in ("MIN", "MEAN", "MAX", "STDDEV"):
        put(event, f"rtt_{name.lower()}_ms", event.values.get(f"RTT_{name}"), in_ms(1.0))
    check_order(event, RTT_ORDER, PRINTED_MS)


def traceroute(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one output of traceroute. Raises InvalidRecord if no time is known."""
    _head(event, context, "trace", "traceroute")
    printed = [(int(number), words) for number, words in _HOP.findall(event.values["HOPS"])]
    _check_whole(printed)
    hops = {number: _hop(words) for number, words in printed if number <= MAX_TTL}
    if len(hops) < len(printed):
        event.flags.append("value_range")
    event.body["event.outcome"] = "success" if hops else "failure"
    if not hops:
        event.flags.append("empty_result")
        return
    first, last = min(hops), max(hops)
    path = [hops.get(number, {}) for number in range(first, last + 1)]
    trace(event, {"paths": [path]}, {"first-ttl": first})


def _check_whole(printed: list[tuple[int, str]]) -> None:
    """Reject a text that ends inside a hop: without a probe, or with fewer probes than every other hop."""
    if not printed:
        return
    number, words = printed[-1]
    others = [len(_PROBE.findall(before)) for _, before in printed[:-1]]
    if not _PROBE_END.search(words) or (others and len(_PROBE.findall(words)) < min(others)):
        raise InvalidRecord("torn", f"the text ends inside hop {number}", None, "the rest of the hop")


def _head(event: EventBuilder, context: Context, test_type: str, tool: str) -> None:
    """Set type, tool, ends and time: the time of the first reply under ping -D, else the shipper's capture time."""
    event.body[NETWORK + "test_type"], event.body[NETWORK + "tool"] = test_type, tool
    stamp_ms = int(float(event.values.get("FIRST_AT", 0)) * 1000)
    if stamp_ms >= EARLIEST_MS:
        event.body["@timestamp"] = event.body["event.start"] = stamp_ms
    else:
        at_capture(event, context)
    put_ends(event, (event.values.get("FROM"), event.values["HOST"]), (None, event.values["IP"]), context.sites)


def _hop(words: str) -> Mapping[str, Any]:
    """The first host of a hop that answered, with the keys of pScheduler's trace; empty if none answered."""
    hop: dict[str, Any] = {}
    for word in _WORD.finditer(words):
        if word["time"]:
            hop.setdefault("rtt", word["time"])
        elif word["system"]:
            hop.setdefault("as", int(word["system"]))
        elif word["error"]:
            hop.setdefault("error", _ERRORS.get(word["error"], word["error"]))
        elif "ip" not in hop:
            hop["ip"] = word["address"] or word["bare"]
            if word["name"]:
                hop["hostname"] = word["name"]
    return hop
