"""Files that are shipped: their bytes as messages, untouched but for the newline that ends a line. Reads only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, BinaryIO

from ingest.core.model import Problem
from ingest.core.sources.framing import LINE_ENDINGS

LINE = "line"
FILE = "file"
NO_INPUT = 66
NOTHING_SENT = "Nothing was sent."
PARTLY_SENT = "What was sent before stays sent; ship the file again when it can be read."
HEAD_BYTES = 1024  # of the first line tell files apart that had the same name


@dataclass(frozen=True, slots=True)
class FileMessage:
    """A message of a file: where it begins, how long it is; `data` is None when it is longer than the limit."""

    offset_bytes: int
    size_bytes: int
    data: bytes | None


@dataclass(slots=True)
class ReadTally:
    """What was read of a file so far; a file that is read whole has no lines."""

    read_bytes: int = 0
    lines: int = 0
    _digest: Any = field(default_factory=sha256)

    def add(self, data: bytes) -> None:
        """The bytes that follow; no more than one line."""
        self._digest.update(data)
        self.read_bytes += len(data)

    @property
    def sha256(self) -> str:
        """The digest of what was read, in hexadecimal digits."""
        return str(self._digest.hexdigest())


def framing(path: Path, framings: Sequence[str], chosen: str | None) -> str:
    """`line` or `file`: as chosen, else by what the intake's sources read; .jsonl and .ndjson hold a message a line."""
    if chosen is not None:
        return chosen
    if path.suffix.lower() in LINE_ENDINGS:
        return LINE
    kinds = set(framings)
    if len(kinds) > 1:
        what = f"The intake's sources read lines as well as whole messages; what {path} holds is not known."
        raise Problem(what, "Say --framing line or --framing file.", 64)
    return LINE if kinds == {"line"} else FILE


def checked(paths: Sequence[Path], remedy: str = NOTHING_SENT) -> int:
    """The size of all of them in bytes; `Problem` (66) for the first that cannot be read, before anything is done."""
    size_bytes = 0
    for path in paths:
        try:
            with path.open("rb") as file:
                file.read(1)
            size_bytes += path.stat().st_size
        except OSError as error:
            raise Problem(f"{path} cannot be read: {error.strerror}.", remedy, NO_INPUT) from error
    return size_bytes


def modified_ms(path: Path) -> int:
    """When the file was last written (unix ms): the capture time of a message that says none itself."""
    return path.stat().st_mtime_ns // 1_000_000


def size_bytes(path: Path) -> int:
    """How large a file is now."""
    return path.stat().st_size


def generation(path: Path) -> str | None:
    """What tells a file apart from others of its name, however much is appended to it: a digest of its first line.

    None while it has none.
    """
    with path.open("rb") as file:
        head = file.readline(HEAD_BYTES)
    return blake2b(head, digest_size=8).hexdigest() if head else None


def pieces(
    path: Path, how: str, limit_bytes: int, remedy: str = PARTLY_SENT, tally: ReadTally | None = None
) -> Iterator[FileMessage]:
    """The messages of a file, tallied; memory is bounded by the limit. `Problem` (66) when reading fails on the way."""
    try:
        with path.open("rb") as file:
            yield from pieces_of(file, how, limit_bytes, tally)
    except OSError as error:
        raise Problem(f"{path} could not be read to its end: {error.strerror}.", remedy, NO_INPUT) from error


def pieces_of(file: BinaryIO, how: str, limit_bytes: int, tally: ReadTally | None = None) -> Iterator[FileMessage]:
    """The messages of an open file, likewise; standard input too, by lines."""
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
    offset = 0
    while line := file.readline(limit_bytes + 1):
        tally.add(line)
        tally.lines += 1
        data = line.removesuffix(b"\n")
        read_bytes = len(line)
        if len(data) > limit_bytes:
            read_bytes += _skipped_line(file, limit_bytes, tally)
            yield FileMessage(offset, read_bytes, None)
        else:
            yield FileMessage(offset, len(data), data)
        offset += read_bytes


def _skipped_line(file: BinaryIO, step_bytes: int, tally: ReadTally) -> int:
    """Read to the end of the line; how many bytes that were."""
    size_bytes = 0
    while rest := file.readline(step_bytes):
        tally.add(rest)
        size_bytes += len(rest)
        if rest.endswith(b"\n"):
            break
    return size_bytes
