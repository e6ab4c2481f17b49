"""Read FTS3's monitoring messages: a state of a file, the start of an attempt to move it, and how the attempt ended.

Keys of all versions since 2016 are read: numbers may be texts, ids may stand in `tr_id` alone, and MONIT passes the
message on as `{"data": {...}, "metadata": {...}}`. Instants are ms, 0 is an instant that never was.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ingest.core.sources.endpoint import bare_host, put_end
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.lenient import count_of, is_true, number_of, object_of, put_text
from ingest.core.transfers.fields import (
    ENDED,
    ENDED_BEST,
    FILE,
    LONGEST_US,
    PROGRESS,
    QUEUED,
    SERVICE,
    STARTED,
    SUBMITTED,
    TRANSFER,
    instant_us,
    phase_s,
    put,
    put_failure,
    put_name,
    put_phase,
    put_probe,
    put_rate,
    put_run_by_metadata,
    put_span,
    put_urls,
)

MS_US = 1000
EARLIEST_US = 100_000_000_000 * MS_US  # a smaller number of ms is one of seconds
LONGEST_WAIT_MS = LONGEST_US // MS_US
LONGEST_METADATA = 65_536  # characters of JSON inside a text
LONGEST_JOB = 128
_RANKS = {
    "SUBMITTED": QUEUED,
    "STAGING": SUBMITTED,
    "READY": STARTED,
    "ACTIVE": PROGRESS,
    "ARCHIVING": PROGRESS,
    "FINISHED": ENDED,
    "FAILED": ENDED,
    "CANCELED": ENDED,
}
_OUTCOMES = {"ok": "success", "finished": "success", "error": "failure", "abort": "failure"}
_FAILED = {"FAILED", "CANCELED"}
_IP_VERSIONS = {"ipv4": 4, "ipv6": 6}
_CHECKSUMS = (
    ("timestamp_chk_src_st", "timestamp_chk_src_ended"),
    ("timestamp_checksum_dest_st", "timestamp_checksum_dest_ended"),
)
_NAMES = {"activity": "activity", "t_failure_phase": "failure_phase", "tr_error_scope": "failure_scope"}
_KEPT = (
    "endpnt", "fqdn", "job_state", "retry_max", "is_recoverable", "job_multihop", "job_m_replica", "transfer_type",
    "auth_method", "src_site_name", "dst_site_name", "remote_access", "log_link",
)  # fmt: skip
_NOTHING = (None, "", "null", "x")  # what FTS writes for metadata that its user did not give


def fts(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one message. Raises InvalidRecord if it names no transfer, or an instant that is not in ms."""
    record = object_of(event.values.get("data")) if "metadata" in event.values else event.values
    name, read = next(((name, read) for key, name, read in _SHAPES if record.get(key) is not None), ("", None))
    if read is None:
        raise InvalidRecord("shape", "JSON of another shape than fts reads: it tells no state, no start and no end")
    _put_id(event, record)
    event.body |= {
        TRANSFER + "event": name,
        TRANSFER + "tool": "fts3",
        TRANSFER + "level": FILE,
        TRANSFER + "observer": SERVICE,
    }
    read(event, record)
    if record is not event.values:
        event.rank -= 1  # MONIT leaves keys out: the broker's own message counts
    _put_ends(event, context, record)
    _put_names(event, record)
    _put_metadata(event, record)


