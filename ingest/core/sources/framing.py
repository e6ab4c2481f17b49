"""Split a file's bytes into messages: one per line, or the whole file. The shipper frames; workers never join lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.core.sources import utf16
from ingest.core.sources.readers import JsonReader, Mismatch, canonical
from ingest.core.sources.source import Source

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
    """Choose `line` or `message`: the source's framing, except for JSON files, which may have one document per line."""
    if source.framing == "line" or not isinstance(source.reader, JsonReader):
        return source.framing
    if name.lower().endswith(LINE_ENDINGS):
        return "line"
    return "message" if data.count(b"\n") <= 1 or _is_one(source, data) else "line"


def frames(data: bytes, framing: str) -> Iterator[Frame]:
    """The messages of a file; none if it is empty."""
    if framing == "line":
        yield from lines(data)
    elif data:
        yield Frame(1, 0, data)


def _is_one(source: Source, data: bytes) -> bool:
    return not isinstance(source.reader.read(canonical(data)), Mismatch)
