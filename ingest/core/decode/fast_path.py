"""The fast path for plain lines: bytes -> typed mark -> the text of a bulk request.

Nearly all lines of a workflow differ from earlier lines in only four things: the value, the stamp, the run, and their
origin. So the slow path (parse, event, table, functions, dictionary, JSON) decodes the first line of each script:line,
stage and key, and its document is kept as a template. Later lines are matched by the same grammar, compiled with the
stamp as one group, and fill in the four. No rule is implemented twice: stamps, templates and flags all come from the
slow path. For a line that is not plain (more than one pair, a value out of bounds, a character to escape, non-ASCII
bytes) the fast path returns None and the slow path decodes it. Tests compare the output of both paths.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ingest.core.bulk import BulkAction, index_head, new_tuple
from ingest.core.cache import Cache
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_template import RUN, FastPathCaches, LineTemplate, line_template
from ingest.core.decode.workflow_lines import iso_parts
from ingest.core.ids import begun, letters
from ingest.core.lookup import lookup
from ingest.core.model import Document, Message, Outcomes, ParsedMessage, Provenance
from ingest.core.sources.convert import MAX_TEXT
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.regular import NotRegular, PlainText
from ingest.core.sources.source import Source
from ingest.core.timestamps import EARLIEST_MS, MS_PER_DAY, TimestampError, iso_ms

IDENTITY = ("facility", "bytes", "ordinal")
VALUE_DIGITS, CLOCK_DIGITS, SEPARATOR = 10, 8, ": "
LATE_MS = 253_370_764_800_000  # the year 9999: no line that a template is learnt from is later
_ZERO = b"\0\0\0\x010"  # the last part of the identity: ordinal 0, preceded by its length


class PlainMark(NamedTuple):
    """A plain line, decoded; times in unix ms. Its other fields are in `template.fields`."""

    at_ms: int
    logged_ms: int
    run: str
    text: str
    template: LineTemplate


class RecordContext(NamedTuple):
    """Where a record was read and what its shipper declared, as far as many records share it.

    Attributes:
        partition: `topic/partition/`, to which the record's offset is appended.
        backfill: the intake's age limit does not apply.
        ingested_ms: when the record is flushed (unix ms).
    """

    partition: str
    backfill: bool
    ingested_ms: int


Read = Callable[[bytes], PlainMark | None]
Write = Callable[[PlainMark, bytes, int, str, int], BulkAction | None]
"""(mark, the line, record time in unix ms, offset in its file, offset in its partition) -> the mark's action."""


