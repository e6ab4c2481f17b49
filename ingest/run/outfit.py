"""What a worker and the sweeper write with, put together from the settings. Opens clients of Elasticsearch."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from ingest.config import Delivery, Settings
from ingest.core.fields import Schema
from ingest.core.model import Intake
from ingest.core.sources import Source
from ingest.edge.elasticsearch.connect import client
from ingest.edge.elasticsearch.files import ElasticsearchFiles
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.kafka.progress import progress
from ingest.edge.ports import Outbox
from ingest.run.batch import Services
from ingest.run.deriving import Deriver
from ingest.run.gap_sweeping import GapSweeper
from ingest.run.knowledge import Knowledge
from ingest.run.patience import Patience
from ingest.run.signals import heard
from ingest.run.stop_limit import StopLimit
from ingest.run.swapping import Swapper
from ingest.run.sweeping import Rounds, Sweeper, Swept
from ingest.run.writing import Limits, Writer


def services(settings: Settings, store: ElasticsearchStore, outbox: Outbox) -> Services:
    """What batches are written with."""
    delivery = settings.delivery
    patience = Patience(delivery.retry_first_s, delivery.retry_most_s)
    limit = StopLimit(delivery.stop_rejects_in_a_row, delivery.stop_rejects_share, delivery.stop_window_records)
    writer = Writer(store.bulk, patience, limits(delivery))
    return Services(store, outbox, writer, patience, limit, delivery.dead_letter_topic, now_ms, delivery.derive)


def deriver(with_: Services, schema: Schema, delivery: Delivery) -> Deriver | None:
    """What derives, unless the settings say that nothing is to be derived."""
    if not delivery.derive:
        return None
    swaps = Writer(with_.store.swap, with_.patience, limits(delivery))
    views = Writer(with_.store.rewrite, with_.patience, limits(delivery))
    return Deriver(schema, Swapper(with_.store, swaps, with_.patience), views, delivery.connections)


class Places(NamedTuple):
    """What is swept: facility and source of all marks, facility and topic of all files whose gaps are told."""

    sources: Sequence[tuple[str, str]]
    topics: Sequence[tuple[str, str]]


@contextmanager
def sweeper(
    settings: Settings, schema: Schema, places: Places, group: str, patience: Patience
) -> Iterator[Callable[[], Swept]]:
    """A sweep of runs and of files, with a client of its own."""
    delivery = settings.delivery
    connected = client(settings.elasticsearch)
    try:
        store = ElasticsearchStore(connected)
        swapper = Swapper(store, Writer(store.swap, patience, limits(delivery)), patience)
        writer = Writer(store.rewrite, patience, limits(delivery))
        runs = Sweeper(ElasticsearchStates(connected), swapper, writer, schema)
        stands = partial(progress, settings.kafka, group)
        wait = now_ms, delivery.gap_after_s
        files = GapSweeper(ElasticsearchFiles(connected), swapper, writer, schema, stands, wait)

        def sweep() -> Swept:
            swept = runs.sweep(places.sources)
            found = files.sweep(places.topics)
            return replace(swept, gaps=found.found, gap_documents=found.documents)

        yield sweep
    finally:
        connected.close()


@contextmanager
def sweeping(settings: Settings, schema: Schema, places: Places, group: str) -> Iterator[None]:
    """A sweeper's rounds beside what is done meanwhile."""
    patience = Patience(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    with sweeper(settings, schema, places, group, patience) as found:
        rounds = Rounds(found, settings.delivery.sweep_s)
        rounds.begin()
        try:
            yield
        finally:
            patience.end()
            rounds.end()


def sweep(settings: Settings, known: Knowledge, once: bool, say: Callable[[Swept], None]) -> None:
    """Sweep all that the settings' intakes fill, once or until stopped; tells what each sweep did."""
    patience = Patience(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    places = places_of(settings.intakes.values(), known.sources)
    group = settings.kafka.group
    with heard(patience.end), sweeper(settings, known.schema, places, group, patience) as found:
        while not patience.stop:
            say(patience.until_done(found))
            if once:
                return
            patience.pause(settings.delivery.sweep_s)


def places_of(intakes: Iterable[Intake], sources: Mapping[str, Source]) -> Places:
    """All that these intakes bring."""
    intakes = list(intakes)
    marks = {(i.facility, name) for i in intakes for name in i.sources if sources[name].kind == "marks"}
    return Places(sorted(marks), sorted((i.facility, i.topic) for i in intakes if i.gaps))


def limits(delivery: Delivery) -> Limits:
    """The most that goes into one request."""
    return Limits(delivery.bulk_bytes, delivery.bulk_documents)


def now_ms() -> int:
    """The wall clock; it is written down in event.ingested, and decides only how long a hole in a file waits."""
    return time.time_ns() // 1_000_000
