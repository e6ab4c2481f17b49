"""Output for people and programs: every text and JSON of every command passes here, made harmless.

A console does not wrap in a pipe. Signs are those that the output's encoding holds, in tables, texts and waterfalls.
"""

import codecs
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from textwrap import wrap
from types import TracebackType
from typing import IO, Any

import click
import orjson
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Span, Text

from ingest.telemetry import HIDDEN, make_visible, on_one_line

PIPE_WIDTH = 200
HEAD_COLUMNS = 8
_ASCII = {"≤": "<=", "≥": ">=", "–": "-", "…": "..", "→": "->", "Δ": "d", "µ": "u", "±": "+-", "·": "."}
_HIDDEN_IN_JSON = re.compile(f"(?![\\t\\n\\r])[{HIDDEN}]")


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that the output's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error("perflog.ascii", _in_ascii)


def prepare_streams() -> None:
    """Let no text fail for a sign that the encoding of an output lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="perflog.ascii")


def printable(text: str, stream: IO[str] | None = None) -> str:
    """Return the text as `stream` (default: standard output) shows it, and as wide.

    All text of all commands passes here: control and hidden characters become signs, and characters that the encoding
    of the stream lacks become others, `≤` becomes `<=`.
    """
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return make_visible(text).encode(encoding, "perflog.ascii").decode(encoding)


def holds_all_signs() -> bool:
    """Whether the encoding of standard output holds every sign."""
    return printable("≤█") == "≤█"


def printable_text(text: Text) -> Text:
    """Return a styled text as standard output shows it; styles keep their places."""
    if printable(text.plain) == text.plain:
        return text
    spans = sorted({0, len(text.plain), *(at for span in text.spans for at in (span.start, span.end))})
    shown = text.copy()
    at_of = {at: len(printable(text.plain[:at])) for at in spans}
    shown.plain = printable(text.plain)
    shown.spans = [Span(at_of[span.start], at_of[span.end], span.style) for span in text.spans]
    return shown


def echo(text: str, err: bool = False, nl: bool = True) -> None:
    """Print a text of any origin to standard output or error, made harmless."""
    click.echo(printable(text, sys.stderr if err else sys.stdout), err=err, nl=nl)


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error that nothing caught, as Python does; its text may come from a record."""
    echo("".join(traceback.format_exception(kind, error, trace)), err=True, nl=False)


def encode_json(value: Any, option: int | None = None) -> bytes:
    """Encode as JSON; control and hidden characters as JSON escapes, so that a terminal shows them too."""
    text = orjson.dumps(value, option=option)
    return text if text.isascii() and b"\x7f" not in text else escape_json(text)


def escape_json(text: bytes) -> bytes:
    r"""Escape control and hidden characters of a JSON text as \uXXXX; they can only stand in its strings."""
    return _HIDDEN_IN_JSON.sub(_to_json_escape, text.decode()).encode()


def _to_json_escape(match: re.Match[str]) -> str:
    return "\\u007f" if match[0] == "\x7f" else json.dumps(match[0])[1:-1]


def write_json(value: Any) -> None:
    """Write a value as JSON on one line to standard output; many may follow, so nothing is flushed."""
    sys.stdout.buffer.write(encode_json(value) + b"\n")


def echo_json(value: Any) -> None:
    """Print a value as JSON on one line."""
    sys.stdout.flush()
    write_json(value)
    sys.stdout.buffer.flush()


class OutputConsole(Console):
    """A console whose output passes `printable`; rich's markup and emoji codes of a record stay text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render into segments, whose text is harmless whatever was given."""
        for segment in super().render(renderable, options):
            shown = segment.text if segment.control else printable(segment.text, self.file)
            yield segment if shown == segment.text else Segment(shown, segment.style)


def open_console() -> Console:
    """Open standard output: coloured on a terminal, plain and wide in a pipe."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return OutputConsole(highlight=False, markup=False, emoji=False, width=width)


def open_error_console() -> Console:
    """Open standard error, for progress on a terminal."""
    return OutputConsole(stderr=True, highlight=False, markup=False, emoji=False)


class PlainTable(Table):
    """A table without lines, heads in bold, whose cells are as wide as they are shown."""

    def add_column(self, header: RenderableType = "", *args: Any, **how: Any) -> None:
        """Add a column; a word that is too long for it is broken, not cut."""
        how.setdefault("overflow", "fold")
        super().add_column(_printable_value(header), *args, **how)

    def add_row(self, *cells: RenderableType | None, **how: Any) -> None:
        """Add a row."""
        super().add_row(*map(_printable_value, cells), **how)


def _printable_value(cell: Any) -> Any:
    if isinstance(cell, str):
        return printable(cell)
    return printable_text(cell) if isinstance(cell, Text) else cell


def plain_table(title: RenderableType | None = None, show_header: bool = True) -> Table:
    """Return a table as all commands print them: no lines, heads in bold."""
    table = PlainTable(title=_printable_value(title), box=None, pad_edge=False, show_header=show_header)
    table.title_justify, table.title_style, table.header_style = "left", "bold", "bold"
    return table


def figures_table(name: str, heads: Iterable[str]) -> Table:
    """Return a table of names and figures that fits 80 columns: names and heads break at blanks, figures never."""
    table = plain_table()
    table.add_column(name)
    for head in heads:
        table.add_column(
            "\n".join(wrap(head, HEAD_COLUMNS, break_long_words=False)),
            justify="right",
            vertical="bottom",
            no_wrap=True,
        )
    return table


def format_value(value: Any, most: int = 120) -> str:
    """Format a value of a document on one line; if it is too long, cut its end and say so."""
    text = on_one_line(value if isinstance(value, str) else encode_json(value).decode())
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
    console.print(Text("  " + " " * cell_len(printable(part[:column])) + "^", style="bold red"))


@contextmanager
def progress_bar(nouns: str = "documents") -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar that counts `nouns` on a terminal, nothing in a pipe."""
    errors = open_error_console()
    columns = (TextColumn(nouns), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task(nouns, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
