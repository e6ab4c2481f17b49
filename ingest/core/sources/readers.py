"""Parse canonical bytes into a record: the JSON reader, and the mismatch that every reader returns on failure."""

import re
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from ingest.core.bounds import is_too_deep, too_deep_words
from ingest.core.model import ParsedMessage
from ingest.core.sources import utf16

TOO_LARGE, TOO_DEEP = "number is infinity", "depth limit"  # orjson's error messages
_CONTAINERS = (dict, list)

_MARKS = re.compile(rb"^\xef\xbb\xbf|\x1b\[[0-9;?]*[ -/]*[@-~]|\r")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where reading stopped.

    Attributes:
        reason: `syntax` or `json`.
        detail: the sentence for people.
        line, column: from 1, in characters.
        expected: names of the terminals that would have been accepted.
        seen: (terminal, text) of the tokens read before.
        at_end: the text ended although more was expected.
        rest: the start of the text from there on.
    """

    reason: str
    detail: str
    line: int
    column: int
    expected: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    at_end: bool = False
    rest: str = ""


_TOO_DEEP = Mismatch("too_deep", too_deep_words(), 1, 1, ("JSON object",))


class Reader(Protocol):
    """The reader of a source."""

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """Parse canonical bytes."""
        ...


def canonical(data: bytes) -> bytes:
    """Remove BOM, ANSI codes, CR and outer whitespace: readers and identity use the result.

    UTF-16 that says so by its BOM becomes UTF-8 before: a line is one fact, whichever it was written in.
    """
    if data.startswith(utf16.MARKS) and (text := utf16.text_of(data)) is not None:
        data = text.encode("utf-8", "replace")
    if b"\x1b" in data or b"\r" in data or data.startswith(b"\xef\xbb\xbf"):
        data = _MARKS.sub(b"", data)
    return data.strip(b" \t\n\x0b\x0c")


class JsonReader:
    """Reads one JSON object per message, also inside a JSON string, as some relays wrap it.

    A record separator (RFC 7464) may precede it, and an end of transmission (0x04) follow. `repair`: invalid JSON is
    repaired before parsing (see `repaired`). Arrays are usually split before (see pieces.py); of an array that is read
    whole, each object is an item.
    """

    def __init__(self, repair: bool = False) -> None:
        """Set whether invalid JSON is repaired; by default it is not."""
        self._repair = repair

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """Parse JSON; NaN, infinities and too deep nesting are rejected, with line and column if known."""
        text = raw.lstrip(b"\x1e \t\n").rstrip(b"\x04 \t\n")
        try:
            tree = _decoded(text)
        except orjson.JSONDecodeError as error:
            try:
                tree = _decoded(repaired(text) if self._repair else b"")
            except orjson.JSONDecodeError:
                return _no_json(error)
        return _in_string(tree, raw) if isinstance(tree, str) else _opened(tree, raw)


def _in_string(text: str, raw: bytes) -> ParsedMessage | Mismatch:
    """Parse the content of a JSON string; content that is not JSON is reported as "not an object"."""
    try:
        return _opened(_decoded(text.encode()), raw)
    except orjson.JSONDecodeError as error:
        return _TOO_DEEP if error.msg.startswith(TOO_DEEP) else _opened(None, raw)


def _no_json(error: orjson.JSONDecodeError) -> Mismatch:
    """The mismatch for orjson's error; orjson rejects any text nested deeper than 1,024 levels, JSON or not."""
    if error.msg.startswith(TOO_DEEP):
        return _TOO_DEEP
    return Mismatch("json", f"not JSON: {error.msg}", error.lineno, error.colno, ("JSON object",))


def _decoded(text: bytes) -> Any:
    """Parse JSON, with a number beyond a double as text. Raises orjson.JSONDecodeError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith(TOO_LARGE):
            raise
        return orjson.loads(bounded(text))


def _opened(tree: Any, raw: bytes) -> ParsedMessage | Mismatch:
    """The record of an object, or of an array of objects."""
    if isinstance(tree, _CONTAINERS) and is_too_deep(tree):
        return _TOO_DEEP
    if isinstance(tree, dict):
        return ParsedMessage(values=tree, raw=raw)
    if isinstance(tree, list) and tree and all(isinstance(item, dict) for item in tree):
        return ParsedMessage(values={}, raw=raw, items=tuple(tree))
    return Mismatch("json", "JSON, but not an object", 1, 1, ("JSON object",))


# A string is matched whole, closed or not: resuming inside one could be quadratic, and would alter its text.
_FAULTS = re.compile(
    rb'(?P<kept>"(?>[^"\\]+|\\.)*"?)|(?P<none>[-+]?\b(?:nan|inf(?:inity)?)\b)|(?P<blank>(?<=[0-9][eE]) (?=[0-9]))'
    rb"|(?P<comma>,(?=\s*+[\]}]))",
    re.IGNORECASE | re.DOTALL,
)

# Beyond a double, or near it; only at the start of a token, so that a long run of digits is scanned once.
_HUGE = re.compile(
    rb'"(?>[^"\\]+|\\.)*"?|(?P<huge>(?<![0-9.eE+-])-?(?:[0-9]{309,}+(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?'
    rb"|[0-9]++(?:\.[0-9]++)?[eE]\+?[0-9]{3,}+))",
    re.DOTALL,
)

_BY_FAULT = {"none": b"null", "blank": b"+", "comma": b""}


def repaired(text: bytes) -> bytes:
    """The text from its first brace on, with known faults repaired; unchanged if it has none."""
    return _FAULTS.sub(_mended, text[max(text.find(b"{"), 0) :])


def _mended(match: re.Match[bytes]) -> bytes:
    return match[0] if match.lastgroup == "kept" else _BY_FAULT[match.lastgroup or ""]


def bounded(text: bytes) -> bytes:
    """Quote every number beyond a double, so that one field is absent instead of the whole message rejected."""
    return _HUGE.sub(lambda number: b'"%b"' % number[0] if number["huge"] else number[0], text)
