"""Read Globus: task documents, each of which repeats the whole task, and events, each of which is told once.

The start of a task is its request: when the work began is told by its event STARTED alone. A task can stay ACTIVE with
nothing moving, so ACTIVE is no outcome; and an event never ends its task, not even SUCCEEDED.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.lenient import count_of, is_true, object_of, put_text
from ingest.core.timestamps import TimestampError, iso_us
from ingest.core.transfers.fields import (
    ENDED_BEST,
    PROGRESS,
    SERVICE,
    TASK,
    TRANSFER,
    bits_per_s,
    iso_instant_us,
    megabits_per_s,
    put,
    put_failure,
    put_name,
    put_probe,
    put_rate,
    put_run,
    put_site,
    put_span,
    put_update,
)

SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"
_COUNTS = {
    "bytes": "bytes_transferred",
    "checksummed_bytes": "bytes_checksummed",
    "files": "files",
    "files_transferred": "files_transferred",
    "files_skipped": "files_skipped",
    "faults": "faults",
}
_KEPT = (
    *("nice_status", "nice_status_short_description", "nice_status_details", "nice_status_expires_in", "is_paused"),
    *("deadline", "sync_level", "verify_checksum", "encrypt_data", "canceled_by_admin", "history_deleted"),
    *("subtasks_total", "subtasks_pending", "subtasks_retrying", "subtasks_succeeded", "subtasks_failed"),
    *("subtasks_canceled", "subtasks_expired", "subtasks_skipped_errors", "directories", "symlinks"),
)
_COLLECTION_NAMES = (
    "{}_endpoint_display_name", "{}_endpoint", "{}_mapped_collection_display_name", "{}_host_endpoint_display_name",
    "{}_endpoint_id", "{}_mapped_collection_id", "{}_host_endpoint_id",
)  # fmt: skip
_NAMES_OF = {end: tuple(name.format(end) for name in _COLLECTION_NAMES) for end in ("source", "destination")}
_ADDRESSES = 4  # of these names, those that people read
_KEY = re.compile(r"complete,(.{19,40})")
_GOES_ON = {"", "ok", "queued"}
_SECOND_US = 1_000_000
_EVENT_ENDS = {SUCCEEDED: "success", "CANCELED": "failure", FAILED: "failure", "EXPIRED": "failure"}
_EVENT_NUMBERS = ("duration", "concurrency", "pipelining")


def globus_task(event: EventBuilder, context: Context) -> None:
    """Fill the fields of a task document, of whichever list or poll."""
    values = event.values
    state = str(event.body.get(TRANSFER + "state", "")).upper()
    is_over = state in (SUCCEEDED, FAILED)
    _put_kind(event)
    event.body[TRANSFER + "final"] = is_over
    event.rank = ENDED_BEST if is_over else PROGRESS
    for name, key in _COUNTS.items():
        put(event, name, values.get(key))
    put(event, "reported_rate_bps", values.get("effective_bytes_per_second"), bits_per_s)
    completed_us = _completed_us(event)
    put_rate(
        event, put_span(event, iso_instant_us(event, values.get("request_time")), completed_us if is_over else None)
    )
    if is_over and completed_us is None:
        event.flags.append("phase_missing")
    _put_outcome(event, state)
    for end in ("source", "destination"):
        _put_collection(event, end, context)
    put_text(event, TRANSFER + "label", values.get("label"))
    put_run(event, (values.get("label"),))
    put_probe(event, (values.get("label"),))
    keep_extra(event, {key: values[key] for key in _KEPT if values.get(key)})
    _put_update(event, context, completed_us)


def _put_kind(event: EventBuilder) -> None:
    body = event.body
    body[TRANSFER + "tool"], body[TRANSFER + "level"], body[TRANSFER + "observer"] = "globus", TASK, SERVICE


def _completed_us(event: EventBuilder) -> int | None:
    """When the task ended (us): by the fraction of a second in its `key`, if that is of the same second."""
    completed_us = iso_instant_us(event, event.values.get("completion_time"))
    for name in ("key", "last_key"):
        value = event.values.get(name)
        match = _KEY.fullmatch(value) if isinstance(value, str) else None
        try:
            exact_us = iso_us(match[1], 0) if match else None
        except TimestampError:
            continue
        if exact_us is not None and completed_us is not None and abs(exact_us - completed_us) < _SECOND_US:
            return exact_us
    return completed_us


def _put_outcome(event: EventBuilder, state: str) -> None:
    """Set the outcome, with the reason of a failure; flag what was left out, and what cannot go on."""
    values = event.values
    if state == SUCCEEDED:
        event.body["event.outcome"] = "success"
        if count_of(values.get("files_skipped")) or count_of(values.get("subtasks_skipped_errors")):
            event.flags.append("partial")
    elif state == FAILED:
        error = object_of(values.get("fatal_error"))
        by_admin = values.get("canceled_by_admin")
        code = error.get("code") or ("CANCELED_BY_ADMIN" if by_admin else None)
        put_failure(event, code, None, error.get("description") or values.get("canceled_by_admin_message"))
    else:
        event.body["event.outcome"] = "unknown"
        word = values.get("nice_status")
        goes_on = word is None or (isinstance(word, str) and word.strip().lower() in _GOES_ON)
        if not goes_on or state == "INACTIVE" or is_true(values.get("is_paused")):
            event.flags.append("stalled")


def _put_collection(event: EventBuilder, end: str, context: Context) -> None:
    """Set an end by its collection's names: they are for people, and none is a host's."""
    names = [event.values.get(key) for key in _NAMES_OF[end]]
    address = next((name.strip() for name in names[:_ADDRESSES] if isinstance(name, str) and name.strip()), None)
    put_text(event, f"{end}.address", address)
    put_text(event, f"{TRANSFER}{end}_collection", event.values.get(f"{end}_endpoint_id"))
    put_site(event, end, names, context.sites)


def _put_update(event: EventBuilder, context: Context, completed_us: int | None) -> None:
    """Order the polls of a task: by when it was asked for, where its shipper says so."""
    polled_us = iso_instant_us(event, event.values.get("_polled"), 0)
    if polled_us is not None:
        event.body[TRANSFER + "polled"] = polled_us // 1000
    put_update(event, context, completed_us if polled_us is None else polled_us)


def globus_event(event: EventBuilder, context: Context) -> None:
    """Fill the fields of an event: known numbers and the code; its words are for people, Globus changes them."""
    values, body = event.values, event.body
    if values.get("task_id") is None:
        raise InvalidRecord(
            "identity",
            "the event does not name its task, Globus tells that in the address alone: `perflog pull globus` puts "
            "`task_id` into each event; of a list got by hand so does jq '.DATA[].task_id = \"…\"'",
            None,
            "task_id",
        )
    put_name(event, "id", values["task_id"])
    _put_kind(event)
    code = str(body.get(TRANSFER + "event", "")).upper()
    if not code.strip():
        raise InvalidRecord("incomplete", "the event names no code: nothing tells what happened", None, "code")
    body[TRANSFER + "event"] = code
    body[TRANSFER + "final"] = False
    details = values.get("details")
    event.words = details if isinstance(details, str) else ""
    body["event.end" if code in _EVENT_ENDS else "event.start"] = body["@timestamp"]
    if is_true(values.get("is_error")):
        put_failure(event, code, None, details)
    else:
        body["event.outcome"] = _EVENT_ENDS.get(code, "unknown")
        if body["event.outcome"] == "failure":
            put_failure(event, code, None, values.get("description"))
    _put_numbers(event, _numbers_of(details))


def _numbers_of(details: Any) -> Mapping[str, Any]:
    """The object in an event's details, which are JSON as text, or just text."""
    if not isinstance(details, str) or not details.lstrip().startswith("{"):
        return object_of(details)
    try:
        return object_of(orjson.loads(details))
    except orjson.JSONDecodeError:
        return {}


def _put_numbers(event: EventBuilder, numbers: Mapping[str, Any]) -> None:
    put(event, "bytes", numbers.get("bytes_transferred"))
    put(event, "reported_rate_bps", numbers.get("mbps"), megabits_per_s)
    put(event, "streams", numbers.get("parallelism"))
    put(event, "files_transferred", numbers.get("files_succeeded"))
    kept = {key: numbers[key] for key in _EVENT_NUMBERS if isinstance(numbers.get(key), int | float)}
    keep_extra(event, kept)
