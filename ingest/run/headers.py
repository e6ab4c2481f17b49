"""The record headers in which a shipper tells where a message came from; nothing in them routes or identifies."""

from collections.abc import Mapping
from dataclasses import replace

from ingest.core.model import Message, Provenance
from ingest.edge.ports import Header, Received

HOST = "perflog.host"
PATH = "perflog.path"
OFFSET = "perflog.offset"
FORWARDER = "perflog.forwarder"
CAPTURED = "perflog.captured_ms"
BACKFILL = "perflog.backfill"
MAX_TEXT = 1024
MAX_NUMBER = 2**63


def written(provenance: Provenance, backfill: bool) -> tuple[Header, ...]:
    """Headers for what is known. The offset stands last: what changes from record to record is cheapest there."""
    found = {
        HOST: provenance.host,
        PATH: provenance.path,
        FORWARDER: provenance.forwarder,
        CAPTURED: provenance.captured_ms,
        BACKFILL: "true" if backfill else None,
        OFFSET: provenance.offset_bytes,
    }
    return tuple((name, str(value).encode("utf-8", "replace")) for name, value in found.items() if value is not None)


def message(received: Received) -> Message:
    """The core's view of a record; a header that cannot be read is as good as none."""
    found, backfill = origin(received)
    return Message(received.value or b"", received.time_ms, replace(found, kafka=received.coordinates), backfill)


def origin(received: Received) -> tuple[Provenance, bool]:
    """What a record's headers tell, and whether its shipper said that old data is meant."""
    last = dict(received.headers)
    provenance = Provenance(
        host=_text(last, HOST),
        path=_text(last, PATH),
        offset_bytes=_number(last, OFFSET),
        forwarder=_text(last, FORWARDER),
        captured_ms=_number(last, CAPTURED),
    )
    return provenance, last.get(BACKFILL) == b"true"


def offset_text(tail: Header | None) -> str | None:
    """The offset that a record's last header tells, as JSON writes it; None when it is not there or no such number."""
    if tail is None or tail[0] != OFFSET:
        return None
    value = tail[1]
    plain = value.isdigit() and len(value) < 19 and (value[0] != ord("0") or len(value) == 1)
    return value.decode() if plain else None


def _text(headers: Mapping[str, bytes], name: str) -> str | None:
    found = headers.get(name)
    return None if found is None else found.decode("utf-8", "replace")[:MAX_TEXT]


def _number(headers: Mapping[str, bytes], name: str) -> int | None:
    found = headers.get(name, b"")
    return int(found) if found.isdigit() and len(found) < 20 and int(found) < MAX_NUMBER else None
