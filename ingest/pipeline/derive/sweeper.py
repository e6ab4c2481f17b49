"""The sweeper: applies the passing of time to runs (quiet, closed, abandoned, open for how long, how complete).

For each source the sweeper reads the watermark and the states that are due by it. It writes in this order: the state
with the new watermark and the next revision (compare-and-swap, marked as pending), then stages and runs, then the state
with its next due time. If a sweeper dies in between, the next one finds the pending state and writes all of it again.
The loser of a conflict leaves the state to the winner, so any number of sweepers may run at once; every worker has one.

Large runs are derived here only: a worker just marks their states as pending. gap_sweeper.py looks for bytes missing
from files in the same rounds.

How complete a run is follows from its state and from the template of its workflow. The sweeper writes it once a run has
become quiet or closed. A worker leaves it out when it writes a run that has changed. The sweeper finds such runs, and
those judged by an older template, by the template version in their documents, and judges them again, each with the next
revision. So a newly learned template is applied to everything that is stored by the next sweep, without a command of
its own. In the end every settled run is judged by the newest template, in whatever order things were written.
"""

import logging
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any, NamedTuple

from ingest.core.batching import batched
from ingest.core.fields import Schema
from ingest.core.runs.derive import Derived, DerivedDocument, documents
from ingest.core.runs.instances import SILENCE_MS
from ingest.core.runs.run import QUIET_MS
from ingest.core.runs.state import AT_ONCE_MS, RunState, at_watermark, json_of, next_revision, state_of
from ingest.core.runs.template import Templates, templates_of
from ingest.core.timestamps import iso, iso_ms
from ingest.core.tracking.watermark import ACTIVE_MS, watermark_ms, writer_of
from ingest.edge.errors import ServiceBlocked, Unavailable
from ingest.edge.ports import Due, States, Unjudged
from ingest.pipeline.derive.pending import PendingDocument, write_pending
from ingest.pipeline.derive.run_state import derive_or_log
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasWriter
from ingest.pipeline.sink.retry import StopRequested

log = logging.getLogger("perflog.run")
MARKS_AT_ONCE = 20_000


