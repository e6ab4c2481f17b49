"""Finds out what is surely missing of files, and writes the documents of gaps. A part of the sweeper's rounds.

A hole in a file is worth nothing while its bytes may lie unread in another partition. So for every topic with holes it
asks where the topic ends, then how far the group has read: once that is past the ends of a moment at which the hole was
there, and the hole is there still, its bytes were never in Kafka, or are no more. Where the group does not stand at the
ends, the hole and the ends are remembered for the next round. What time must pass beyond that is `core.gaps.certain`'s
to say. It goes by this machine's clock, since a topic into which nobody writes has none: a shipper that died may have
been the only one.

The state takes the gaps first (compare-and-swap, marked as owing their documents), then the documents are written with
its revision as version, then the mark is taken off: who dies in between is found out by the next round. Any number may
sweep at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ingest.core.fields import Schema
from ingest.core.ids import index_name
from ingest.core.model import Document
from ingest.core.tracking.file_document import body_of, state_of
from ingest.core.tracking.file_state import FileState
from ingest.core.tracking.gaps import candidates, confirmed, documents, is_due, record_gaps
from ingest.edge.ports import FileStates, Progress
from ingest.pipeline.derive.file_state import KIND
from ingest.pipeline.derive.pending import PendingDocument, write_pending
from ingest.pipeline.derive.run_state import as_text
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasWriter

FILES_AT_ONCE = 500
MOST_REMEMBERED = 100_000
Ranges = frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Holes of a file, and where the topic ended when they were seen, by partition."""

    ranges: Ranges
    ends: Mapping[int, int]


class GapDocument(PendingDocument):
    """A file with something to find out. `judge` makes of its state what it is to be."""

    def __init__(self, place: tuple[str, str], judge: Callable[[FileState], FileState]) -> None:
        """Nothing is known yet."""
        super().__init__(*place)
        self._judge = judge
        self._first: FileState | None = None
        self.state: FileState | None = None
        self.new = 0

    def take(self, body: Mapping[str, Any] | None) -> None:
        """What is there, and what is to be."""
        self._first = self.state = None
        if body is not None:
            self._first = state_of(body)
            self.state = self._judge(self._first)
            self.new = len(self.state.gaps) - len(self._first.gaps)

    def changed(self) -> str | None:
        """The state as it is to be; None when it is that."""
        if self.state is None or self.state is self._first:
            return None
        return as_text(body_of(self.state, is_due(self.state)))

    @property
    def is_due(self) -> bool:
        """Whether it is there."""
        return self.state is not None

    def keep(self) -> None:
        """It is there."""
        self._first = self.state

    def pay(self) -> None:
        """Its documents were written."""
        if self.state is not None and self.state.owing:
            self.state = replace(self.state, owing=False)


@dataclass(frozen=True, slots=True)
class GapsFound:
    """What a round did: gaps that were found, documents written."""

    found: int = 0
    documents: int = 0

    def __add__(self, other: "GapsFound") -> "GapsFound":
        return GapsFound(self.found + other.found, self.documents + other.documents)


class GapSweeper:
    """Sweeps files. `progress` tells where a topic and its readers stand; `now_ms` what time it is (unix ms)."""

    def __init__(
        self,
        states: FileStates,
        cas_writer: CasWriter,
        writer: BulkWriter,
        schema: Schema,
        progress: Callable[[str], Progress],
        retry_policy: tuple[Callable[[], int], float],
    ) -> None:
        """Bind what it asks, and what it writes with; `patience` = what tells the time, and how many seconds."""
        self._states, self._cas_writer, self._writer, self._schema = states, cas_writer, writer, schema
        self._progress = progress
        self._now_ms, self._patience_ms = retry_policy[0], int(retry_policy[1] * 1000)
        self._remembered: dict[str, Suspicion] = {}

    def sweep(self, places: Iterable[tuple[str, str]]) -> GapsFound:
        """Once, for each facility and topic."""
        total = GapsFound()
        for facility, topic in places:
            due = [(id_, _ranges(state_of(body))) for id_, body in self._states.due(facility, topic)]
            if due:
                stands = self._progress(topic)  # asked after the holes were seen: they were there at these ends
                for n in range(0, len(due), FILES_AT_ONCE):
                    total += self._some(facility, due[n : n + FILES_AT_ONCE], stands)
        return total

    def _some(self, facility: str, due: Sequence[tuple[str, Ranges]], stands: Progress) -> GapsFound:
        index = index_name(KIND, facility, "none", 0)
        now_ms = self._now_ms()
        cells = [
            GapDocument((index, id_), partial(self._judged, id_, Suspicion(ranges, stands.ends), stands, now_ms))
            for id_, ranges in due
        ]

        def told_by(cell: GapDocument) -> Iterable[Document]:
            return documents(cell.state, self._schema) if cell.state and cell.state.owing else ()

        taken, written = write_pending(self._cas_writer, self._writer, cells, told_by)
        return GapsFound(sum(cell.new for cell in taken), written)

    def _judged(self, file_id: str, seen: Suspicion, stands: Progress, now_ms: int, state: FileState) -> FileState:
        """The state, as it is by now, with the holes that are surely gaps; what is not sure yet is remembered."""
        before = self._remembered.pop(file_id, seen)
        told = next((each for each in (seen, before) if stands.past(each.ends)), None)
        kept = before if told is None else seen
        if kept.ranges and len(self._remembered) < MOST_REMEMBERED:
            self._remembered[file_id] = kept
        sure = told.ranges if told else frozenset()
        found = [each for each in confirmed(state, now_ms, self._patience_ms) if each[0][:2] in sure]
        return record_gaps(state, found, now_ms)


def _ranges(state: FileState) -> Ranges:
    return frozenset(hole[:2] for hole in candidates(state))