def _put_id(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """Set `job_id/file_id`; messages of 2016 have both at the end of `tr_id` alone."""
    job, number = record.get("job_id"), count_of(record.get("file_id"))
    if not job or number is None:
        printed = record.get("tr_id") or record.get("transfer_id")
        parts = printed.rsplit("__", 2) if isinstance(printed, str) else []
        job, number = (parts[2], count_of(parts[1])) if len(parts) == 3 else (None, None)
    if not isinstance(job, str) or not job.strip() or len(job) > LONGEST_JOB or number is None:
        what = "it names no transfer: neither job_id and file_id, nor a tr_id that ends in __file_id__job_id"
        raise InvalidRecord("identity", what, None, "job_id and file_id")
    job = job.strip().lower()
    event.body[TRANSFER + "id"] = f"{job}/{number}"
    event.body[TRANSFER + "parent_id"] = job


def _state(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """A state that the file has reached (SS); it is the only message that tells when the transfer was asked for."""
    at_us, queued_us = _instant(event, record, "timestamp"), _instant(event, record, "submit_time")
    state = str(record["file_state"]).strip().upper()
    is_final = state == "FINISHED" or state in _FAILED
    put_text(event, TRANSFER + "state", state)
    event.rank = _RANKS.get(state, SUBMITTED)
    event.body[TRANSFER + "final"] = is_final
    if at_us is not None:
        event.body["@timestamp"] = at_us // 1000
        put_span(event, None, at_us if is_final else None)
    if queued_us is not None:
        event.body[TRANSFER + "queued"] = queued_us // 1000
    if state in _FAILED:
        put_failure(event, words=record.get("reason"))
    else:
        event.body["event.outcome"] = _OUTCOMES.get(state.lower(), "unknown")
    put_phase(event, "prepare_s", *_phase(event, record, ("staging_start", "staging_finished")))
    put_phase(event, "finalize_s", *_phase(event, record, ("archiving_start", "archiving_finished")))
    retries = count_of(record.get("retry_counter"))
    if retries is not None:
        put(event, "attempt", retries + 1)
    if count_of(record.get("user_filesize")):
        put(event, "size_bytes", record["user_filesize"])


def _start(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """An attempt starts (ST)."""
    at_us = _instant(event, record, "timestamp")
    event.rank = STARTED
    event.body |= {"event.outcome": "unknown", TRANSFER + "final": False}
    if at_us is not None:
        event.body["@timestamp"] = at_us // 1000
    put_span(event, at_us, None)


def _complete(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """An attempt has ended (CO).

    `timestamp_tr_st` and `_comp` bound the moving itself, `tr_timestamp_start` and `_complete` the process with its
    checksums. Where the first are not told the second bound the span, and there is no rate.
    """
    began_us, ended_us = _instant(event, record, "tr_timestamp_start"), _instant(event, record, "tr_timestamp_complete")
    moving_us, moved_us = _instant(event, record, "timestamp_tr_st"), _instant(event, record, "timestamp_tr_comp")
    at_us = ended_us or moved_us or began_us or moving_us
    event.rank = ENDED_BEST
    if at_us is not None:
        event.body["@timestamp"] = at_us // 1000
    put_text(event, TRANSFER + "state", str(record["t_final_transfer_state"]).strip())
    _put_outcome(event, record)
    _put_bytes(event, record)
    span_us = put_span(event, moving_us or began_us, moved_us or ended_us)
    if moving_us is None or moved_us is None:
        event.flags.append("phase_missing")
    else:
        put_rate(event, span_us)
    _put_phases(event, record)
    _put_queue_wait(event, record, began_us)
    _put_transport(event, record)


def _put_outcome(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """Set outcome, reason, and whether nothing can follow: an error may be retried, and `retry` is told with it."""
    outcome = _OUTCOMES.get(str(record["t_final_transfer_state"]).strip().lower(), "unknown")
    event.body["event.outcome"] = outcome
    if outcome != "failure":
        event.body[TRANSFER + "final"] = outcome == "success"
        return
    put_failure(event, record.get("t_error_code"), record.get("tr_error_category"), record.get("t__error_message"))
    retries, most = count_of(record.get("retry")), count_of(record.get("retry_max"))
    if retries is not None:
        put(event, "attempt", retries + 1)
    is_retried = record.get("is_recoverable")
    if event.body[TRANSFER + "state"].lower() == "abort" or (is_retried is not None and not is_true(is_retried)):
        event.body[TRANSFER + "final"] = True
    elif retries is not None and most is not None:
        event.body[TRANSFER + "final"] = retries >= most


def _put_bytes(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """Set the bytes that moved; of a success that does not tell them the size of the file, which has moved whole."""
    size_bytes = count_of(record.get("file_size") if record.get("file_size") is not None else record.get("f_size"))
    if size_bytes is not None:
        put(event, "size_bytes", size_bytes)
    if record.get("tr_bt_transfered") not in (None, ""):
        put(event, "bytes", record["tr_bt_transfered"])
    elif size_bytes is not None and event.body["event.outcome"] == "success":
        put(event, "bytes", size_bytes)
    elif size_bytes is not None:
        event.flags.append("size_not_moved")


def _put_phases(event: EventBuilder, record: Mapping[str, Any]) -> None:
    checksums = [phase_s(event, *_phase(event, record, keys)) for keys in _CHECKSUMS]
    lengths = [length_s for length_s in checksums if length_s is not None]
    if lengths:
        event.body[TRANSFER + "checksum_s"] = sum(lengths)
    put_phase(event, "prepare_s", *_phase(event, record, ("time_srm_prep_st", "time_srm_prep_end")))
    put_phase(event, "finalize_s", *_phase(event, record, ("time_srm_fin_st", "time_srm_fin_end")))


def _put_queue_wait(event: EventBuilder, record: Mapping[str, Any], began_us: int | None) -> None:
    """Set the wait and when the transfer was asked for from MONIT's `latency` (ms from there to the process)."""
    latency_ms = number_of(record.get("latency"))
    if latency_ms is None or began_us is None:
        return
    if not 0 <= latency_ms <= LONGEST_WAIT_MS:
        event.flags.append("value_range")
        return
    queued_us = began_us - int(latency_ms * MS_US)
    event.body[TRANSFER + "queued"] = queued_us // 1000
    event.body[TRANSFER + "queue_wait_s"] = (began_us - queued_us) / 1_000_000


def _put_transport(event: EventBuilder, record: Mapping[str, Any]) -> None:
    rate = number_of(record.get("throughput"))
    if rate is not None and rate > 0:  # bytes/s; -1 where the tool could not compute it
        put(event, "reported_rate_bps", rate * 8, number_of)
    for name, keys in (("streams", ("nstreams",)), ("tcp_buffer_bytes", ("tcp_buf_size", "buf_size"))):
        put(event, name, next((record[key] for key in keys if record.get(key) not in (None, "")), None))
    if record.get("block_size") not in (None, ""):
        put(event, "block_bytes", record["block_size"])
    if count_of(record.get("scitag")):
        put(event, "scitag", record["scitag"])
    version = record.get("ipver")
    if isinstance(version, str) and version.lower() in _IP_VERSIONS:
        event.body[TRANSFER + "ip_version"] = _IP_VERSIONS[version.lower()]


def _put_ends(event: EventBuilder, context: Context, record: Mapping[str, Any]) -> None:
    """Set both ends from the URLs, else from the names beside them."""
    put_text(event, TRANSFER + "protocol", record.get("protocol"))
    put_urls(event, context, record.get("src_url"), record.get("dst_url"))
    for end, keys in (("source", ("src_hostname", "source_se")), ("destination", ("dst_hostname", "dest_se"))):
        if f"{end}.address" not in event.body:
            name = next((record[key] for key in keys if isinstance(record.get(key), str) and record[key].strip()), None)
            put_end(event, end, bare_host(name) if name else None, context.sites)


def _put_names(event: EventBuilder, record: Mapping[str, Any]) -> None:
    for key, name in _NAMES.items():
        put_name(event, name, record.get(key))
    put_name(event, "vo", record.get("vo") or record.get("vo_name"))
    put_probe(event, (record.get("src_url"), record.get("dst_url"), record.get("activity")))


def _put_metadata(event: EventBuilder, record: Mapping[str, Any]) -> None:
    """Set run and stage where the metadata name them, Rucio's request and dataset; keep the rest as data."""
    of_file, of_job = (_metadata(record.get(key)) for key in ("file_metadata", "job_metadata"))
    put_run_by_metadata(event, (of_file, of_job))
    if isinstance(of_file, Mapping):
        put_text(event, TRANSFER + "external_id", of_file.get("request_id"))
        put_text(event, TRANSFER + "dataset", of_file.get("dataset"))
    extra = {key: record[key] for key in _KEPT if record.get(key) not in (None, "", False)}
    extra |= {key: data for key, data in (("file_metadata", of_file), ("job_metadata", of_job)) if data}
    keep_extra(event, extra)


def _metadata(value: Any) -> Any:
    """What a user gave: an object, also as JSON in a text, or a text; None if nothing was given."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str) or value.strip() in _NOTHING or len(value) > LONGEST_METADATA:
        return None
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return parsed if isinstance(parsed, Mapping) else value


def _instant(event: EventBuilder, record: Mapping[str, Any], key: str) -> int | None:
    """Read an instant in ms as us; None if it never was. Raises InvalidRecord for a number of seconds."""
    us = instant_us(event, record.get(key), MS_US)
    if us is not None and us < EARLIEST_US:
        raise InvalidRecord("value", f"{key}: {us // MS_US} is no time in ms, as FTS tells times", key, "unix ms")
    return us


def _phase(event: EventBuilder, record: Mapping[str, Any], keys: tuple[str, str]) -> tuple[int | None, int | None]:
    """Read the instants of a phase; flag one of which only one instant is told."""
    began_us, ended_us = (_instant(event, record, key) for key in keys)
    if (began_us is None) != (ended_us is None):
        event.flags.append("phase_missing")
    return began_us, ended_us


_SHAPES: tuple[tuple[str, str, Callable[[EventBuilder, Mapping[str, Any]], None]], ...] = (
    ("t_final_transfer_state", "complete", _complete),
    ("file_state", "state", _state),
    ("transfer_id", "start", _start),
)
