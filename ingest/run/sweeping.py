"""The sweeper: lets time pass for runs. Quiet, closed, abandoned, and how long a stage is open, are its words only.

For each source it asks for the watermark and for the states that are due by it, and writes what follows: the state with
the new watermark and the next revision (by compare-and-swap, marked as owing its documents), then stages and runs, then
the state with its next due. So a sweeper that dies in between is found out by the next one, which writes all of it
again. Whoever loses a swap leaves the state to the winner: any number may sweep at once, every worker does.

Large runs are derived here only: a worker marks them as owing their documents. What is missing of files is found out in
the same rounds, by gap_sweeping.py.
"""

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any

from ingest.core.clock import iso, iso_ms
from ingest.core.derive import Derived, documents
from ingest.core.fields import Schema
from ingest.core.ids import index_name
from ingest.core.runstate import AT_ONCE_MS, RunState, body_of, state_of, swept
from ingest.core.watermark import ACTIVE_MS, watermark_ms, writer_of
from ingest.edge.ports import Due, Refusal, States, Unavailable
from ingest.run.cells import as_text, told
from ingest.run.deriving import write
from ingest.run.patience import Stopped
from ingest.run.swapping import Cell, Swapper
from ingest.run.writing import Writer

log = logging.getLogger("perflog.run")
MARKS_AT_ONCE = 20_000


class SweepCell(Cell):
    """A state that is due. `after`: as it is to be; `before`: what was derived of it until now, where that is known."""

    def __init__(self, index: str, doc_id: str, until_ms: int | None) -> None:
        """`until_ms` is the watermark; None where there is none."""
        super().__init__(index, doc_id)
        self._until_ms = until_ms
        self.before: Derived | None = None
        self.after: RunState | None = None
        self.found: Derived | None = None
        self._first: RunState | None = None
        self._owing = True

    def take(self, body: Mapping[str, Any] | None) -> None:
        """Let time pass, unless somebody else has done so already."""
        due = body["perf"]["runstate"].get("due") if body else None
        due_ms = iso_ms(due) if due else None
        if body is None or due_ms is None or due_ms > max(AT_ONCE_MS, self._until_ms or 0):
            return
        self._first = state_of(body)
        self.after = self._first if self._until_ms is None else swept(self._first, self._until_ms)
        self.found = told(self.after)
        if due_ms > AT_ONCE_MS:
            self.before = told(self._first)

    @property
    def is_due(self) -> bool:
        """Whether anything is to be written."""
        return self.found is not None

    def changed(self) -> str | None:
        """First as owing its documents, then with its next due."""
        if self.after is None or self.found is None or (self._owing and self.after is self._first):
            return None
        return as_text(body_of(self.after, self.found.issued, AT_ONCE_MS if self._owing else self.found.due_ms))

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

    def __init__(self, states: States, swapper: Swapper, writer: Writer, schema: Schema) -> None:
        """Bind what it asks, and what it writes with."""
        self._states, self._swapper, self._writer, self._schema = states, swapper, writer, schema

    def sweep(self, places: Iterable[tuple[str, str]]) -> Swept:
        """Once, for each facility and source."""
        total = Swept(watermarks={})
        for facility, source in places:
            self._states.refresh(facility)
            until_ms = watermark_ms(map(writer_of, self._states.writers(facility, source, ACTIVE_MS)))
            due = self._states.due(facility, source, max(AT_ONCE_MS, until_ms or 0))
            for some in in_portions(due):
                states, written = self._some(facility, some, until_ms)
                total = replace(total, states=total.states + states, documents=total.documents + written)
            if until_ms is not None:
                total = replace(total, watermarks={**total.watermarks, (facility, source): until_ms})
        return total

    def _some(self, facility: str, due: Sequence[Due], until_ms: int | None) -> tuple[int, int]:
        index = index_name("runstate", facility, "none", 0)
        cells = [SweepCell(index, each.id, until_ms) for each in due]
        self._swapper.read(cells)
        overtaken = self._swapper.swap_once(cells)
        cells = [cell for cell in cells if cell.is_due and not cell.lost and cell not in overtaken]
        found = [d for cell in cells if cell.found for d in documents(cell.found, self._schema, cell.before)]
        write(self._writer, found)
        for cell in cells:
            cell.pay()
        self._swapper.swap_once(cells)
        return len(cells), len(found)


def in_portions(due: Iterable[Due]) -> Iterator[list[Due]]:
    """So many at a time that their marks are no more than MARKS_AT_ONCE; a larger one by itself."""
    some: list[Due] = []
    marks = 0
    for each in due:
        if some and marks + each.marks > MARKS_AT_ONCE:
            yield some
            some, marks = [], 0
        some.append(each)
        marks += each.marks
    if some:
        yield some


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
            except Stopped:
                return
            except (Unavailable, Refusal) as error:
                log.warning("%s. The sweep is tried again in %.0f s; nothing is lost.", error, self._every_s)
            except Exception:
                log.exception("A fault of perflog's: please report it. The sweep is tried again.")

    def _tell(self, swept_: Swept) -> None:
        if swept_.states:
            until = ", ".join(f"{'/'.join(place)} up to {iso(ms)}" for place, ms in swept_.watermarks.items())
            log.info("Swept %d run ids (%s): %d documents.", swept_.states, until, swept_.documents)
        if swept_.gap_documents:
            log.info("Gaps in files: %d found; %d documents. See `perflog gaps`.", swept_.gaps, swept_.gap_documents)
