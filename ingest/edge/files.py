"""Reads files to ship: their bytes become messages, unchanged except for the newline that ends a line. Reads only.

Lines of UTF-16 end at its newlines, of two bytes, and begin with the file's byte order mark, by which each is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, BinaryIO

from ingest.core.model import ExitCode, Problem
from ingest.core.sources import utf16
from ingest.core.sources.framing import LINE_ENDINGS

LINE = "line"
FILE = "file"
NOTHING_SENT = "Nothing was sent."
PARTLY_SENT = "What was sent before stays sent; ship the file again when it can be read."
HEAD_BYTES = 1024  # the first bytes of the first line tell apart files that had the same name


@dataclass(frozen=True, slots=True)
class FileMessage:
    """A message of a file: its offset and size; `data` is None if it is longer than the limit."""

    offset_bytes: int
    size_bytes: int
    data: bytes | None


@dataclass(slots=True)
class ReadTally:
    """Counts and hashes what was read of a file so far; a file that is read as one message has no lines."""

    read_bytes: int = 0
    lines: int = 0
    _digest: Any = field(default_factory=sha256)

    def add(self, data: bytes) -> None:
        """Add the bytes that follow; at most one line."""
        self._digest.update(data)
        self.read_bytes += len(data)

    @property
    def sha256(self) -> str:
        """The digest of the bytes read so far, in hexadecimal."""
        return str(self._digest.hexdigest())


def framing(path: Path, framings: Sequence[str], chosen: str | None) -> str:
    """Return `line` or `file`: as chosen, else as the intake's sources read; .jsonl and .ndjson are always `line`."""
    if chosen is not None:
        return chosen
    if path.suffix.lower() in LINE_ENDINGS:
        return LINE
    kinds = set(framings)
    if len(kinds) > 1:
        what = f"The intake's sources read lines as well as whole messages; what {path} holds is not known."
        raise Problem(what, "Say --framing line or --framing file.", ExitCode.USAGE)
    return LINE if kinds == {"line"} else FILE


def checked(paths: Sequence[Path], remedy: str = NOTHING_SENT) -> int:
    """Return the total size in bytes; `Problem` (66) for the first unreadable file, before anything is sent."""
    size_bytes = 0
    for path in paths:
        try:
            with path.open("rb") as file:
                file.read(1)
            size_bytes += path.stat().st_size
        except OSError as error:
            raise Problem(f"{path} cannot be read: {error.strerror}.", remedy, ExitCode.NO_INPUT) from error
    return size_bytes


def modified_ms(path: Path) -> int:
    """Return the file's modification time (unix ms): the capture time of messages that carry none."""
    return path.stat().st_mtime_ns // 1_000_000


def size_bytes(path: Path) -> int:
    """Return the file's current size in bytes."""
    return path.stat().st_size


def generation(path: Path) -> str | None:
    """Return a digest of the first line, which tells a file apart from others that had its name, even as it grows.

    None for an empty file.
    """
    with path.open("rb") as file:
        head = file.readline(HEAD_BYTES)
    return blake2b(head, digest_size=8).hexdigest() if head else None


def pieces(
    path: Path, how: str, limit_bytes: int, remedy: str = PARTLY_SENT, tally: ReadTally | None = None
) -> Iterator[FileMessage]:
    """Yield the messages of a file and tally them, in bounded memory; `Problem` (66) if reading fails midway."""
    try:
        with path.open("rb") as file:
            yield from pieces_of(file, how, limit_bytes, tally)
    except OSError as error:
        raise Problem(f"{path} could not be read to its end: {error.strerror}.", remedy, ExitCode.NO_INPUT) from error


def pieces_of(file: BinaryIO, how: str, limit_bytes: int, tally: ReadTally | None = None) -> Iterator[FileMessage]:
    """Yield the messages of an open file (or, by lines, of standard input), as `pieces` does."""
    tally = tally or ReadTally()
    return _lines(file, limit_bytes, tally) if how == LINE else _whole(file, limit_bytes, tally)


def _whole(file: BinaryIO, limit_bytes: int, tally: ReadTally) -> Iterator[FileMessage]:
    data = file.read(limit_bytes + 1)
    tally.add(data)
    if len(data) > limit_bytes:
        while more := file.read(limit_bytes):
            tally.add(more)
        yield FileMessage(0, tally.read_bytes, None)
    else:
        yield FileMessage(0, len(data), data)


def _lines(file: BinaryIO, limit_bytes: int, tally: ReadTally) -> Iterator[FileMessage]:
    """Yield lines without their newline; each line of UTF-16 begins with the file's byte order mark."""
    offset, mark, newline = 0, b"", b"\n"
    while line := file.readline(limit_bytes + 1):
        if offset == 0 and (mark := utf16.mark_of(line) or b""):
            newline = utf16.newline_of(mark)
        if mark:
            line = _whole_utf16_line(file, line, limit_bytes, newline)
        tally.add(line)
        tally.lines += 1
        data = line.removesuffix(newline)
        read_bytes = len(line)
        if len(data) > limit_bytes:
            read_bytes += _skipped_line(file, limit_bytes, tally, newline)
            yield FileMessage(offset, read_bytes, None)
        else:
            data = mark + data if mark and offset else data
            yield FileMessage(offset, len(data), data)
        offset += read_bytes


def _whole_utf16_line(file: BinaryIO, line: bytes, limit_bytes: int, newline: bytes) -> bytes:
    """Read on to the end of a line of UTF-16 whose beginning was read up to a newline byte, or to above the limit.

    Return whole characters, of two bytes.
    """
    while len(line) <= limit_bytes and line.endswith(b"\n"):
        line += file.read(len(line) % 2)
        if len(line) % 2 == 0 and line.endswith(newline):
            break
        rest = file.readline(limit_bytes + 1 - len(line)) if len(line) <= limit_bytes else b""
        if not rest:
            break
        line += rest
    return line + file.read(len(line) % 2)


def _skipped_line(file: BinaryIO, step_bytes: int, tally: ReadTally, newline: bytes) -> int:
    """Skip the rest of the line and return its length in bytes; a character has as many bytes as the newline."""
    size_bytes = 0
    while rest := file.readline(step_bytes):
        rest += file.read(len(rest) % len(newline))
        tally.add(rest)
        size_bytes += len(rest)
        if rest.endswith(newline):
            break
    return size_bytes
