"""What a worker and the sweeper write with, put together from the settings. Opens clients of Elasticsearch."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ingest.config import Delivery, Settings
from ingest.core.fields import Schema
from ingest.core.model import Intake
from ingest.core.sources import Source
from ingest.edge.elasticsearch.connect import client
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.ports import Outbox
from ingest.run.batch import Services
from ingest.run.deriving import Deriver
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
    return Deriver(schema, Swapper(with_.store, swaps, with_.patience), with_.writer, delivery.connections)


@contextmanager
def sweeper(settings: Settings, schema: Schema, patience: Patience) -> Iterator[Sweeper]:
    """A sweeper with a client of its own."""
    delivery = settings.delivery
    connected = client(settings.elasticsearch)
    try:
        store = ElasticsearchStore(connected)
        swapper = Swapper(store, Writer(store.swap, patience, limits(delivery)), patience)
        yield Sweeper(ElasticsearchStates(connected), swapper, Writer(store.bulk, patience, limits(delivery)), schema)
    finally:
        connected.close()


@contextmanager
def sweeping(settings: Settings, schema: Schema, places: Sequence[tuple[str, str]]) -> Iterator[None]:
    """A sweeper's rounds beside what is done meanwhile."""
    patience = Patience(settings.delivery.retry_first_s, settings.delivery.retry_most_s)
    with sweeper(settings, schema, patience) as found:
        rounds = Rounds(found, places, settings.delivery.sweep_s)
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
    with heard(patience.end), sweeper(settings, known.schema, patience) as found:
        while not patience.stop:
            say(patience.until_done(lambda: found.sweep(places)))
            if once:
                return
            patience.pause(settings.delivery.sweep_s)


def places_of(intakes: Iterable[Intake], sources: Mapping[str, Source]) -> list[tuple[str, str]]:
    """Facility and source of all marks that these intakes bring."""
    found = {(i.facility, name) for i in intakes for name in i.sources if sources[name].kind == "marks"}
    return sorted(found)


def limits(delivery: Delivery) -> Limits:
    """The most that goes into one request."""
    return Limits(delivery.bulk_bytes, delivery.bulk_documents)


def now_ms() -> int:
    """The wall clock; it is written down in event.ingested and decides nothing."""
    return time.time_ns() // 1_000_000
