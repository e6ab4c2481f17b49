"""Converts a file's state to its document of kind files, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.timestamps import iso
from ingest.core.tracking.byte_ranges import ByteRange, Instant
from ingest.core.tracking.file_state import FileKey, FileState, Gap
from ingest.core.tracking.manifest import Manifest

BEGUN, ENDED, FOLLOWED = "begun", "ended", "followed"


def state_name(state: FileState) -> str:
    """The state according to the shipper's last manifest: begun or ended; `followed` without a manifest."""
    if state.under_way:
        return BEGUN
    return ENDED if state.ended else FOLLOWED


def body_of(state: FileState, due: bool) -> dict[str, Any]:
    """The document of a state; `due`: the sweeper has to look at it."""
    fields: dict[str, Any] = identity_of(state.key) | {
        "state": state_name(state),
        "revision": state.revision,
        "received_bytes": state.received_bytes,
        "missing_bytes": state.missing_bytes,
        "pieces": len(state.ranges),
        "due": due,
        "set": _set(state),
    }
    if state.size_bytes is not None:
        fields["size_bytes"] = state.size_bytes
    if state.scattered:
        fields["scattered"] = True
    for name, manifest in (("begun", state.begun), ("ended", state.ended)):
        if manifest is not None:
            fields[name] = iso(manifest.record_ms)
    if state.ended is not None and state.ended.lines >= 0:
        fields["lines"] = state.ended.lines
    if state.ended is not None and state.ended.sha256:
        fields["sha256"] = state.ended.sha256
    return {"@timestamp": iso(state.seen_ms)} | file_fields(state.key, {"file": fields})


def _set(state: FileState) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "pieces": [
            [*byte_range[:4], *(byte_range.first or (None, None)), *(byte_range.last or (None, None))]
            for byte_range in state.ranges
        ],
        "gaps": [list(gap) for gap in state.gaps],
        "seen_ms": state.seen_ms,
        "owing": state.pending,
    }
    for name, manifest in (("begun", state.begun), ("ended", state.ended)):
        if manifest is not None:
            fields[name] = [manifest.record_ms, manifest.size_bytes, manifest.lines, manifest.sha256]
    return fields


def state_of(body: Mapping[str, Any]) -> FileState:
    """The state stored in a document of kind files."""
    perf = body["perf"]
    stored_file = perf["file"]
    stored_set = stored_file["set"]
    return FileState(
        key_of(body),
        tuple(_byte_range(values) for values in stored_set["pieces"]),
        stored_set["seen_ms"],
        stored_file.get("size_bytes"),
        _manifest(stored_set.get("begun")),
        _manifest(stored_set.get("ended")),
        stored_file.get("scattered", False),
        tuple(Gap(*values) for values in stored_set["gaps"]),
        stored_file["revision"],
        stored_set["owing"],
    )


def key_of(body: Mapping[str, Any]) -> FileKey:
    """The key of the file that a document of kind files or gaps describes."""
    perf = body["perf"]
    host = lookup(body, "host.name") or ""
    file = perf["file"]
    return FileKey(perf["facility"], file["topic"], host, body["log"]["file"]["path"], file.get("generation", ""))


def _byte_range(values: Sequence[Any]) -> ByteRange:
    first, last = (Instant(*pair) if pair[0] is not None else None for pair in (values[4:6], values[6:8]))
    start, stop, start_ms, stop_ms = values[:4]
    return ByteRange(start, stop, start_ms, stop_ms, first, last)


def _manifest(values: Sequence[Any] | None) -> Manifest | None:
    return Manifest(*values) if values else None


def identity_of(key: FileKey) -> dict[str, Any]:
    """The fields that identify a file beside its host and path."""
    return {"topic": key.topic} | ({"generation": key.generation} if key.generation else {})


def file_fields(key: FileKey, perf: Mapping[str, Any]) -> dict[str, Any]:
    """Host, path, facility and the given `perf` fields."""
    host = {"host": {"name": key.host}} if key.host else {}
    return {**host, "log": {"file": {"path": key.path}}, "perf": {"facility": key.facility, **perf}}
