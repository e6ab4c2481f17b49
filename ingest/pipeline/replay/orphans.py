"""Finds marks whose document now belongs to another run, and removes them from the old run's set.

If a line is shipped again and read by a higher revision, its document is overwritten but the run it belonged to is not
told. Only the document shows it. So every mark in a set that was read by a revision lower than the newest stored one is
compared with its document. The runs are derived at once, as a worker does it. A crash in between costs nothing: the
next replay finds the same marks.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.decode.registry import Registry
from ingest.core.fields import Schema
from ingest.core.ids import revision_of
from ingest.core.mark import RunKey, RunMark, key_of
from ingest.core.model import ExitCode, Problem
from ingest.core.records.updates import BatchUpdates
from ingest.core.replay.corrections import left_run
from ingest.core.runs.state import state_of
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.errors import ServiceBlocked, Unavailable
from ingest.edge.ports import StoredDocument
from ingest.pipeline.derive.deriver import Deriver
from ingest.pipeline.sink.retry import RetryPolicy
from ingest.pipeline.sink.wiring import Sink

log = logging.getLogger("perflog.run")
MARKS_AT_ONCE = 1000
Suspect = tuple[RunKey, RunMark]


@dataclass(slots=True)
class OrphanFinder:
    """Finds orphaned marks in groups; each group is derived before the next one is searched."""

    states: ElasticsearchStates
    store: ElasticsearchStore
    retry_policy: RetryPolicy
    schema: Schema

    def find(self, source_key: tuple[str, str], revision: int, runs: Iterable[str]) -> Iterator[list[Suspect]]:
        """Yield the removals of orphaned marks, as updates of their runs' sets."""
        bodies = self.states.sets(*source_key, tuple(runs))
        candidates = (suspect for body in bodies for suspect in _older(body, revision))
        for group in batched(candidates, max_items=MARKS_AT_ONCE):
            doc_refs = [(self._index(key, mark), mark.id) for key, mark in group]
            stored = self.retry_policy.until_done(lambda refs=doc_refs: self.store.get(refs))  # type: ignore[misc]
            yield [
                (key, removal)
                for (key, mark), document in zip(group, stored, strict=True)
                if (removal := _removal(key, mark, document))
            ]

    def _index(self, key: RunKey, mark: RunMark) -> str:
        return self.schema.index("marks", key.facility, mark.at_ms)


def _older(body: Mapping[str, Any], revision: int) -> Iterator[Suspect]:
    state = state_of(body)
    for mark in state.marks.values():
        if not mark.retracted and revision_of(mark.version) < revision:
            yield state.key, mark


def _removal(key: RunKey, mark: RunMark, document: StoredDocument | None) -> RunMark | None:
    if document is None:
        return None
    current_run = None if document.body["perf"].get("retracted") else key_of(document.body)
    return left_run(key, mark, document.version, current_run)


def remove_orphans(
    settings: Settings, registry: Registry, query: FactQuery, newest: Mapping[tuple[str, str], int]
) -> int:
    """Remove orphaned marks from the sets of the selected runs and derive these again; return the number of marks.

    `newest`: facility and source -> the newest revision of the stored documents.

    Raises `Problem` (69) when Elasticsearch does not answer.
    """
    sink = Sink(settings, settings.delivery.connections)
    deriver = Deriver(registry.schema, sink.cas_writer, sink.rewriter)
    finder = OrphanFinder(ElasticsearchStates(sink.client), sink.store, sink.retry_policy, registry.schema)
    removed = 0
    try:
        for (facility, source), revision in newest.items():
            finder.states.refresh(facility)
            for removals in finder.find((facility, source), revision, query.runs):
                updates = BatchUpdates()
                updates.add_removals(removals)
                if removals:
                    deriver.derive([updates])
                removed += len(removals)
    except (Unavailable, ServiceBlocked) as error:
        raise Problem(f"{error}.", "Replay again: finished work is kept.", ExitCode.UNAVAILABLE) from error
    finally:
        deriver.shut_down()
        sink.close()
    return removed
