"""Which bytes of a file were received: pieces without a hole in them, and the holes between. Pure.

A message that tells where it begins covers its bytes and the newline behind it. Pieces that touch or overlap are one;
so are two with a single byte between them, since a forwarder may have taken a CR off, or left a blank line out. What is
known of a piece follows from the set of messages in it alone: in any order, split in any way and repeated, the same
messages make the same pieces.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

SLACK_BYTES = 1  # between two messages: a CR that was taken off, or a blank line


class Instant(NamedTuple):
    """When something happened (unix ms), as the message at `offset` of the file says."""

    offset: int
    ms: int


class ByteRange(NamedTuple):
    """Bytes of a file that were received, from `start` up to before `stop`.

    Attributes:
        start_ms, stop_ms: record time of what begins the piece, and of what ends it (unix ms).
        first, last: the first and the last instant that was read in it; None where nothing was a fact.
    """

    start: int
    stop: int
    start_ms: int
    stop_ms: int
    first: Instant | None = None
    last: Instant | None = None


class MissingRange(NamedTuple):
    """Bytes that are missing, from `start` up to before `stop`, and the pieces around them; None at an end."""

    start: int
    stop: int
    before: ByteRange | None = None
    after: ByteRange | None = None

    @property
    def size_bytes(self) -> int:
        """How many."""
        return self.stop - self.start


def merge_ranges(pieces: Iterable[ByteRange]) -> tuple[ByteRange, ...]:
    """The pieces, in order, joined where no hole lies between them."""
    joined: list[ByteRange] = []
    for piece in sorted(pieces, key=_place):
        if joined and piece.start - joined[-1].stop <= SLACK_BYTES:
            joined[-1] = _joined(joined[-1], piece)
        else:
            joined.append(piece)
    return tuple(joined)


def _place(piece: ByteRange) -> tuple[int, int]:
    return piece.start, piece.stop


def _joined(one: ByteRange, other: ByteRange) -> ByteRange:
    """Both as one; `one` begins no later."""
    start_ms = min(one.start_ms, other.start_ms) if one.start == other.start else one.start_ms
    longer = one if one.stop > other.stop else other
    stop_ms = min(one.stop_ms, other.stop_ms) if one.stop == other.stop else longer.stop_ms
    firsts = [each.first for each in (one, other) if each.first]
    lasts = [each.last for each in (one, other) if each.last]
    return ByteRange(one.start, longer.stop, start_ms, stop_ms, min(firsts, default=None), max(lasts, default=None))


def holes(pieces: Sequence[ByteRange], size_bytes: int | None) -> Iterator[MissingRange]:
    """What is missing between united pieces; also ahead of them and behind them where the file's size is known."""
    before: ByteRange | None = None
    for piece in pieces:
        if before is not None:
            yield MissingRange(before.stop, piece.start, before, piece)
        elif size_bytes is not None and piece.start > SLACK_BYTES:
            yield MissingRange(0, piece.start, None, piece)
        before = piece
    reached = before.stop if before else 0
    if size_bytes is not None and size_bytes - reached > SLACK_BYTES:
        yield MissingRange(reached, size_bytes, before, None)


def subtract(start: int, stop: int, taken: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts from `start` up to before `stop` that lie in none of the ranges `taken`, which are in any order."""
    for first, behind in sorted(taken):
        if first > start and min(first, stop) > start:
            yield start, min(first, stop)
        start = max(start, behind)
        if start >= stop:
            return
    yield start, stop
