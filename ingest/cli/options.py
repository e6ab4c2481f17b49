"""Shared by the commands: options as typed objects, their values converted, and frames turned into messages."""

import re
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from ingest.core.ids import is_facility
from ingest.core.model import ExitCode, Message, Problem, Provenance
from ingest.core.sources.framing import Frame
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.prefixes import NONE, PREFIXES
from ingest.core.timestamps import TimestampError, iso_ms, offset_s

_SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
_SPAN_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
OptionsT = TypeVar("OptionsT")
ResultT = TypeVar("ResultT")


def with_options(
    kind: Callable[..., OptionsT],
) -> Callable[[Callable[[Path | None, OptionsT], ResultT]], Callable[..., ResultT]]:
    """Call a command with the path of its settings file (None: the default) and its options as one object of `kind`.

    Only here are click's values untyped. A test compares the fields of each `kind` with what click passes.
    """

    def decorate(command: Callable[[Path | None, OptionsT], ResultT]) -> Callable[..., ResultT]:
        @click.pass_obj
        @wraps(command)
        def entry(settings_path: Path | None, /, **values: Any) -> ResultT:
            return command(settings_path, kind(**values))

        return entry

    return decorate


def prefix_option(words: str, default: str | None = NONE) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option `--prefix`; `words` follow its meaning."""
    return click.option(
        "--prefix",
        type=click.Choice(PREFIXES),
        default=default,
        help=f"What a syslog daemon wrote before each line, as an intake declares it.{words}",
    )


def to_message(frame: Frame, received_ms: int) -> Message:
    """Return the message that Kafka would have received at `received_ms`, as a backfill, since old data is expected."""
    provenance = Provenance(offset_bytes=frame.offset_bytes, captured_ms=received_ms)
    return Message(frame.data, received_ms, provenance, backfill=True)


def select_sources(sources: Mapping[str, Source], name: str | None) -> dict[str, Source]:
    """Return the named source, or all of them; the `Problem` (64) lists those that exist."""
    if name is None:
        return dict(sources)
    if name not in sources:
        raise Problem(f"There is no source `{name}`.", f"There are: {', '.join(sources)}.", ExitCode.USAGE)
    return {name: sources[name]}


def check_facility(name: str) -> str:
    """Check a facility's name; `Problem` (64) if it is invalid."""
    if not is_facility(name):
        raise Problem(f"`{name}` is no facility.", "Lower-case letters, digits and `_` make its name.", ExitCode.USAGE)
    return name


def parse_zone(text: str | None) -> int | None:
    """Parse `--zone` into seconds east of UTC."""
    try:
        return None if text is None else offset_s(text)
    except TimestampError as error:
        raise Problem(f"--zone: {error}.", "Write it like -08:00.", ExitCode.USAGE) from error


def parse_time(text: str) -> int:
    """Parse `--received` into unix ms."""
    try:
        return iso_ms(text)
    except TimestampError as error:
        raise Problem(f"--received: {error}.", "Write it like 2026-03-04T19:20:05Z.", ExitCode.USAGE) from error


def parse_moment(option: str, text: str | None, now_ms: int) -> int | None:
    """Parse ISO 8601 (a date alone: its midnight in UTC) or an age like 90s, 15m, 2h, 7d, 4w into unix ms."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return now_ms - int(span[1]) * _SPAN_S[span[2]] * 1000
    try:
        return iso_ms(f"{text}T00:00:00" if _DATE.fullmatch(text) else text, default_offset_s=0)
    except TimestampError as error:
        raise Problem(
            f"{option}: {error}.", "Write it like 2h, 7d, 2026-03-04 or 2026-03-04T19:20:05Z.", ExitCode.USAGE
        ) from error


def parse_period(since: str | None, until: str | None, now_ms: int) -> tuple[int | None, int | None]:
    """Parse `--since` and `--until` into unix ms; None if the period has no such bound."""
    return parse_moment("--since", since, now_ms), parse_moment("--until", until, now_ms)


def read_bytes(file: Path) -> bytes:
    """Return a file's bytes, or standard input's for `-`; `Problem` (66) if it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror}.", "", ExitCode.NO_INPUT) from error
