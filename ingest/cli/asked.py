"""What the commands that read bytes without servers share: their options as values, and a frame as a message."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.core.clock import ClockError, iso_ms, offset_s
from ingest.core.framing import Frame
from ingest.core.ids import is_facility
from ingest.core.model import Message, Problem, Provenance
from ingest.core.sources import Source


def message_of(frame: Frame, received_ms: int) -> Message:
    """The message that Kafka would have got at `received_ms`; old data is meant, so it counts as a backfill."""
    provenance = Provenance(offset_bytes=frame.offset_bytes, captured_ms=received_ms)
    return Message(frame.data, received_ms, provenance, backfill=True)


def chosen_of(sources: Mapping[str, Source], name: Any) -> dict[str, Source]:
    """The source that was named, or all of them; `Problem` (64) lists those there are."""
    if name is None:
        return dict(sources)
    if name not in sources:
        raise Problem(f"There is no source `{name}`.", f"There are: {', '.join(sources)}.", 64)
    return {name: sources[name]}


def facility_of(name: str) -> str:
    """A facility's name; `Problem` (64) when it cannot be one."""
    if not is_facility(name):
        raise Problem(f"`{name}` is no facility.", "Lower-case letters, digits and `_` make its name.", 64)
    return name


def zone_of(text: Any) -> int | None:
    """`--zone` in seconds east of UTC."""
    try:
        return None if text is None else offset_s(str(text))
    except ClockError as error:
        raise Problem(f"--zone: {error}.", "Write it like -08:00.", 64) from error


def time_of(text: Any) -> int:
    """`--received` in unix ms."""
    try:
        return iso_ms(str(text))
    except ClockError as error:
        raise Problem(f"--received: {error}.", "Write it like 2026-03-04T19:20:05Z.", 64) from error


def bytes_of(file: Path) -> bytes:
    """A file's bytes, or standard input's for `-`; `Problem` (66) when it cannot be read."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror}.", "", 66) from error
