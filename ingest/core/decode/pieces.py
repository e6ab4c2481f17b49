"""Split one message into pieces: the elements of a JSON array, or its lines if the intake is `multiline`.

The array may be the whole message, or the list of a page: a member of the message's object that a source names.

Each piece is decoded independently, with its own identity, event.original, file offset and replay bytes, so output
grows linearly with the size of the message, not quadratically. A piece's bytes are unchanged bytes of the message. A
message that had to be repaired before parsing stays one piece, because its parts have no bytes of their own. Blocks of
text are separated by their grammar (see core/sources/grammar.py).
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from json import JSONDecoder
from typing import NamedTuple

import orjson

from ingest.core.bounds import ELEMENTS, LINES, MAX_ELEMENTS, TOO_MANY, too_deep_words
from ingest.core.model import Message, ParsedMessage, Reject
from ingest.core.sources.wrapping.prefixes import syslog_prefix

_BOM = b"\xef\xbb\xbf"
_AHEAD = b"\x1e \t\r\n"  # skipped before JSON: whitespace, and the record separator of RFC 7464
_BLANK = " \t\r\n"
_OPEN, _NEXT = re.compile(r"\[[ \t\r\n]*"), re.compile(r"[ \t\r\n]*,[ \t\r\n]*")
_CLOSE, _EMPTY = re.compile(r"[ \t\r\n]*\]"), re.compile(r"\[[ \t\r\n]*\]")
_OPEN_OBJECT, _COLON = re.compile(r"\{[ \t\r\n]*"), re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_CLOSE_OBJECT = re.compile(r"[ \t\r\n]*\}")
_BEHIND = re.compile(r"[ \t\r\n\x0b\x0c]*")
# Numbers are skipped, not converted: Python refuses to convert more than 4,300 digits.
_DECODER = JSONDecoder(parse_int=len, parse_float=len)


class MessagePiece(NamedTuple):
    """A piece as its own message, with the line (from 1) and byte (from 0) of the whole message at which it begins."""

    message: Message
    line: int = 1
    byte: int = 0


class ElementSpan(NamedTuple):
    """Where an element lies in its text (in characters), and whether it is an object."""

    start: int
    stop: int
    is_object: bool


class MessagePieces(NamedTuple):
    """The pieces of a message and their unit: `elements` or `lines`."""

    of: str
    pieces: Iterator[MessagePiece]


def part_of(message: Message, start: int, stop: int) -> Message:
    """The bytes from `start` to `stop` as a message of their own, with its file offset moved by `start`."""
    at = message.provenance.offset_bytes
    provenance = message.provenance if at is None else replace(message.provenance, offset_bytes=at + start)
    return replace(message, data=message.data[start:stop], provenance=provenance)


def behind_prefix(message: Message) -> MessagePiece | None:
    """The line behind a message's syslog prefix, whose host counts if no other is known; None without a prefix."""
    prefix = syslog_prefix(message.data)
    if prefix is None:
        return None
    line = part_of(message, prefix.size_bytes, len(message.data))
    if line.provenance.host is None and prefix.host is not None:
        line = replace(line, provenance=replace(line.provenance, host=prefix.host))
    return MessagePiece(line, 1, prefix.size_bytes)


def pieces(message: Message, multiline: bool, json: bool, lists: Collection[str] = ()) -> MessagePieces | Reject | None:
    """Split a message; None if it is a single piece, a Reject if it has too many pieces or nests too deep.

    `multiline`: each line is a message. `json`: each element of an array is a message, and so is each element of the
    array that an object holds under a name of `lists`.
    """
    if multiline and b"\n" in message.data:
        return _lines(message)
    if not json:
        return None
    data = message.data
    start = len(data) - len(data.removeprefix(_BOM).lstrip(_AHEAD))
    if data[start : start + 1] == b'"':
        return _in_string(message, _string(data[start:]), lists)
    return _parts(message, start, lists)


def _parts(message: Message, start: int, lists: Collection[str]) -> MessagePieces | Reject | None:
    """The elements of the array, or of the list of the object, that begins at byte `start`; None if it has none."""
    first = message.data[start : start + 1]
    if first == b"[":
        return _elements(message, start)
    names = [name for name in lists if b'"%b"' % name.encode() in message.data] if first == b"{" else []
    return _elements(message, start, names) if names else None


def _lines(message: Message) -> MessagePieces | Reject:
    if message.data.rstrip(b"\n").count(b"\n") >= MAX_ELEMENTS:
        return too_many(message, LINES)
    return MessagePieces(LINES, _line_pieces(message))


def _line_pieces(message: Message) -> Iterator[MessagePiece]:
    at = 0
    for number, text in enumerate(message.data.split(b"\n"), 1):
        if text.strip():
            yield MessagePiece(part_of(message, at, at + len(text)), number, at)
        at += len(text) + 1


def _string(text: bytes) -> bytes:
    """The content of a JSON string, or nothing if `text` is not one. Some relays wrap messages this way."""
    try:
        inner = orjson.loads(text)
    except orjson.JSONDecodeError:
        return b""
    return inner.lstrip(_BLANK).encode() if isinstance(inner, str) else b""


