"""Helpers of tests of sources: one message through a decoder, and the parts of the one document it becomes."""

from collections.abc import Mapping
from typing import Any

import orjson

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Document, Message, Outcomes, Provenance, Reject

RECEIVED_MS = 1_772_668_800_000  # 2026-03-05T00:00:00Z
CAPTURED_MS = RECEIVED_MS - 60_000


def read(decoder: Decoder, data: Any, captured_ms: int | None = CAPTURED_MS) -> Outcomes:
    """Decode a message: bytes and text as they are, anything else as JSON."""
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else orjson.dumps(data)
    return decoder.decode(Message(raw, RECEIVED_MS, Provenance(captured_ms=captured_ms)), RECEIVED_MS)


def document(decoder: Decoder, data: Any) -> Document:
    """The one document that a message becomes."""
    outcomes = read(decoder, data)
    assert not outcomes.rejects, outcomes.rejects
    assert len(outcomes.documents) == 1
    return outcomes.documents[0]


def reject(decoder: Decoder, data: Any, captured_ms: int | None = CAPTURED_MS) -> Reject:
    """The one reject that a message becomes."""
    outcomes = read(decoder, data, captured_ms)
    assert not outcomes.documents
    assert len(outcomes.rejects) == 1
    return outcomes.rejects[0]


def network(document: Document) -> dict[str, Any]:
    """The fields under perf.network."""
    fields: dict[str, Any] = document.body["perf"]["network"]
    return fields


def flags(document: Document) -> list[str]:
    """The flags: what the decoder corrected or doubts."""
    names: list[str] = document.body["perf"].get("flags", [])
    return names


def rank(document: Document) -> int:
    """The part of the version that later states of the same fact raise."""
    return document.version >> 56


def ends(document: Document) -> tuple[Any, Any]:
    """The addresses of both ends, as named."""
    body: Mapping[str, Any] = document.body
    return body.get("source", {}).get("address"), body.get("destination", {}).get("address")
