"""Records of one partition -> what is to be asked of Elasticsearch for them. The hottest loop.

Plain lines become actions at once. Everything else goes the general way and is remembered as `DecodedRecord`: what
became of it must be told record by record. The manifest of a file is ignored as a message, and remembered as what it
says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingest.core.bulk import BulkAction, index
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import Read, RecordContext, Write
from ingest.core.decode.fast_routing import OriginRoute, OriginRoutes
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.model import Document, Message, Outcomes, Provenance, Reject
from ingest.core.records import dead_letter, positions
from ingest.core.records.decoded import DecodedBatch, DecodedRecord
from ingest.core.records.headers import (
    MANIFEST,
    REPLAY_OF,
    STORED,
    manifest_role,
    message,
    offset_text,
    origin,
    stored_in,
)
from ingest.core.records.reread import RereadJudge
from ingest.core.replay.stored_line import StoredLine, version_of_document
from ingest.core.tracking.file_state import FileKey, FileUpdate
from ingest.core.tracking.manifest import END, read_as
from ingest.core.tracking.watermark import WriterKey

Short = tuple[Read, Write]


class RecordDecoder:
    """Reads the records of one intake."""

    def __init__(self, flow: Decoder, typed: bool = True) -> None:
        """Bind the flow. Typed marks are kept only where something is derived from them: they cost memory."""
        self.flow = flow
        self._typed = typed
        self._follows = typed and flow.intake.gaps
        self._ways = OriginRoutes(flow)
        self._again = RereadJudge(flow)

    def read(self, records: Sequence[ConsumerRecord], ingested_ms: int) -> DecodedBatch:
        """Read all of them; they are of one partition. `ingested_ms` (unix ms) is written down and decides nothing."""
        found = DecodedBatch()
        for start, end in _segments(records):
            self._stretch(records, range(start, end), ingested_ms, found)
        return found

    def read_again(self, records: Sequence[ConsumerRecord], lines: Sequence[StoredLine]) -> DecodedBatch:
        """What a worker will make of stored lines; `lines` is what their records tell."""
        found = DecodedBatch()
        for start, end in _segments(records):
            self._stored(records, range(start, end), lines[start:end], 0, found)
        return found

    def _stretch(
        self, records: Sequence[ConsumerRecord], numbers: range, ingested_ms: int, found: DecodedBatch
    ) -> None:
        """Records with the same headers but for the last: they have one origin, hence one way."""
        first = records[numbers.start]
        told, backfill = origin(first)
        if first.tail is not None and first.tail[0] == STORED:
            self._stored(records, numbers, [stored_in(records[n]) for n in numbers], ingested_ms, found)
            return
        with_offset = offset_text(first.tail) is not None
        heads = dict(first.head)
        plain_tail = (with_offset or first.tail is None) and REPLAY_OF not in heads and MANIFEST not in heads
        way = self._ways.way(told, len(numbers)) if plain_tail else None
        if way is None or way.read is None:
            for n in numbers:
                self._generally(n, records[n], ingested_ms, found)
        else:
            topic, number = first.partition
            self._shortly(way, records, numbers, RecordContext(f"{topic}/{number}/", backfill, ingested_ms), found)
        found.stretches.append((len(found.actions), backfill))
        if self._follows and MANIFEST not in heads:
            self._place(records, numbers, told if with_offset else origin(first._replace(tail=None))[0], found)

    def _place(self, records: Sequence[ConsumerRecord], numbers: range, told: Provenance, found: DecodedBatch) -> None:
        """Which bytes of which files these records are, as they came or as their wrapper says.

        `told` is what their common headers tell.
        """
        facts = positions.DecodedFacts(found.owners, found.facts)
        if self.flow.unwrapped and told.path:
            self._news(told, found).hear(positions.of_records(records, numbers, facts))
        elif not self.flow.unwrapped:
            inner = {n: it for n in numbers if n in found.special and (it := found.special[n].outcomes.inner)}
            for of, piece in positions.of_wrapped(records, inner, facts):
                self._news(of.provenance, found).hear([piece])

    def _news(self, told: Provenance, found: DecodedBatch) -> FileUpdate:
        """What is told of the file that a record is of."""
        intake = self.flow.intake
        key = FileKey(intake.facility, intake.topic, told.host or "", told.path or "", told.generation or "")
        return found.files.setdefault(key, FileUpdate())

    def _shortly(
        self,
        way: OriginRoute,
        records: Sequence[ConsumerRecord],
        numbers: range,
        place: RecordContext,
        found: DecodedBatch,
    ) -> None:
        """By the short way of their origin."""
        with_offset = records[numbers.start].tail is not None
        read, write = way.read, way.write(place)
        add, own, know = found.actions.append, found.owners.append, found.facts.append
        assert read is not None  # noqa: S101 - who has asked for the way knows it
        typed = self._typed
        for n in numbers:
            _, at, time_ms, _, data, _, tail = received = records[n]
            offset = offset_text(tail) if with_offset else "" if tail is None else None
            mark = read(data) if data is not None and offset is not None else None
            action = write(mark, data, time_ms, offset, at) if mark is not None else None  # type: ignore[arg-type]
            if action is None:
                self._generally(n, received, place.ingested_ms, found)
            else:
                add(action)
                own(n)
                if typed:
                    know(mark)  # type: ignore[arg-type]  # there is no action without

    def _stored(
        self,
        records: Sequence[ConsumerRecord],
        numbers: range,
        lines: Sequence[StoredLine | None],
        ingested_ms: int,
        found: DecodedBatch,
    ) -> None:
        """Stored lines of one origin that are read again: by its short way where there is one."""
        first = records[numbers.start]
        with_offset = lines[0] is not None and lines[0].offset_bytes is not None
        told = replace(origin(first)[0], offset_bytes=0 if with_offset else None)
        way = self._ways.way(told, len(numbers), bare=True)
        topic, partition = first.partition
        place = RecordContext(f"{topic}/{partition}/", True, ingested_ms)
        short = (way.read, way.write(place)) if way.read else None
        for n, line in zip(numbers, lines, strict=True):
            is_like = line is not None and not line.glued and (line.offset_bytes is not None) == with_offset
            if not (is_like and line and short and self._shortly_again(n, records[n], line, short, found)):
                self._generally(n, records[n], ingested_ms, found)
        found.stretches.append((len(found.actions), None))

    def _shortly_again(
        self, n: int, received: ConsumerRecord, line: StoredLine, short: Short, found: DecodedBatch
    ) -> bool:
        """Whether a stored line is a plain one; then it was read."""
        read, write = short
        mark = read(received.value) if received.value is not None else None
        if mark is None or received.value is None:
            return False
        offset = "" if line.offset_bytes is None else str(line.offset_bytes)
        action = write(mark, received.value, line.created_ms, offset, received.offset)
        if action is None:
            return False
        found.actions.append(action)
        found.owners.append(n)
        if self._typed:
            found.facts.append(mark)
        self._again.judge_plain(n, mark, line, found)
        return True

    def _generally(self, n: int, received: ConsumerRecord, ingested_ms: int, found: DecodedBatch) -> None:
        told = message(received)
        role = manifest_role(received)
        outcomes = self._said(role, told, found) if role else self._outcomes(received, told, ingested_ms, found)
        refused = [(dead_letter.READ_STAGE, reject) for reject in outcomes.rejects]
        found.special[n] = DecodedRecord(told, outcomes, refused)
        for document in outcomes.documents:
            found.actions.append(_action(document))
            found.owners.append(n)
            if self._typed:
                found.facts.append(document)
        line = stored_in(received)
        if line is not None and not _is_fault(outcomes):
            self._again.judge(
                n, [version_of_document(d.index, d.id, d.version, d.body) for d in outcomes.documents], line, found
            )

    def _said(self, role: str, told: Message, found: DecodedBatch) -> Outcomes:
        """A manifest: what it says of its file, and that the writer of the file has ended."""
        said, outcomes = read_as(told, role)
        if said is not None and self._follows:
            self._news(told.provenance, found).say(role, said)
        if said is not None and role == END:
            host, path = told.provenance.host or "", told.provenance.path or ""
            for source in self.flow.marking:
                writer = WriterKey(self.flow.intake.facility, source, host, path, told.backfill)
                found.ends[writer] = max(found.ends.get(writer, 0), said.record_ms)
        return outcomes

    def _outcomes(self, received: ConsumerRecord, told: Message, ingested_ms: int, found: DecodedBatch) -> Outcomes:
        """A fault of our own costs one record its reading, and not the worker its life again and again."""
        try:
            return self.flow.outcomes(told, ingested_ms)
        except Exception as error:
            found.faults.append((received.coordinates, error))
            return Outcomes(rejects=(Reject("fault", f"perflog failed on it: {error!r}", told.data),))


def _is_fault(outcomes: Outcomes) -> bool:
    return any(reject.reason == "fault" for reject in outcomes.rejects)


def _segments(records: Sequence[ConsumerRecord]) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of records that follow one another and share the object of their first headers."""
    start = 0
    for n, received in enumerate(records):
        if received.head is not records[start].head:
            yield start, n
            start = n
    if records:
        yield start, len(records)


def _action(document: Document) -> BulkAction:
    return index(document.index, document.id, document.version, document.json)
