"""iperf3's own JSON (-J, and inside pScheduler's diagnostics) -> ends, rates in bit/s, bytes, retransmits, loss.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

import json
from collections.abc import Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.network.fields import put, put_count, put_ends
from ingest.core.network.transport import UDP, of_iperf3
from ingest.core.sources.convert import integer, message, rounded, us_to_ms
from ingest.core.sources.event import Context, EventBuilder, at_capture
from ingest.core.sources.lenient import (
    count_of,
    is_true,
    mean_above_0,
    number_of,
    object_of,
    objects_of,
    put_slot,
    put_text,
)
from ingest.core.timestamps import EARLIEST_MS, LATEST_MS

JITTER_LIMIT_MS = 10_000
LONGEST_INT = 19  # digits; a longer one stays text, so no numeric field stores it
_BOUNDED = json.JSONDecoder(parse_int=lambda text: int(text) if len(text) <= LONGEST_INT else text)


def iperf3(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one test from the output of iperf3 -J. Raises InvalidRecord if no time is known."""
    tree = event.values
    event.body["perf.network.test_type"] = "throughput"
    event.body["perf.network.tool"] = "iperf3"
    version = lookup(tree, "start.version")
    if isinstance(version, str):
        put_text(event, "perf.network.tool_version", version.removeprefix("iperf "))
    end = object_of(tree.get("end"))
    _started(event, context)
    put_ends(event, ends(tree), _sorted_ends(tree, *_connected(tree)), context.sites)
    _put_request(event, object_of(tree.get("start")))
    if _failed(event, tree, end):
        return
    event.body["event.outcome"] = "success"
    _rates(event, end)
    udp = event.body.get("perf.network.protocol") == UDP
    start = object_of(tree.get("start"))
    put(event, "mss_bytes", None if udp else start.get("tcp_mss", start.get("tcp_mss_default")), integer)
    put(event, "retransmits", lookup(end, "sum_sent.retransmits"), integer)
    totals, received = object_of(end.get("sum")) or object_of(end.get("sum_sent")), udp_received(end)
    if udp or count_of(totals.get("packets")) or received:
        put_udp(event, totals, received)


def _started(event: EventBuilder, context: Context) -> None:
    """Set the test's start from iperf3's own timestamp; an aborted test has none."""
    stamp = object_of(lookup(event.values, "start.timestamp"))
    started_ms, started_s = count_of(stamp.get("timemillisecs")), count_of(stamp.get("timesecs"))
    at_ms = started_ms or (started_s * 1000 if started_s else 0)
    if EARLIEST_MS <= at_ms < LATEST_MS:
        event.body["@timestamp"] = event.body["event.start"] = at_ms
    else:
        at_capture(event, context)