class SweptDocument(PendingDocument):
    """A state that is due. `next` is its next state; `previous` is what was derived from it so far, if known."""

    def __init__(self, index: str, doc_id: str, until_ms: int | None, rejudge: bool = False) -> None:
        """`until_ms` is the watermark, None without one; `rejudge`: the runs of this state are judged, due or not."""
        super().__init__(index, doc_id)
        self._until_ms, self._rejudge = until_ms, rejudge
        self.previous: Derived | None = None
        self.next: RunState | None = None
        self.derived: Derived | None = None
        self._stored: RunState | None = None
        self._pending = True

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored state and move its watermark on, unless another sweeper has done so already."""
        if body is None:
            return
        due = body["perf"]["runstate"].get("due")
        due_ms = iso_ms(due) if due else sys.maxsize
        if due_ms > max(AT_ONCE_MS, self._until_ms or 0) and not self._rejudge:
            return
        self._stored = state_of(body)
        self.next = self._stored if self._until_ms is None else at_watermark(self._stored, self._until_ms)
        if self._rejudge and self.next is self._stored and due_ms > AT_ONCE_MS:
            self.next = next_revision(self._stored)
        self.derived = derive_or_log(self.next)
        if due_ms > AT_ONCE_MS:
            self.previous = derive_or_log(self._stored)

    @property
    def is_due(self) -> bool:
        """Whether anything has to be written."""
        return self.derived is not None

    def next_body(self) -> str | None:
        """Return the state: first marked as pending, then with its next due time. None if there is nothing to write."""
        if self.next is None or self.derived is None or (self._pending and self.next is self._stored):
            return None
        return json_of(self.next, self.derived.issued, AT_ONCE_MS if self._pending else self.derived.due_ms)

    def confirm(self) -> None:
        """Nothing to keep: a swept state is not cached."""

    def clear(self) -> None:
        """Clear the pending mark: the documents were written."""
        self._pending = False


@dataclass(frozen=True, slots=True)
class Swept:
    """Result of a sweep: due states swept, documents written, the watermark by facility and source.

    `gaps` were found in files; `gap_documents` counts documents written for these and for old gaps that changed.
    `movements` were derived from transfers; `movement_documents` counts documents written for these.
    """

    states: int = 0
    documents: int = 0
    watermarks: Mapping[tuple[str, str], int] = ()  # type: ignore[assignment]
    gaps: int = 0
    gap_documents: int = 0
    movements: int = 0
    movement_documents: int = 0


class Sweeper:
    """Sweeps the sources of some facilities."""

    def __init__(self, states: States, cas_writer: CasWriter, writer: BulkWriter, schema: Schema) -> None:
        """Bind the stored states, and the writers."""
        self._states, self._cas_writer, self._writer, self._schema = states, cas_writer, writer, schema

    def sweep(self, source_keys: Iterable[tuple[str, str]]) -> Swept:
        """Sweep every (facility, source) once."""
        total = Swept(watermarks={})
        for facility, source in source_keys:
            self._states.refresh(facility)
            until_ms = watermark_ms(map(writer_of, self._states.writers(facility, source, ACTIVE_MS)))
            round_ = _SweepRound(facility, until_ms, templates_of(self._states.templates(facility)))
            due = self._states.due(facility, source, max(AT_ONCE_MS, until_ms or 0))
            for due_states in batched(due, _marks, MARKS_AT_ONCE):
                total = self._sweep_states(round_, due_states, total)
            total = self._judge(round_, source, total)
            if until_ms is not None:
                total = replace(total, watermarks={**total.watermarks, (facility, source): until_ms})
        return total

    def _judge(self, round_: "_SweepRound", source: str, total: Swept) -> Swept:
        """Judge the settled runs not judged by the newest template: changed since, or judged by an older one."""
        if round_.until_ms is None:
            return total
        for workflow, stored in round_.templates.items():
            self._states.refresh(round_.facility)
            settled_ms, over_ms = round_.until_ms - QUIET_MS, round_.until_ms - SILENCE_MS
            unjudged = Unjudged(round_.facility, source, workflow, stored.version, settled_ms, over_ms)
            for due_states in batched(self._states.unjudged(unjudged), _marks, MARKS_AT_ONCE):
                total = self._sweep_states(
                    round_._replace(rejudge=True), list({state.id: state for state in due_states}.values()), total
                )
        return total

    def _sweep_states(self, round_: "_SweepRound", due: Sequence[Due], total: Swept) -> Swept:
        index = self._schema.index("runstate", round_.facility)
        swept_documents = [SweptDocument(index, state.id, round_.until_ms, round_.rejudge) for state in due]

        def derived_documents(swept_document: SweptDocument) -> Iterator[DerivedDocument]:
            return (
                documents(swept_document.derived, self._schema, swept_document.previous, round_.templates)
                if swept_document.derived
                else iter(())
            )

        swept, written = write_pending(self._cas_writer, self._writer, swept_documents, derived_documents)
        return replace(total, states=total.states + len(swept), documents=total.documents + written)


def _marks(due: Due) -> int:
    return due.marks


class _SweepRound(NamedTuple):
    """The settings of a sweep of one facility; `rejudge`: its runs are judged even if their states are not due."""

    facility: str
    until_ms: int | None
    templates: Templates
    rejudge: bool = False


class Rounds:
    """Sweeps at an interval on a thread of its own; failures are logged, and the next round tries again."""

    def __init__(self, sweep: Callable[[], Swept], every_s: float) -> None:
        """Create the thread without starting it."""
        self._sweep, self._every_s = sweep, every_s
        self._stop = Event()
        self._thread = Thread(target=self.run, name="perflog-sweeper", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self, most_s: float) -> None:
        """Stop after the current round, or in the middle of it if it lasts longer than `most_s`: it can be repeated.

        End the retry policy of the services first.
        """
        self._stop.set()
        self._thread.join(most_s)

    def run(self) -> None:
        """The thread's loop."""
        pause_s = self._every_s * random.random()  # noqa: S311  (no secret: spreads the workers' sweeps)
        while not self._stop.wait(pause_s):
            pause_s = self._every_s
            try:
                self._log_result(self._sweep())
            except StopRequested:
                return
            except (Unavailable, ServiceBlocked) as error:
                log.warning("%s. The sweep will be retried in %.0f s; nothing is lost.", error, self._every_s)
            except Exception:
                log.exception("A bug in perflog: please report it. The sweep will be retried.")

    def _log_result(self, result: Swept) -> None:
        if result.states:
            watermarks = ", ".join(
                f"{'/'.join(source_key)} up to {iso(ms)}" for source_key, ms in result.watermarks.items()
            )
            log.info("Swept %d run ids (%s): %d documents.", result.states, watermarks, result.documents)
        if result.gap_documents:
            log.info("Gaps in files: %d found; %d documents. See `perflog gaps`.", result.gaps, result.gap_documents)
        if result.movement_documents:
            log.info("Movements: %d derived from transfers; %d documents.", result.movements, result.movement_documents)
