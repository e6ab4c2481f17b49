"""Where records lie in their files, as pieces: in the hot loop, so messages that follow one another are one at once.

Counts whatever was received: also what was refused, and what is not ours to read. Pure.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ingest.core.decode.fast_path import Fact
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.model import Document, Message
from ingest.core.records.headers import MAX_NUMBER, offset_in
from ingest.core.timestamps import iso_ms
from ingest.core.tracking.byte_ranges import SLACK_BYTES, ByteRange, Instant


class ByteSpan(NamedTuple):
    """Messages that follow one another in their file: its bytes, and the numbers of the first and last record."""

    start: int
    stop: int
    first: int
    last: int


class DecodedFacts(NamedTuple):
    """What records became: the facts, and for each the number of its record, ascending."""

    owners: Sequence[int]
    facts: Sequence[Fact]


def of_records(records: Sequence[ConsumerRecord], numbers: range, facts: DecodedFacts) -> list[ByteRange]:
    """The pieces of records whose last header says where they lie; those that say nothing are passed over."""
    return [_piece(row, records, facts, lambda n: offset_in(records[n].tail)) for row in spans(records, numbers)]


def spans(records: Sequence[ConsumerRecord], numbers: range) -> list[ByteSpan]:
    """Records whose last header says where they lie, joined where they follow one another, or come again."""
    found = []
    start, before, stop, first, last = -1, -1, -1, 0, 0
    for n in numbers:
        received = records[n]
        at = offset_in(received[6])
        if at is None:
            continue
        if at != stop and (start < 0 or not before <= at <= stop + SLACK_BYTES):
            if start >= 0:
                found.append(ByteSpan(start, stop, first, last))
            start, first, stop = at, n, at
        before, behind = at, at + len(received[4] or b"") + 1
        if behind > stop:
            stop, last = behind, n
    if start >= 0:
        found.append(ByteSpan(start, stop, first, last))
    return [row for row in found if row.stop < MAX_NUMBER]


def of_wrapped(
    records: Sequence[ConsumerRecord], messages: Mapping[int, Message], facts: DecodedFacts
) -> Iterator[tuple[Message, ByteRange]]:
    """A piece for each message (by the number of its record) whose wrapper says where it lies."""
    for n, message in messages.items():
        at = message.provenance.offset_bytes
        if at is not None and (stop := at + len(message.data) + 1) < MAX_NUMBER:
            row = ByteSpan(at, stop, n, n)
            yield message, _piece(row, records, facts, lambda _, at=at: at)  # type: ignore[misc]


def _piece(
    row: ByteSpan, records: Sequence[ConsumerRecord], facts: DecodedFacts, offset_of: Callable[[int], int | None]
) -> ByteRange:
    owners = facts.owners
    low, high = bisect_left(owners, row.first), bisect_right(owners, row.last)
    opening = _placed(owners, range(low, high), offset_of)
    closing = _placed(owners, range(high - 1, low - 1, -1), offset_of)
    first = last = None
    if opening and closing:
        (start, at), (end, behind) = opening, closing
        first = Instant(at, min(map(_ms, facts.facts[start : bisect_right(owners, owners[start], start)])))
        last = Instant(behind, max(map(_ms, facts.facts[bisect_left(owners, owners[end], start) : end + 1])))
    return ByteRange(row.start, row.stop, records[row.first].time_ms, records[row.last].time_ms, first, last)


def _placed(
    owners: Sequence[int], numbers: Iterable[int], offset_of: Callable[[int], int | None]
) -> tuple[int, int] | None:
    """The first of these facts whose record says its place, and that: others may stand between records of a row."""
    for n in numbers:
        at = offset_of(owners[n])
        if at is not None:
            return n, at
    return None


def _ms(fact: Fact) -> int:
    """When it happened (unix ms)."""
    return iso_ms(fact.body["@timestamp"]) if isinstance(fact, Document) else fact.at_ms