class FastPath:
    """The fast path of a decoder for lines of one origin (host and path, which the templates contain)."""

    def __init__(
        self, decoder: Decoder, source: Source, origin: Provenance, caches: FastPathCaches | None = None
    ) -> None:
        """Compile the regular expressions. Raises NotRegular if no line of this source can be plain."""
        self._decoder, self._source, self._caches = decoder, source, caches or FastPathCaches()
        self._number = next(self._caches.origins)
        self._origin = replace(origin, kafka="topic/0/0")
        self._text = _plain_text(source)
        self._indices = Cache(self._index_of)
        self._id_head = begun(decoder.intake.facility.encode())

    def reader(self) -> Read:
        """Return a function that decodes one line into a typed mark, or None if the line is not plain."""
        stamp = self._source.stamp
        assert stamp is not None  # noqa: S101 - a source without a stamp has no plain text
        low_ms, high_ms = stamp.earliest_lag_s * 1000, stamp.latest_lag_s * 1000
        known_stamp, stamp_of, learn, new = self._caches.stamps.get, self._stamp_of, self._learn, new_tuple
        match, known_template, number = self._text.rest.fullmatch, self._caches.templates.get, self._number

        def read(data: bytes) -> PlainMark | None:
            try:
                text = data.decode("ascii")
            except UnicodeDecodeError:
                return None
            at = text.find(SEPARATOR)
            printed = known_stamp(text[:at]) or stamp_of(text[:at])
            if printed is None:
                return learn(data, text)
            matched = match(text, at + 2)
            if matched is None:
                return None
            before, run, between, value = matched.groups()
            template = known_template((number, printed[1], before, between))
            if template is None:
                return learn(data, text)
            if len(value) != VALUE_DIGITS or not value.isdecimal() or len(run) > MAX_TEXT:
                return None
            at_ms = int(value) * 1000
            if low_ms <= printed[0] - at_ms <= high_ms and at_ms >= EARLIEST_MS:
                return new(PlainMark, (at_ms, printed[0], run, text, template))
            return None

        return read

    def writer(self, context: RecordContext) -> Write:
        """Return a function that turns a mark and its line into a bulk action, or None if the line is not plain.

        All lines come from Kafka, with the origin's host and path, and with a file offset if the origin has one.
        """
        isos, indices, id_head, text_of, new = self._caches.isos, self._indices, self._id_head, letters, new_tuple
        latest_ms = MS_PER_DAY
        earliest_ms = -LATE_MS if context.backfill else -self._decoder.intake.max_age_days * MS_PER_DAY
        ingested, partition = isos[context.ingested_ms], context.partition

        def write(mark: PlainMark, data: bytes, received_ms: int, offset: str, number: int) -> BulkAction | None:
            at_ms, logged_ms, run, text, template = mark
            if not earliest_ms <= at_ms - received_ms <= latest_ms or '"' in run or "\\" in run:
                return None
            digest = id_head.copy()
            digest.update(len(data).to_bytes(4, "big") + data + _ZERO)
            doc_id = text_of(digest.digest())
            index, head = indices[at_ms // MS_PER_DAY]
            lag_ms = logged_ms - at_ms
            action = template.fill(
                head,
                doc_id,
                text,
                isos[received_ms],
                ingested,
                offset,
                partition,
                number,
                run,
                lag_ms / 1000 if lag_ms % 1000 else lag_ms // 1000,
                isos[logged_ms],
                isos[at_ms],
            )
            return new(BulkAction, (index, doc_id, action))

        return write

    def _index_of(self, day: int) -> tuple[str, str]:
        """Return the index of the marks of a day, and the text of their actions before the id."""
        index = self._decoder.index(self._source.kind, day * MS_PER_DAY)
        return index, index_head(index)

    def _learn(self, data: bytes, text: str) -> PlainMark | None:
        """Decode the line on the slow path and keep its template, unless the line is out of the ordinary."""
        head = self._text.head.match(text)
        rest = self._text.rest.fullmatch(text, head.end()) if head else None
        if head is None or rest is None or _escaped(data) or text[: head.end()] != head[1] + SEPARATOR:
            return None
        message = Message(data, LATE_MS, self._origin, backfill=True, bare=True)
        outcomes = self._decoder.decode(message, LATE_MS)
        template = self._template_of(outcomes)
        if template is None:
            return None
        body = template.fields
        at_ms, logged_ms = iso_ms(body["@timestamp"]), iso_ms(body["perf"]["mark"]["logged"])
        zone = body["event"].get("timezone")
        self._caches.templates.put((self._number, zone, rest[1], rest[3]), template)
        self._caches.stamps.put(head[1], (logged_ms, zone))
        self._learn_day(head[1], data, logged_ms, zone)
        return PlainMark(at_ms, logged_ms, rest[2], text, template)

    def _learn_day(self, head: str, data: bytes, logged_ms: int, zone: str | None) -> None:
        """Cache the midnight of a stamp's day, so that stamps differing only in their clock need no slow path.

        Skipped if the stamp has AM and PM, and on the day on which its zone's abbreviation changes.
        """
        clock = self._text.clock.fullmatch(head)
        record = self._source.reader.read(data)
        half = self._source.stamp.parts.get("half") if self._source.stamp else None
        if clock and clock.lastindex and isinstance(record, ParsedMessage) and half not in record.values:
            start, end = clock.span(clock.lastindex)
            midnight_ms = logged_ms - self._caches.clocks[head[start:end]] if end - start == CLOCK_DIGITS else None
            if midnight_ms is not None and not self._changes(zone, midnight_ms):
                self._caches.dates.put((head[:start], head[end:]), (midnight_ms, zone))

    def _changes(self, zone: str | None, midnight_ms: int) -> bool:
        """Whether the zone's abbreviation is unexpected at some hour of the day that begins at `midnight_ms`."""
        stamp = self._source.stamp
        if stamp is None or stamp.daylight is None or zone is None or zone not in stamp.zones:
            return False
        local_ms = midnight_ms + stamp.zones[zone] * 1000
        return any(stamp.daylight.unexpected(zone, local_ms + ms) for ms in (0, MS_PER_DAY - 1000))

    def _stamp_of(self, head: str) -> tuple[int, str | None] | None:
        """Read a stamp of a known day, or an ISO stamp with a zone: the time it was printed (ms), and its zone."""
        clock = self._text.clock.fullmatch(head)
        if clock is None:
            return None
        start, end = clock.span(clock.lastindex or 0)
        day = self._caches.dates.get((head[:start], head[end:])) if end - start == CLOCK_DIGITS else None
        zone = iso_parts(head)[1] if not clock.lastindex else None
        try:
            if day:
                printed = (day[0] + self._caches.clocks[head[start:end]], day[1])
            elif zone:
                printed = (iso_ms(head), zone)
            else:
                return None
        except TimestampError:
            return None
        self._caches.stamps.put(head, printed)
        return printed

    def _template_of(self, outcomes: Outcomes) -> LineTemplate | None:
        """The template of a line's only document, if nothing about it is peculiar to this one line."""
        if len(outcomes.documents) != 1 or outcomes.rejects:
            return None
        plain_flags = {flag.name for flag in self._source.flags}
        body = outcomes.documents[0].body
        return line_template(outcomes.documents[0]) if set(lookup(body, "perf.flags") or ()) <= plain_flags else None


def fast_path(
    decoder: Decoder, source: Source, origin: Provenance, caches: FastPathCaches | None = None
) -> FastPath | None:
    """Return the source's fast path, or None if it has none."""
    try:
        return FastPath(decoder, source, origin, caches)
    except NotRegular:
        return None


def _plain_text(source: Source) -> PlainText:
    stamp, marks, reader = source.stamp, source.marks, source.reader
    if not isinstance(reader, GrammarReader) or stamp is None or stamp.rule is None or marks is None:
        raise NotRegular("it has no grammar, no [mark], or no stamp that is a rule")
    if source.identity != IDENTITY or {name for name, _ in source.calls} - {"stage", "instant"}:
        raise NotRegular("its documents depend on more than their lines")
    run = [read.paths[0] for read in source.reads if read.field == RUN and len(read.paths) == 1]
    return reader.plain((stamp.rule, stamp.parts["clock"]), [*run, marks.value])


def _escaped(data: bytes) -> bool:
    """Whether JSON escapes an ASCII character of the line."""
    return b'"' in data or b"\\" in data or b"\t" in data


Fact = PlainMark | Document
