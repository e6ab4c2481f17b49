"""A file's state as its document of kind files, and read from it again. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.timestamps import iso
from ingest.core.tracking.byte_ranges import ByteRange, Instant
from ingest.core.tracking.file_state import FileKey, FileState, Gap
from ingest.core.tracking.manifest import Manifest

BEGUN, ENDED, FOLLOWED = "begun", "ended", "followed"


def standing(state: FileState) -> str:
    """What its shipper said last: that it began, that it ended; `followed` where it said neither."""
    if state.under_way:
        return BEGUN
    return ENDED if state.ended else FOLLOWED


def body_of(state: FileState, due: bool) -> dict[str, Any]:
    """The document; `due`: the sweeper has something to do with it."""
    told: dict[str, Any] = identity_of(state.key) | {
        "state": standing(state),
        "revision": state.revision,
        "received_bytes": state.received_bytes,
        "missing_bytes": state.missing_bytes,
        "pieces": len(state.pieces),
        "due": due,
        "set": _set(state),
    }
    if state.size_bytes is not None:
        told["size_bytes"] = state.size_bytes
    if state.scattered:
        told["scattered"] = True
    for name, manifest in (("begun", state.begun), ("ended", state.ended)):
        if manifest is not None:
            told[name] = iso(manifest.record_ms)
    if state.ended is not None and state.ended.lines >= 0:
        told["lines"] = state.ended.lines
    if state.ended is not None and state.ended.sha256:
        told["sha256"] = state.ended.sha256
    return {"@timestamp": iso(state.seen_ms)} | file_fields(state.key, {"file": told})


def _set(state: FileState) -> dict[str, Any]:
    told: dict[str, Any] = {
        "pieces": [
            [*piece[:4], *(piece.first or (None, None)), *(piece.last or (None, None))] for piece in state.pieces
        ],
        "gaps": [list(gap) for gap in state.gaps],
        "seen_ms": state.seen_ms,
        "owing": state.owing,
    }
    for name, manifest in (("begun", state.begun), ("ended", state.ended)):
        if manifest is not None:
            told[name] = [manifest.record_ms, manifest.size_bytes, manifest.lines, manifest.sha256]
    return told


def state_of(body: Mapping[str, Any]) -> FileState:
    """The state in a document of kind files."""
    perf = body["perf"]
    told = perf["file"]
    kept = told["set"]
    return FileState(
        key_of(body),
        tuple(_piece(row) for row in kept["pieces"]),
        kept["seen_ms"],
        told.get("size_bytes"),
        _manifest(kept.get("begun")),
        _manifest(kept.get("ended")),
        told.get("scattered", False),
        tuple(Gap(*row) for row in kept["gaps"]),
        told["revision"],
        kept["owing"],
    )


def key_of(body: Mapping[str, Any]) -> FileKey:
    """Which file a document of kinds files or gaps is of."""
    perf = body["perf"]
    host = lookup(body, "host.name") or ""
    told = perf["file"]
    return FileKey(perf["facility"], told["topic"], host, body["log"]["file"]["path"], told.get("generation", ""))


def _piece(row: Sequence[Any]) -> ByteRange:
    first, last = (Instant(*pair) if pair[0] is not None else None for pair in (row[4:6], row[6:8]))
    start, stop, start_ms, stop_ms = row[:4]
    return ByteRange(start, stop, start_ms, stop_ms, first, last)


def _manifest(row: Sequence[Any] | None) -> Manifest | None:
    return Manifest(*row) if row else None


def identity_of(key: FileKey) -> dict[str, Any]:
    """What tells a file apart beside its host and path, as fields."""
    return {"topic": key.topic} | ({"generation": key.generation} if key.generation else {})


def file_fields(key: FileKey, perf: Mapping[str, Any]) -> dict[str, Any]:
    """Host, path, facility and what is ours, as fields."""
    host = {"host": {"name": key.host}} if key.host else {}
    return {**host, "log": {"file": {"path": key.path}}, "perf": {"facility": key.facility, **perf}}
