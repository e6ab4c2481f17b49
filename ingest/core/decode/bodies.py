"""Build a document's body: its fields, the original bytes it keeps, and its identity."""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ingest.core.fields import Schema
from ingest.core.ids import digest_id, plain_id
from ingest.core.sources import utf16
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.timestamps import iso

CAPTURED = "captured"


class BodyBuilder:
    """Builds document bodies from the fields of one schema."""

    def __init__(self, schema: Schema) -> None:
        """Precompute which fields are dates, and each field's path in the body."""
        self._dates = {name for name, field in schema.fields.items() if field.type == "date"}
        self._paths = {name: tuple(name.split(".")) for name in schema.fields}

    def body(self, event: EventBuilder, context: Context, ingested_ms: int) -> dict[str, Any]:
        """Build a body from an event's fields and its context (message, provenance, intake, source)."""
        message, provenance = context.message, context.message.provenance
        flat = {
            **original_fields(message.data),
            "event.created": message.record_time_ms,
            "event.ingested": ingested_ms,
            "host.name": provenance.host,
            "log.file.path": provenance.path,
            "log.offset": provenance.offset_bytes,
            "provenance.kafka": provenance.kafka,
            "provenance.captured": provenance.captured_ms if CAPTURED in context.source.identity else None,
            "perf.facility": context.intake.facility,
            "perf.source": context.source.name,
            "perf.workflow": context.intake.workflow if context.source.kind == "marks" else None,
            "perf.flags": sorted(set(event.flags)) or None,
            **event.body,
        }
        body: dict[str, Any] = {}
        for name, value in flat.items():
            if value is not None:
                _put(body, self._paths[name], _date(name, value) if name in self._dates else value)
        return body


def original_fields(data: bytes) -> dict[str, str]:
    """The fields that keep a message's bytes: event.original, and event.original_b64 if they are not valid UTF-8.

    Of UTF-16 with a BOM, event.original is the text.
    """
    try:
        return {"event.original": data.decode("utf-8")}
    except UnicodeDecodeError:
        encoded = b64encode(data).decode("ascii")
        text = utf16.text_of(data)
        readable = data.decode("utf-8", "replace") if text is None else text.encode("utf-8", "replace").decode()
        return {"event.original": readable, "event.original_b64": encoded}


def original_of(body: Mapping[str, Any]) -> bytes:
    """The original bytes that a document or a reject keeps; empty if it keeps none."""
    event = body.get("event", {})
    encoded = event.get("original_b64")
    return b64decode(encoded) if encoded else str(event.get("original", "")).encode()


def body_json(body: Mapping[str, Any]) -> str:
    """Encode the body as JSON. Raises InvalidRecord if it cannot be encoded."""
    try:
        return orjson.dumps(body).decode()
    except TypeError as error:
        raise InvalidRecord("not_json", f"the document cannot be written as JSON: {error}") from error


def _date(name: str, ms: int) -> str:
    try:
        return iso(ms)
    except (ValueError, OverflowError) as error:
        raise InvalidRecord("stamp", f"{name} lies outside the years 1 to 9999") from error


def _put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for step in path[:-1]:
        body = body.setdefault(step, {})
    body[path[-1]] = value


def identity(event: EventBuilder, context: Context, raw: bytes) -> str:
    """Compute the id that the source declares from canonical bytes `raw`. Raises InvalidRecord if a part is missing."""
    named = context.source.identity
    parts = {
        "facility": context.intake.facility,
        "bytes": raw,
        "ordinal": str(event.ordinal),
        "captured": context.message.provenance.captured_ms,
        "words": event.words,
    }
    values = [parts[word] if word in parts else _part(word, event) for word in named]
    if None in values:
        missing = named[values.index(None)]
        raise InvalidRecord("identity", f"its identity needs {missing}, which it does not have")
    if len(named) == 1:
        try:
            return plain_id(str(values[0]))
        except ValueError as error:
            raise InvalidRecord("identity", str(error)) from error
    return digest_id(*(part if isinstance(part, bytes) else str(part).encode() for part in values))


def _part(word: str, event: EventBuilder) -> Any:
    """The field's value; an empty one of a field that the record may lack."""
    return event.body.get(word[:-1], "") if word.endswith("?") else event.body.get(word)
