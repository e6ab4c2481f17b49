"""Read the events that Rucio sends of its transfer requests, by Hermes: to a broker, or to Elasticsearch.

Each event is a fact of its own: queued, submitted and done tell different things of one request. Stamps name no zone
and are UTC.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.lenient import number_of, put_text
from ingest.core.transfers.fields import (
    ENDED_BEST,
    FILE,
    QUEUED,
    SERVICE,
    SUBMITTED,
    TRANSFER,
    iso_instant_us,
    put,
    put_failure,
    put_ip_version,
    put_name,
    put_phase,
    put_probe,
    put_rate,
    put_run,
    put_site,
    put_span,
    put_update,
    put_urls,
)

DONE = "done"
_FAILED = {"failed", "submission_failed", "lost", "no_sources", "only_tape_sources", "mismatch_scheme"}
_BEFORE = {"queued": QUEUED, "submitting": QUEUED}
_EVENT = re.compile(r"(?:transfer|stagein|stageout|upload|download)-[a-z_]{1,64}")
_REASON = re.compile(r"\s*([A-Z][A-Z_]{0,63})\s+\[(\d{1,9})\]")  # FTS: TRANSFER [110] …
_TEST_ACTIVITY = "functional test"
_KEPT = (
    *("scope", "rule-id", "src-type", "dst-type", "transfer-endpoint", "external-host", "datatype", "tool-id"),
    *("checksum-adler", "checksum-md5"),
)
_DAY_S = 86_400
_CLOCK_S = 2  # whole seconds at both ends


def rucio(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one event of a transfer request."""
    payload, body = _payload(event.values), event.body
    name = str(event.values.get("event_type")).strip().lower()
    if _EVENT.fullmatch(name) is None:
        raise InvalidRecord("shape", f"`{name[:60]}` is no event of a transfer", None, "event_type")
    state = name.partition("-")[2]
    put_name(event, "id", payload.get("request-id"))
    if TRANSFER + "id" not in body:
        raise InvalidRecord("identity", "the event does not name its request", None, "payload.request-id")
    put_text(event, TRANSFER + "event", name)
    put_text(event, TRANSFER + "state", state)
    body[TRANSFER + "tool"], body[TRANSFER + "level"], body[TRANSFER + "observer"] = "rucio", FILE, SERVICE
    is_over = state == DONE or state in _FAILED
    body[TRANSFER + "final"] = is_over
    event.rank = ENDED_BEST if is_over else _BEFORE.get(state, SUBMITTED)
    _put_sizes(event, payload, state)
    _put_times(event, context, payload, state)
    _put_outcome(event, payload, state)
    _put_names(event, payload)
    _put_ends(event, payload, context)


