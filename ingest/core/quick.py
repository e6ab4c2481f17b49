"""The short way for plain lines: bytes -> typed mark -> the bytes of a bulk request.

Nearly all lines of a workflow differ from lines already seen in four things only: the value, the stamp, the run, and
where they came from. So the general way (parse, turn, table, functions, dictionary, JSON) reads the first line of each
script:line, stage and key, and what it made is kept as a template; the lines that follow are matched by the same
grammar, compiled with the stamp in one piece, and fill in the four. Nothing of the rules is written twice here: a
stamp, a template, a flag come from the general way. What is not plain (more pairs than one, a value out of bounds, a
character to escape, bytes that are not ASCII) is answered by None, and the general way does it. Tests hold the two
against each other.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

import orjson

from ingest.core.clock import EARLIEST_MS, MS_PER_DAY, ClockError, iso, iso_ms
from ingest.core.flow import Flow
from ingest.core.ids import begun, index_name, letters
from ingest.core.marks import iso_parts
from ingest.core.model import Document, Message, Outcomes, Provenance, Ready, Record
from ingest.core.parse import GrammarReader
from ingest.core.regular import NotRegular, PlainText
from ingest.core.sources import Source
from ingest.core.turn import lookup

LINES_BEFORE = 64  # of an origin go the general way before its short way is made
KEPT = 65_536  # entries of a cache; then it starts anew, so that memory stays bounded whatever the lines are
TEMPLATES = 8192  # of all origins together, some 5 KB each
ORIGINS = 4096
IDENTITY = ("facility", "bytes", "ordinal")
RUN, VALUE_DIGITS, CLOCK_DIGITS, SEPARATOR = "perf.run.id", 10, 8, ": "
LATE_MS = 253_370_764_800_000  # the year 9999: nothing that is learnt from lies ahead of it
# The leaves that differ from line to line, in the order in which a document's JSON holds them.
SLOTS = (
    "event.original", "event.created", "event.ingested", "log.offset", "provenance.kafka",
    RUN, "perf.mark.emit_lag_s", "perf.mark.logged", "@timestamp",
)  # fmt: skip
OPTIONAL = ("log.offset",)
QUOTED = {name for name in SLOTS if name not in {"log.offset", "perf.mark.emit_lag_s"}}
_ZERO = b"\0\0\0\x010"  # the last part of the identity: ordinal 0, preceded by its length


class Plain(NamedTuple):
    """What all plain lines of one script:line, stage, key and zone share: their fields, and the JSON between SLOTS."""

    fields: Mapping[str, Any]
    version: int
    pieces: tuple[str, ...]


class QuickMark(NamedTuple):
    """A plain line, read; times in unix ms. What else it says stands in `plain.fields`."""

    at_ms: int
    logged_ms: int
    run: str
    text: str
    plain: Plain


Written = tuple[str, str, int, str]
"""Index, id, version and JSON (ASCII) of a document."""


class Cache(dict[Any, Any]):
    """A dictionary that makes what it does not know, and starts anew when it is full."""

    def __init__(self, make: Callable[[Any], Any] | None = None, limit: int = KEPT) -> None:
        """`make` answers for a key that is not there; without it, asking for one is an error."""
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, key: Any) -> Any:
        if self._make is None:
            raise KeyError(key)
        self.keep(key, self._make(key))
        return self[key]

    def keep(self, key: Any, value: Any) -> None:
        """Remember, forgetting all before when there is no room."""
        if len(self) >= self._limit:
            self.clear()
        self[key] = value


class Kept:
    """What all origins of a flow share, so that memory is bounded once: stamps, times, and all templates."""

    __slots__ = ("clocks", "dates", "isos", "origins", "plains", "stamps")

    def __init__(self) -> None:
        self.stamps = Cache()  # stamp -> (when it was printed in ms, zone)
        self.dates = Cache()  # (before, behind the clock) -> (midnight in ms, zone)
        self.clocks = Cache(_clock_ms)
        self.isos = Cache(iso)
        self.plains = Cache(limit=TEMPLATES)  # (origin, zone, text before the run, text between run and value) -> Plain
        self.origins = count()


class Quick:
    """The short way through a flow for lines of one origin (host and path, which the templates hold)."""

    def __init__(self, flow: Flow, source: Source, origin: Provenance, kept: Kept | None = None) -> None:
        """Compile the plain expressions. Raises NotRegular when lines of this source are never plain."""
        self._flow, self._source, self._kept = flow, source, kept or Kept()
        self._number = next(self._kept.origins)
        self._origin = replace(origin, kafka="topic/0/0")
        self._text = _plain_text(source)
        self._indices = Cache(self._index)
        self._id_head = begun(flow.intake.facility.encode())

    def reader(self) -> Callable[[bytes], QuickMark | None]:
        """A function that reads one line: a typed mark, or None when the line is not plain."""
        stamp = self._source.stamp
        assert stamp is not None  # noqa: S101 - there is no plain text without
        low_ms, high_ms = stamp.earliest_lag_s * 1000, stamp.latest_lag_s * 1000
        known_stamp, stamp_of, learn, new = self._kept.stamps.get, self._stamp_of, self._learn, tuple.__new__
        match, known_plain, number = self._text.rest.fullmatch, self._kept.plains.get, self._number

        def read(data: bytes) -> QuickMark | None:
            try:
                text = data.decode("ascii")
            except UnicodeDecodeError:
                return None
            at = text.find(SEPARATOR)
            known = known_stamp(text[:at]) or stamp_of(text[:at])
            if known is None:
                return learn(data, text)
            found = match(text, at + 2)
            if found is None:
                return None
            before, run, between, value = found.groups()
            plain = known_plain((number, known[1], before, between))
            if plain is None:
                return learn(data, text)
            if len(value) != VALUE_DIGITS or not value.isdecimal():
                return None
            at_ms = int(value) * 1000
            if low_ms <= known[0] - at_ms <= high_ms and at_ms >= EARLIEST_MS:
                return new(QuickMark, (at_ms, known[0], run, text, plain))
            return None

        return read

    def writer(self, ingested_ms: int) -> Callable[[QuickMark, Message], Written | None]:
        """A function that makes a mark of a message the document it is; None when it is not plain.

        All messages come from Kafka, with the origin's host and path, and an offset where the origin has one.
        """
        isos, indices, id_head, text_of = self._kept.isos, self._indices, self._id_head, letters
        max_age_ms = self._flow.intake.max_age_days * MS_PER_DAY
        ingested, has_offset = isos[ingested_ms], self._origin.offset_bytes is not None

        def write(mark: QuickMark, message: Message) -> Written | None:
            at_ms, logged_ms, run, text, plain = mark
            received_ms, provenance = message.record_time_ms, message.provenance
            ahead_ms = at_ms - received_ms
            if ahead_ms > MS_PER_DAY or (ahead_ms < -max_age_ms and not message.backfill) or '"' in run or "\\" in run:
                return None
            data = message.data
            digest = id_head.copy()
            digest.update(len(data).to_bytes(4, "big") + data + _ZERO)
            lag_ms = logged_ms - at_ms
            lag = lag_ms / 1000 if lag_ms % 1000 else lag_ms // 1000
            offset = provenance.offset_bytes if has_offset else ""
            a, b, c, d, e, f, g, h, i, j = plain.pieces
            json = (
                f"{a}{text}{b}{isos[received_ms]}{c}{ingested}{d}{offset}{e}{provenance.kafka}{f}{run}{g}{lag}"
                f"{h}{isos[logged_ms]}{i}{isos[at_ms]}{j}"
            )
            return indices[at_ms // MS_PER_DAY], text_of(digest.digest()), plain.version, json

        return write

    def _index(self, day: int) -> str:
        kind = self._source.kind
        return index_name(kind, self._flow.intake.facility, self._flow.period(kind), day * MS_PER_DAY)

    def _learn(self, data: bytes, text: str) -> QuickMark | None:
        """Let the general way read the line; keep what it made of it unless it is something out of the ordinary."""
        head = self._text.head.match(text)
        rest = self._text.rest.fullmatch(text, head.end()) if head else None
        if head is None or rest is None or _escaped(data) or text[: head.end()] != head[1] + SEPARATOR:
            return None
        found = Flow.outcomes(self._flow, Message(data, LATE_MS, self._origin, backfill=True), LATE_MS)
        plain = self._plain_of(found)
        if plain is None:
            return None
        body = plain.fields
        at_ms, logged_ms = iso_ms(body["@timestamp"]), iso_ms(body["perf"]["mark"]["logged"])
        zone = body["event"].get("timezone")
        self._kept.plains.keep((self._number, zone, rest[1], rest[3]), plain)
        self._kept.stamps.keep(head[1], (logged_ms, zone))
        self._learn_day(head[1], data, logged_ms, zone)
        return QuickMark(at_ms, logged_ms, rest[2], text, plain)

    def _learn_day(self, head: str, data: bytes, logged_ms: int, zone: str | None) -> None:
        """What a stamp tells of all stamps that differ in their clock only.

        Not where AM and PM are told apart, and not on the day on which its zone's abbreviation changes.
        """
        found = self._text.clock.fullmatch(head)
        record = self._source.reader.read(data)
        half = self._source.stamp.parts.get("half") if self._source.stamp else None
        if found and found.lastindex and isinstance(record, Record) and half not in record.values:
            start, end = found.span(found.lastindex)
            midnight_ms = logged_ms - self._kept.clocks[head[start:end]] if end - start == CLOCK_DIGITS else None
            if midnight_ms is not None and not self._changes(zone, midnight_ms):
                self._kept.dates.keep((head[:start], head[end:]), (midnight_ms, zone))

    def _changes(self, zone: str | None, midnight_ms: int) -> bool:
        """Whether some hour of the day that begins at `midnight_ms` is one at which the abbreviation is unexpected."""
        stamp = self._source.stamp
        if stamp is None or stamp.daylight is None or zone is None or zone not in stamp.zones:
            return False
        local_ms = midnight_ms + stamp.zones[zone] * 1000
        return any(stamp.daylight.unexpected(zone, local_ms + ms) for ms in (0, MS_PER_DAY - 1000))

    def _stamp_of(self, head: str) -> tuple[int, str | None] | None:
        """A stamp of a known day, or an ISO stamp with a zone: when it was printed, and its zone."""
        found = self._text.clock.fullmatch(head)
        if found is None:
            return None
        start, end = found.span(found.lastindex or 0)
        day = self._kept.dates.get((head[:start], head[end:])) if end - start == CLOCK_DIGITS else None
        zone = iso_parts(head)[1] if not found.lastindex else None
        try:
            if day:
                known = (day[0] + self._kept.clocks[head[start:end]], day[1])
            elif zone:
                known = (iso_ms(head), zone)
            else:
                return None
        except ClockError:
            return None
        self._kept.stamps.keep(head, known)
        return known

    def _plain_of(self, found: Outcomes) -> Plain | None:
        """The template of a line's only document, when nothing about it is peculiar to this one line."""
        if len(found.documents) != 1 or found.rejects:
            return None
        plain_flags = {flag.name for flag in self._source.flags}
        body = found.documents[0].body
        return _plain(found.documents[0]) if set(lookup(body, "perf.flags") or ()) <= plain_flags else None


