"""Read GridFTP's transfer log and its "ng" log; the terminals are in grammars/gridftp and grammars/gridftp_ng."""

from collections.abc import Mapping
from typing import Any

from ingest.core.ids import digest_id
from ingest.core.sources.endpoint import put_end
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.lenient import put_text
from ingest.core.timestamps import TimestampError, fraction_us, iso_us, local_ms
from ingest.core.transfers.fields import (
    ENDED_BEST,
    FILE,
    PART,
    RECEIVER,
    SENDER,
    TRANSFER,
    put,
    put_failure,
    put_ip_version,
    put_name,
    put_probe,
    put_rate,
    put_span,
)

SENDS = {"RETR", "ERET"}
PARTS = {"ERET", "ESTO"}
UNKNOWN_ADDRESSES = {"0.0.0.0", "::"}  # noqa: S104 - what the server prints where it does not know the address
LATEST_EARLY_US = 1_000_000  # DATE may precede START by so much: two clocks of one server
MICROSECONDS = 6
_COUNTS = {"BUFFER": "tcp_buffer_bytes", "BLOCK": "block_bytes", "STREAMS": "streams", "STRIPES": "stripes"}
_IDENTITY = ("HOST", "START", "DATE", "FILE", "NBYTES", "TYPE", "DEST", "TASKID")


def gridftp(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one record of the transfer log. Raises InvalidRecord if an instant cannot be."""
    values = event.values
    start_us, end_us = _instant_us(event, "START"), _instant_us(event, "DATE")
    if end_us < start_us - LATEST_EARLY_US:
        raise InvalidRecord("value", "it ends more than 1 s before it starts", "DATE", "an instant not before START")
    event.rank = ENDED_BEST
    event.body["@timestamp"] = start_us // 1000
    put_name(
        event, "id", digest_id(*((values.get(name) or "").encode("utf-8", "surrogateescape") for name in _IDENTITY))
    )
    _put_transfer(event, values, "NBYTES")
    _put_ends(event, context, values["HOST"], values["DEST"], values["TYPE"])
    put_rate(event, put_span(event, start_us, end_us))
    _put_file(event, values.get("FILE"), values.get("USER"))
    if values["CODE"].startswith("2"):
        event.body["event.outcome"] = "success"
    else:
        put_failure(event, values["CODE"])


def gridftp_ng(event: EventBuilder, context: Context) -> None:
    """Fill the fields of a line of the "ng" log. Raises InvalidRecord if its instant cannot be read."""
    values = event.values
    try:
        at_us = iso_us(values["TS"])
    except TimestampError as error:
        raise InvalidRecord("stamp", str(error), "TS") from error
    event.body["@timestamp"] = at_us // 1000
    put_name(event, "session", values["ID"])
    event.body[TRANSFER + "tool"] = "gridftp"
    event.body[TRANSFER + "final"] = "BEGIN" not in values
    if "BEGIN" in values:
        event.body |= {TRANSFER + "event": "start", TRANSFER + "level": FILE, "event.outcome": "unknown"}
        put_span(event, at_us, None)
    elif "ERROR" in values:
        event.body |= {TRANSFER + "event": "error", TRANSFER + "level": FILE}
        put_span(event, None, at_us)
        put_failure(event, values["STATUS"], None, values.get("MSG"))
    else:
        _put_end_event(event, context, at_us)
    _put_file(event, values.get("FILE") or values.get("FILE_BARE"), values.get("USER"))


def _put_end_event(event: EventBuilder, context: Context, at_us: int) -> None:
    values = event.values
    event.body[TRANSFER + "event"] = "end"
    put_span(event, None, at_us)
    _put_transfer(event, values, "BYTES")
    _put_ends(event, context, None, values["REMOTE"], values["TYPE"])
    if values["STATUS"] == "0":
        event.body["event.outcome"] = "success"
    else:
        put_failure(event, values["STATUS"])


def _instant_us(event: EventBuilder, terminal: str) -> int:
    """Read `YYYYMMDDhhmmss.uuuuuu` in UTC; servers until 2009 printed the microseconds without leading zeros."""
    text = event.values[terminal]
    digits, _, fraction = text.partition(".")
    clock = f"{digits[8:10]}:{digits[10:12]}:{digits[12:14]}"
    try:
        second_ms, _ = local_ms(int(digits[:4]), int(digits[4:6]), int(digits[6:8]), clock)
    except TimestampError as error:
        raise InvalidRecord("stamp", f"{terminal}: {error}", terminal, "YYYYMMDDhhmmss.uuuuuu") from error
    unpadded = len(fraction) < MICROSECONDS
    if unpadded and "microseconds_unpadded" not in event.flags:
        event.flags.append("microseconds_unpadded")
    return second_ms * 1000 + fraction_us(fraction, counts_us=unpadded)


def _put_transfer(event: EventBuilder, values: Mapping[str, Any], bytes_terminal: str) -> None:
    event.body |= {
        TRANSFER + "tool": "gridftp",
        TRANSFER + "protocol": "gsiftp",
        TRANSFER + "level": PART if values["TYPE"] in PARTS else FILE,
        TRANSFER + "observer": SENDER if values["TYPE"] in SENDS else RECEIVER,
        TRANSFER + "final": True,
    }
    put(event, "bytes", values[bytes_terminal])
    for terminal, name in _COUNTS.items():
        put(event, name, values.get(terminal))
    retransmits = values.get("RETRANS")
    if retransmits:
        put(event, "retransmits", sum(map(int, retransmits.split(","))))
    task = values.get("TASKID")
    if task and task.lower() != "none":
        put_name(event, "parent_id", task)


def _put_ends(event: EventBuilder, context: Context, host: str | None, remote: str, kind: str) -> None:
    """Set both ends: the server sends what is retrieved and receives what is stored."""
    own, other = ("source", "destination") if kind in SENDS else ("destination", "source")
    put_end(event, own, host, context.sites)
    if remote in UNKNOWN_ADDRESSES:
        event.flags.append("address_unknown")
    else:
        put_end(event, other, remote, context.sites)
    put_ip_version(event)


def _put_file(event: EventBuilder, path: str | None, user: str | None) -> None:
    put_text(event, "file.path", path)
    put_text(event, "user.name", user)
    put_probe(event, (path,))
