"""Records of one partition -> what is to be asked of Elasticsearch for them. The hottest loop; touches the log only.

Plain lines become actions at once. Everything else goes the general way and is remembered as `Special`: what became of
it must be told record by record. The manifest of a file is ignored as a message, and remembered as what it says.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import orjson

from ingest.core.actions import Action, fact
from ingest.core.filestate import FileKey, FileNews
from ingest.core.flow import Flow
from ingest.core.formers import Edition, Judged, StoredLine, edition_of, judged, tombstone
from ingest.core.gathering import Fact
from ingest.core.manifest import END, read_as
from ingest.core.model import Document, Message, Outcomes, Provenance, Reject
from ingest.core.quick import Place, QuickMark
from ingest.core.watermark import WriterKey
from ingest.core.ways import Way, Ways
from ingest.edge.ports import Received
from ingest.run import placing, refusals
from ingest.run.headers import (
    MANIFEST,
    REPLAY_OF,
    STORED,
    manifest_role,
    message,
    offset_text,
    origin,
    stored_in,
)

log = logging.getLogger("perflog.run")


@dataclass(slots=True)
class Special:
    """A record that went the general way: what the flow made of it, and what of that was refused (stage, reject)."""

    message: Message
    outcomes: Outcomes
    refused: list[tuple[str, Reject]]


@dataclass(slots=True)
class Reading:
    """What records became: actions, for each the number of its record, and the records that are special.

    `facts` holds for each action the mark or document that it was made of; `stretches` for each stretch of records of
    one origin how many actions there were behind it, and whether it is of a backfill; None for stored lines. `files`
    holds what was received or said of each file; `ends` when (unix ms) the shipper of a writer said its end.

    Of stored lines that are read again: `there`, the actions whose documents stand there already; `corrected`, those
    that correct one where it stands, and no more; `lost`, those whose documents do not count; `judged`, for all other
    lines by the number of the record, what their reading means for their former documents.
    """

    actions: list[Action] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    stretches: list[tuple[int, bool | None]] = field(default_factory=list)
    special: dict[int, Special] = field(default_factory=dict)
    files: dict[FileKey, FileNews] = field(default_factory=dict)
    ends: dict[WriterKey, int] = field(default_factory=dict)
    there: set[int] = field(default_factory=set)
    corrected: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    judged: dict[int, Judged] = field(default_factory=dict)

    def version(self, n: int) -> int:
        """The version of the document that an action writes; 0 where facts are not kept."""
        if n >= len(self.facts):
            return 0
        found = self.facts[n]
        return found.version if isinstance(found, Document) else found.plain.version

    def made_special(self, n: int, received: Received) -> Special:
        """A record as a special one, also where it went the short way; then it is known by its action alone."""
        if n not in self.special:
            action = self.actions[self.owners.index(n)]
            document = Document(action.index, action.id, 0, orjson.loads(action.json))
            self.special[n] = Special(message(received), Outcomes((document,)), [])
        return self.special[n]


class Reader:
    """Reads the records of one intake."""

    def __init__(self, flow: Flow, typed: bool = True) -> None:
        """Bind the flow. Typed marks are kept only where something is derived from them: they cost memory."""
        self.flow = flow
        self._typed = typed
        self._follows = typed and flow.intake.gaps
        self._ways = Ways(flow)
        self._again = Again(flow)

    def read(self, records: Sequence[Received], ingested_ms: int) -> Reading:
        """Read all of them; they are of one partition. `ingested_ms` (unix ms) is written down and decides nothing."""
        found = Reading()
        for start, end in _stretches(records):
            self._stretch(records, range(start, end), ingested_ms, found)
        return found

    def _stretch(self, records: Sequence[Received], numbers: range, ingested_ms: int, found: Reading) -> None:
        """Records with the same headers but for the last: they have one origin, hence one way."""
        first = records[numbers.start]
        told, backfill = origin(first)
        if first.tail is not None and first.tail[0] == STORED:
            self._stored(records, numbers, ingested_ms, found)
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
            self._shortly(way, records, numbers, Place(f"{topic}/{number}/", backfill, ingested_ms), found)
        found.stretches.append((len(found.actions), backfill))
        if self._follows and MANIFEST not in heads:
            self._place(records, numbers, told if with_offset else origin(first._replace(tail=None))[0], found)

    def _place(self, records: Sequence[Received], numbers: range, told: Provenance, found: Reading) -> None:
        """Which bytes of which files these records are, as they came or as their wrapper says.

        `told` is what their common headers tell.
        """
        facts = placing.Facts(found.owners, found.facts)
        if self.flow.unwrapped and told.path:
            self._news(told, found).hear(placing.bare(records, numbers, facts))
        elif not self.flow.unwrapped:
            inner = {n: it for n in numbers if n in found.special and (it := found.special[n].outcomes.inner)}
            for of, piece in placing.wrapped(records, inner, facts):
                self._news(of.provenance, found).hear([piece])

    def _news(self, told: Provenance, found: Reading) -> FileNews:
        """What is told of the file that a record is of."""
        intake = self.flow.intake
        key = FileKey(intake.facility, intake.topic, told.host or "", told.path or "", told.generation or "")
        return found.files.setdefault(key, FileNews())

    def _shortly(self, way: Way, records: Sequence[Received], numbers: range, place: Place, found: Reading) -> None:
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

    def _stored(self, records: Sequence[Received], numbers: range, ingested_ms: int, found: Reading) -> None:
        """Stored lines of one origin that are read again: by its short way where there is one."""
        first = records[numbers.start]
        line = stored_in(first)
        with_offset = line is not None and line.offset_bytes is not None
        told = replace(origin(first)[0], offset_bytes=0 if with_offset else None)
        way = self._ways.way(told, len(numbers), bare=True)
        read = way.read
        topic, partition = first.partition
        write = way.write(Place(f"{topic}/{partition}/", True, ingested_ms)) if read else None
        for n in numbers:
            received = records[n]
            line, data = stored_in(received), received.value
            mark = action = None
            if (
                read
                and write
                and line
                and not line.glued
                and data is not None
                and (line.offset_bytes is not None) == with_offset
            ):
                mark = read(data)
                offset = str(line.offset_bytes) if with_offset else ""
                action = write(mark, data, line.created_ms, offset, received.offset) if mark is not None else None
            if mark is None or action is None or line is None:
                self._generally(n, received, ingested_ms, found)
                continue
            found.actions.append(action)
            found.owners.append(n)
            if self._typed:
                found.facts.append(mark)
            self._again.judge_plain(n, mark, line, found)
        found.stretches.append((len(found.actions), None))

    def _generally(self, n: int, received: Received, ingested_ms: int, found: Reading) -> None:
        told = message(received)
        before = len(found.actions)
        role = manifest_role(received)
        outcomes = self._said(role, told, found) if role else self._outcomes(received, told, ingested_ms)
        refused = [(refusals.READ_STAGE, reject) for reject in outcomes.rejects]
        found.special[n] = Special(told, outcomes, refused)
        for document in outcomes.documents:
            try:
                found.actions.append(_action(document))
                found.owners.append(n)
                if self._typed:
                    found.facts.append(document)
            except TypeError as error:
                reject = refusals.unserialisable(error, told.data, source_of(outcomes))
                refused.append((refusals.INDEX_STAGE, reject))
        line = stored_in(received)
        if line is not None and len(found.actions) - before == len(outcomes.documents) and not _is_fault(outcomes):
            self._again.judge(
                n, [edition_of(d.index, d.id, d.version, d.body) for d in outcomes.documents], line, found
            )

    def _said(self, role: str, told: Message, found: Reading) -> Outcomes:
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

    def _outcomes(self, received: Received, told: Message, ingested_ms: int) -> Outcomes:
        """A fault of our own costs one record its reading, and not the worker its life again and again."""
        try:
            return self.flow.outcomes(told, ingested_ms)
        except Exception as error:
            log.exception("A fault of perflog's: please report it. Record %s is refused.", received.coordinates)
            return Outcomes(rejects=(Reject("fault", f"perflog failed on it: {error!r}", told.data),))


class Again:
    """Holds what is made of stored lines against what was made of them before."""

    def __init__(self, flow: Flow) -> None:
        """Bind the flow that reads them."""
        self._facility, self._revisions = flow.intake.facility, flow.revisions

    def judge_plain(self, n: int, mark: QuickMark, line: StoredLine, found: Reading) -> None:
        """A plain line, whose action was added last; nearly always it stands there just so."""
        at = len(found.actions) - 1
        index, doc_id, _ = found.actions[at]
        plain = mark.plain
        source = plain.fields["perf"]["source"]
        run = mark.run if plain.first is not None else ""
        made = Edition(index, doc_id, plain.version, source, run, mark.at_ms)
        former = line.formers[0] if len(line.formers) == 1 else None
        if former == made:
            found.there.add(at)
        elif former and made.version > former.version and former._replace(version=made.version) == made:
            found.corrected.add(at)
        else:
            self.judge(n, [made], line, found)

    def judge(self, n: int, made: Sequence[Edition], line: StoredLine, found: Reading) -> None:
        """A line whose actions, one for each that is made of it, were added last."""
        first = len(found.actions) - len(made)
        verdict = judged(made, line.formers, self._facility, self._revisions)
        found.there.update(first + number for number in verdict.there)
        for number, version in verdict.lost.items():
            found.lost.add(first + number)
            if number not in verdict.there:
                found.actions[first + number] = self._lost(made[number], version)
        if verdict.is_correction or verdict.forgotten or verdict.added:
            found.judged[n] = verdict

    def _lost(self, made: Edition, version: int) -> Action:
        """In place of what does not count: a tombstone, of the version that stands against it elsewhere."""
        return fact(made.index, made.id, version, orjson.dumps(tombstone(made, self._facility)).decode())


def _is_fault(outcomes: Outcomes) -> bool:
    return any(reject.reason == "fault" for reject in outcomes.rejects)


def _stretches(records: Sequence[Received]) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of records that follow one another and share the object of their first headers."""
    start = 0
    for n, received in enumerate(records):
        if received.head is not records[start].head:
            yield start, n
            start = n
    if records:
        yield start, len(records)


def _action(document: Document) -> Action:
    return fact(document.index, document.id, document.version, document.json)


def source_of(outcomes: Outcomes) -> str | None:
    """The source that made a record's documents, as they say themselves."""
    bodies = (document.body for document in outcomes.documents)
    return next((body.get("perf", {}).get("source") for body in bodies), None)