def bulk_body(batch: Iterable[Written]) -> bytes:
    """The body of a bulk request: two lines a document. Neither ids nor index names hold a character to escape."""
    return "".join(
        [
            f'{{"index":{{"_index":"{index}","_id":"{doc_id}","version":{version},"version_type":"external"}}}}\n{json}\n'
            for index, doc_id, version, json in batch
        ]
    ).encode()


class _Way:
    """What is known of one origin: how many lines it sent, and the short way once it has sent enough."""

    __slots__ = ("lines", "made_ms", "quick", "read", "write")

    def __init__(self) -> None:
        self.lines = 0
        self.made_ms = -1
        self.quick: Quick | None = None
        self.read: Callable[[bytes], QuickMark | None] | None = None
        self.write: Callable[[QuickMark, Message], Written | None] | None = None

    def take(self, message: Message, ingested_ms: int) -> Ready | None:
        """The document of a plain line; None for any other, and while there is no short way."""
        if self.quick is None or self.read is None or message.provenance.kafka is None:
            return None
        if self.write is None or self.made_ms != ingested_ms:
            self.write, self.made_ms = self.quick.writer(ingested_ms), ingested_ms
        mark = self.read(message.data)
        written = self.write(mark, message) if mark else None
        return Ready(*written[:3], written[3].encode("ascii")) if written else None


