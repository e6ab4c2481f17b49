"""The record headers in which a shipper tells where a message came from; nothing in them routes or identifies.

A record with a header `perflog.manifest` is no message of a file, but what is said of it as a whole
(core/tracking/manifest.py).

A replayed record says of which record it is the copy, and when that one was appended: it is read as it was then. It
is believed only of a record of its own topic, and only of a time from 2000 to when it came itself.

A stored line that is sent again says in its last header all that differs from line to line: when its record was
appended, its offset, and which documents were made of it (see core/replay/corrections.py). It comes without a wrapper.
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
    """Headers for what is known. The offset stands last: what changes from record to record is cheapest there."""
    found = {
        HOST: provenance.host,
        PATH: provenance.path,
        FORWARDER: provenance.forwarder,
        CAPTURED: provenance.captured_ms,
        BACKFILL: "true" if backfill else None,
        GENERATION: provenance.generation,
        OFFSET: provenance.offset_bytes,
    }
    return tuple((name, str(value).encode("utf-8", "replace")) for name, value in found.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Replay:
    """Which record a replayed one is the copy of, and when that one was appended (unix ms)."""

    of: str
    record_time_ms: int


def without_added_headers(headers: Headers) -> Headers:
    """A record's own headers: without what a dead letter and an earlier replay of it added."""
    return tuple((name, value) for name, value in headers if name == STORED or not name.startswith(ADDED))


def replay_headers(headers: Headers, replay: Replay) -> Headers:
    """The headers of a record that is sent again."""
    told = ((REPLAY_OF, replay.of.encode()), (RECORD_TIME, str(replay.record_time_ms).encode()))
    return without_added_headers(headers) + told


def replay_of(received: ConsumerRecord) -> Replay | None:
    """What a record says that it is the copy of; None when it says nothing, or what cannot be."""
    last = dict(received.headers)
    if REPLAY_OF not in last:  # nearly all
        return None
    of = Coordinates.read(_text(last, REPLAY_OF) or "")
    time_ms = _number(last, RECORD_TIME)
    if of is None or time_ms is None or of.partition.topic != received.partition.topic:
        return None
    return Replay(str(of), time_ms) if EARLIEST_MS <= time_ms <= received.time_ms else None


def stored_in(received: ConsumerRecord) -> StoredLine | None:
    """What a record tells of the stored line that it is; None for any other."""
    tail = received.tail
    text = tail[1] if tail is not None and tail[0] == STORED else dict(received.head).get(STORED)
    return None if text is None else stored_line(text, received.time_ms)


def message(received: ConsumerRecord) -> Message:
    """The core's view of a record; a header that cannot be read is as good as none."""
    found, backfill = origin(received)
    if (line := stored_in(received)) is not None:
        origin_ = replace(found, kafka=received.coordinates, offset_bytes=line.offset_bytes)
        return Message(received.value or b"", line.created_ms, origin_, True, True, line.glued)
    replay = replay_of(received)
    time_ms = replay.record_time_ms if replay else received.time_ms
    return Message(received.value or b"", time_ms, replace(found, kafka=received.coordinates), backfill)


def origin(received: ConsumerRecord) -> tuple[Provenance, bool]:
    """What a record's headers tell, and whether its shipper said that old data is meant."""
    last = dict(received.headers)
    provenance = Provenance(
        host=_text(last, HOST),
        path=_text(last, PATH),
        offset_bytes=_number(last, OFFSET),
        forwarder=_text(last, FORWARDER),
        captured_ms=_number(last, CAPTURED),
        generation=_text(last, GENERATION),
    )
    return provenance, last.get(BACKFILL) == b"true"


def manifest_role(received: ConsumerRecord) -> str | None:
    """What a record says that it is the manifest of, a file's begin or end; None when it is a message of a file."""
    told = next((value for name, value in reversed(received.headers) if name == MANIFEST), None)
    return None if told is None else told.decode("utf-8", "replace")


def offset_text(tail: Header | None) -> str | None:
    """The offset that a record's last header tells, as JSON writes it; None when it is not there or no such number."""
    if tail is None or tail[0] != OFFSET:
        return None
    value = tail[1]
    plain = value.isdigit() and len(value) < 19 and (value[0] != ord("0") or len(value) == 1)
    return value.decode() if plain else None


def offset_in(tail: Header | None) -> int | None:
    """The offset that a record's last header tells; None when it is not there or no such number."""
    return None if tail is None or tail[0] != OFFSET else _whole(tail[1])


def _text(headers: Mapping[str, bytes], name: str) -> str | None:
    found = headers.get(name)
    return None if found is None else fitting(found.decode("utf-8", "replace"))


def _number(headers: Mapping[str, bytes], name: str) -> int | None:
    return _whole(headers.get(name, b""))


def _whole(found: bytes) -> int | None:
    return int(found) if found.isdigit() and len(found) < 20 and int(found) < MAX_NUMBER else None
