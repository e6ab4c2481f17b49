"""Computes the runs and stages of lines of files, as a worker followed by one sweep would have stored them.

The steps are the same: the decoder reads a line, on the fast path if possible; marks are grouped by run; documents are
derived from them and read back. So the results for a file equal those of the index after the file was ingested.

Event time is the newest timestamp of a source's lines in any of the files: no further lines are expected. As in a
sweep, states that are due by then are advanced, the others stay as they are.

Memory holds the marks, some 0.5 KB each, never the lines: they arrive in portions and are dropped. More than `most`
marks are refused. Everything else kept is bounded: the shapes of rejects and of ignored lines.
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
from ingest.core.ids import parse_index
from ingest.core.lookup import lookup
from ingest.core.mark import RunKey, RunMark, key_of
from ingest.core.model import ExitCode, Message, Outcomes, Problem, Provenance, Reject
from ingest.core.records.reject_shape import shape
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.derive import RUNS, as_swept, documents
from ingest.core.runs.state import RunState, with_marks
from ingest.core.runs.stored import StoredRun, StoredStage, run_from, stage_from, with_stages

MOST_MARKS = 2_000_000
MARK_BYTES = 500  # measured, with the stages that are derived from them
MOST_SHAPES = 1000
OTHER_SHAPES = "of other shapes"
FILE_PARTITION = "file/0/"  # stands for the Kafka coordinates, which nobody asks for in a file


class FileLine(NamedTuple):
    """A line of a file: its number (from 1), its byte offset, its bytes without the newline."""

    number: int
    offset_bytes: int
    data: bytes


class RejectSummary(NamedTuple):
    """Lines rejected in the same way: how many, the first of them, why."""

    lines: int
    path: str
    number: int
    reason: str
    detail: str


@dataclass(slots=True)
class Counts:
    """Outcomes of the lines; each line is counted once: as rejected, else read, else ignored.

    Attributes:
        read: lines that became marks; rejected, ignored: by shape.
    """

    lines: int = 0
    read: int = 0
    rejected: dict[str, RejectSummary] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)

    def add_reject(self, reject: Reject, path: str, line: FileLine) -> None:
        """Count a rejected line under its shape."""
        name = shape(reject)
        if name not in self.rejected and len(self.rejected) >= MOST_SHAPES:
            name = OTHER_SHAPES
        before = self.rejected.get(name)
        number = line.number + reject.line - 1
        first = before or RejectSummary(0, path, number, reject.reason, reject.detail)
        self.rejected[name] = first._replace(lines=first.lines + 1)

    def add_ignored(self, name: str) -> None:
        """Count a line that no source claims."""
        known = name in self.ignored or len(self.ignored) < MOST_SHAPES
        self.ignored[name if known else OTHER_SHAPES] += 1


class Analysis:
    """Reads the lines of some files once, then returns their runs.

    Attributes:
        counts: outcomes of the lines.
        zone_faults: hosts whose timestamps are in a wrong zone.
        newest_ms: (facility, source) -> newest timestamp of its lines (unix ms), available after `runs`.
    """

    def __init__(self, decoder: Decoder, schema: Schema, most: int = MOST_MARKS) -> None:
        """Take the decoder; `add` raises `Problem` (65) as soon as there are more than `most` marks."""
        self.counts = Counts()
        self.zone_faults = ZoneFaults()
        self._zones = Zones()
        self.newest_ms: dict[tuple[str, str], int] = {}
        self._decoder, self._schema, self._most = decoder, schema, most
        self._routes, self._updates = OriginRoutes(decoder), BatchUpdates()
        self._marks = 0

    def add(self, path: str, lines: Sequence[FileLine], received_ms: int) -> None:
        """Add lines of a file, in any order; `received_ms` (unix ms) is when they are read. Old lines are accepted."""
        self.counts.lines += len(lines)
        route = self._routes.route(Provenance(path=path, offset_bytes=0), len(lines))
        if route.read is None:
            for line in lines:
                self._add_slowly(path, line, received_ms)
        else:
            self._add_fast(
                path, lines, received_ms, route.read, route.write(RecordContext(FILE_PARTITION, True, received_ms))
            )
        if self._marks > self._most:
            what = (
                f"The files hold more than {self._most:,} marks, some {self._most * MARK_BYTES / 1e9:.1f} GB of memory."
            )
            raise Problem(
                what,
                "Analyse them in parts, or let `perflog run` store them and ask `perflog runs`.",
                ExitCode.BAD_DATA,
            )

    def too_long(self, path: str, number: int, size_bytes: int, most_bytes: int) -> None:
        """Count a line that was too long to be read."""
        detail = f"{size_bytes:,} bytes are more than the {most_bytes:,} of a message"
        self.counts.lines += 1
        self.counts.add_reject(Reject("too_long", detail, b""), path, FileLine(number, 0, b""))

    def runs(self) -> list[StoredRun]:
        """Return all runs with their stages, in order of start. Marks are freed as they are used: call this once."""
        newest_ms = self.newest_ms
        for writer, progress in self._updates.writers.items():
            source_key = (writer.facility, writer.source)
            newest_ms[source_key] = max(progress.event_ms, newest_ms.get(source_key, progress.event_ms))
        runs: list[StoredRun] = []
        while self._updates.runs:
            key, marks = self._updates.runs.popitem()
            runs += stored(key, marks, newest_ms.get((key.facility, key.source)), self._schema)
        return sorted(runs, key=lambda run: (run.start_ms, run.facility, run.run, run.instance))

    def printed(self, run: StoredRun, at_ms: int) -> str:
        """Format a time of a run in the zone that its timestamps name: `2016-02-05 21:39:37 PST`."""
        stamp = self._decoder.source(run.source).stamp
        zone = self._zones.of(RunKey(run.facility, run.source, run.run), at_ms)
        return local(at_ms, zone, stamp.zones if stamp else {})

    def _add_fast(self, path: str, lines: Sequence[FileLine], received_ms: int, read: Read, write: Write) -> None:
        marks: list[tuple[str, PlainMark, int]] = []
        for line in lines:
            number, offset_bytes, data = line
            mark = read(data)
            action = write(mark, data, received_ms, str(offset_bytes), number) if mark is not None else None
            if mark is None or action is None:
                self._add_slowly(path, line, received_ms)
            else:
                marks.append((action.id, mark, received_ms))
                self._zones.add_plain(mark)
        self._updates.add_plain(marks, True)
        self.counts.read += len(marks)
        self._marks += len(marks)

    def _add_slowly(self, path: str, line: FileLine, received_ms: int) -> None:
        provenance = Provenance(path=path, offset_bytes=line.offset_bytes, captured_ms=received_ms)
        decoded = self._decoder.decode(Message(line.data, received_ms, provenance, backfill=True), received_ms)
        self._count(decoded, path, line)
        if decoded.documents and (stamp := self._decoder.source(decoded.documents[0].body["perf"]["source"]).stamp):
            self.zone_faults.add(path, line.number, decoded.documents, stamp.earliest_lag_s)
        for document in decoded.documents:
            self._updates.add_document(document, received_ms, True)
            self._marks += 1
            key = key_of(document.body) if "mark" in document.body["perf"] else None
            if key is not None:
                self._zones.add(key, document.body["@timestamp"], lookup(document.body, "event.timezone"))

    def _count(self, decoded: Outcomes, path: str, line: FileLine) -> None:
        if decoded.rejects:
            self.counts.add_reject(decoded.rejects[0], path, line)
        elif decoded.documents:
            self.counts.read += 1
        else:
            self.counts.add_ignored(decoded.ignored[0].shape if decoded.ignored else "other")


def stored(key: RunKey, marks: Iterable[RunMark], newest_ms: int | None, schema: Schema) -> Iterator[StoredRun]:
    """Yield the runs of one run id with their stages, by way of the documents that would be stored."""
    runs: list[StoredRun] = []
    stages: list[StoredStage] = []
    for document in documents(as_swept(with_marks(RunState(key), marks), newest_ms), schema):
        body = document.body
        if "retracted" in body["perf"]:
            continue
        if parse_index(document.index).kind == RUNS:
            runs.append(run_from(body))
        else:
            stages.append(stage_from(document.id, body))
    yield from with_stages(runs, stages)
