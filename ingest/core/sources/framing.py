"""A file's bytes -> messages: a line each, or the whole file at once. Workers never join lines; who ships, frames."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.core.sources.readers import JsonReader, Mismatch, canonical
from ingest.core.sources.source import Source

LINE_ENDINGS = (".jsonl", ".ndjson")  # such a file holds a message a line, whatever its sources read


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a file: its first line (from 1), its first byte (from 0), and its bytes without the line's end."""

    line: int
    offset_bytes: int
    data: bytes


def lines(data: bytes) -> Iterator[Frame]:
    """A message a line, blank ones too; only the newline is taken off, so a CR stays."""
    at = 0
    for number, text in enumerate(data.split(b"\n"), 1):
        if at < len(data):
            yield Frame(number, at, text)
        at += len(text) + 1


def framing_of(source: Source, name: str, data: bytes) -> str:
    """`line` or `message`: as the source declares; JSON files hold one document a line unless they are one document."""
    if source.framing == "line" or not isinstance(source.reader, JsonReader):
        return source.framing
    if name.lower().endswith(LINE_ENDINGS):
        return "line"
    return "message" if data.count(b"\n") <= 1 or _is_one(source, data) else "line"


def frames(data: bytes, framing: str) -> Iterator[Frame]:
    """The messages of a file; none when it is empty."""
    if framing == "line":
        yield from lines(data)
    elif data:
        yield Frame(1, 0, data)


def _is_one(source: Source, data: bytes) -> bool:
    return not isinstance(source.reader.read(canonical(data)), Mismatch)
