"""Facts of a batch -> what runs are derived from: their marks by run, and what was heard of each writer. Pure.

A fact comes in the form in which it was read: a plain line as its typed mark, so that no JSON is read again, any other
as its document. Marks that belong to no run or name no stage are passed over, and so is every other kind. Beside that:
what was received of each file, whatever became of it.

`backfill` None means that nobody is heard: a line that is read again tells nothing new of its writer.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import gt
from typing import Any

from ingest.core.decode.fast_path import PlainMark
from ingest.core.lookup import lookup
from ingest.core.mark import RunKey, RunMark, key_of, mark_of
from ingest.core.model import Document
from ingest.core.tracking.file_state import FileKey, FileUpdate
from ingest.core.tracking.watermark import WriterKey, WriterProgress, merged


@dataclass(slots=True)
class BatchUpdates:
    """Marks by run, in no particular order and perhaps repeated; what was heard, by writer; what is told, by file.

    `standing`: how many of the marks of a run were known to stand there, by whoever sent their lines again.
    """

    runs: dict[RunKey, list[RunMark]] = field(default_factory=dict)
    writers: dict[WriterKey, WriterProgress] = field(default_factory=dict)
    files: dict[FileKey, FileUpdate] = field(default_factory=dict)
    standing: Counter[RunKey] = field(default_factory=Counter)

    def add_plain(self, facts: Iterable[tuple[str, PlainMark, int]], backfill: bool | None) -> None:
        """Plain lines: id of the document, the mark, the time of the record (unix ms)."""
        runs, new = self.runs, tuple.__new__
        said: dict[int, tuple[Mapping[str, Any], list[int], list[int]]] = {}
        for doc_id, (at_ms, logged_ms, run, _, plain), record_ms in facts:
            first, perf = plain.first, plain.fields["perf"]
            if first is None:
                continue
            lag_ms = None if first.lag_ms is None else logged_ms - at_ms
            mark = new(RunMark, (doc_id, plain.version, at_ms, lag_ms, first.what, False, ()))
            key = new(RunKey, (perf["facility"], perf["source"], run))
            known = runs.get(key)
            if known is None:
                runs[key] = [mark]
            else:
                known.append(mark)
            # A template is of one origin, and there are few of them in a batch.
            times = said.get(id(perf))
            if times is None:
                times = said[id(perf)] = (plain.fields, [], [])
            times[1].append(at_ms)
            times[2].append(record_ms)
        for fields, instants_ms, records_ms in said.values():
            self._hear(fields, _heard(instants_ms, records_ms), backfill)

    def add_forgotten(self, marks: Iterable[tuple[RunKey, RunMark]]) -> None:
        """Marks that leave their runs."""
        for key, mark in marks:
            self.runs.setdefault(key, []).append(mark)

    def add_document(self, document: Document, record_ms: int, backfill: bool | None) -> None:
        """A document of any kind."""
        if "mark" not in document.body["perf"]:
            return
        key = key_of(document.body)
        mark = mark_of(document.id, document.version, document.body)
        if key is not None and mark is not None:
            self.runs.setdefault(key, []).append(mark)
            self._hear(document.body, _heard([mark.at_ms], [record_ms]), backfill)

    def add_standing(self, other: "BatchUpdates") -> None:
        """Marks that stand there: by whom they were stored, what follows from them was derived."""
        self.standing.update({key: len(marks) for key, marks in other.runs.items()})
        self.join(other)

    def add_files(self, told: Mapping[FileKey, FileUpdate]) -> None:
        """What was received of files, and said of them."""
        for key, news in told.items():
            self.files.setdefault(key, FileUpdate()).join(news)

    def add_ends(self, ends: Mapping[WriterKey, int]) -> None:
        """When (unix ms) the shippers of writers said their end."""
        for key, ended_ms in ends.items():
            self.writers[key] = merged(self.writers.get(key), WriterProgress(ended_ms=ended_ms))

    def join(self, other: "BatchUpdates") -> None:
        """All that another one holds."""
        for key, marks in other.runs.items():
            self.runs.setdefault(key, []).extend(marks)
        self.standing.update(other.standing)
        for writer, heard in other.writers.items():
            self.writers[writer] = merged(self.writers.get(writer), heard)
        self.add_files(other.files)

    def _hear(self, body: Mapping[str, Any], heard: WriterProgress, backfill: bool | None) -> None:
        if backfill is None:
            return
        perf = body["perf"]
        host, path = lookup(body, "host.name") or "", lookup(body, "log.file.path") or ""
        key = WriterKey(perf["facility"], perf["source"], host, path, backfill)
        self.writers[key] = merged(self.writers.get(key), heard)


def _heard(instants_ms: Sequence[int], records_ms: Sequence[int]) -> WriterProgress:
    """Lines: an instant ahead of its record is capped."""
    ahead = any(map(gt, instants_ms, records_ms))
    return WriterProgress(max(map(min, instants_ms, records_ms)), max(records_ms), ahead)