def _in_string(message: Message, inner: bytes, lists: Collection[str]) -> MessagePieces | Reject | None:
    """The elements of an array, or of the list of an object, inside a JSON string.

    They are escaped there, so they have no bytes of their own and keep the message's offset.
    """
    elements = _parts(replace(message, data=inner), 0, lists)
    if isinstance(elements, Reject):
        return replace(elements, original=message.data)
    provenance = message.provenance
    return elements and MessagePieces(
        elements.of, (MessagePiece(replace(piece.message, provenance=provenance)) for piece in elements.pieces)
    )


def _elements(message: Message, start: int, names: Collection[str] = ()) -> MessagePieces | Reject | None:
    """The elements of the array that begins at byte `start`; None if it is not an array with objects.

    With `names` an object begins there, and its member of one of these names is the array. That may be empty: a page
    without elements says nothing. The reader of the source reports what is neither.
    """
    try:
        text = message.data[start:].decode()
        spans = _listed_spans(text, names) if names else _array_spans(text)
    except ValueError:
        return None
    except RecursionError:
        return Reject("too_deep", too_deep_words(), message.data)
    if len(spans) > MAX_ELEMENTS:
        return too_many(message, ELEMENTS)
    return (
        MessagePieces(ELEMENTS, _span_pieces(message, start, text, ((span.start, span.stop) for span in spans)))
        if any(span.is_object for span in spans) or not spans
        else None
    )


def _array_spans(text: str) -> list[ElementSpan]:
    """The spans of the elements of a text that is an array, as `_spans`."""
    spans, stop = _spans(text, 0)
    if len(spans) <= MAX_ELEMENTS and not _BEHIND.fullmatch(text, stop):
        raise ValueError("no array")
    return spans


def _listed_spans(text: str, names: Collection[str]) -> list[ElementSpan]:
    """The spans of the elements of the array that an object holds under one of `names`, as `_spans`.

    Of a name that stands twice the last counts, as for every reader of JSON. Raises ValueError if there is no array.
    """
    spans: list[ElementSpan] | None = None
    separator, stop = _OPEN_OBJECT.match(text), 0
    while separator is not None:
        name, stop = _DECODER.raw_decode(text, separator.end())
        colon = _COLON.match(text, stop) if isinstance(name, str) else None
        if colon is None:
            raise ValueError("no object")
        begin = colon.end()
        if name not in names or text[begin : begin + 1] != "[":
            _, stop = _DECODER.raw_decode(text, begin)
            spans = None if name in names else spans
        elif empty := _EMPTY.match(text, begin):
            spans, stop = [], empty.end()
        else:
            spans, stop = _spans(text, begin)
            if len(spans) > MAX_ELEMENTS:
                return spans
        separator = _NEXT.match(text, stop)
    close = _CLOSE_OBJECT.match(text, stop)
    if spans is None or close is None or not _BEHIND.fullmatch(text, close.end()):
        raise ValueError("no object with a list")
    return spans


def _spans(text: str, begin: int) -> tuple[list[ElementSpan], int]:
    """The spans of the elements of the array at `begin`, at most one more than the limit, and where the array stops.

    Raises ValueError if no array stands there, RecursionError if elements nest deeper than Python can follow, about a
    thousand levels.

    orjson does not report where an element ends; Python's decoder does, and its scanner is C code too.
    """
    spans: list[ElementSpan] = []
    separator, stop = _OPEN.match(text, begin), begin
    while separator is not None and len(spans) <= MAX_ELEMENTS:
        start = separator.end()
        element, stop = _DECODER.raw_decode(text, start)
        spans.append(ElementSpan(start, stop, isinstance(element, dict)))
        separator = _NEXT.match(text, stop)
    if separator is not None:
        return spans, stop
    close = _CLOSE.match(text, stop) if spans else None
    if close is None:
        raise ValueError("no array")
    return spans, close.end()


def _span_pieces(message: Message, start: int, text: str, spans: Iterable[tuple[int, int]]) -> Iterator[MessagePiece]:
    """The pieces at `spans` (characters, ascending) of a text that begins at byte `start` of the message."""
    byte, line, done = start, message.data.count(b"\n", 0, start) + 1, 0
    for begin, stop in spans:
        before, inside = text[done:begin], text[begin:stop]
        byte += len(before.encode())
        line += before.count("\n")
        size_bytes = len(inside.encode())
        yield MessagePiece(part_of(message, byte, byte + size_bytes), line, byte)
        byte += size_bytes
        line += inside.count("\n")
        done = stop


def blocks_of(record: ParsedMessage, message: Message) -> list[MessagePiece]:
    """The blocks of a record as pieces; empty if there is only one, or if the bytes were repaired before parsing."""
    base = message.data.find(record.raw)
    if len(record.spans) < 2 or base < 0:
        return []
    try:
        text = record.raw.decode()
    except UnicodeDecodeError:
        return []
    return list(_span_pieces(message, base, text, (_stripped(text, *span) for span in record.spans)))


def _stripped(text: str, start: int, stop: int) -> tuple[int, int]:
    """The span without the whitespace around it."""
    inside = text[start:stop]
    return stop - len(inside.lstrip()), start + len(inside.rstrip())


def too_many(message: Message, of: str) -> Reject:
    """The single reject of a message with more pieces than the limit."""
    what = f"it holds more than the {MAX_ELEMENTS:,} {of} allowed in one message: send fewer together"
    return Reject(TOO_MANY[of], what, message.data)