class QuickFlow(Flow):
    """A flow that takes the short way where there is one: the same outcomes, sooner.

    Only where no wrapper has to come off and the first source has plain lines; and for an origin only once it has sent
    some, so that a thousand files of a few lines each are not all learnt for nothing.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        """As Flow."""
        super().__init__(*args, **named)
        self._ways = Cache(lambda _: _Way(), ORIGINS)
        self._kept = Kept()

    def outcomes(self, message: Message, ingested_ms: int) -> Outcomes:
        """See Flow.outcomes."""
        told = message.provenance
        way: _Way = self._ways[told.host, told.path, told.offset_bytes is None]
        way.lines += 1
        if way.lines == LINES_BEFORE and self._wrapper is None:
            way.quick = quick(self, self._sources[0], told, self._kept)
            way.read = way.quick.reader() if way.quick else None
        ready = way.take(message, ingested_ms)
        return Outcomes((ready,)) if ready is not None else super().outcomes(message, ingested_ms)


def quick(flow: Flow, source: Source, origin: Provenance, kept: Kept | None = None) -> Quick | None:
    """The short way, where the source has one."""
    try:
        return Quick(flow, source, origin, kept)
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


def _plain(document: Document) -> Plain | None:
    """The document's JSON cut at its moving leaves; None when it is not laid out as expected."""
    tree = orjson.loads(orjson.dumps(document.body))
    for number, name in enumerate(SLOTS):
        *parents, leaf = name.split(".")
        level = lookup(tree, ".".join(parents)) if parents else tree
        if isinstance(level, dict) and leaf in level:
            level[leaf] = f"@@{number}@@"
        elif name not in OPTIONAL:
            return None
    return _cut(document, orjson.dumps(tree).decode())


def _cut(document: Document, text: str) -> Plain | None:
    pieces, rest = [], text
    for number, name in enumerate(SLOTS):
        before, marker, behind = rest.partition(f'"@@{number}@@"')
        if not marker and name not in OPTIONAL:
            return None
        quote = '"' if name in QUOTED else ""
        pieces.append(before + quote if marker else "")
        rest = quote + behind if marker else rest
    # One mark of the parts that were cut: a text that holds the marker itself, or characters to escape, is not plain.
    if "@@" in "".join(pieces) + rest or "\\" in text or not text.isascii():
        return None
    return Plain(document.body, document.version, (*pieces, rest))


def _clock_ms(text: str) -> int:
    """`21:39:37` -> milliseconds since midnight; a time that does not exist is left to the general way."""
    hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:])
    if hour > 23 or minute > 59 or second > 59:
        raise ClockError(text)
    return (hour * 3600 + minute * 60 + second) * 1000


def _escaped(data: bytes) -> bool:
    """Whether JSON escapes a character of the line, beside non-ASCII ones."""
    return b'"' in data or b"\\" in data or b"\t" in data
