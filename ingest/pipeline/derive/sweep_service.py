"""What a worker and the sweeper write with, put together from the settings. Opens clients of Elasticsearch."""

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
    """What is swept: facility and source of all marks, facility and topic of all files whose gaps are told."""

    sources: Sequence[tuple[str, str]]
    topics: Sequence[tuple[str, str]]


@contextmanager
def sweeper(
    settings: Settings, schema: Schema, places: SweepTargets, group: str, retry_policy: RetryPolicy
) -> Iterator[Callable[[], Swept]]:
    """A sweep of runs and of files, with a client of its own."""
    delivery = settings.delivery
    connected = client(settings.elasticsearch)
    try:
        store = ElasticsearchStore(connected)
        cas_writer = CasWriter(store, BulkWriter(store.swap, retry_policy, request_limits(delivery)), retry_policy)
        writer = BulkWriter(store.rewrite, retry_policy, request_limits(delivery))
        runs = Sweeper(ElasticsearchStates(connected), cas_writer, writer, schema)
        stands = partial(progress, settings.kafka, group)
        wait = now_ms, delivery.gap_after_s
        files = GapSweeper(ElasticsearchFiles(connected), cas_writer, writer, schema, stands, wait)

        def sweep() -> Swept:
            swept = runs.sweep(places.sources)
            found = files.sweep(places.topics)
            return replace(swept, gaps=found.found, gap_documents=found.documents)

        yield sweep
    finally:
        connected.close()


@contextmanager
def sweeping(settings: Settings, schema: Schema, places: SweepTargets, group: str) -> Iterator[None]:
    """A sweeper's rounds beside what is done meanwhile."""
    retry_policy = RetryPolicy(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    with sweeper(settings, schema, places, group, retry_policy) as found:
        rounds = Rounds(found, settings.delivery.sweep_s)
        rounds.begin()
        try:
            yield
        finally:
            retry_policy.end()
            rounds.end()


def sweep(settings: Settings, known: Registry, once: bool, say: Callable[[Swept], None]) -> None:
    """Sweep all that the settings' intakes fill, once or until stopped; tells what each sweep did."""
    retry_policy = RetryPolicy(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    places = targets_of(settings.intakes.values(), known.sources)
    group = settings.kafka.group
    with heard(retry_policy.end), sweeper(settings, known.schema, places, group, retry_policy) as found:
        while not retry_policy.stop:
            say(retry_policy.until_done(found))
            if once:
                return
            retry_policy.pause(settings.delivery.sweep_s)


def targets_of(intakes: Iterable[Intake], sources: Mapping[str, Source]) -> SweepTargets:
    """All that these intakes bring."""
    intakes = list(intakes)
    marks = {(i.facility, name) for i in intakes for name in i.sources if sources[name].kind == "marks"}
    return SweepTargets(sorted(marks), sorted((i.facility, i.topic) for i in intakes if i.gaps))
