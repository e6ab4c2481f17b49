"""Read XRootD's monitoring: close records of both collectors, third-party copies, and files that a cache closed."""

from collections.abc import Mapping
from typing import Any

from ingest.core.ids import digest_id
from ingest.core.sources.convert import shown
from ingest.core.sources.endpoint import bare_host, ip_of, put_end, put_ends
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.lenient import count_of, number_of, object_of, put_text, whole_of
from ingest.core.timestamps import TimestampError, iso_us
from ingest.core.transfers.fields import (
    ENDED_BEST,
    FILE,
    RECEIVER,
    SENDER,
    SESSION,
    TRANSFER,
    instant_us,
    put,
    put_failure,
    put_name,
    put_probe,
    put_rate,
    put_run,
    put_span,
    put_urls,
    scaled_us,
)

SECOND_US = 1_000_000
LEAST_MS = 100_000_000_000  # a larger number is one of ms, a smaller one of seconds
LONGEST_OPEN_S = 30 * 86_400
LOST = "missing directory"  # the name of a file whose opening the collector did not see
MICROSECONDS = 6
_HTTP = {"http", "https", "dav", "davs"}
_SESSION = (
    "serverID", "server_host", "server_ip", "server", "host", "client_host", "user", "filename", "file_lfn",
    "start_time", "read", "readv", "write", "read_bytes", "read_single_bytes", "read_vector_bytes", "write_bytes",
    "read_operations", "write_operations",
)  # fmt: skip
_CACHED = ("lfn", "attach_t", "detach_t", "size", "access_cnt", "b_hit", "b_miss", "b_bypass", "b_todisk")


