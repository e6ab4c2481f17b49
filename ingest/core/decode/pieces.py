"""One message -> its pieces: the elements of a JSON array, or its lines where the intake says that there are several.

A piece is read as if it had come alone: its identity, its event.original, its place in the file and what a replay sends
are its own, so that what a message becomes grows with its size and not with the square of it. The bytes of a piece are
those of the message, untouched. A message that had to be mended before it could be read is one piece: its parts have no
bytes of their own. Blocks of text are told apart by their grammar (see core/sources/grammar.py). Pure.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from json import JSONDecoder
from typing import NamedTuple

import orjson

from ingest.core.bounds import ELEMENTS, LINES, MAX_ELEMENTS, TOO_MANY, too_deep_words
from ingest.core.model import Message, ParsedMessage, Reject

_BOM = b"\xef\xbb\xbf"
_AHEAD = b"\x1e \t\r\n"  # of JSON: blanks, and the record separator of RFC 7464
_BLANK = " \t\r\n"
_OPEN, _NEXT = re.compile(r"\[[ \t\r\n]*"), re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_CLOSE = re.compile(r"[ \t\r\n]*\][ \t\r\n\x0b\x0c]*")
# Numbers are passed over, not made: Python refuses to make those of more than 4,300 digits.
_DECODER = JSONDecoder(parse_int=len, parse_float=len)


class MessagePiece(NamedTuple):
    """A piece as a message of its own, and the line (from 1) and byte (from 0) of the whole at which it begins."""

    message: Message
    line: int = 1
    byte: int = 0


class ElementSpan(NamedTuple):
    """Where an element lies in its text (characters), and whether it is an object."""

    start: int
    stop: int
    is_object: bool


class MessagePieces(NamedTuple):
    """The pieces of a message, and what they are: `elements` or `lines`."""

    of: str
    each: Iterator[MessagePiece]


def part_of(message: Message, start: int, stop: int) -> Message:
    """The bytes from `start` to `stop` of a message as a message of their own, that far on in the same file."""
    at = message.provenance.offset_bytes
    provenance = message.provenance if at is None else replace(message.provenance, offset_bytes=at + start)
    return replace(message, data=message.data[start:stop], provenance=provenance)


def pieces(message: Message, multiline: bool, json: bool) -> MessagePieces | Reject | None:
    """The pieces of a message; None where it is one, a Reject where they are too many or lie too deep.

    `multiline`: its lines are messages of their own. `json`: so are the elements of an array.
    """
    if multiline and b"\n" in message.data:
        return _lines(message)
    if not json:
        return None
    data = message.data
    start = len(data) - len(data.removeprefix(_BOM).lstrip(_AHEAD))
    if data[start : start + 1] == b'"':
        return _in_string(message, _string(data[start:]))
    return _elements(message, start) if data[start : start + 1] == b"[" else None


def _lines(message: Message) -> MessagePieces | Reject:
    if message.data.rstrip(b"\n").count(b"\n") >= MAX_ELEMENTS:
        return too_many(message, LINES)
    return MessagePieces(LINES, _each_line(message))


def _each_line(message: Message) -> Iterator[MessagePiece]:
    at = 0
    for number, text in enumerate(message.data.split(b"\n"), 1):
        if text.strip():
            yield MessagePiece(part_of(message, at, at + len(text)), number, at)
        at += len(text) + 1


def _string(text: bytes) -> bytes:
    """What a JSON string holds; nothing where it is none. Some relays wrap a message so."""
    try:
        inner = orjson.loads(text)
    except orjson.JSONDecodeError:
        return b""
    return inner.lstrip(_BLANK).encode() if isinstance(inner, str) else b""


def _in_string(message: Message, inner: bytes) -> MessagePieces | Reject | None:
    """The elements of an array that a string holds: written otherwise there, so they lie where the message does."""
    found = _elements(replace(message, data=inner), 0) if inner.startswith(b"[") else None
    if isinstance(found, Reject):
        return replace(found, original=message.data)
    place = message.provenance
    return found and MessagePieces(
        found.of, (MessagePiece(replace(each.message, provenance=place)) for each in found.each)
    )


def _elements(message: Message, start: int) -> MessagePieces | Reject | None:
    """The elements of the array that begins at byte `start`; None where it is none of objects: its reader says why."""
    try:
        text = message.data[start:].decode()
        spans = _spans(text)
    except ValueError:
        return None
    except RecursionError:
        return Reject("too_deep", too_deep_words(), message.data)
    if len(spans) > MAX_ELEMENTS:
        return too_many(message, ELEMENTS)
    return (
        MessagePieces(ELEMENTS, _each_element(message, start, text, spans))
        if any(span.is_object for span in spans)
        else None
    )


def _spans(text: str) -> list[ElementSpan]:
    """Where the elements of an array lie, at most one more than are read. ValueError when the text is none.

    RecursionError when they lie deeper than Python follows, some thousand levels.

    orjson tells no element's end; Python's decoder does, at the speed of C.
    """
    spans: list[ElementSpan] = []
    separator = _OPEN.match(text)
    while separator is not None and len(spans) <= MAX_ELEMENTS:
        start = separator.end()
        element, stop = _DECODER.raw_decode(text, start)
        spans.append(ElementSpan(start, stop, isinstance(element, dict)))
        separator = _NEXT.match(text, stop)
    if separator is None and not (spans and _CLOSE.fullmatch(text, spans[-1].stop)):
        raise ValueError("no array")
    return spans


def _each_element(message: Message, start: int, text: str, spans: Sequence[ElementSpan]) -> Iterator[MessagePiece]:
    byte, line, done = start, message.data.count(b"\n", 0, start) + 1, 0
    for span in spans:
        before, inside = text[done : span.start], text[span.start : span.stop]
        byte += len(before.encode())
        line += before.count("\n")
        size_bytes = len(inside.encode())
        yield MessagePiece(part_of(message, byte, byte + size_bytes), line, byte)
        byte += size_bytes
        line += inside.count("\n")
        done = span.stop


def blocks_of(record: ParsedMessage, message: Message) -> list[MessagePiece]:
    """The turns of a record's repeated rule as pieces; none where it has only one, or its bytes were mended first."""
    base = message.data.find(record.raw)
    if len(record.spans) < 2 or base < 0:
        return []
    try:
        text = record.raw.decode()
    except UnicodeDecodeError:
        return []
    return list(_each_block(message, base, text, record.spans))


def _each_block(message: Message, base: int, text: str, spans: Sequence[tuple[int, int]]) -> Iterator[MessagePiece]:
    byte, line, done = base, message.data.count(b"\n", 0, base) + 1, 0
    for start, stop in spans:
        at, inside = stop - len(text[start:stop].lstrip()), text[start:stop].strip()
        byte += len(text[done:at].encode())
        line += text.count("\n", done, at)
        yield MessagePiece(part_of(message, byte, byte + len(inside.encode())), line, byte)
        done = at


def too_many(message: Message, of: str) -> Reject:
    """The one reject of a message with more pieces than are read."""
    what = f"it holds more than the {MAX_ELEMENTS:,} {of} that are read of one message: send fewer together"
    return Reject(TOO_MANY[of], what, message.data)
