"""A stored line that is read again, and the documents that were made of it, as a header tells them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ingest.core.mark import RunKey, run_of
from ingest.core.timestamps import EARLIEST_MS, of_iso

_LIMIT = 2**63

_TYPES = (str, str, int, str, str, int)  # of an edition

_new = tuple.__new__  # see core/runs/stages.py


class DocumentVersion(NamedTuple):
    """A document that was made of a line, or is now; `run` is empty where it joins none, `at_ms` its `@timestamp`."""

    index: str  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    id: str
    version: int
    source: str
    run: str
    at_ms: int

    def key(self, facility: str) -> RunKey | None:
        """Whose mark it is."""
        return RunKey(facility, self.source, self.run) if self.run else None


class StoredLine(NamedTuple):
    """What is told of a line that is sent again, beside its origin.

    Attributes:
        created_ms: when its record was appended (unix ms).
        glued: it came glued to another line.
        formers: the documents that were made of it.
    """

    created_ms: int
    offset_bytes: int | None
    glued: bool
    formers: tuple[DocumentVersion, ...]

    @property
    def text(self) -> bytes:
        """As a record's header holds it."""
        created_ms, offset_bytes, glued, formers = self
        return orjson.dumps((created_ms, offset_bytes, glued, [tuple(former) for former in formers]))


def version_of_document(index: str, doc_id: str, version: int, body: Mapping[str, Any]) -> DocumentVersion:
    """What a document of kind marks or network is an edition of."""
    perf = body["perf"]
    run = run_of(perf) if "mark" in perf else ""
    return _new(DocumentVersion, (index, doc_id, version, perf["source"], run, of_iso(body["@timestamp"])))


def stored_line(text: bytes, time_ms: int) -> StoredLine | None:
    """What a header tells; None when it cannot be: no such text, or of a time after the record's own (`time_ms`)."""
    try:
        created_ms, offset_bytes, glued, formers = orjson.loads(text)
        line = _new(StoredLine, (created_ms, offset_bytes, glued, tuple([_sound(former) for former in formers])))
    except (ValueError, TypeError):
        return None
    if type(created_ms) is not int or type(glued) is not bool or not EARLIEST_MS <= created_ms <= time_ms:
        return None
    if offset_bytes is not None and (type(offset_bytes) is not int or not 0 <= offset_bytes < _LIMIT):
        return None
    return line


def _sound(former: Sequence[Any]) -> DocumentVersion:
    """A former document as a header tells it; ValueError when it cannot be."""
    if tuple(map(type, former)) != _TYPES or not (0 <= former[2] < _LIMIT and 0 <= former[5] < _LIMIT):
        raise ValueError(former)
    return _new(DocumentVersion, former)
