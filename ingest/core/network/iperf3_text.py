"""Read iperf3's text output into the fields that iperf3.py fills from JSON, with three digits (flag `rounded`).

Bytes are printed in units of 1024, bits in units of 1000. Numbers in brackets are the cases of the reference.
"""

import re
from collections.abc import Mapping

from ingest.core.network.fields import NETWORK, put, put_ends
from ingest.core.network.iperf3 import put_jitter, put_packets
from ingest.core.network.transport import TCP, UDP
from ingest.core.sources.convert import integer, message, rounded
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord, at_capture

_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_N = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_CLOSING = re.compile(
    rf"\[(?P<id>SUM| *[0-9]+)\](?:\[(?P<role>[TR]X-[CS])\])? +(?P<start>{_N})- *(?P<end>{_N}) +sec"
    rf" +(?P<size>{_N}) +(?P<size_unit>[KMGT]?)Bytes +(?P<rate>{_N}) +(?P<rate_unit>[KMGT]?)(?P<of>bits|Bytes)/sec"
    rf"(?: +(?P<jitter>-?nan|{_N}) ms +(?P<lost>[0-9]{{1,12}})/ *(?P<total>[0-9]{{1,12}}) \([^)\n]*\))?"
    r"(?: +(?P<retransmits>[0-9]{1,12}))?[ \t]+(?P<end_of>sender|receiver)"
)


def iperf3_text(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one output of iperf3. Raises InvalidRecord if no time is known, or if its end is missing."""
    event.body[NETWORK + "test_type"], event.body[NETWORK + "tool"] = "throughput", "iperf3"
    at_capture(event, context)
    _ends(event, context.sites)
    if "ERROR" in event.values:
        event.body["event.outcome"] = "failure"
        event.body["error.message"] = message(event.values["ERROR"]) or "iperf3 failed."
        return
    event.body["event.outcome"] = "success"
    rows = [row.groupdict() for row in _CLOSING.finditer(event.values["CLOSING"])]
    if len(rows) < len(event.values["CLOSING"].splitlines()):
        event.flags.append("value_unreadable")
    streams = 1 + len(event.values.get("FURTHER", "").splitlines())
    if any(row["role"] for row in rows):
        event.flags.append("bidirectional")  # the reverse direction stays in event.original: a document has one
        rows = [row for row in rows if row["role"] == rows[0]["role"]]
        streams //= 2
    summed = [row for row in rows if row["id"] == "SUM"]
    if streams > 1 and not summed:
        raise InvalidRecord("torn", f"the text ends before the sum of its {streams} streams", "CLOSING", "[SUM]")
    sides = {str(row["end_of"]): row for row in summed or rows}
    _numbers(event, sides.get("sender", {}), sides.get("receiver", {}))


def _ends(event: EventBuilder, sites: Mapping[str, str]) -> None:
    values = event.values
    local, remote = values.get("LOCAL"), values.get("REMOTE")
    named = (local, values.get("PEER") or values.get("CLIENT") or remote)
    server, reverse = "CLIENT" in values, "REVERSE" in values
    if reverse:
        event.flags.append("reversed")
    turned = server != reverse
    put_ends(event, named[::-1] if turned else named, (remote, local) if turned else (local, remote), sites)


def _numbers(event: EventBuilder, sender: Mapping[str, str | None], receiver: Mapping[str, str | None]) -> None:
    """Set the rates of both sides; a server prints 0 for its client's rate, which means unknown."""
    event.flags.append("rounded")
    only_the_clients = "CLIENT" in event.values and not receiver  # the text is cut before the server's own row
    if not float(sender.get("rate") or 0) and (only_the_clients or float(receiver.get("rate") or 0)):
        sender = {}
    if receiver.get("total") == "0":
        receiver = {}  # its report never arrived: -nan%
    for row, name in ((sender, "throughput_bps"), (receiver, "receiver_throughput_bps")):
        if row:
            put(event, name, _rate_bps(row))
    whole = sender or receiver
    if not whole:
        event.flags.append("value_unreadable")
        return
    if sender:
        put(event, "transferred_bytes", _scaled(sender, "size", 1024), rounded)
    put(event, "measured_s", round(float(whole["end"] or 0) - float(whole["start"] or 0), 3))
    if any(row.get("total") is not None for row in (sender, receiver)):
        event.body[NETWORK + "protocol"] = UDP
        put_jitter(event, receiver.get("jitter"))
        put_packets(
            event, receiver.get("total") or sender.get("total"), receiver.get("lost")
        )  # not the sender's 0 [6, 7]
    elif sender.get("retransmits") is not None:
        event.body[NETWORK + "protocol"] = TCP  # without the column: SCTP, or a system that does not count
    put(event, "retransmits", sender.get("retransmits"), integer)


def _rate_bps(row: Mapping[str, str | None]) -> float:
    return _scaled(row, "rate", 1000) if row["of"] == "bits" else _scaled(row, "rate", 1024) * 8


def _scaled(row: Mapping[str, str | None], name: str, base: int) -> float:
    return float(round(float(row[name] or 0) * float(base) ** _POWER[row[f"{name}_unit"] or ""]))
