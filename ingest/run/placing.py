"""Where records lie in their files, as pieces: in the hot loop, so messages that follow one another are one at once.

Counts whatever was received: also what was refused, and what is not ours to read. Pure.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ingest.core.clock import iso_ms
from ingest.core.gathering import Fact
from ingest.core.model import Document, Message
from ingest.core.ranges import SLACK_BYTES, Instant, Piece
from ingest.edge.ports import Received
from ingest.run.headers import MAX_NUMBER, OFFSET


class Row(NamedTuple):
    """Messages that follow one another in their file: its bytes, and the numbers of the first and last record."""

    start: int
    stop: int
    first: int
    last: int


class Facts(NamedTuple):
    """What records became: the facts, and for each the number of its record, ascending."""

    owners: Sequence[int]
    facts: Sequence[Fact]


def bare(records: Sequence[Received], numbers: range, facts: Facts) -> list[Piece]:
    """The pieces of records whose last header says where they lie; those that say nothing are passed over."""
    return [_piece(row, records, facts, lambda n: _offset(records[n])) for row in rows(records, numbers)]


def rows(records: Sequence[Received], numbers: range) -> list[Row]:
    """Records whose last header says where they lie, joined where they follow one another, or come again."""
    found = []
    start, before, stop, first, last = -1, -1, -1, 0, 0
    name = OFFSET
    for n in numbers:
        received = records[n]
        tail = received[6]
        if tail is None or tail[0] != name:
            continue
        try:
            at = int(tail[1])
        except ValueError:
            continue
        if at != stop and (start < 0 or not before <= at <= stop + SLACK_BYTES):
            if start >= 0:
                found.append(Row(start, stop, first, last))
            start, first, stop = at, n, at
        before, behind = at, at + len(received[4] or b"") + 1
        if behind > stop:
            stop, last = behind, n
    if start >= 0:
        found.append(Row(start, stop, first, last))
    return [row for row in found if row.stop < MAX_NUMBER]


def wrapped(
    records: Sequence[Received], messages: Mapping[int, Message], facts: Facts
) -> Iterator[tuple[Message, Piece]]:
    """A piece for each message (by the number of its record) whose wrapper says where it lies."""
    for n, message in messages.items():
        at = message.provenance.offset_bytes
        if at is not None:
            row = Row(at, at + len(message.data) + 1, n, n)
            yield message, _piece(row, records, facts, lambda _, at=at: at)  # type: ignore[misc]


def _piece(row: Row, records: Sequence[Received], facts: Facts, offset_of: Callable[[int], int]) -> Piece:
    low, high = bisect_left(facts.owners, row.first), bisect_right(facts.owners, row.last)
    first = last = None
    if low < high:
        opening, closing = facts.owners[low], facts.owners[high - 1]
        until, since = bisect_right(facts.owners, opening, low), bisect_left(facts.owners, closing, low)
        first = Instant(offset_of(opening), min(map(_ms, facts.facts[low:until])))
        last = Instant(offset_of(closing), max(map(_ms, facts.facts[since:high])))
    return Piece(row.start, row.stop, records[row.first].time_ms, records[row.last].time_ms, first, last)


def _offset(received: Received) -> int:
    return int(received.tail[1]) if received.tail else 0


def _ms(fact: Fact) -> int:
    """When it happened (unix ms)."""
    return iso_ms(fact.body["@timestamp"]) if isinstance(fact, Document) else fact.at_ms
