"""The record headers in which a shipper tells where a message came from; nothing in them routes or identifies."""

from collections.abc import Mapping

from ingest.core.model import Message, Provenance
from ingest.edge.ports import Received

HOST = "perflog.host"
PATH = "perflog.path"
OFFSET = "perflog.offset"
FORWARDER = "perflog.forwarder"
CAPTURED = "perflog.captured_ms"
BACKFILL = "perflog.backfill"
MAX_TEXT = 1024
MAX_NUMBER = 2**63


def written(provenance: Provenance, backfill: bool) -> tuple[tuple[str, bytes], ...]:
    """Headers for what is known."""
    found = {
        HOST: provenance.host,
        PATH: provenance.path,
        OFFSET: provenance.offset_bytes,
        FORWARDER: provenance.forwarder,
        CAPTURED: provenance.captured_ms,
        BACKFILL: "true" if backfill else None,
    }
    return tuple((name, str(value).encode("utf-8", "replace")) for name, value in found.items() if value is not None)


def message(received: Received) -> Message:
    """The core's view of a record; a header that cannot be read is as good as none."""
    last = dict(received.headers)
    provenance = Provenance(
        host=_text(last, HOST),
        path=_text(last, PATH),
        offset_bytes=_number(last, OFFSET),
        forwarder=_text(last, FORWARDER),
        kafka=received.coordinates,
        captured_ms=_number(last, CAPTURED),
    )
    return Message(received.value or b"", received.time_ms, provenance, last.get(BACKFILL) == b"true")


def _text(headers: Mapping[str, bytes], name: str) -> str | None:
    found = headers.get(name)
    return None if found is None else found.decode("utf-8", "replace")[:MAX_TEXT]


def _number(headers: Mapping[str, bytes], name: str) -> int | None:
    found = headers.get(name, b"")
    return int(found) if found.isdigit() and len(found) < 20 and int(found) < MAX_NUMBER else None
