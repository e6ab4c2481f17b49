"""Marks that runs still count though their documents say otherwise by now, found and taken out of their sets.

A line that is shipped again and read by a higher revision overwrites its document without a word to the run that it was
of. What tells is the document: every mark of a set that a lower revision read than the newest of the documents that are
stored is held against its own. What follows is derived at once, as a worker does it; so a death in between costs
nothing: the same is found by the next replay.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ingest.config.settings import Settings
from ingest.core.decode.registry import Registry
from ingest.core.fields import Schema
from ingest.core.ids import index_name, revision_of
from ingest.core.mark import RunKey, RunMark, key_of
from ingest.core.model import Problem
from ingest.core.records.updates import BatchUpdates
from ingest.core.replay.corrections import left_run
from ingest.core.runs.state import state_of
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.errors import ServiceBlocked, Unavailable
from ingest.edge.ports import StoredDocument
from ingest.pipeline.derive.deriver import Deriver
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasWriter
from ingest.pipeline.sink.retry import RetryPolicy
from ingest.pipeline.sink.wiring import request_limits

log = logging.getLogger("perflog.run")
AT_ONCE = 1000
Suspect = tuple[RunKey, RunMark]


@dataclass(slots=True)
class OrphanFinder:
    """Finds them, some at a time; each group is derived before the next is looked for."""

    states: ElasticsearchStates
    store: ElasticsearchStore
    retry_policy: RetryPolicy
    schema: Schema

    def found(self, place: tuple[str, str], revision: int, runs: Iterable[str]) -> Iterator[list[Suspect]]:
        """Marks that leave, as their runs have to hear of it."""
        bodies = self.states.sets(*place, tuple(runs))
        suspects = (each for body in bodies for each in _older(body, revision))
        while some := list(islice(suspects, AT_ONCE)):
            places = [(self._index(key, mark), mark.id) for key, mark in some]
            kept = self.retry_policy.until_done(lambda places=places: self.store.kept(places))  # type: ignore[misc]
            yield [(key, gone) for (key, mark), at in zip(some, kept, strict=True) if (gone := _gone(key, mark, at))]

    def _index(self, key: RunKey, mark: RunMark) -> str:
        return index_name("marks", key.facility, self.schema.kinds["marks"].period, mark.at_ms)


def _older(body: Mapping[str, Any], revision: int) -> Iterator[Suspect]:
    state = state_of(body)
    for mark in state.marks.values():
        if not mark.retracted and revision_of(mark.version) < revision:
            yield state.key, mark


def _gone(key: RunKey, mark: RunMark, at: StoredDocument | None) -> RunMark | None:
    if at is None:
        return None
    now = None if at.body["perf"].get("retracted") else key_of(at.body)
    return left_run(key, mark, at.version, now)


def remove_orphans(
    settings: Settings, known: Registry, wanted: FactQuery, newest: Mapping[tuple[str, str], int]
) -> int:
    """Take them out of the sets of the runs that are meant, and derive these anew; how many marks there were.

    `newest`: facility and source -> the newest revision of the documents that are stored.

    Raises `Problem` (69) when Elasticsearch does not answer.
    """
    connected = client(settings.elasticsearch, settings.delivery.connections)
    retry_policy = RetryPolicy(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    store = ElasticsearchStore(connected)
    cas_writer = CasWriter(store, BulkWriter(store.swap, retry_policy, request_limits(settings.delivery)), retry_policy)
    deriver = Deriver(
        known.schema, cas_writer, BulkWriter(store.rewrite, retry_policy, request_limits(settings.delivery))
    )
    finder = OrphanFinder(ElasticsearchStates(connected), store, retry_policy, known.schema)
    taken = 0
    try:
        for (facility, source), revision in newest.items():
            finder.states.refresh(facility)
            for some in finder.found((facility, source), revision, wanted.runs):
                gathered = BatchUpdates()
                gathered.add_forgotten(some)
                if some:
                    deriver.derive([gathered])
                taken += len(some)
    except (Unavailable, ServiceBlocked) as error:
        raise Problem(f"{error}.", "Replay again: what was done stays done.", 69) from error
    finally:
        deriver.dismiss()
        connected.close()
    return taken
