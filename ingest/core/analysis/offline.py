"""Lines of files -> their runs and stages, as a worker and one sweep behind it would have stored them. Pure.

The very same steps: the flow reads a line, by the short way where it is plain; marks are gathered by run; documents are
derived of them and read again. So what is told of a file is what is told of the index once the file went through it.

Time has passed up to the newest instant that a source's lines tell, in any of the files: nothing more is expected of
one of them. As a sweep does it, states that are due by then are taken on, the others stay as they are.

Memory holds the marks, some 0.5 KB each, never the lines: they come in portions and are forgotten. More than `most`
marks are refused. What else is remembered is bounded: shapes of rejects and of what was ignored.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.core.analysis.printed_zones import Zones, local
from ingest.core.authoring.zone_faults import ZoneFaults
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import PlainMark, Read, RecordContext, Write
from ingest.core.decode.fast_routing import OriginRoutes
from ingest.core.fields import Schema
from ingest.core.lookup import lookup
from ingest.core.mark import RunKey, RunMark, key_of
from ingest.core.model import Message, Outcomes, Problem, Provenance, Reject
from ingest.core.records.reject_shape import shape
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.derive import RUNS, as_swept, documents
from ingest.core.runs.state import RunState, with_marks
from ingest.core.runs.stored import StoredRun, StoredStage, run_from, stage_from, with_stages

MOST_MARKS = 2_000_000
MARK_BYTES = 500  # measured, with the stages that are derived of them
MOST_SHAPES = 1000
OTHER_SHAPES = "of other shapes"
PLACE = "file/0/"  # where Kafka would say that it was; of a file nobody asks


class FileLine(NamedTuple):
    """A line of a file: its number (from 1), its first byte, its bytes without the newline."""

    number: int
    offset_bytes: int
    data: bytes


class RejectSummary(NamedTuple):
    """Lines refused in the same way: how many, the first of them, why."""

    lines: int
    path: str
    number: int
    reason: str
    detail: str


@dataclass(slots=True)
class Counts:
    """What became of the lines; each is counted once: rejected before read before ignored.

    Attributes:
        read: lines that became marks; rejected, ignored: by shape.
    """

    lines: int = 0
    read: int = 0
    rejected: dict[str, RejectSummary] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)

    def add_reject(self, reject: Reject, path: str, line: FileLine) -> None:
        """Count a refused line under its shape."""
        name = shape(reject)
        if name not in self.rejected and len(self.rejected) >= MOST_SHAPES:
            name = OTHER_SHAPES
        before = self.rejected.get(name)
        number = line.number + reject.line - 1
        first = before or RejectSummary(0, path, number, reject.reason, reject.detail)
        self.rejected[name] = first._replace(lines=first.lines + 1)

    def add_ignored(self, name: str) -> None:
        """Count a line that is not ours to read."""
        known = name in self.ignored or len(self.ignored) < MOST_SHAPES
        self.ignored[name if known else OTHER_SHAPES] += 1


class Analysis:
    """The lines of some files, read once; then their runs.

    Attributes:
        counts: what became of the lines.
        zone_faults: hosts whose stamps are of a wrong zone.
        newest_ms: facility and source -> the newest instant of its lines (unix ms), once the runs were asked for.
    """

    def __init__(self, flow: Decoder, schema: Schema, most: int = MOST_MARKS) -> None:
        """Bind the flow; `Problem` (65) is raised as soon as there are more than `most` marks."""
        self.counts = Counts()
        self.zone_faults = ZoneFaults()
        self._zones = Zones()
        self.newest_ms: dict[tuple[str, str], int] = {}
        self._flow, self._schema, self._most = flow, schema, most
        self._ways, self._gathered = OriginRoutes(flow), BatchUpdates()
        self._marks = 0

    def add(self, path: str, lines: Sequence[FileLine], received_ms: int) -> None:
        """Some lines of a file, in any order; `received_ms` (unix ms) is when they are read. Old ones are meant."""
        self.counts.lines += len(lines)
        way = self._ways.way(Provenance(path=path, offset_bytes=0), len(lines))
        if way.read is None:
            for line in lines:
                self._generally(path, line, received_ms)
        else:
            self._shortly(path, lines, received_ms, way.read, way.write(RecordContext(PLACE, True, received_ms)))
        if self._marks > self._most:
            what = (
                f"The files hold more than {self._most:,} marks, some {self._most * MARK_BYTES / 1e9:.1f} GB of memory."
            )
            raise Problem(what, "Analyse them in parts, or let `perflog run` store them and ask `perflog runs`.", 65)

    def too_long(self, path: str, number: int, size_bytes: int, most_bytes: int) -> None:
        """A line that was not even read to its end."""
        detail = f"{size_bytes:,} bytes are more than the {most_bytes:,} of a message"
        self.counts.lines += 1
        self.counts.add_reject(Reject("too_long", detail, b""), path, FileLine(number, 0, b""))

    def runs(self) -> list[StoredRun]:
        """All runs with their stages, in the order in which they began. Marks are let go as they are used: ask once."""
        newest_ms = self.newest_ms
        for writer, heard in self._gathered.writers.items():
            place = (writer.facility, writer.source)
            newest_ms[place] = max(heard.event_ms, newest_ms.get(place, heard.event_ms))
        found: list[StoredRun] = []
        while self._gathered.runs:
            key, marks = self._gathered.runs.popitem()
            found += stored(key, marks, newest_ms.get((key.facility, key.source)), self._schema)
        return sorted(found, key=lambda run: (run.start_ms, run.facility, run.run, run.instance))

    def printed(self, run: StoredRun, at_ms: int) -> str:
        """An instant of a run by the clock of the zone that its stamps name: `2016-02-05 21:39:37 PST`."""
        stamp = self._flow.source(run.source).stamp
        zone = self._zones.of(RunKey(run.facility, run.source, run.run), at_ms)
        return local(at_ms, zone, stamp.zones if stamp else {})

    def _shortly(self, path: str, lines: Sequence[FileLine], received_ms: int, read: Read, write: Write) -> None:
        facts: list[tuple[str, PlainMark, int]] = []
        for line in lines:
            number, offset_bytes, data = line
            mark = read(data)
            action = write(mark, data, received_ms, str(offset_bytes), number) if mark is not None else None
            if mark is None or action is None:
                self._generally(path, line, received_ms)
            else:
                facts.append((action.id, mark, received_ms))
                self._zones.add_plain(mark)
        self._gathered.add_plain(facts, True)
        self.counts.read += len(facts)
        self._marks += len(facts)

    def _generally(self, path: str, line: FileLine, received_ms: int) -> None:
        provenance = Provenance(path=path, offset_bytes=line.offset_bytes, captured_ms=received_ms)
        found = self._flow.outcomes(Message(line.data, received_ms, provenance, backfill=True), received_ms)
        self._count(found, path, line)
        if found.documents and (stamp := self._flow.source(found.documents[0].body["perf"]["source"]).stamp):
            self.zone_faults.add(path, line.number, found.documents, stamp.earliest_lag_s)
        for document in found.documents:
            self._gathered.add_document(document, received_ms, True)
            self._marks += 1
            key = key_of(document.body) if "mark" in document.body["perf"] else None
            if key is not None:
                self._zones.add(key, document.body["@timestamp"], lookup(document.body, "event.timezone"))

    def _count(self, found: Outcomes, path: str, line: FileLine) -> None:
        if found.rejects:
            self.counts.add_reject(found.rejects[0], path, line)
        elif found.documents:
            self.counts.read += 1
        else:
            self.counts.add_ignored(found.ignored[0].shape if found.ignored else "other")


def stored(key: RunKey, marks: Iterable[RunMark], newest_ms: int | None, schema: Schema) -> Iterator[StoredRun]:
    """The runs of one run id with their stages, by way of the documents that are stored of them."""
    runs: list[StoredRun] = []
    stages: list[StoredStage] = []
    for document in documents(as_swept(with_marks(RunState(key), marks), newest_ms), schema):
        body = document.body
        if "retracted" in body["perf"]:
            continue
        if document.index.startswith(f"perf-{RUNS}-"):
            runs.append(run_from(body))
        else:
            stages.append(stage_from(document.id, body))
    yield from with_stages(runs, stages)
