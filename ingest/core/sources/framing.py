"""Split a file's bytes into messages: one per line, or the whole file. The shipper frames; workers never join lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ingest.core.model import ParsedMessage
from ingest.core.sources import utf16
from ingest.core.sources.readers import JsonReader, Mismatch, canonical
from ingest.core.sources.source import Source

FIRST_LINES = 10
_MOST_AHEAD = 4096
LINE_ENDINGS = (".jsonl", ".ndjson")  # such a file has one message per line, whatever its sources declare


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a file: its first line (from 1), its first byte (from 0), its bytes without the line ending."""

    line: int
    offset_bytes: int
    data: bytes


def lines(data: bytes) -> Iterator[Frame]:
    """One message per line, blank lines included; only the newline is removed, a CR stays.

    Each line of UTF-16 begins with the file's byte order mark.
    """
    mark = utf16.mark_of(data)
    if mark is not None:
        yield from (Frame(number, at, line) for number, (at, line) in enumerate(utf16.lines(data, mark), 1))
        return
    at = 0
    for number, text in enumerate(data.split(b"\n"), 1):
        if at < len(data):
            yield Frame(number, at, text)
        at += len(text) + 1


def framing_of(source: Source, name: str, data: bytes) -> str:
    """Choose `line` or `message`: the source's framing, except for JSON files, which may have one document per line.

    A damaged document of several lines is one message, so that its fault is reported once, and where it is.
    """
    if source.framing == "line" or not isinstance(source.reader, JsonReader):
        return source.framing
    if name.lower().endswith(LINE_ENDINGS):
        return "line"
    if data.strip().count(b"\n") == 0 or _is_one(source, data):
        return "message"
    return "message" if opens_json(data) and not _has_document_lines(source, data) else "line"


def opens_json(data: bytes) -> bool:
    """Whether a file begins like a JSON object or array."""
    return data[:_MOST_AHEAD].removeprefix(b"\xef\xbb\xbf").lstrip(b"\x1e \t\r\n").startswith((b"{", b"["))


def frames(data: bytes, framing: str) -> Iterator[Frame]:
    """The messages of a file; none if it is empty."""
    if framing == "line":
        yield from lines(data)
    elif data:
        yield Frame(1, 0, data)


def _has_document_lines(source: Source, data: bytes) -> bool:
    """Whether one of the first lines is a document of its own, and not an empty one."""
    nonblank = (frame.data for frame in lines(data) if frame.data.strip())
    records = (source.reader.read(canonical(line)) for line in islice(nonblank, FIRST_LINES))
    return any(isinstance(record, ParsedMessage) and (record.values or record.items) for record in records)


def _is_one(source: Source, data: bytes) -> bool:
    return not isinstance(source.reader.read(canonical(data)), Mismatch)
