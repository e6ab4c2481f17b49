"""Compare-and-swap in bulk: each document is changed from what it is now, whoever else changes it meanwhile.

A `CasDocument` is one document on its way: it knows (from a cache, or because it was read) what is there, and makes of
it what is to be. Of a round one request reads what is not known and one writes what is to be changed (each split by the
writer's limits); cells that lost against somebody else are read and changed again, at once: waiting would not help.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest.core.bulk import BulkAction, create, index_if
from ingest.core.bulk_result import ItemStatus, Seen, item_status
from ingest.edge.ports import Store
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.retry import RetryPolicy

log = logging.getLogger("perflog.run")
READ_AT_ONCE = 500


class CasDocument(ABC):
    """One document. `known`: what is there is known; `seen`: as what, None where nothing is; `lost`: was refused."""

    def __init__(self, index: str, doc_id: str) -> None:
        """Nothing is known yet."""
        self.place = (index, doc_id)
        self.known = False
        self.lost = False
        self.seen: Seen | None = None

    @abstractmethod
    def take(self, body: Mapping[str, Any] | None) -> None:
        """Take in what is there."""

    @abstractmethod
    def changed(self) -> str | None:
        """The document as it is to be, as JSON; None when it is that already."""

    @abstractmethod
    def keep(self) -> None:
        """What `changed` said is what is there now."""

    def action(self, json: str) -> BulkAction:
        """What is asked of Elasticsearch."""
        return create(*self.place, json) if self.seen is None else index_if(*self.place, self.seen, json)


class CasWriter:
    """Swaps cells until every one of them stands."""

    def __init__(self, store: Store, writer: BulkWriter, retry_policy: RetryPolicy) -> None:
        """Bind a store, a writer of its swaps, and how to wait for it."""
        self._store, self._writer, self._retry_policy = store, writer, retry_policy

    def swap(self, cells: Iterable[CasDocument]) -> int:
        """Until every cell's change is there; how often one was lost to somebody else."""
        pending, conflicts = list(cells), 0
        while pending:
            self.read([cell for cell in pending if not cell.known])
            pending = self.swap_once(pending)
            conflicts += len(pending)
        return conflicts

    def read(self, cells: Sequence[CasDocument]) -> None:
        """Let the cells know what is there."""
        for start in range(0, len(cells), READ_AT_ONCE):
            some = cells[start : start + READ_AT_ONCE]
            wanted = [cell.place for cell in some]
            found = self._retry_policy.until_done(lambda wanted=wanted: self._store.kept(wanted))  # type: ignore[misc]
            for cell, kept in zip(some, found, strict=True):
                cell.seen, cell.known = (kept.seen if kept else None), True
                cell.take(kept.body if kept else None)

    def swap_once(self, cells: Iterable[CasDocument]) -> list[CasDocument]:
        """Try once; the cells that lost against somebody else, and of which nothing is known now."""
        changes = [(cell, json) for cell in cells if (json := cell.changed()) is not None]
        answers = self._writer.write([cell.action(json) for cell, json in changes])
        overtaken = []
        for (cell, _), answer in zip(changes, answers, strict=True):
            found = item_status(answer)
            if found is ItemStatus.PRESENT:
                cell.known = False
                overtaken.append(cell)
            elif found is ItemStatus.REFUSED:
                cell.lost = True
                log.error("Elasticsearch refuses %s/%s: %s: %s.", *cell.place, answer.error, answer.reason)
            else:
                cell.seen = answer.seen
                cell.keep()
        return overtaken
