"""Set the fields of a transfer: instants, phases, rate, ends, label.

Instants are unix microseconds, because a transfer may take less than a millisecond; documents keep milliseconds, and
durations and rates are computed before they are cut.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ingest.core.sources.convert import MAX_TEXT, integer, message, number
from ingest.core.sources.endpoint import bare_host, ip_version, put_end
from ingest.core.sources.event import Context, EventBuilder
from ingest.core.sources.lenient import Convert, number_of, put_number, put_text
from ingest.core.timestamps import EARLIEST_MS, LATEST_MS, MS_PER_DAY, TimestampError, iso_us

TRANSFER = "perf.transfer."
TASK, FILE, PART, SESSION = "task", "file", "part", "session"
SENDER, RECEIVER, SERVICE, CLIENT = "sender", "receiver", "service", "client"
QUEUED, SUBMITTED, STARTED, PROGRESS, ENDED, ENDED_BEST = 1, 2, 3, 4, 5, 6
"""Ranks: a record of a higher one replaces a record of the same identity; the best witness of the end comes last."""
SHORTEST_US = 1000
LONGEST_US = 366 * 86_400_000_000
_RUN = re.compile(
    r"\bperflog(?: run=|[:+])([A-Za-z0-9][A-Za-z0-9_.-]{0,63})(?:(?: stage=|[:+])([A-Za-z0-9_.-]{1,64}))?"
)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_STAGE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PROBE = re.compile(r"\bSONAR\b|\b1gbtestfile-", re.IGNORECASE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")


def put(event: EventBuilder, name: str, value: Any, convert: Convert = integer, least: float | None = 0) -> None:
    """Set `perf.transfer.<name>` to the converted value; flag a value that is unreadable or below `least`."""
    put_number(event, TRANSFER + name, value, convert, least)


def put_name(event: EventBuilder, name: str, value: Any) -> None:
    """Set `perf.transfer.<name>` to a text, or to a number as text; flag a text longer than a name may be."""
    put_text(event, TRANSFER + name, str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def put_span(event: EventBuilder, start_us: int | None, end_us: int | None) -> int | None:
    """Set start, end and duration; return the span (us), None if it is unknown.

    A span below 0 or above a year is flagged and left out, with the start; equal instants are flagged.
    """
    if end_us is not None:
        event.body["event.end"] = end_us // 1000
    if start_us is None or end_us is None:
        if start_us is not None:
            event.body["event.start"] = start_us // 1000
        return None
    span_us = end_us - start_us
    if not 0 <= span_us <= LONGEST_US:
        event.flags.append("negative_span" if span_us < 0 else "value_range")
        return None
    event.body["event.start"] = start_us // 1000
    event.body["event.duration"] = span_us * 1000
    if not span_us:
        event.flags.append("zero_span")
    return span_us


def put_rate(event: EventBuilder, span_us: int | None, name: str = "rate_bps") -> None:
    """Set the rate (bit/s) from `perf.transfer.bytes` and the span.

    There is none where less than 1 ms lies between, or where nothing moved: such a rate is no rate of a path.
    """
    moved_bytes = event.body.get(TRANSFER + "bytes")
    if moved_bytes and span_us is not None and span_us >= SHORTEST_US:
        event.body[TRANSFER + name] = moved_bytes * 8 * 1_000_000 / span_us


def put_phase(event: EventBuilder, name: str, start_us: int | None, end_us: int | None) -> None:
    """Set the length (s) of a phase; one that ends before it starts is left out and flagged, an unknown one absent."""
    length_s = phase_s(event, start_us, end_us)
    if length_s is not None:
        event.body[f"{TRANSFER}{name}"] = length_s


def phase_s(event: EventBuilder, start_us: int | None, end_us: int | None) -> float | None:
    """The length (s) of a phase; None if an instant is unknown, None and flagged if it ends before it starts."""
    if start_us is None or end_us is None:
        return None
    if end_us < start_us:
        event.flags.append("negative_span")
        return None
    return (end_us - start_us) / 1_000_000


def put_failure(event: EventBuilder, code: Any = None, kind: Any = None, words: Any = None) -> None:
    """Set the outcome failure, and its code, type and message as far as the record tells them."""
    event.body["event.outcome"] = "failure"
    for field, value in (("error.code", code), ("error.type", kind)):
        if value not in (None, ""):
            put_text(event, field, str(value)[:MAX_TEXT])
    text = None if words is None else message(words)
    if text:
        event.body["error.message"] = text


def put_urls(event: EventBuilder, context: Context, source: Any, destination: Any) -> None:
    """Set both URLs, both ends from their hosts, and the protocol if both have one scheme."""
    schemes = set()
    for end, url in (("source", source), ("destination", destination)):
        if not isinstance(url, str) or not url.strip():
            continue
        put_text(event, f"{TRANSFER}{end}_url", url.strip())
        match = _SCHEME.match(url.strip())
        if match:
            schemes.add(match[1].lower())
            put_end(event, end, bare_host(url), context.sites)
    if len(schemes) == 1:
        event.body.setdefault(TRANSFER + "protocol", schemes.pop())


def put_ip_version(event: EventBuilder) -> None:
    """Set the IP version if the addresses of the ends tell it."""
    version = ip_version(event)
    if version:
        event.body.setdefault(TRANSFER + "ip_version", version)


def put_site(event: EventBuilder, end: str, names: Iterable[Any], sites: Mapping[str, str]) -> None:
    """Set the site of an end by a name of it that is no host's: a storage element, a collection; its host's counts."""
    if not sites:
        return
    known = (sites.get(name.strip().lower()) for name in names if isinstance(name, str))
    site = next((site for site in known if site), None)
    if site:
        event.body.setdefault(f"{end}.site", site)


def put_run(event: EventBuilder, texts: Iterable[Any]) -> None:
    """Set run and stage from the first text that holds `perflog run=<id> stage=<name>`, or a form without blanks."""
    for text in texts:
        match = _RUN.search(text) if isinstance(text, str) else None
        if match:
            event.body["perf.run.id"] = match[1]
            if match[2]:
                event.body["perf.stage.name"] = match[2]
            return


def put_run_by_metadata(event: EventBuilder, metadata: Iterable[Any]) -> None:
    """Set run and stage from the first metadata that name a run, by the keys perflog_run and perflog_stage or a token.

    Metadata are texts, or objects, of which the texts directly inside are searched.
    """
    for data in metadata:
        is_object = isinstance(data, Mapping)
        run = data.get("perflog_run") if is_object else None
        if isinstance(run, str) and _RUN_ID.fullmatch(run):
            event.body["perf.run.id"] = run
            stage = data.get("perflog_stage")
            if isinstance(stage, str) and _STAGE.fullmatch(stage):
                event.body["perf.stage.name"] = stage
        else:
            put_run(event, data.values() if is_object else (data,))
        if "perf.run.id" in event.body:
            return


def put_probe(event: EventBuilder, texts: Iterable[Any]) -> None:
    """Mark a test of the service, by the names that services give to their test data."""
    if any(isinstance(text, str) and _PROBE.search(text) for text in texts):
        event.body[TRANSFER + "probe"] = True


def scaled_us(value: Any, unit_us: int) -> int | None:
    """Convert unix time in s, ms or us (`unit_us`: 1,000,000, 1,000 or 1) to us; None for null and what is no instant.

    So is 0, which services write for an instant that they do not know.
    """
    try:
        parsed = None if value in (None, "") else number(value)
    except ValueError:
        return None
    return int(parsed * unit_us) if parsed is not None and 0 < parsed < LATEST_MS * 1000 / unit_us else None


def iso_instant_us(event: EventBuilder, value: Any, default_offset_s: int | None = None) -> int | None:
    """Convert an ISO 8601 date-time to us; None for null, and, flagged, for what is no instant since the year 2000."""
    if value in (None, ""):
        return None
    try:
        instant = iso_us(value, default_offset_s) if isinstance(value, str) else None
    except TimestampError:
        instant = None
    if instant is None:
        event.flags.append("value_unreadable")
        return None
    if not EARLIEST_MS * 1000 <= instant < LATEST_MS * 1000:
        event.flags.append("value_range")
        return None
    return instant


def put_update(event: EventBuilder, context: Context, instant: int | None) -> None:
    """Order a record among those of one identity: by when it was true (us), else by when its shipper took it, else 0.

    At most a day after it arrived: a clock that is set wrong must not keep out what comes later. A capture time that
    counts is kept, for a replay needs it.
    """
    if instant is None:
        captured_ms = context.message.provenance.captured_ms
        if captured_ms is None or not 0 <= captured_ms < LATEST_MS:
            return
        event.body["provenance.captured"] = captured_ms
        instant = captured_ms * 1000
    event.update_s = min(instant // 1_000_000, (context.message.record_time_ms + MS_PER_DAY) // 1000)


def bits_per_s(value: Any) -> float | None:
    """Convert bytes/s to bit/s. Raises ValueError."""
    parsed = number(value)
    return None if parsed is None else float(parsed) * 8


def megabits_per_s(value: Any) -> float | None:
    """Convert megabits/s to bit/s. Raises ValueError."""
    parsed = number(value)
    return None if parsed is None else float(parsed) * 1_000_000


def instant_us(event: EventBuilder, value: Any, unit_us: int) -> int | None:
    """Convert as `scaled_us`, and flag what is neither an instant nor a way to say that it is not known."""
    us = scaled_us(value, unit_us)
    if us is None and value not in (None, ""):
        parsed = number_of(value)
        if parsed is None or parsed > 0:
            event.flags.append("value_unreadable" if parsed is None else "value_range")
    return us
