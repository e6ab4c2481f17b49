"""Which bytes of a file were received, as contiguous ranges, and the holes between them.

A message whose offset is known covers its own bytes and the newline behind them. Ranges that touch or overlap are
merged; so are two ranges with a single byte between them, since a forwarder may have removed a CR or skipped a blank
line. A merged range depends only on the set of messages in it: the same messages give the same ranges in any order,
split in any way, and repeated.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

SLACK_BYTES = 1  # between two messages: a removed CR, or a blank line


class Instant(NamedTuple):
    """The time of an event (unix ms), according to the message at `offset` in the file."""

    offset: int
    ms: int


class ByteRange(NamedTuple):
    """A range of received bytes, from `start` (inclusive) to `stop` (exclusive).

    Attributes:
        start_ms, stop_ms: record time of the message that begins the range, and of the one that ends it (unix ms).
        first, last: the first and the last instant read in it; None if it contains no fact.
    """

    start: int
    stop: int
    start_ms: int
    stop_ms: int
    first: Instant | None = None
    last: Instant | None = None


class MissingRange(NamedTuple):
    """A range of missing bytes, from `start` to before `stop`, and the received ranges around it; None at an end."""

    start: int
    stop: int
    before: ByteRange | None = None
    after: ByteRange | None = None

    @property
    def size_bytes(self) -> int:
        """The number of missing bytes."""
        return self.stop - self.start


def merge_ranges(byte_ranges: Iterable[ByteRange]) -> tuple[ByteRange, ...]:
    """The ranges in order, merged if there is no hole between them."""
    merged: list[ByteRange] = []
    for byte_range in sorted(byte_ranges, key=_bounds):
        if merged and byte_range.start - merged[-1].stop <= SLACK_BYTES:
            merged[-1] = _joined(merged[-1], byte_range)
        else:
            merged.append(byte_range)
    return tuple(merged)


def _bounds(byte_range: ByteRange) -> tuple[int, int]:
    return byte_range.start, byte_range.stop


def _joined(one: ByteRange, other: ByteRange) -> ByteRange:
    """Merge two ranges without a hole between them; `one` begins no later."""
    start_ms = min(one.start_ms, other.start_ms) if one.start == other.start else one.start_ms
    longer = one if one.stop > other.stop else other
    stop_ms = min(one.stop_ms, other.stop_ms) if one.stop == other.stop else longer.stop_ms
    firsts = [part.first for part in (one, other) if part.first]
    lasts = [part.last for part in (one, other) if part.last]
    return ByteRange(one.start, longer.stop, start_ms, stop_ms, min(firsts, default=None), max(lasts, default=None))


def holes(byte_ranges: Sequence[ByteRange], size_bytes: int | None) -> Iterator[MissingRange]:
    """The missing ranges between merged ranges; if the file's size is known, also those at its beginning and end."""
    before: ByteRange | None = None
    for byte_range in byte_ranges:
        if before is not None:
            yield MissingRange(before.stop, byte_range.start, before, byte_range)
        elif size_bytes is not None and byte_range.start > SLACK_BYTES:
            yield MissingRange(0, byte_range.start, None, byte_range)
        before = byte_range
    reached = before.stop if before else 0
    if size_bytes is not None and size_bytes - reached > SLACK_BYTES:
        yield MissingRange(reached, size_bytes, before, None)


def subtract(start: int, stop: int, taken: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts from `start` to before `stop` that are in none of the ranges `taken`, which may be in any order."""
    for taken_start, taken_stop in sorted(taken):
        if taken_start > start and min(taken_start, stop) > start:
            yield start, min(taken_start, stop)
        start = max(start, taken_stop)
        if start >= stop:
            return
    yield start, stop
