"""Stages and runs, derived from the marks that Elasticsearch has answered for. On a thread of its own; commits nothing.

Order of the writes: marks, then the states of their runs, what was heard of their writers and received of their files
(compare-and-swap), then stages and runs with the state's revision as version; only then does the span of the records
count as answered. Marks that were there already (409) are merged all the same, and what is read anew is written in
full: so a crash between any two of these writes heals when its records are read again. Only of lines that a replay knew
to stand there nothing is written where the state has them: who stored them wrote what follows, or its record is read
again.

One round at a time, and a round takes all batches that were answered during the one before. That does three things: no
two batches of one worker swap the same state against each other; a run of which lines come in every batch is derived
once a round and not once a batch, the more so the more there is to do; and a quiet facility sees its stages at once,
since nothing waits while no batch is under way. While one is, a round begins when much waits, or has waited for two
seconds: so the lines of a run come together. How much may wait is bounded by the crew.

A run with very many marks is merged only; its stages and run are the sweeper's (see sweeper.py).
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from ingest.core.batching import batched
from ingest.core.bulk import BulkAction, index
from ingest.core.bulk_result import ItemStatus, item_status
from ingest.core.cache import Cache
from ingest.core.fields import Schema
from ingest.core.mark import RunKey
from ingest.core.model import Document
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.derive import DerivedDocument
from ingest.pipeline.derive.file_state import FileStateDocument
from ingest.pipeline.derive.run_state import RunStateDocument, WriterDocument
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasDocument, CasWriter

log = logging.getLogger("perflog.run")
CACHE_MARKS = 100_000  # some 600 bytes each with the stages they opened
WRITERS = 4096
FILES = 4096


@dataclass(slots=True)
class RunCache:
    """Run cells of late, at most so many marks in all; may be emptied at any time."""

    most_marks: int = CACHE_MARKS
    marks: int = 0
    _cells: "OrderedDict[RunKey, RunStateDocument]" = field(default_factory=OrderedDict)

    def taken(self, key: RunKey) -> RunStateDocument:
        """The cell of a run, which leaves the cache: it comes back when all that follows from it was written."""
        cell = self._cells.pop(key, None)
        if cell is None:
            return RunStateDocument(key)
        self.marks -= len(cell.state.marks)
        return cell

    def put(self, key: RunKey, cell: RunStateDocument) -> None:
        """Keep a cell; the oldest ones go when there is no room."""
        self._cells[key] = cell
        self.marks += len(cell.state.marks)
        while self.marks > self.most_marks and self._cells:
            self.marks -= len(self._cells.popitem(last=False)[1].state.marks)


class Deriver:
    """Derives, round by round. `conflicts` counts states that somebody else changed first."""

    def __init__(
        self,
        schema: Schema,
        cas_writer: CasWriter,
        writer: BulkWriter,
        bulk_threads: int = 1,
        cache: RunCache | None = None,
    ) -> None:
        """Bind the schema, what it is written with, and how many portions may be under way."""
        self._schema, self._cas_writer, self._writer = schema, cas_writer, writer
        self._at_once = writer.limits.documents
        self._pool = ThreadPoolExecutor(bulk_threads, "perflog-deriver-hand")
        self._runs = cache or RunCache()
        self._writers = Cache(WriterDocument, WRITERS)
        self._files = Cache(FileStateDocument, FILES)
        self.conflicts = 0

    def derive(self, batches: Sequence[BatchUpdates]) -> None:
        """Merge and write all that follows; returns when Elasticsearch has answered for it."""
        gathered = BatchUpdates()
        for batch in batches:
            gathered.join(batch)
        cells = []
        for key, marks in gathered.runs.items():
            cell = self._runs.taken(key)
            cell.more, cell.stood = marks, gathered.standing[key] == len(marks)
            cells.append(cell)
        told = [*_fed(self._writers, gathered.writers), *_fed(self._files, gathered.files)]
        tasks = [self._pool.submit(self._cas_writer.swap, told)]
        tasks += [
            self._pool.submit(self._portion, some) for some in batched(cells, RunStateDocument.news, self._at_once)
        ]
        wait(tasks)
        self.conflicts += sum(task.result() for task in tasks)
        for cell in cells:
            if not cell.lost:
                cell.settle()
                self._runs.put(cell.state.key, cell)

    def _portion(self, cells: Sequence[RunStateDocument]) -> int:
        """The states of some runs, then their stages and runs; how often a state was lost to somebody else.

        Portions share nothing, so one is computed while Elasticsearch answers for another.
        """
        conflicts = self._cas_writer.swap(cells)
        write(self._writer, [document for cell in cells for document in cell.documents(self._schema)])
        return conflicts

    def dismiss(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)


def _fed(cells: Cache, news: Mapping[Any, Any]) -> list[CasDocument]:
    """The cells of what there is news of, which they take in when they are swapped."""
    fed = []
    for key, more in news.items():
        cell = cells[key]
        cell.more = more
        fed.append(cell)
    return fed


def write(writer: BulkWriter, found: Sequence[DerivedDocument | Document]) -> None:
    """Write what was derived. A newer view that is there already (409) is as good; what is refused is said."""
    actions: list[BulkAction] = [index(each.index, each.id, each.version, each.json) for each in found]
    for action, answer in zip(actions, writer.write(actions), strict=True):
        if item_status(answer) is ItemStatus.REFUSED:
            log.error("Elasticsearch refuses %s/%s: %s: %s.", *action[:2], answer.error, answer.reason)
