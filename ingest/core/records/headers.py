"""Reads the record headers in which a shipper states where a message came from; they never route or identify.

A record with a header `perflog.manifest` is not a message of a file. It describes the file as a whole
(core/tracking/manifest.py).

A replayed record names the record it copies and that record's append time, and is decoded as of that time. perflog
accepts this only if both records share a topic and the time lies between 2000 and the replayed record's own time.

A stored line that is sent again states in its last header everything that differs from line to line: the append time
of its record, its offset, and the documents made from it (see core/replay/corrections.py). It comes without a wrapper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ingest.core.ids import fitting
from ingest.core.kafka_record import ConsumerRecord, Coordinates, Header
from ingest.core.model import Message, Provenance
from ingest.core.replay.stored_line import StoredLine, stored_line
from ingest.core.timestamps import EARLIEST_MS

HOST = "perflog.host"
PATH = "perflog.path"
OFFSET = "perflog.offset"
FORWARDER = "perflog.forwarder"
CAPTURED = "perflog.captured_ms"
GENERATION = "perflog.generation"
MANIFEST = "perflog.manifest"
BACKFILL = "perflog.backfill"
REPLAY_OF = "perflog.replay.of"
RECORD_TIME = "perflog.record_time_ms"
STORED = "perflog.replay.stored"
ADDED = ("__connect.errors.", "perflog.reject.", "perflog.replay.", RECORD_TIME)  # by dead letters and replays
Headers = tuple[Header, ...]
MAX_NUMBER = 2**63


def to_headers(provenance: Provenance, backfill: bool) -> Headers:
    """Build the headers of a shipped record; the offset comes last, so that records share all headers before it."""
    values = {
        HOST: provenance.host,
        PATH: provenance.path,
        FORWARDER: provenance.forwarder,
        CAPTURED: provenance.captured_ms,
        BACKFILL: "true" if backfill else None,
        GENERATION: provenance.generation,
        OFFSET: provenance.offset_bytes,
    }
    return tuple((name, str(value).encode("utf-8", "replace")) for name, value in values.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Replay:
    """The record that a replayed record copies, and when that record was appended (unix ms)."""

    of: str
    record_time_ms: int


def without_added_headers(headers: Headers) -> Headers:
    """Return a record's own headers, without those that a dead letter or an earlier replay added."""
    return tuple((name, value) for name, value in headers if name == STORED or not name.startswith(ADDED))


def replay_headers(headers: Headers, replay: Replay) -> Headers:
    """Return the headers of a record that is sent again."""
    added = ((REPLAY_OF, replay.of.encode()), (RECORD_TIME, str(replay.record_time_ms).encode()))
    return without_added_headers(headers) + added


def replay_of(received: ConsumerRecord) -> Replay | None:
    """Return which record a replayed record copies; None if it is no replay or states something impossible."""
    headers = dict(received.headers)
    if REPLAY_OF not in headers:  # nearly all
        return None
    of = Coordinates.read(_text(headers, REPLAY_OF) or "")
    time_ms = _number(headers, RECORD_TIME)
    if of is None or time_ms is None or of.partition.topic != received.partition.topic:
        return None
    return Replay(str(of), time_ms) if EARLIEST_MS <= time_ms <= received.time_ms else None


def stored_in(received: ConsumerRecord) -> StoredLine | None:
    """Return the stored line in a record's header; None for any other record."""
    tail = received.tail
    text = tail[1] if tail is not None and tail[0] == STORED else dict(received.head).get(STORED)
    return None if text is None else stored_line(text, received.time_ms)


def message(received: ConsumerRecord) -> Message:
    """Build the message of a record; an unreadable header counts as missing."""
    provenance, backfill = origin(received)
    if (line := stored_in(received)) is not None:
        provenance = replace(provenance, kafka=received.coordinates, offset_bytes=line.offset_bytes)
        return Message(received.value or b"", line.created_ms, provenance, True, True, line.glued)
    replay = replay_of(received)
    time_ms = replay.record_time_ms if replay else received.time_ms
    return Message(received.value or b"", time_ms, replace(provenance, kafka=received.coordinates), backfill)


def origin(received: ConsumerRecord) -> tuple[Provenance, bool]:
    """Return the provenance in a record's headers, and whether its shipper marked the data as a backfill."""
    headers = dict(received.headers)
    provenance = Provenance(
        host=_text(headers, HOST),
        path=_text(headers, PATH),
        offset_bytes=_number(headers, OFFSET),
        forwarder=_text(headers, FORWARDER),
        captured_ms=_number(headers, CAPTURED),
        generation=_text(headers, GENERATION),
    )
    return provenance, headers.get(BACKFILL) == b"true"


def manifest_role(received: ConsumerRecord) -> str | None:
    """Return the manifest role of a record, the begin or end of a file; None if it is a message of a file."""
    role = next((value for name, value in reversed(received.headers) if name == MANIFEST), None)
    return None if role is None else role.decode("utf-8", "replace")


def offset_text(tail: Header | None) -> str | None:
    """Return the offset in a record's last header as JSON text; None if it is missing or not a valid number."""
    if tail is None or tail[0] != OFFSET:
        return None
    value = tail[1]
    plain = value.isdigit() and len(value) < 19 and (value[0] != ord("0") or len(value) == 1)
    return value.decode() if plain else None


def offset_in(tail: Header | None) -> int | None:
    """Return the offset in a record's last header; None if it is missing or not a valid number."""
    return None if tail is None or tail[0] != OFFSET else _whole(tail[1])


def _text(headers: Mapping[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else fitting(value.decode("utf-8", "replace"))


def _number(headers: Mapping[str, bytes], name: str) -> int | None:
    return _whole(headers.get(name, b""))


def _whole(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) < 20 and int(value) < MAX_NUMBER else None