def xrootd_close(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one closed file, told by the server that had it open."""
    record = event.values
    event.body[TRANSFER + "level"] = SESSION
    end_us = _seconds_or_ms(event, record.get("end_time")) or _seconds_or_ms(event, record.get("timestamp"))
    end_us = end_us or _collected_us(event, record.get("@timestamp"))
    if end_us is not None:
        event.body["@timestamp"] = end_us // 1000
    _put_id(event, [end_us, *(record.get(key) for key in _SESSION)])
    sent_bytes = _sum(event, record, ("read", "readv") if record.get("read_bytes") is None else ("read_bytes",))
    received_bytes = _sum(event, record, ("write",) if record.get("write") is not None else ("write_bytes",))
    is_sender = (sent_bytes or 0) >= (received_bytes or 0)
    event.body[TRANSFER + "observer"] = SENDER if is_sender else RECEIVER
    moved_bytes = sent_bytes if is_sender else received_bytes
    if moved_bytes is not None:
        event.body[TRANSFER + "bytes"] = moved_bytes
    if sent_bytes and received_bytes:
        event.flags.append("both_ways")
    span_us = put_span(event, _opened_us(event, record), end_us)
    is_whole = number_of(record.get("HasFileCloseMsg")) != 0  # 0: the close was not seen, bytes are those until then
    if moved_bytes and is_whole:
        put_rate(event, span_us, "open_rate_bps")
    event.body["event.outcome"] = "success" if is_whole else "unknown"
    _put_session_ends(event, context, record, is_sender)
    _put_session_names(event, record)
    other_way = ("write_bytes", received_bytes) if is_sender else ("read_bytes", sent_bytes)
    keep_extra(event, _data(record, ("site", "site_name", "serverID", "user_domain")) | _data(dict([other_way])))


def xrootd_tpc(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one third-party copy, told by the end that did the work. Raises InvalidRecord."""
    record, work = event.values, object_of(event.values.get("Xeq"))
    start_us, end_us = _copied_us(event, work.get("Beg"), "Xeq.Beg"), _copied_us(event, work.get("End"), "Xeq.End")
    _put_id(event, [record.get("Client"), work.get("Beg"), work.get("End"), record.get("Src"), record.get("Dst")])
    event.body[TRANSFER + "level"] = FILE
    if end_us is not None:
        event.body["@timestamp"] = end_us // 1000
    put_text(event, TRANSFER + "protocol", record.get("TPC"))
    put_urls(event, context, record.get("Src"), record.get("Dst"))
    direction = str(work.get("Type", "")).lower()
    if direction in {"push", "pull"}:
        event.body[TRANSFER + "observer"] = SENDER if direction == "push" else RECEIVER
    code = whole_of(work.get("RC"))
    if code is None:
        event.body["event.outcome"] = "unknown"
    elif code:
        put_failure(event, code)
    else:
        event.body["event.outcome"] = "success"
    _put_copied_bytes(event, record)
    span_us = put_span(event, start_us, end_us)
    if event.body.get(TRANSFER + "bytes"):
        put_rate(event, span_us)
    put(event, "streams", work.get("Strm"))
    if count_of(work.get("IPv")) in (4, 6):
        put(event, "ip_version", work["IPv"])
    put_probe(event, (record.get("Src"), record.get("Dst")))
    client = record.get("Client")
    put_text(event, "user.name", client.partition("@")[0].rpartition(".")[0] if isinstance(client, str) else None)
    keep_extra(event, _data({"client": client, "type": direction}))


def xrootd_cache(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one file that a cache has closed: what came from its origin while it was attached."""
    record = event.values
    _put_id(event, [record.get(key) for key in _CACHED])
    start_us, end_us = (_seconds_or_ms(event, record.get(key)) for key in ("attach_t", "detach_t"))
    if end_us is not None:
        event.body["@timestamp"] = end_us // 1000
    event.body |= {TRANSFER + "level": SESSION, TRANSFER + "observer": RECEIVER, "event.outcome": "success"}
    fetched_bytes = _sum(event, record, ("b_miss", "b_bypass"))  # what was read past the cache came from there too
    if fetched_bytes is not None:
        event.body[TRANSFER + "bytes"] = fetched_bytes
    put(event, "size_bytes", record.get("size"))
    put(event, "faults", record.get("n_cks_errs"))
    span_us = put_span(event, start_us, end_us)
    if fetched_bytes:
        put_rate(event, span_us, "open_rate_bps")
    put_text(event, "file.path", record.get("lfn"))
    remotes = record.get("remotes")
    origins = {bare_host(remote) for remote in remotes if isinstance(remote, str)} if isinstance(remotes, list) else ()
    if len(origins) == 1:
        put_end(event, "source", next(iter(origins)), context.sites)
    put_probe(event, (record.get("lfn"),))
    keep_extra(event, _data(record, ("remotes", "access_cnt", "b_hit", "b_bypass", "b_todisk", "b_prefetch")))


def _put_id(event: EventBuilder, parts: list[Any]) -> None:
    """Set an id made of what tells the record from others, and what all records of XRootD have in common."""
    event.rank = ENDED_BEST
    event.body |= {
        TRANSFER + "id": digest_id(repr(parts).encode("utf-8", "surrogateescape")),
        TRANSFER + "tool": "xrootd",
        TRANSFER + "final": True,
    }


def _seconds_or_ms(event: EventBuilder, value: Any) -> int | None:
    """Convert a time of either collector to us: the Python one counts ms, the Go one seconds."""
    parsed = number_of(value)
    return instant_us(event, value, 1000 if parsed is not None and parsed > LEAST_MS else SECOND_US)


def _collected_us(event: EventBuilder, value: Any) -> int | None:
    """Convert the Go collector's own stamp to us; None, and flagged, if it is none."""
    if value is None:
        return None
    try:
        return iso_us(shown(value))
    except TimestampError:
        event.flags.append("value_unreadable")
        return None


def _opened_us(event: EventBuilder, record: Mapping[str, Any]) -> int | None:
    """When the file was opened; None, and flagged, where the record tells something else.

    The Go collector writes the start of the server's process, which is the first part of `serverID` too. Where a
    collector did not see the opening, start and end are the same.
    """
    start_us = _seconds_or_ms(event, record.get("start_time"))
    if start_us is None:
        return None
    if record.get("filename") == LOST:
        event.flags.append("start_missing")
        return None
    server = record.get("serverID")
    server_us = scaled_us(server.partition("#")[0], SECOND_US) if isinstance(server, str) else None
    open_s = number_of(record.get("operation_time"))
    if start_us == server_us or (open_s is not None and open_s > LONGEST_OPEN_S):
        event.flags.append("start_unreliable")
        return None
    return start_us


def _sum(event: EventBuilder, record: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    """The sum of counts of bytes; None if none is told. One that cannot be read is flagged and left out."""
    counts = [count_of(record[key]) for key in keys if record.get(key) is not None]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        event.flags.append("value_unreadable")
    total = sum(known)
    return count_of(total) if known else None


def _put_session_ends(event: EventBuilder, context: Context, record: Mapping[str, Any], is_sender: bool) -> None:
    """Set both ends: bytes that were read went from the server to the client, bytes that were written came from it.

    A session in which nothing moved is told as one that reads.
    """
    server_ip = record.get("server_ip")
    server = _first(record, ("server_hostname", "server_host", "server", "server_ip"))
    client = _first(record, ("host", "client_host"))
    names = (bare_host(server) if server else None, client)
    addresses = (server_ip if isinstance(server_ip, str) and ip_of(server_ip) else None, None)
    if is_sender:
        put_ends(event, names, addresses, context.sites)
    else:
        put_ends(event, names[::-1], addresses[::-1], context.sites)


def _put_session_names(event: EventBuilder, record: Mapping[str, Any]) -> None:
    path = _first(record, ("file_lfn", "filename"))
    size_bytes = count_of(_first_value(record, ("file_size", "filesize")))
    if path != LOST:
        put_text(event, "file.path", path)
    if size_bytes is not None:  # "-1" where the opening was not seen
        put(event, "size_bytes", size_bytes)
    put_text(event, TRANSFER + "protocol", _first(record, ("protocol", "user_protocol")))
    put_text(event, "user.name", record.get("user"))
    put_name(event, "vo", record.get("vo"))
    put_name(event, "label", record.get("appinfo"))
    if isinstance(record.get("ipv6"), bool):
        event.body[TRANSFER + "ip_version"] = 6 if record["ipv6"] else 4
    put_run(event, (record.get("appinfo"),))
    put_probe(event, (path, record.get("appinfo")))


def _copied_us(event: EventBuilder, value: Any, where: str) -> int | None:
    """Convert an instant of a copy: the server prints its microseconds without leading zeros."""
    if value is None:
        return None
    try:
        us = iso_us(shown(value), counts_us=True)
    except TimestampError as error:
        raise InvalidRecord("value", f"{where}: {error}", where) from error
    fraction = shown(value).rstrip("Zz").rpartition(".")[2]
    if len(fraction) < MICROSECONDS and "microseconds_unpadded" not in event.flags:
        event.flags.append("microseconds_unpadded")
    return us


def _put_copied_bytes(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """Set what moved. Over HTTP `Size` counts it, failures too; else it is the size of the file at the destination."""
    is_told = event.body["event.outcome"] == "success" or str(record.get("TPC", "")).lower() in _HTTP
    if is_told or count_of(record.get("Size")) == 0:
        put(event, "bytes", record.get("Size"))
    elif record.get("Size") is not None:
        put(event, "size_bytes", record["Size"])
        event.flags.append("size_not_moved")


def _first(record: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of the values that is a text and not blank."""
    return next((record[key] for key in keys if isinstance(record.get(key), str) and record[key].strip()), None)


def _first_value(record: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((record[key] for key in keys if record.get(key) is not None), None)


def _data(record: Mapping[str, Any], keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """What is kept as data: the named values of a record, or all, without those that tell nothing."""
    return {key: record[key] for key in keys or record if record.get(key) not in (None, "", 0)}
