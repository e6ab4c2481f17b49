"""What is shown to people: a console that wraps nothing in a pipe, and text from outside made harmless and short."""

import codecs
import re
import sys
from io import TextIOWrapper
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

PIPE_WIDTH = 200
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PICTURES = 0x2400


_ASCII = {"≤": "<=", "≥": ">=", "–": "-", "…": "..", "→": "->", "Δ": "d", "µ": "u", "±": "+-"}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """What stands for a sign that the output cannot hold."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error("perflog.ascii", _in_ascii)


def console() -> Console:
    """Standard output: coloured on a terminal, plain and wide in a pipe; signs in ASCII where it is not UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="perflog.ascii")
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, width=width)


def plain_table() -> Table:
    """A table as all commands print them: no lines, heads in bold."""
    return Table(box=None, pad_edge=False, header_style="bold")


def visible(text: str) -> str:
    """One character for one, control characters as pictures: what a log holds must not steer a terminal."""
    return _CONTROLS.sub(lambda found: _picture(found[0]), text)


def _picture(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return "→"
    return chr(_PICTURES + code) if code < 0x20 else "␡" if code == 0x7F else "�"


def shown(value: Any, most: int = 120) -> str:
    """A value of a document, cut in the middle of nothing: at its end, and saying so."""
    text = visible(value if isinstance(value, str) else orjson.dumps(value).decode()).replace("\n", "␤")
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def window(text: str, at: int, width: int) -> tuple[str, int]:
    """The part of a line around character `at` that fits into `width`, and where `at` lies in it."""
    if len(text) <= width:
        return text, at
    start = max(0, min(at - width * 2 // 3, len(text) - width + 2))
    part = text[start : start + width - 2]
    ahead, behind = "…" if start else "", "…" if start + len(part) < len(text) else ""
    return ahead + part + behind, at - start + len(ahead)
