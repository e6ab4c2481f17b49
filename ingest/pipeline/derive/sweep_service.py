"""Wires the sweeper from the settings: one for `perflog sweep`, one beside each worker. Opens Elasticsearch clients."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ingest.config.settings import Settings
from ingest.core.decode.registry import Registry
from ingest.core.fields import Schema
from ingest.core.model import Intake
from ingest.core.sources.source import Source
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.files import ElasticsearchFiles
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.kafka.offsets import progress
from ingest.pipeline.derive.gap_sweeper import GapSweeper
from ingest.pipeline.derive.sweeper import Rounds, Sweeper, Swept
from ingest.pipeline.signals import heard
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasWriter
from ingest.pipeline.sink.retry import RetryPolicy
from ingest.pipeline.sink.wiring import now_ms, request_limits


class SweepTargets(NamedTuple):
    """What to sweep: (facility, source) of all marks, (facility, topic) of all files whose gaps are reported."""

    sources: Sequence[tuple[str, str]]
    topics: Sequence[tuple[str, str]]


@contextmanager
def sweeper(
    settings: Settings, schema: Schema, targets: SweepTargets, group: str, retry_policy: RetryPolicy
) -> Iterator[Callable[[], Swept]]:
    """Yield a function that sweeps runs and files once, with a client of its own."""
    delivery = settings.delivery
    connected = client(settings.elasticsearch)
    try:
        store = ElasticsearchStore(connected)
        cas_writer = CasWriter(store, BulkWriter(store.swap, retry_policy, request_limits(delivery)), retry_policy)
        writer = BulkWriter(store.rewrite, retry_policy, request_limits(delivery))
        runs = Sweeper(ElasticsearchStates(connected), cas_writer, writer, schema)
        offsets = partial(progress, settings.kafka, group)
        wait = now_ms, delivery.gap_after_s
        files = GapSweeper(ElasticsearchFiles(connected), cas_writer, writer, schema, offsets, wait)

        def sweep() -> Swept:
            swept = runs.sweep(targets.sources)
            gaps = files.sweep(targets.topics)
            return replace(swept, gaps=gaps.found, gap_documents=gaps.documents)

        yield sweep
    finally:
        connected.close()


@contextmanager
def sweeping(settings: Settings, schema: Schema, targets: SweepTargets, group: str) -> Iterator[None]:
    """Sweep at intervals on a thread while the body of the `with` runs."""
    retry_policy = RetryPolicy(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    with sweeper(settings, schema, targets, group, retry_policy) as sweep_once:
        rounds = Rounds(sweep_once, settings.delivery.sweep_s)
        rounds.begin()
        try:
            yield
        finally:
            retry_policy.end()
            rounds.end()


def sweep(settings: Settings, registry: Registry, once: bool, say: Callable[[Swept], None]) -> None:
    """Sweep everything that the settings' intakes fill, once or until stopped; `say` receives each result."""
    retry_policy = RetryPolicy(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    targets = targets_of(settings.intakes.values(), registry.sources)
    group = settings.kafka.group
    with heard(retry_policy.end), sweeper(settings, registry.schema, targets, group, retry_policy) as sweep_once:
        while not retry_policy.stop:
            say(retry_policy.until_done(sweep_once))
            if once:
                return
            retry_policy.pause(settings.delivery.sweep_s)


def targets_of(intakes: Iterable[Intake], sources: Mapping[str, Source]) -> SweepTargets:
    """The sweep targets of these intakes."""
    intakes = list(intakes)
    marks = {(i.facility, name) for i in intakes for name in i.sources if sources[name].kind == "marks"}
    return SweepTargets(sorted(marks), sorted((i.facility, i.topic) for i in intakes if i.gaps))
