"""Collects from a batch what is derived from it: marks by run, progress by writer, bytes by file, polls by transfer.

A fact comes in the form in which it was decoded: a plain line as its typed mark, so that no JSON is parsed again, any
other as its document. Marks without a run or a stage are skipped, and so are documents of other kinds. Files are
updated for all received records, whatever their outcome.

With `backfill=None` no writer's progress is updated: a replayed line says nothing new about it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import gt
from typing import Any

from ingest.core.bulk import new_tuple
from ingest.core.bulk_result import CREATED, ItemResult, ItemStatus, item_status
from ingest.core.decode.fast_path import PlainMark
from ingest.core.lookup import lookup
from ingest.core.mark import RunKey, RunMark, key_of, mark_of
from ingest.core.model import Document
from ingest.core.movements.record import record_of
from ingest.core.movements.state import TransferKey, TransferUpdate, transfer_key
from ingest.core.records.decoded import PartitionBatch
from ingest.core.tracking.file_state import FileKey, FileUpdate
from ingest.core.tracking.watermark import WriterKey, WriterProgress, merged


@dataclass(slots=True)
class BatchUpdates:
    """Marks by run (unordered, possibly repeated), progress by writer, updates by file and by transfer.

    `already_stored` counts the marks of each run that a replay knew to be stored already.
    """

    runs: dict[RunKey, list[RunMark]] = field(default_factory=dict)
    writers: dict[WriterKey, WriterProgress] = field(default_factory=dict)
    files: dict[FileKey, FileUpdate] = field(default_factory=dict)
    transfers: dict[TransferKey, TransferUpdate] = field(default_factory=dict)
    already_stored: Counter[RunKey] = field(default_factory=Counter)

    def add_batch(self, batch: PartitionBatch, results: Sequence[ItemResult], outdated: set[int]) -> None:
        """Add what the stored documents of a batch say, and the files and ends of all its records.

        `outdated`: actions for which a higher version is stored; whoever wrote that version reports it.
        """
        self._add_documents(batch, results, outdated | batch.reading.outdated)
        self.add_files(batch.reading.files)
        self.add_ends(batch.reading.ends)

    def _add_documents(self, batch: PartitionBatch, results: Sequence[ItemResult], outdated: set[int]) -> None:
        decoded, records = batch.reading, batch.records
        already_stored = BatchUpdates()
        start = 0
        for stop, backfill in decoded.segments:
            plain: list[tuple[str, PlainMark, int]] = []
            plain_stored: list[tuple[str, PlainMark, int]] = []
            for n in range(start, stop):
                if n in outdated or (results[n] is not CREATED and item_status(results[n]) is ItemStatus.REJECTED):
                    continue
                fact, owner = decoded.facts[n], decoded.owners[n]
                if isinstance(fact, Document):
                    message = decoded.special[owner].message
                    target = already_stored if n in decoded.already_stored else self
                    target.add_document(fact, message.record_time_ms, None if message.bare else message.backfill)
                else:
                    mark = decoded.actions[n].id, fact, records[owner].time_ms
                    (plain_stored if n in decoded.already_stored else plain).append(mark)
            self.add_plain(plain, backfill)
            already_stored.add_plain(plain_stored, None)
            start = stop
        self.add_already_stored(already_stored)

    def add_plain(self, facts: Iterable[tuple[str, PlainMark, int]], backfill: bool | None) -> None:
        """Add plain lines: the document's id, the mark, and the record's time (unix ms)."""
        runs, new = self.runs, new_tuple
        times_by_template: dict[int, tuple[Mapping[str, Any], list[int], list[int]]] = {}
        for doc_id, (at_ms, logged_ms, run, _, plain), record_ms in facts:
            first, perf = plain.first, plain.fields["perf"]
            if first is None:
                continue
            lag_ms = None if first.lag_ms is None else logged_ms - at_ms
            mark = new(RunMark, (doc_id, plain.version, at_ms, lag_ms, first.what, False, ()))
            key = new(RunKey, (perf["facility"], perf["source"], run))
            marks = runs.get(key)
            if marks is None:
                runs[key] = [mark]
            else:
                marks.append(mark)
            # A template belongs to one origin, and a batch has few of them.
            times = times_by_template.get(id(perf))
            if times is None:
                times = times_by_template[id(perf)] = (plain.fields, [], [])
            times[1].append(at_ms)
            times[2].append(record_ms)
        for fields, instants_ms, records_ms in times_by_template.values():
            self._add_progress(fields, _progress_of(instants_ms, records_ms), backfill)

    def add_removals(self, marks: Iterable[tuple[RunKey, RunMark]]) -> None:
        """Add marks that leave their runs."""
        for key, mark in marks:
            self.runs.setdefault(key, []).append(mark)

    def add_document(self, document: Document, record_ms: int, backfill: bool | None) -> None:
        """Add a document of any kind; only marks and transfers count."""
        if "transfer" in document.body["perf"]:
            self._add_transfer(document)
        if "mark" not in document.body["perf"]:
            return
        key = key_of(document.body)
        mark = mark_of(document.id, document.version, document.body)
        if key is not None and mark is not None:
            self.runs.setdefault(key, []).append(mark)
            self._add_progress(document.body, _progress_of([mark.at_ms], [record_ms]), backfill)

    def _add_transfer(self, document: Document) -> None:
        record = record_of(document.id, document.version, document.body)
        key = transfer_key(document.body["perf"]["facility"], record)
        self.transfers.setdefault(key, TransferUpdate()).add(record)

    def add_already_stored(self, other: "BatchUpdates") -> None:
        """Add facts that are stored already: the worker that stored them has derived what follows from them."""
        self.already_stored.update({key: len(marks) for key, marks in other.runs.items()})
        other.transfers.clear()
        self.join(other)

    def add_files(self, files: Mapping[FileKey, FileUpdate]) -> None:
        """Add byte ranges and manifests of files."""
        for key, update in files.items():
            self.files.setdefault(key, FileUpdate()).join(update)

    def add_ends(self, ends: Mapping[WriterKey, int]) -> None:
        """Add the times (unix ms) at which shippers reported the end of their writers."""
        for key, ended_ms in ends.items():
            self.writers[key] = merged(self.writers.get(key), WriterProgress(ended_ms=ended_ms))

    def join(self, other: "BatchUpdates") -> None:
        """Add all updates of another batch."""
        for key, marks in other.runs.items():
            self.runs.setdefault(key, []).extend(marks)
        self.already_stored.update(other.already_stored)
        for writer, progress in other.writers.items():
            self.writers[writer] = merged(self.writers.get(writer), progress)
        self.add_files(other.files)
        for unit, transfer in other.transfers.items():
            self.transfers.setdefault(unit, TransferUpdate()).join(transfer)

    def _add_progress(self, body: Mapping[str, Any], progress: WriterProgress, backfill: bool | None) -> None:
        if backfill is None:
            return
        perf = body["perf"]
        host, path = lookup(body, "host.name") or "", lookup(body, "log.file.path") or ""
        key = WriterKey(perf["facility"], perf["source"], host, path, backfill)
        self.writers[key] = merged(self.writers.get(key), progress)


def _progress_of(instants_ms: Sequence[int], records_ms: Sequence[int]) -> WriterProgress:
    """Return the progress in these lines; an instant later than its record's time is capped to that time."""
    ahead = any(map(gt, instants_ms, records_ms))
    return WriterProgress(max(map(min, instants_ms, records_ms)), max(records_ms), ahead)
