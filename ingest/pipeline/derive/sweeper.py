"""The sweeper: lets time pass for runs. Quiet, closed, abandoned, open for so long, how complete: its words only.

For each source it asks for the watermark and for the states that are due by it, and writes what follows: the state with
the new watermark and the next revision (by compare-and-swap, marked as owing its documents), then stages and runs, then
the state with its next due. So a sweeper that dies in between is found out by the next one, which writes all of it
again. Whoever loses a swap leaves the state to the winner: any number may sweep at once, every worker does.

Large runs are derived here only: a worker marks them as owing their documents. What is missing of files is found out in
the same rounds, by gap_sweeper.py.

How complete a run is follows from its state and from the template of its workflow. The sweeper says it when a run has
become quiet or closed. A worker leaves it out when it writes a run that has changed; such runs, and those judged by an
older template, the sweeper finds by the version in their documents and judges anew, each with the next revision. So a
template that was learned anew is applied to everything that is stored, by whoever sweeps next, and needs no command of
its own. In the end each settled run is judged by the newest template, whoever wrote what before.
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
from ingest.core.ids import index_name
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
    """A state that is due. `after`: as it is to be; `before`: what was derived of it until now, where that is known."""

    def __init__(self, index: str, doc_id: str, until_ms: int | None, anew: bool = False) -> None:
        """`until_ms` is the watermark, None where there is none; `anew`: a run of it is to be judged, due or not."""
        super().__init__(index, doc_id)
        self._until_ms, self._anew = until_ms, anew
        self.before: Derived | None = None
        self.after: RunState | None = None
        self.found: Derived | None = None
        self._first: RunState | None = None
        self._owing = True

    def take(self, body: Mapping[str, Any] | None) -> None:
        """Let time pass, unless somebody else has done so already."""
        if body is None:
            return
        due = body["perf"]["runstate"].get("due")
        due_ms = iso_ms(due) if due else sys.maxsize
        if due_ms > max(AT_ONCE_MS, self._until_ms or 0) and not self._anew:
            return
        self._first = state_of(body)
        self.after = self._first if self._until_ms is None else at_watermark(self._first, self._until_ms)
        if self._anew and self.after is self._first and due_ms > AT_ONCE_MS:
            self.after = next_revision(self._first)
        self.found = derive_or_log(self.after)
        if due_ms > AT_ONCE_MS:
            self.before = derive_or_log(self._first)

    @property
    def is_due(self) -> bool:
        """Whether anything is to be written."""
        return self.found is not None

    def changed(self) -> str | None:
        """First as owing its documents, then with its next due."""
        if self.after is None or self.found is None or (self._owing and self.after is self._first):
            return None
        return json_of(self.after, self.found.issued, AT_ONCE_MS if self._owing else self.found.due_ms)

    def keep(self) -> None:
        """It is there."""

    def pay(self) -> None:
        """Its documents were written."""
        self._owing = False


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: states that were due and taken on, documents written; the watermark by facility and source.

    `gaps` were found in files; `gap_documents` were written of them, also of old ones that changed.
    """

    states: int = 0
    documents: int = 0
    watermarks: Mapping[tuple[str, str], int] = ()  # type: ignore[assignment]
    gaps: int = 0
    gap_documents: int = 0


class Sweeper:
    """Sweeps the sources of some facilities."""

    def __init__(self, states: States, cas_writer: CasWriter, writer: BulkWriter, schema: Schema) -> None:
        """Bind what it asks, and what it writes with."""
        self._states, self._cas_writer, self._writer, self._schema = states, cas_writer, writer, schema

    def sweep(self, places: Iterable[tuple[str, str]]) -> Swept:
        """Once, for each facility and source."""
        total = Swept(watermarks={})
        for facility, source in places:
            self._states.refresh(facility)
            until_ms = watermark_ms(map(writer_of, self._states.writers(facility, source, ACTIVE_MS)))
            round_ = _SweepRound(facility, until_ms, templates_of(self._states.templates(facility)))
            due = self._states.due(facility, source, max(AT_ONCE_MS, until_ms or 0))
            for some in batched(due, _marks, MARKS_AT_ONCE):
                total = self._some(round_, some, total)
            total = self._judge(round_, source, total)
            if until_ms is not None:
                total = replace(total, watermarks={**total.watermarks, (facility, source): until_ms})
        return total

    def _judge(self, round_: "_SweepRound", source: str, total: Swept) -> Swept:
        """The settled runs that were not judged by the newest template: changed since, or of before it was learned."""
        if round_.until_ms is None:
            return total
        for workflow, stored in round_.templates.items():
            self._states.refresh(round_.facility)
            settled_ms, over_ms = round_.until_ms - QUIET_MS, round_.until_ms - SILENCE_MS
            wanted = Unjudged(round_.facility, source, workflow, stored.version, settled_ms, over_ms)
            for some in batched(self._states.unjudged(wanted), _marks, MARKS_AT_ONCE):
                total = self._some(round_._replace(anew=True), list({each.id: each for each in some}.values()), total)
        return total

    def _some(self, round_: "_SweepRound", due: Sequence[Due], total: Swept) -> Swept:
        index = index_name("runstate", round_.facility, "none", 0)
        cells = [SweptDocument(index, each.id, round_.until_ms, round_.anew) for each in due]

        def told_by(cell: SweptDocument) -> Iterator[DerivedDocument]:
            return documents(cell.found, self._schema, cell.before, round_.templates) if cell.found else iter(())

        taken, written = write_pending(self._cas_writer, self._writer, cells, told_by)
        return replace(total, states=total.states + len(taken), documents=total.documents + written)


def _marks(due: Due) -> int:
    return due.marks


class _SweepRound(NamedTuple):
    """What a sweep of one facility goes by; `anew`: runs are to be judged though their states are not due."""

    facility: str
    until_ms: int | None
    templates: Templates
    anew: bool = False


class Rounds:
    """Sweeps every so many seconds on a thread of its own; what goes wrong is said, and tried in the next round."""

    def __init__(self, sweep: Callable[[], Swept], every_s: float) -> None:
        """Not begun yet."""
        self._sweep, self._every_s = sweep, every_s
        self._stop = Event()
        self._thread = Thread(target=self.run, name="perflog-sweeper", daemon=True)

    def begin(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Stop, after what is under way; `patience` of the services must have been ended before."""
        self._stop.set()
        self._thread.join()

    def run(self) -> None:
        """The thread."""
        pause_s = self._every_s * random.random()  # noqa: S311  (no secret: not all workers at the same time)
        while not self._stop.wait(pause_s):
            pause_s = self._every_s
            try:
                self._tell(self._sweep())
            except StopRequested:
                return
            except (Unavailable, ServiceBlocked) as error:
                log.warning("%s. The sweep is tried again in %.0f s; nothing is lost.", error, self._every_s)
            except Exception:
                log.exception("A fault of perflog's: please report it. The sweep is tried again.")

    def _tell(self, swept_: Swept) -> None:
        if swept_.states:
            until = ", ".join(f"{'/'.join(place)} up to {iso(ms)}" for place, ms in swept_.watermarks.items())
            log.info("Swept %d run ids (%s): %d documents.", swept_.states, until, swept_.documents)
        if swept_.gap_documents:
            log.info("Gaps in files: %d found; %d documents. See `perflog gaps`.", swept_.gaps, swept_.gap_documents)
