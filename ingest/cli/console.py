"""Output for people: a console that does not wrap in a pipe, and untrusted text made harmless and short."""

import codecs
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PICTURES = 0x2400


_ASCII = {"≤": "<=", "≥": ">=", "–": "-", "…": "..", "→": "->", "Δ": "d", "µ": "u", "±": "+-"}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that the output's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error("perflog.ascii", _in_ascii)


def open_console() -> Console:
    """Open standard output: coloured on a terminal, plain and wide in a pipe; ASCII signs if it is not UTF-8."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="perflog.ascii")
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(highlight=False, width=width)


def plain_table() -> Table:
    """Return a table as all commands print them: no lines, heads in bold."""
    return Table(box=None, pad_edge=False, header_style="bold")


def make_visible(text: str) -> str:
    """Replace control characters one for one by pictures, so that log text cannot control the terminal."""
    return _CONTROLS.sub(lambda match: _to_picture(match[0]), text)


def _to_picture(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return "→"
    return chr(_PICTURES + code) if code < 0x20 else "␡" if code == 0x7F else "�"


def format_value(value: Any, most: int = 120) -> str:
    """Format a value of a document on one line; if it is too long, cut its end and say so."""
    text = make_visible(value if isinstance(value, str) else orjson.dumps(value).decode()).replace("\n", "␤")
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def crop(text: str, at: int, width: int) -> tuple[str, int]:
    """Return the part of a line around character `at` that fits into `width`, and the position of `at` in it."""
    if len(text) <= width:
        return text, at
    start = max(0, min(at - width * 2 // 3, len(text) - width + 2))
    part = text[start : start + width - 2]
    ahead, behind = "…" if start else "", "…" if start + len(part) < len(text) else ""
    return ahead + part + behind, at - start + len(ahead)


INDENT = 2


def print_pointer(text: str, at: int, console: Console) -> None:
    """Print the line of a message, the part that was read coloured, and a caret under the position."""
    start = text.rfind("\n", 0, at) + 1
    whole, _, _ = text[start:].partition("\n")
    part, column = crop(whole, at - start, console.width - INDENT - 1)
    shown_line = Text(make_visible(part))
    shown_line.stylize("green", 0, column)
    shown_line.stylize("bold red", column, column + 1)
    console.print(Text("  ").append_text(shown_line))
    console.print(Text("  " + " " * cell_len(make_visible(part[:column])) + "^", style="bold red"))


@contextmanager
def progress_bar(nouns: str = "documents") -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar that counts `nouns` on a terminal, nothing in a pipe."""
    errors = Console(stderr=True)
    columns = (TextColumn(nouns), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(nouns, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
