"""Finds the bytes that are certainly missing from files, and writes the documents of gaps, as part of a sweep.

A hole in a file proves nothing while its bytes may lie unread in another partition. So for every topic with holes, the
sweeper asks for the topic's end offsets, then for the group's committed offsets. If the group is past the end offsets
of a moment at which the hole existed, and the hole still exists, then its bytes never reached Kafka or are no longer
there. If the group is not there yet, the hole and the end offsets are remembered for the next round. How much time must
pass beyond that is decided by `core.tracking.gaps.confirmed`. It uses this machine's clock, since a topic without
producers has no clock of its own: a shipper that died may have been the only one.

The gaps are first added to the state, which is marked as pending (compare-and-swap). Then the documents are written
with the state's revision as version, and then the mark is cleared. If a sweeper dies in between, the next round finds
the pending state. Any number of sweepers may run at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ingest.core.batching import batched
from ingest.core.fields import Schema
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
    """Holes of a file, and the topic's end offsets when they were seen, by partition."""

    ranges: Ranges
    ends: Mapping[int, int]


class GapDocument(PendingDocument):
    """A file state that may get new gaps. `judge` computes its next state."""

    def __init__(self, doc_ref: tuple[str, str], judge: Callable[[FileState], FileState]) -> None:
        """Start without a state."""
        super().__init__(*doc_ref)
        self._judge = judge
        self._stored: FileState | None = None
        self.state: FileState | None = None
        self.new = 0

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored state and compute the next one."""
        self._stored = self.state = None
        if body is not None:
            self._stored = state_of(body)
            self.state = self._judge(self._stored)
            self.new = len(self.state.gaps) - len(self._stored.gaps)

    def next_body(self) -> str | None:
        """Return the next state as JSON; None if it is stored already."""
        if self.state is None or self.state is self._stored:
            return None
        return as_text(body_of(self.state, is_due(self.state)))

    @property
    def is_due(self) -> bool:
        """Whether the state document exists."""
        return self.state is not None

    def confirm(self) -> None:
        """Confirm that the next state is stored."""
        self._stored = self.state

    def clear(self) -> None:
        """Clear the pending mark: the documents were written."""
        if self.state is not None and self.state.pending:
            self.state = replace(self.state, pending=False)


@dataclass(frozen=True, slots=True)
class GapSweep:
    """Result of a round: gaps found, documents written."""

    gaps: int = 0
    documents: int = 0

    def __add__(self, other: "GapSweep") -> "GapSweep":
        return GapSweep(self.gaps + other.gaps, self.documents + other.documents)


class GapSweeper:
    """Sweeps files. `progress` returns a topic's end offsets and the group's committed ones."""

    def __init__(
        self,
        states: FileStates,
        cas_writer: CasWriter,
        writer: BulkWriter,
        schema: Schema,
        progress: Callable[[str], Progress],
        clock: tuple[Callable[[], int], float],
    ) -> None:
        """Bind the stores and writers; `clock` = (time in unix ms, seconds before a hole counts as a gap)."""
        self._states, self._cas_writer, self._writer, self._schema = states, cas_writer, writer, schema
        self._progress = progress
        self._now_ms, self._gap_after_ms = clock[0], int(clock[1] * 1000)
        self._remembered: dict[str, Suspicion] = {}

    def sweep(self, topic_keys: Iterable[tuple[str, str]]) -> GapSweep:
        """Sweep every (facility, topic) once."""
        total = GapSweep()
        for facility, topic in topic_keys:
            due = [(id_, _ranges(state_of(body))) for id_, body in self._states.due(facility, topic)]
            if due:
                offsets = self._progress(topic)  # asked after the holes were seen, so they existed at these end offsets
                for files in batched(due, max_items=FILES_AT_ONCE):
                    total += self._sweep_files(facility, files, offsets)
        return total

    def _sweep_files(self, facility: str, due: Sequence[tuple[str, Ranges]], offsets: Progress) -> GapSweep:
        index = self._schema.index(KIND, facility)
        now_ms = self._now_ms()
        gap_states = [
            GapDocument(
                (index, id_), partial(self._with_confirmed_gaps, id_, Suspicion(ranges, offsets.ends), offsets, now_ms)
            )
            for id_, ranges in due
        ]

        def gap_documents(gap_state: GapDocument) -> Iterable[Document]:
            return documents(gap_state.state, self._schema) if gap_state.state and gap_state.state.pending else ()

        swept, written = write_pending(self._cas_writer, self._writer, gap_states, gap_documents)
        return GapSweep(sum(gap_state.new for gap_state in swept), written)

    def _with_confirmed_gaps(
        self, file_id: str, seen: Suspicion, offsets: Progress, now_ms: int, state: FileState
    ) -> FileState:
        """Return the current state with the confirmed gaps added; holes that are not certain yet are remembered."""
        before = self._remembered.pop(file_id, seen)
        proven = next((suspicion for suspicion in (seen, before) if offsets.past(suspicion.ends)), None)
        to_remember = before if proven is None else seen
        if to_remember.ranges and len(self._remembered) < MOST_REMEMBERED:
            self._remembered[file_id] = to_remember
        certain = proven.ranges if proven else frozenset()
        gaps = [hole for hole in confirmed(state, now_ms, self._gap_after_ms) if hole[0][:2] in certain]
        return record_gaps(state, gaps, now_ms)


def _ranges(state: FileState) -> Ranges:
    return frozenset(hole[:2] for hole in candidates(state))
