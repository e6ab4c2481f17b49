"""Derives stages and runs from marks that Elasticsearch has acknowledged. Runs on its own thread; commits no offsets.

Order of the writes:

1. marks
2. the states of their runs, the progress of their writers, the states of their files and of transfers
   (compare-and-swap); movements are derived from transfers by the sweeper alone (see movement_sweeper.py)
3. stages and runs, with the state's revision as version

Only then does the offset range of the records become committable. Marks that already existed (409) are merged as well,
and a state that had to be read again has all its documents rewritten. So a crash between any two of these writes heals
when its records are consumed again. One exception: nothing is written for replayed lines that are known to be stored
if the state already has their marks. Whoever stored them wrote what follows from them, or their record is read again.

There is one round at a time. It takes all batches that were acknowledged during the previous round, which has three
effects: two batches of one worker never compete for the same state; a run with lines in every batch is derived once a
round instead of once a batch, and the saving grows with the load; and a quiet facility sees its stages at once, since
nothing waits while no batch is in flight. While a batch is in flight, a round begins when many updates wait, or when
they have waited for two seconds, so that the lines of a run come together. The worker's threads bound how many updates
may wait.

A run with very many marks is only merged here. The sweeper writes its stages and its run (see sweeper.py).
"""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingest.core.batching import batched
from ingest.core.bulk import BulkDocument, index_document
from ingest.core.bulk_result import ItemStatus, item_status
from ingest.core.cache import Cache
from ingest.core.fields import Schema
from ingest.core.mark import RunKey
from ingest.core.records.updates import BatchUpdates
from ingest.pipeline.derive.file_state import FileStateDocument
from ingest.pipeline.derive.run_state import RunStateDocument, WriterDocument
from ingest.pipeline.derive.transfer_state import TransferStateDocument
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasDocument, CasWriter

log = logging.getLogger("perflog.run")
CACHE_MARKS = 100_000  # some 600 bytes each with the stages they opened
WRITERS = 4096
FILES = 4096
TRANSFERS = 4096


@dataclass(slots=True)
class RunCache:
    """Recently used run states, limited by their total number of marks; may be emptied at any time."""

    most_marks: int = CACHE_MARKS
    marks: int = 0
    _documents: "OrderedDict[RunKey, RunStateDocument]" = field(default_factory=OrderedDict)

    def take(self, key: RunKey, schema: Schema) -> RunStateDocument:
        """Remove and return a run's state document; put it back once everything that follows from it was written."""
        document = self._documents.pop(key, None)
        if document is None:
            return RunStateDocument(key, schema)
        self.marks -= len(document.state.marks)
        return document

    def put(self, key: RunKey, document: RunStateDocument) -> None:
        """Cache a document, and evict the oldest ones if there is no room."""
        self._documents[key] = document
        self.marks += len(document.state.marks)
        while self.marks > self.most_marks and self._documents:
            self.marks -= len(self._documents.popitem(last=False)[1].state.marks)


class Deriver:
    """Derives stages and runs, one round at a time. `conflicts` counts states that another process changed first."""

    def __init__(
        self,
        schema: Schema,
        cas_writer: CasWriter,
        writer: BulkWriter,
        bulk_threads: int = 1,
        cache: RunCache | None = None,
    ) -> None:
        """Bind the schema and the writers; `bulk_threads` is how many parts of a round may be in flight."""
        self._schema, self._cas_writer, self._writer = schema, cas_writer, writer
        self._at_once = writer.limits.documents
        self._pool = ThreadPoolExecutor(bulk_threads, "perflog-deriver-bulk")
        self._runs = cache or RunCache()
        self._writers = Cache(partial(WriterDocument, schema=schema), WRITERS)
        self._files = Cache(partial(FileStateDocument, schema=schema), FILES)
        self._transfers = Cache(partial(TransferStateDocument, schema=schema), TRANSFERS)
        self.conflicts = 0

    def derive(self, batches: Sequence[BatchUpdates]) -> None:
        """Merge the updates and write everything that follows; return when Elasticsearch has acknowledged it."""
        updates = BatchUpdates()
        for batch in batches:
            updates.join(batch)
        run_documents = []
        for key, marks in updates.runs.items():
            document = self._runs.take(key, self._schema)
            document.new_marks = marks
            document.already_stored = updates.already_stored[key] == len(marks)
            run_documents.append(document)
        other_documents = [
            *_with_updates(self._writers, updates.writers),
            *_with_updates(self._files, updates.files),
            *_with_updates(self._transfers, updates.transfers),
        ]
        tasks = [self._pool.submit(self._cas_writer.write, other_documents)]
        tasks += [
            self._pool.submit(self._derive_runs, runs)
            for runs in batched(run_documents, RunStateDocument.new_mark_count, self._at_once)
        ]
        wait(tasks)
        self.conflicts += sum(task.result() for task in tasks)
        for document in run_documents:
            if not document.rejected:
                document.confirm_derived()
                self._runs.put(document.state.key, document)

    def _derive_runs(self, run_documents: Sequence[RunStateDocument]) -> int:
        """Write the states of some runs, then their stages and runs; return the number of compare-and-swap conflicts.

        The parts of a round share nothing, so one is computed while Elasticsearch answers for another.
        """
        conflicts = self._cas_writer.write(run_documents)
        write(
            self._writer,
            [document for run_document in run_documents for document in run_document.documents(self._schema)],
        )
        return conflicts

    def shut_down(self) -> None:
        """Shut the threads down."""
        self._pool.shutdown(cancel_futures=True)


def _with_updates(cache: Cache[Any, Any], updates: Mapping[Any, Any]) -> list[CasDocument]:
    """The cached documents that have updates; each merges its update when it is swapped."""
    documents = []
    for key, update in updates.items():
        document = cache[key]
        document.update = update
        documents.append(document)
    return documents


def write(writer: BulkWriter, documents: Sequence[BulkDocument]) -> None:
    """Write derived documents. A conflict (409) means that a newer version is stored; a rejected item is logged."""
    actions = [index_document(document) for document in documents]
    for action, result in zip(actions, writer.write(actions), strict=True):
        if item_status(result) is ItemStatus.REJECTED:
            log.error("Elasticsearch rejects %s/%s: %s: %s.", *action[:2], result.error, result.reason)