def ends(tree: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The sending and the receiving end: the client sends unless the test runs in reverse."""
    local, remote = _connected(tree)
    requested = lookup(tree, "start.connecting_to.host")
    return _sorted_ends(tree, local, requested if isinstance(requested, str) and requested else remote)


def _connected(tree: Mapping[str, Any]) -> tuple[str | None, str | None]:
    first = (objects_of(lookup(tree, "start.connected")) or [{}])[0]
    local, remote = (first.get(f"{side}_host") for side in ("local", "remote"))
    return local if isinstance(local, str) else None, remote if isinstance(remote, str) else None


def _sorted_ends(tree: Mapping[str, Any], local: str | None, remote: str | None) -> tuple[str | None, str | None]:
    server = lookup(tree, "start.accepted_connection") is not None
    return (remote, local) if server != is_reversed(tree) else (local, remote)


def is_reversed(tree: Mapping[str, Any]) -> bool:
    """Whether the test runs in reverse: the server sends."""
    return is_true(lookup(tree, "start.test_start.reverse"))


def _put_request(event: EventBuilder, start: Mapping[str, Any]) -> None:
    requested = object_of(start.get("test_start"))
    put_text(event, "perf.network.protocol", of_iperf3(event.values))
    put(event, "parallel_streams", requested.get("num_streams"), integer, least=1)
    if is_reversed(event.values):
        event.flags.append("reversed")
    if is_true(requested.get("bidir")):
        event.flags.append("bidirectional")  # the reverse direction stays in event.original: a document has one


def _failed(event: EventBuilder, tree: Mapping[str, Any], end: Mapping[str, Any]) -> bool:
    """Whether the test failed: it reports an error or measured nothing [15]."""
    text = tree.get("error")
    if text is None and any(number_of(object_of(part).get("bits_per_second")) for part in end.values()):
        return False
    if text is None:
        event.flags.append("empty_result")
    event.body["event.outcome"] = "failure"
    error_text = message(text) if text is not None else None
    event.body["error.message"] = error_text or "iperf3 named no error, but measured nothing."
    return True


def _rates(event: EventBuilder, end: Mapping[str, Any]) -> None:
    sent = object_of(end.get("sum_sent")) or object_of(end.get("sum"))
    put(event, "throughput_bps", sent.get("bits_per_second"))
    if number_of(lookup(end, "sum_received.seconds")):  # without the server's report, all its values are 0
        put(event, "receiver_throughput_bps", lookup(end, "sum_received.bits_per_second"))
    put(event, "transferred_bytes", sent.get("bytes"), rounded)
    put(event, "measured_s", sent.get("seconds"))
    senders = [object_of(stream.get("sender")) for stream in objects_of(end.get("streams"))]
    put(event, "tcp_rtt_mean_ms", mean_above_0(sender.get("mean_rtt") for sender in senders), us_to_ms)
    length_s = event.body.get("perf.network.measured_s")
    start_ms = event.body.get("event.start")
    if length_s and start_ms is not None and length_s < 1e9:
        put_slot(event, start_ms, start_ms + round(length_s * 1000))


def put_udp(event: EventBuilder, totals: Mapping[str, Any], received: Mapping[str, Any]) -> None:
    """Set packets, loss and jitter; the sender's loss of 0 is not a count, the receiver's is used [6, 7]."""
    put_jitter(event, received.get("jitter_ms", totals.get("jitter_ms")))
    sent = received.get("packets") if count_of(received.get("packets")) else totals.get("packets")
    put_packets(event, sent, received.get("lost_packets"))


def put_jitter(event: EventBuilder, jitter_ms: Any) -> None:
    """Set the jitter, unless the tool computed an impossible value [8]; that value stays in event.original."""
    value_ms = number_of(jitter_ms)
    if value_ms is not None and value_ms > JITTER_LIMIT_MS:
        event.flags.append("jitter_suspect")
    else:
        put(event, "jitter_ms", jitter_ms)


def put_packets(event: EventBuilder, sent: Any, lost: Any) -> None:
    """Set packets sent and lost, and their ratio; flag UDP without a counted loss."""
    put_count(event, "packets_sent", sent)
    put_count(event, "packets_lost", lost)
    sent, lost = (event.body.get(f"perf.network.packets_{name}") for name in ("sent", "lost"))
    if lost is None:
        if event.body.get("perf.network.protocol") == UDP:
            event.flags.append("loss_unknown")
    elif sent is not None and lost > sent:
        event.flags.append("value_range")
    elif sent:
        event.body["perf.network.packets_received"] = sent - lost
        event.body["perf.network.loss_ratio"] = lost / sent


def udp_received(end: Mapping[str, Any]) -> Mapping[str, Any]:
    """The receiver's counts: `sum_received`, or `sum` before version 3.11."""
    for part in (object_of(end.get("sum_received")), object_of(end.get("sum"))):
        if count_of(part.get("packets")) and count_of(part.get("lost_packets")) is not None:
            return part
    return {}


def in_diagnostics(text: Any) -> Mapping[str, Any]:
    """iperf3's own JSON, which follows its command line in pScheduler's diagnostics; empty if there is none."""
    begin = text.find("{") if isinstance(text, str) else -1
    if begin < 0:
        return {}
    try:
        tree, _ = _BOUNDED.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return {}
    return object_of(tree)
