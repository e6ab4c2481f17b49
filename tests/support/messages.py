"""What tests of sources share: one message through a flow, and the parts of the one document it becomes."""

from collections.abc import Mapping
from typing import Any

import orjson

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Document, Message, Outcomes, Provenance, Reject

RECEIVED_MS = 1_772_668_800_000  # 2026-03-05T00:00:00Z
CAPTURED_MS = RECEIVED_MS - 60_000


def read(decoder: Decoder, data: Any, captured_ms: int | None = CAPTURED_MS) -> Outcomes:
    """What a message becomes: bytes and text as they are, anything else as JSON."""
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else orjson.dumps(data)
    return decoder.decode(Message(raw, RECEIVED_MS, Provenance(captured_ms=captured_ms)), RECEIVED_MS)


def document(decoder: Decoder, data: Any) -> Document:
    """The one document that a message becomes."""
    found = read(decoder, data)
    assert not found.rejects, found.rejects
    assert len(found.documents) == 1
    return found.documents[0]


def reject(decoder: Decoder, data: Any, captured_ms: int | None = CAPTURED_MS) -> Reject:
    """The one reject that a message becomes."""
    found = read(decoder, data, captured_ms)
    assert not found.documents
    assert len(found.rejects) == 1
    return found.rejects[0]


def network(found: Document) -> dict[str, Any]:
    """The fields under perf.network."""
    fields: dict[str, Any] = found.body["perf"]["network"]
    return fields


def flags(found: Document) -> list[str]:
    """What was forgiven or is doubtful."""
    told: list[str] = found.body["perf"].get("flags", [])
    return told


def rank(found: Document) -> int:
    """The part of the version that later states of the same fact raise."""
    return found.version >> 56


def ends(found: Document) -> tuple[Any, Any]:
    """The addresses of both ends, as named."""
    body: Mapping[str, Any] = found.body
    return body.get("source", {}).get("address"), body.get("destination", {}).get("address")