def _payload(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the event tells; a row of Rucio's table has it as text, and beside that if it is long."""
    for name in ("payload", "payload_nolimit"):
        value = values.get(name)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                continue
        if isinstance(value, Mapping):
            return value
    raise InvalidRecord("shape", "neither payload nor payload_nolimit is an object", None, "payload")


def _put_sizes(event: EventBuilder, payload: Mapping[str, Any], state: str) -> None:
    """Set the file's size; it has moved only when the transfer is done, for Rucio tells it of a failure too."""
    size = payload.get("bytes")
    put(event, "size_bytes", payload.get("file-size") if size is None else size)
    if state == DONE and TRANSFER + "size_bytes" in event.body:
        event.body[TRANSFER + "bytes"] = event.body[TRANSFER + "size_bytes"]
    if state in _FAILED and TRANSFER + "size_bytes" in event.body:
        event.flags.append("size_not_moved")


def _put_times(event: EventBuilder, context: Context, payload: Mapping[str, Any], state: str) -> None:
    """Set the event's own instant, the waits and the span; an event without an instant of its own is its message's."""
    created_us, submitted_us, started_us, moved_us, queued_us = (
        iso_instant_us(event, payload.get(name), 0)
        for name in ("created_at", "submitted_at", "started_at", "transferred_at", "queued_at")
    )
    told_us = iso_instant_us(event, event.values.get("created_at"), 0)
    is_over = event.body[TRANSFER + "final"]
    own_us = moved_us if is_over else queued_us
    at_us = told_us if own_us is None else own_us
    if at_us is not None:
        event.body["@timestamp"] = at_us // 1000
    put_update(event, context, told_us)
    asked_us = created_us if queued_us is None else queued_us
    if asked_us is not None and started_us is not None and asked_us > started_us:
        event.flags.append("negative_span")
    elif asked_us is not None:
        event.body[TRANSFER + "queued"] = asked_us // 1000
    put_phase(event, "request_wait_s", created_us, submitted_us)
    put_phase(event, "queue_wait_s", submitted_us, started_us)
    span_us = put_span(event, started_us, moved_us)
    put_rate(event, span_us)
    if is_over and (started_us is None or moved_us is None):
        event.flags.append("phase_missing")
    _check_duration(event, number_of(payload.get("duration")), span_us)


def _check_duration(event: EventBuilder, told_s: float | None, span_us: int | None) -> None:
    """Compare Rucio's duration with the span: it is -1 where unknown, and has lost its days (`timedelta.seconds`)."""
    if told_s is None or told_s < 0 or span_us is None:
        return
    lost_s = span_us / 1_000_000 - told_s
    if abs(lost_s) <= _CLOCK_S:
        return
    is_days = lost_s > 0 and abs(lost_s - round(lost_s / _DAY_S) * _DAY_S) <= _CLOCK_S
    event.flags.append("duration_wrapped" if is_days else "elapsed_mismatch")


def _put_outcome(event: EventBuilder, payload: Mapping[str, Any], state: str) -> None:
    """Set the outcome; of a failure with the reason, and the phase and the errno that FTS puts ahead of its words."""
    if state not in _FAILED:
        event.body["event.outcome"] = "success" if state == DONE else "unknown"
        return
    reason = payload.get("reason")
    match = _REASON.match(reason) if isinstance(reason, str) else None
    phase, code = (match[1], match[2]) if match else (None, None)
    put_failure(event, code, phase or (state if state != "failed" else None), reason)


def _put_names(event: EventBuilder, payload: Mapping[str, Any]) -> None:
    """Set what the file belongs to, and what joins the event with those of other services and requests."""
    dataset, scope = payload.get("dataset"), payload.get("datasetScope")
    if isinstance(dataset, str) and isinstance(scope, str) and dataset and scope:
        dataset = f"{scope}:{dataset}"
    put_text(event, TRANSFER + "dataset", dataset)
    put_text(event, "file.path", payload.get("name"))
    put_text(event, TRANSFER + "activity", payload.get("activity"))
    external = payload.get("transfer-id")
    put_name(event, "external_id", payload.get("external-id") if external is None else external)
    put_name(event, "previous_id", payload.get("previous-request-id"))
    put(event, "attempt", payload.get("retry-count"))
    if TRANSFER + "attempt" in event.body:
        event.body[TRANSFER + "attempt"] += 1  # from 1, and Rucio counts what came before
    put_run(event, (payload.get("activity"), dataset, payload.get("name")))
    put_probe(event, (payload.get("activity"), dataset, payload.get("name")))
    activity = payload.get("activity")
    if isinstance(activity, str) and activity.lower().startswith(_TEST_ACTIVITY):
        event.body[TRANSFER + "probe"] = True
    keep_extra(event, {key: payload[key] for key in _KEPT if payload.get(key) not in (None, "")})


def _put_ends(event: EventBuilder, payload: Mapping[str, Any], context: Context) -> None:
    """Set both ends: hosts by their URLs, address and site by the storage element if there is one."""
    protocol = payload.get("protocol")
    put_text(event, TRANSFER + "protocol", protocol.lower() if isinstance(protocol, str) else None)
    put_urls(event, context, payload.get("src-url"), payload.get("dst-url"))
    for end, key in (("source", "src-rse"), ("destination", "dst-rse")):
        put_text(event, f"{end}.address", payload.get(key))
        put_site(event, end, (payload.get(key),), context.sites)
    put_ip_version(event)
