"""A stored line that is replayed, with the documents that were made of it, as written in a record's header."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ingest.core.bulk import new_tuple
from ingest.core.mark import RunKey, run_of
from ingest.core.timestamps import EARLIEST_MS, of_iso

_LIMIT = 2**63

_TYPES = (str, str, int, str, str, int)  # of a DocumentVersion


class DocumentVersion(NamedTuple):
    """A document made of a line, before or now; `run` is empty if it joins no run, `at_ms` is its `@timestamp`."""

    index: str  # type: ignore[assignment]  # see core/bulk.py
    id: str
    version: int
    source: str
    run: str
    at_ms: int

    def key(self, facility: str) -> RunKey | None:
        """The run whose mark it is; None if it joins no run."""
        return RunKey(facility, self.source, self.run) if self.run else None


class StoredLine(NamedTuple):
    """What the header says of a replayed line, beside its origin.

    Attributes:
        created_ms: when its record was first appended (unix ms).
        glued: whether it came glued to another line.
        previous: the documents that were made of it.
    """

    created_ms: int
    offset_bytes: int | None
    glued: bool
    previous: tuple[DocumentVersion, ...]

    @property
    def text(self) -> bytes:
        """The value of the record's header."""
        created_ms, offset_bytes, glued, previous = self
        return orjson.dumps((created_ms, offset_bytes, glued, [tuple(old) for old in previous]))


def version_of_document(index: str, doc_id: str, version: int, body: Mapping[str, Any]) -> DocumentVersion:
    """The version of a document of kind marks or network."""
    perf = body["perf"]
    run = run_of(perf) if "mark" in perf else ""
    return new_tuple(DocumentVersion, (index, doc_id, version, perf["source"], run, of_iso(body["@timestamp"])))


def stored_line(text: bytes, time_ms: int) -> StoredLine | None:
    """Parse the header; None if it is malformed or its time is after the record's own (`time_ms`)."""
    try:
        created_ms, offset_bytes, glued, previous = orjson.loads(text)
        versions = tuple([_checked_version(old) for old in previous])
        line = new_tuple(StoredLine, (created_ms, offset_bytes, glued, versions))
    except (ValueError, TypeError):
        return None
    if type(created_ms) is not int or type(glued) is not bool or not EARLIEST_MS <= created_ms <= time_ms:
        return None
    if offset_bytes is not None and (type(offset_bytes) is not int or not 0 <= offset_bytes < _LIMIT):
        return None
    return line


def _checked_version(old: Sequence[Any]) -> DocumentVersion:
    """An earlier document as the header lists it; raises ValueError if it is malformed."""
    if tuple(map(type, old)) != _TYPES or not (0 <= old[2] < _LIMIT and 0 <= old[5] < _LIMIT):
        raise ValueError(old)
    return new_tuple(DocumentVersion, old)
