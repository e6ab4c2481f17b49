"""Decodes the records of one partition into bulk actions; the hottest loop.

Plain lines become actions on the fast path. All other records take the slow path and are kept as `DecodedRecord`,
because their outcomes are reported record by record. The manifest of a file makes no document; what it states is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ingest.core.bulk import index_document
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import Read, RecordContext, Write
from ingest.core.decode.fast_routing import OriginRoute, OriginRoutes
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.model import Message, Outcomes, Provenance, Reject
from ingest.core.records import dead_letter, positions
from ingest.core.records.decoded import DecodedBatch, DecodedRecord
from ingest.core.records.headers import (
    MANIFEST,
    REPLAY_OF,
    STORED,
    RecordHeaders,
    SharedHeaders,
    offset_text,
    parse,
    parse_line,
    parse_shared,
    with_line,
)
from ingest.core.records.reread import RereadJudge
from ingest.core.replay.stored_line import StoredLine, version_of_document
from ingest.core.tracking.file_state import FileKey, FileUpdate
from ingest.core.tracking.manifest import END, read_as
from ingest.core.tracking.watermark import WriterKey

FastFunctions = tuple[Read, Write]


class _Segment(NamedTuple):
    """Consecutive records that share the same `head` object: the numbers of some of `records`, and that head parsed."""

    records: Sequence[ConsumerRecord]
    numbers: range
    shared: SharedHeaders

    @property
    def first(self) -> ConsumerRecord:
        """The first record of the segment."""
        return self.records[self.numbers.start]


def _segments(records: Sequence[ConsumerRecord]) -> Iterator[_Segment]:
    start = 0
    for n, received in enumerate(records):
        if received.head is not records[start].head:
            yield _Segment(records, range(start, n), parse_shared(records[start].head))
            start = n
    if records:
        yield _Segment(records, range(start, len(records)), parse_shared(records[start].head))


class RecordDecoder:
    """Decodes the records of one intake."""

    def __init__(self, decoder: Decoder, typed: bool = True) -> None:
        """Bind the decoder; `typed` keeps the fact of each action, which deriving needs and which costs memory."""
        self.decoder = decoder
        self._typed = typed
        self._follows = typed and decoder.intake.gaps
        self._routes = OriginRoutes(decoder)
        self._judge = RereadJudge(decoder)

    def read(self, records: Sequence[ConsumerRecord], ingested_ms: int) -> DecodedBatch:
        """Decode records of one partition; `ingested_ms` (unix ms) is only written to the documents."""
        batch = DecodedBatch()
        for segment in _segments(records):
            self._decode_segment(segment, ingested_ms, batch)
        return batch

    def reread(self, records: Sequence[ConsumerRecord], lines: Sequence[StoredLine]) -> DecodedBatch:
        """Decode stored lines as a worker will when they are sent again; `lines` are their replay headers."""
        batch = DecodedBatch()
        for segment in _segments(records):
            self._reread_segment(segment, [lines[n] for n in segment.numbers], 0, batch)
        return batch

    def _decode_segment(self, segment: _Segment, ingested_ms: int, batch: DecodedBatch) -> None:
        records, numbers, shared = segment
        first = segment.first
        if first.tail is not None and first.tail[0] == STORED:
            lines = [parse_line(records[n], shared) for n in numbers]
            self._reread_segment(segment, lines, ingested_ms, batch)
            return
        headers = shared.with_last(first.tail)
        with_offset = offset_text(first.tail) is not None
        is_message = MANIFEST not in shared.values
        use_route = is_message and REPLAY_OF not in shared.values and (with_offset or first.tail is None)
        route = self._routes.route(headers.provenance, len(numbers)) if use_route else None
        if route is None or route.read is None:
            for n in numbers:
                self._decode_slowly(n, records[n], parse(records[n], shared), ingested_ms, batch)
        else:
            topic, number = first.partition
            context = RecordContext(f"{topic}/{number}/", headers.backfill, ingested_ms)
            self._decode_fast(route, segment, context, batch)
        batch.segments.append((len(batch.actions), headers.backfill))
        if self._follows and is_message:
            self._add_ranges(segment, (headers if with_offset else shared).provenance, batch)

    def _add_ranges(self, segment: _Segment, provenance: Provenance, batch: DecodedBatch) -> None:
        """Add the byte ranges of these records, from their headers or their wrappers, to their files.

        `provenance` is what their common headers state.
        """
        records, numbers, _ = segment
        facts = positions.DecodedFacts(batch.owners, batch.facts)
        if self.decoder.is_bare and provenance.path:
            self._file_update(provenance, batch).add_ranges(positions.of_records(records, numbers, facts))
        elif not self.decoder.is_bare:
            special = ((n, batch.special[n]) for n in numbers if n in batch.special)
            inner = {n: record.outcomes.inner for n, record in special if record.outcomes.inner}
            for inner_message, byte_range in positions.of_wrapped(records, inner, facts):
                self._file_update(inner_message.provenance, batch).add_ranges([byte_range])

    def _file_update(self, provenance: Provenance, batch: DecodedBatch) -> FileUpdate:
        """Return the update of the file that a record belongs to."""
        intake = self.decoder.intake
        key = FileKey(
            intake.facility,
            intake.topic,
            provenance.host or "",
            provenance.path or "",
            provenance.generation or "",
        )
        return batch.files.setdefault(key, FileUpdate())

    def _decode_fast(self, route: OriginRoute, segment: _Segment, context: RecordContext, batch: DecodedBatch) -> None:
        """Decode records on the fast path of their origin."""
        records, numbers, shared = segment
        with_offset = segment.first.tail is not None
        read, write = route.read, route.write(context)
        add_action, add_owner, add_fact = batch.actions.append, batch.owners.append, batch.facts.append
        assert read is not None  # noqa: S101 - only called if the route can read
        typed = self._typed
        for n in numbers:
            _, at, time_ms, _, data, _, tail = received = records[n]  # at once: see core/bulk.py
            offset = offset_text(tail) if with_offset else "" if tail is None else None
            mark = read(data) if data is not None and offset is not None else None
            action = write(mark, data, time_ms, offset, at) if mark is not None else None  # type: ignore[arg-type]
            if action is None:
                self._decode_slowly(n, received, parse(received, shared), context.ingested_ms, batch)
            else:
                add_action(action)
                add_owner(n)
                if typed:
                    add_fact(mark)  # type: ignore[arg-type]  # an action always has a mark

    def _reread_segment(
        self, segment: _Segment, lines: Sequence[StoredLine | None], ingested_ms: int, batch: DecodedBatch
    ) -> None:
        """Decode stored lines of one origin again, on its fast path if there is one."""
        records, numbers, shared = segment
        with_offset = lines[0] is not None and lines[0].offset_bytes is not None
        own = shared.with_last(segment.first.tail)
        provenance = replace(own.provenance, offset_bytes=0 if with_offset else None)
        route = self._routes.route(provenance, len(numbers), bare=True)
        topic, partition = segment.first.partition
        context = RecordContext(f"{topic}/{partition}/", True, ingested_ms)
        fast_functions = (route.read, route.write(context)) if route.read else None
        for n, line in zip(numbers, lines, strict=True):
            is_like = line is not None and not line.glued and (line.offset_bytes is not None) == with_offset
            if not (
                is_like and line and fast_functions and self._reread_fast(n, records[n], line, fast_functions, batch)
            ):
                self._decode_slowly(n, records[n], with_line(records[n], shared, line), ingested_ms, batch)
        batch.segments.append((len(batch.actions), None))

    def _reread_fast(
        self, n: int, received: ConsumerRecord, line: StoredLine, fast_functions: FastFunctions, batch: DecodedBatch
    ) -> bool:
        """Try to decode a stored line on the fast path; return whether it was a plain line."""
        read, write = fast_functions
        mark = read(received.value) if received.value is not None else None
        if mark is None or received.value is None:
            return False
        offset = "" if line.offset_bytes is None else str(line.offset_bytes)
        action = write(mark, received.value, line.created_ms, offset, received.offset)
        if action is None:
            return False
        batch.actions.append(action)
        batch.owners.append(n)
        if self._typed:
            batch.facts.append(mark)
        self._judge.judge_plain(n, mark, line, batch)
        return True

    def _decode_slowly(
        self, n: int, received: ConsumerRecord, headers: RecordHeaders, ingested_ms: int, batch: DecodedBatch
    ) -> None:
        message, role, replay, line = headers
        outcomes = (
            self._decode_manifest(role, message, batch)
            if role
            else self._decode_message(received, message, ingested_ms, batch)
        )
        rejects = [(dead_letter.READ_STAGE, reject) for reject in outcomes.rejects]
        batch.special[n] = DecodedRecord(message, outcomes, rejects, replay)
        for document in outcomes.documents:
            batch.actions.append(index_document(document))
            batch.owners.append(n)
            if self._typed:
                batch.facts.append(document)
        if line is not None and not _is_fault(outcomes):
            self._judge.judge(
                n, [version_of_document(d.index, d.id, d.version, d.body) for d in outcomes.documents], line, batch
            )

    def _decode_manifest(self, role: str, manifest: Message, batch: DecodedBatch) -> Outcomes:
        """Decode a manifest: update its file, and note that the file's writer has ended."""
        content, outcomes = read_as(manifest, role)
        if content is not None and self._follows:
            self._file_update(manifest.provenance, batch).add_manifest(role, content)
        if content is not None and role == END:
            host, path = manifest.provenance.host or "", manifest.provenance.path or ""
            for source in self.decoder.mark_sources:
                writer = WriterKey(self.decoder.intake.facility, source, host, path, manifest.backfill)
                batch.ends[writer] = max(batch.ends.get(writer, 0), content.record_ms)
        return outcomes

    def _decode_message(
        self, received: ConsumerRecord, received_message: Message, ingested_ms: int, batch: DecodedBatch
    ) -> Outcomes:
        """Decode a message; a bug in perflog rejects the one record instead of crashing the worker again and again."""
        try:
            return self.decoder.decode(received_message, ingested_ms)
        except Exception as error:
            batch.faults.append((received.coordinates, error))
            return Outcomes(rejects=(Reject("fault", f"perflog failed on it: {error!r}", received_message.data),))


def _is_fault(outcomes: Outcomes) -> bool:
    return any(reject.reason == "fault" for reject in outcomes.rejects)
