"""Finds which byte ranges of which files the records cover; consecutive messages are joined in the hot loop.

All received records count, including rejected ones and lines that are not for perflog.
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
    """Consecutive messages of a file: their bytes, and the numbers of the first and last record."""

    start: int
    stop: int
    first: int
    last: int


class DecodedFacts(NamedTuple):
    """The facts made from records, and for each fact the number of its record, in ascending order."""

    owners: Sequence[int]
    facts: Sequence[Fact]


def of_records(records: Sequence[ConsumerRecord], numbers: range, facts: DecodedFacts) -> list[ByteRange]:
    """Return the byte ranges of records whose last header has an offset; records without one are skipped."""
    return [_byte_range(span, records, facts, lambda n: offset_in(records[n].tail)) for span in spans(records, numbers)]


def spans(records: Sequence[ConsumerRecord], numbers: range) -> list[ByteSpan]:
    """Return the spans of records whose last header has an offset; adjacent and repeated records are joined."""
    joined = []
    start, before, stop, first, last = -1, -1, -1, 0, 0
    for n in numbers:
        _, _, _, _, data, _, tail = records[n]  # at once: see core/bulk.py
        at = offset_in(tail)
        if at is None:
            continue
        if at != stop and (start < 0 or not before <= at <= stop + SLACK_BYTES):
            if start >= 0:
                joined.append(ByteSpan(start, stop, first, last))
            start, first, stop = at, n, at
        before, behind = at, at + len(data or b"") + 1
        if behind > stop:
            stop, last = behind, n
    if start >= 0:
        joined.append(ByteSpan(start, stop, first, last))
    return [span for span in joined if span.stop < MAX_NUMBER]


def of_wrapped(
    records: Sequence[ConsumerRecord], messages: Mapping[int, Message], facts: DecodedFacts
) -> Iterator[tuple[Message, ByteRange]]:
    """Yield the byte range of each message (by record number) whose wrapper states its offset."""
    for n, message in messages.items():
        at = message.provenance.offset_bytes
        if at is not None and (stop := at + len(message.data) + 1) < MAX_NUMBER:
            span = ByteSpan(at, stop, n, n)
            yield message, _byte_range(span, records, facts, lambda _, at=at: at)  # type: ignore[misc]


def _byte_range(
    span: ByteSpan, records: Sequence[ConsumerRecord], facts: DecodedFacts, offset_of: Callable[[int], int | None]
) -> ByteRange:
    owners = facts.owners
    low, high = bisect_left(owners, span.first), bisect_right(owners, span.last)
    opening = _placed(owners, range(low, high), offset_of)
    closing = _placed(owners, range(high - 1, low - 1, -1), offset_of)
    first = last = None
    if opening and closing:
        (start, at), (end, behind) = opening, closing
        first = Instant(at, min(map(_ms, facts.facts[start : bisect_right(owners, owners[start], start)])))
        last = Instant(behind, max(map(_ms, facts.facts[bisect_left(owners, owners[end], start) : end + 1])))
    return ByteRange(span.start, span.stop, records[span.first].time_ms, records[span.last].time_ms, first, last)


def _placed(
    owners: Sequence[int], numbers: Iterable[int], offset_of: Callable[[int], int | None]
) -> tuple[int, int] | None:
    """Return the first of these facts whose record states an offset, and that offset; others may state none."""
    for n in numbers:
        at = offset_of(owners[n])
        if at is not None:
            return n, at
    return None


def _ms(fact: Fact) -> int:
    """Return when the fact happened (unix ms)."""
    return iso_ms(fact.body["@timestamp"]) if isinstance(fact, Document) else fact.at_ms
