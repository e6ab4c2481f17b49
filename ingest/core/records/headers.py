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
from typing import NamedTuple

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


@dataclass(frozen=True, slots=True)
class SharedHeaders:
    """The headers that consecutive records share, parsed once for all of them; see `ConsumerRecord.head`.

    Attributes:
        values: the last value of each name.
        provenance: what they state of the origin.
        backfill: whether the shipper marked the data as a backfill.
    """

    values: Mapping[str, bytes]
    provenance: Provenance
    backfill: bool

    def with_last(self, last: Header | None) -> "SharedHeaders":
        """Return these headers with a record's own last header, which overrides an earlier one of its name."""
        if last is None:
            return self
        name, value = last
        if name == OFFSET:  # nearly all
            return replace(self, provenance=replace(self.provenance, offset_bytes=_whole(value)))
        return _shared({**self.values, name: value})


class RecordHeaders(NamedTuple):
    """What the headers of one record say.

    Attributes:
        message: the record's message, with its origin and the time as of which it is decoded.
        manifest_role: the begin or end of a file; None if the record is a message of a file.
        replay: which record it copies; None if it is no replay or states something impossible.
        line: the stored line that is sent again; None for any other record.
    """

    message: Message
    manifest_role: str | None = None
    replay: Replay | None = None
    line: StoredLine | None = None


def parse_shared(head: Headers) -> SharedHeaders:
    """Parse the headers that records share; an unreadable header counts as missing."""
    return _shared(dict(head))


def _shared(values: Mapping[str, bytes]) -> SharedHeaders:
    provenance = Provenance(
        host=_text(values, HOST),
        path=_text(values, PATH),
        offset_bytes=_number(values, OFFSET),
        forwarder=_text(values, FORWARDER),
        captured_ms=_number(values, CAPTURED),
        generation=_text(values, GENERATION),
    )
    return SharedHeaders(values, provenance, values.get(BACKFILL) == b"true")


def parse(received: ConsumerRecord, shared: SharedHeaders | None = None) -> RecordHeaders:
    """Parse the headers of a record; `shared` are those of its `head`, if they are parsed already."""
    shared = shared or parse_shared(received.head)
    return with_line(received, shared, parse_line(received, shared))


def parse_line(received: ConsumerRecord, shared: SharedHeaders) -> StoredLine | None:
    """Parse the stored line in a record's headers; None for any other record."""
    tail = received.tail
    text = tail[1] if tail is not None and tail[0] == STORED else shared.values.get(STORED)
    return None if text is None else stored_line(text, received.time_ms)


def with_line(received: ConsumerRecord, shared: SharedHeaders, line: StoredLine | None) -> RecordHeaders:
    """Parse the headers of a record whose stored line is parsed already."""
    own = shared.with_last(received.tail)
    role, replay = _manifest_role(own.values), _replay(own.values, received)
    data, provenance = received.value or b"", replace(own.provenance, kafka=received.coordinates)
    if line is not None:
        provenance = replace(provenance, offset_bytes=line.offset_bytes)
        return RecordHeaders(Message(data, line.created_ms, provenance, True, True, line.glued), role, replay, line)
    time_ms = replay.record_time_ms if replay else received.time_ms
    return RecordHeaders(Message(data, time_ms, provenance, own.backfill), role, replay)


def _manifest_role(values: Mapping[str, bytes]) -> str | None:
    role = values.get(MANIFEST)
    return None if role is None else role.decode("utf-8", "replace")


def _replay(values: Mapping[str, bytes], received: ConsumerRecord) -> Replay | None:
    if REPLAY_OF not in values:  # nearly all
        return None
    of = Coordinates.read(_text(values, REPLAY_OF) or "")
    time_ms = _number(values, RECORD_TIME)
    if of is None or time_ms is None or of.partition.topic != received.partition.topic:
        return None
    return Replay(str(of), time_ms) if EARLIEST_MS <= time_ms <= received.time_ms else None


def offset_text(tail: Header | None) -> str | None:
    """Return the offset in a record's last header as JSON text; None if it is missing or not a valid number."""
    if tail is None or tail[0] != OFFSET:
        return None
    value = tail[1]
    is_plain = value.isdigit() and len(value) < 19 and (value[0] != ord("0") or len(value) == 1)
    return value.decode() if is_plain else None


def offset_in(tail: Header | None) -> int | None:
    """Return the offset in a record's last header; None if it is missing or not a valid number."""
    return None if tail is None or tail[0] != OFFSET else _whole(tail[1])


def _text(values: Mapping[str, bytes], name: str) -> str | None:
    value = values.get(name)
    return None if value is None else fitting(value.decode("utf-8", "replace"))


def _number(values: Mapping[str, bytes], name: str) -> int | None:
    return _whole(values.get(name, b""))


def _whole(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) < 20 and int(value) < MAX_NUMBER else None
