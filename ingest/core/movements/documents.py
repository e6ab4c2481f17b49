"""A movement as a document of kind movements; a tombstone where a unit has become part of another's movement."""

from typing import Any

from ingest.core.fields import Schema
from ingest.core.model import Document
from ingest.core.movements.movement import Movement
from ingest.core.movements.record import TransferEnd
from ingest.core.movements.state import TransferState
from ingest.core.timestamps import iso

KIND = "movements"
NS_PER_MS = 1_000_000


def movement_document(schema: Schema, state: TransferState, movement: Movement) -> Document:
    """The document of a movement, whose first unit has this state; its version is the state's revision."""
    at_ms = next(ms for ms in (movement.start_ms, movement.queued_ms, movement.end_ms, state.seen_ms) if ms is not None)
    body: dict[str, Any] = {"@timestamp": iso(at_ms), "event": _event(movement), "perf": _perf(state, movement)}
    if movement.outcome == "failure" and movement.error:
        body["error"] = {"message": movement.error}
    for name, end in (("source", movement.origin), ("destination", movement.target)):
        fields = _end(end)
        if fields:
            body[name] = fields
    return Document(schema.index(KIND, state.key.facility, at_ms), state.key.id, state.revision, body)


def tombstone(state: TransferState, index: str) -> Document:
    """The document that takes the movement of a unit back from an index."""
    perf = {"facility": state.key.facility, "retracted": True}
    return Document(index, state.key.id, state.revision, {"@timestamp": iso(state.seen_ms), "perf": perf})


def _event(movement: Movement) -> dict[str, Any]:
    event: dict[str, Any] = {"outcome": movement.outcome}
    for name, ms in (("start", movement.start_ms), ("end", movement.end_ms)):
        if ms is not None:
            event[name] = iso(ms)
    if movement.start_ms is not None and movement.end_ms is not None and movement.end_ms >= movement.start_ms:
        event["duration"] = (movement.end_ms - movement.start_ms) * NS_PER_MS
    return event


def _end(end: TransferEnd) -> dict[str, str]:
    return {name: value for name, value in end._asdict().items() if value is not None}


def _perf(state: TransferState, movement: Movement) -> dict[str, Any]:
    perf: dict[str, Any] = {"facility": state.key.facility, "movement": _fields(movement)}
    if movement.run is not None:
        perf["run"] = {"id": movement.run}
    if movement.stage is not None:
        perf["stage"] = {"name": movement.stage}
    if movement.synthetic:
        perf["synthetic"] = True
    return perf


def _fields(movement: Movement) -> dict[str, Any]:
    counted = movement.counted
    fields: dict[str, Any] = {
        "key": movement.key,
        "level": movement.level,
        "sources": list(movement.sources),
        "records": list(movement.records),
        "record_count": movement.record_count,
        "bytes": counted.bytes,
        "bytes_record": counted.record if counted.bytes is not None else None,
        "bytes_observer": counted.observer,
        "size_bytes": movement.size_bytes,
        "rate_bps": movement.rate_bps,
        "queued": None if movement.queued_ms is None else iso(movement.queued_ms),
        "files": counted.files,
        "faults": movement.faults,
        "final": movement.final,
        "stalled": movement.stalled or None,
        "grew": None if movement.grew_ms is None else iso(movement.grew_ms),
        "label": movement.label,
        "dataset": movement.dataset,
        "probe": movement.probe or None,
        "ambiguous": [":".join(key) for key in movement.ambiguous] or None,
        **dict(movement.waits),
    }
    return {name: value for name, value in fields.items() if value is not None}
