"""Canonical bytes -> record: JSON readers, and what every reader answers when reading stops."""

import re
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from ingest.core.bounds import is_too_deep, too_deep_words
from ingest.core.model import ParsedMessage

TOO_LARGE, TOO_DEEP = "number is infinity", "depth limit"  # what orjson says of it
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
        seen: (terminal, text) of what was read up to there.
        at_end: the text was over, though more was expected.
        found: the text from there on, cut.
    """

    reason: str
    detail: str
    line: int
    column: int
    expected: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    at_end: bool = False
    found: str = ""


_TOO_DEEP = Mismatch("too_deep", too_deep_words(), 1, 1, ("JSON object",))


class Reader(Protocol):
    """What a source reads with."""

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """Read canonical bytes."""
        ...


def canonical(data: bytes) -> bytes:
    """Without BOM, ANSI codes, CR and outer blanks: what identity is made from, and what readers read."""
    if b"\x1b" in data or b"\r" in data or data.startswith(b"\xef\xbb\xbf"):
        data = _MARKS.sub(b"", data)
    return data.strip(b" \t\n\x0b\x0c")


class JsonReader:
    """One JSON object a message, also in a JSON string: some relays wrap.

    Ahead of it a record separator (RFC 7464) may stand. `repair`: what is no JSON is mended first (see repair.py).
    Of an array, which is not often read as a whole (see pieces.py), each object is an item.
    """

    def __init__(self, repair: bool = False) -> None:
        """Nothing is mended unless the source says so."""
        self._repair = repair

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """Decode; NaN, infinities and what lies too deep are refused, with line and column where there is one."""
        text = raw.lstrip(b"\x1e \t\n")
        try:
            tree = _decoded(text)
        except orjson.JSONDecodeError as error:
            try:
                tree = _decoded(repaired(text) if self._repair else b"")
            except orjson.JSONDecodeError:
                return _no_json(error)
        return _in_string(tree, raw) if isinstance(tree, str) else _opened(tree, raw)


def _in_string(text: str, raw: bytes) -> ParsedMessage | Mismatch:
    """What a JSON string holds; one that holds no JSON is no object either."""
    try:
        return _opened(_decoded(text.encode()), raw)
    except orjson.JSONDecodeError as error:
        return _TOO_DEEP if error.msg.startswith(TOO_DEEP) else _opened(None, raw)


def _no_json(error: orjson.JSONDecodeError) -> Mismatch:
    """What orjson says; it follows no text deeper than 1,024 levels, be it JSON or not."""
    if error.msg.startswith(TOO_DEEP):
        return _TOO_DEEP
    return Mismatch("json", f"not JSON: {error.msg}", error.lineno, error.colno, ("JSON object",))


def _decoded(text: bytes) -> Any:
    """JSON, a number beyond a double as text. Raises orjson.JSONDecodeError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith(TOO_LARGE):
            raise
        return orjson.loads(bounded(text))


def _opened(tree: Any, raw: bytes) -> ParsedMessage | Mismatch:
    """The object, or each object of the array."""
    if isinstance(tree, _CONTAINERS) and is_too_deep(tree):
        return _TOO_DEEP
    if isinstance(tree, dict):
        return ParsedMessage(values=tree, raw=raw)
    if isinstance(tree, list) and tree and all(isinstance(item, dict) for item in tree):
        return ParsedMessage(values={}, raw=raw, items=tuple(tree))
    return Mismatch("json", "JSON, but not an object", 1, 1, ("JSON object",))


# A string is taken whole, closed or not: scanning on from inside one could be quadratic, and would mend text.
_FAULTS = re.compile(
    rb'(?P<kept>"(?>[^"\\]+|\\.)*"?)|(?P<none>[-+]?\b(?:nan|inf(?:inity)?)\b)|(?P<blank>(?<=[0-9][eE]) (?=[0-9]))'
    rb"|(?P<comma>,(?=\s*+[\]}]))",
    re.IGNORECASE | re.DOTALL,
)

# Beyond a double, or near it; only where a token begins, so that a long run of digits is looked at once.
_HUGE = re.compile(
    rb'"(?>[^"\\]+|\\.)*"?|(?P<huge>(?<![0-9.eE+-])-?(?:[0-9]{309,}+(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?'
    rb"|[0-9]++(?:\.[0-9]++)?[eE]\+?[0-9]{3,}+))",
    re.DOTALL,
)

_BY_FAULT = {"none": b"null", "blank": b"+", "comma": b""}


def repaired(text: bytes) -> bytes:
    """The text from its first brace on, mended; the same text where nothing is wrong that is known."""
    return _FAULTS.sub(_mended, text[max(text.find(b"{"), 0) :])


def _mended(match: re.Match[bytes]) -> bytes:
    return match[0] if match.lastgroup == "kept" else _BY_FAULT[match.lastgroup or ""]


def bounded(text: bytes) -> bytes:
    """The text with every number that no double holds in quotes: one field is then absent, not the message refused."""
    return _HUGE.sub(lambda found: b'"%b"' % found[0] if found["huge"] else found[0], text)
