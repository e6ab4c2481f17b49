"""Opening a worker: settings to clients, refusing to start where a later failure is already certain."""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from ingest.config.settings import Delivery, Settings
from ingest.core.decode.decoder import Flow
from ingest.core.decode.registry import Knowledge
from ingest.core.fields import Schema
from ingest.core.records.record_decoder import Reader
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.store import ElasticsearchStore, StoreOf
from ingest.edge.kafka.consumer import Consumer
from ingest.edge.kafka.producer import Producer
from ingest.edge.ports import Outbox
from ingest.pipeline.batch.context import Services
from ingest.pipeline.batch.reject_limit import StopLimit
from ingest.pipeline.derive.deriver import Deriver
from ingest.pipeline.derive.sweep_service import places_of, sweeping
from ingest.pipeline.preflight import check
from ingest.pipeline.signals import heard
from ingest.pipeline.sink.bulk_writer import Limits, Writer
from ingest.pipeline.sink.cas import Swapper
from ingest.pipeline.sink.retry import Patience
from ingest.pipeline.sink.wiring import limits, now_ms
from ingest.pipeline.worker.buffer import Hand
from ingest.pipeline.worker.committer import Books
from ingest.pipeline.worker.drain import drained
from ingest.pipeline.worker.ledger import Worker
from ingest.pipeline.worker.report import RunReport
from ingest.pipeline.worker.threads import Crew
from ingest.pipeline.worker.waits import Waits, watched
from ingest.pipeline.worker.worker import Loop

BYTES_BECOME = 4  # documents are some three to seven times as long as their record: so much of them makes a request
DRAIN_FLUSH_S = 0.1  # what is drained is there already: waiting for more is of no use


def work(
    settings: Settings,
    knowledge: Knowledge,
    names: Sequence[str] = (),
    *,
    drain: bool = False,
    group: str | None = None,
    store_of: StoreOf = ElasticsearchStore,
) -> RunReport:
    """Run one worker for the named intakes (all, when none is named) until stopped, or until it has caught up.

    Stops with `Problem` (65) when too much is refused (see `patient`). `store_of` makes the store of an open
    client: a bench looks on through another one.
    """
    intakes = [settings.intake(name) for name in names] or list(settings.intakes.values())
    known = knowledge
    derive = settings.delivery.derive
    with watched(Waits()) as waits:
        waits.on("Kafka and Elasticsearch to say which topics and templates they have")
        check(settings, known.schema, intakes)
        waits.on("its grammars to be read")
        readers = {
            i.topic: Reader(Flow(i, known.sources, known.schema, settings.sites, known.wrappers), derive)
            for i in intakes
        }
        for name in {name for intake in intakes for name in intake.sources}:
            known.sources[name].prove()
        began_s = time.monotonic()
        group = group or settings.kafka.group
        places = places_of(intakes, known.sources)
        beside = sweeping(settings, known.schema, places, group) if derive and not drain else nullcontext()
        waits.on(f"Kafka to answer one who wants into the group {group}")
        with (
            _loop(settings, readers, group, drain, known.schema, store_of) as loop,
            heard(loop.crew.services.patience.end),
            beside,
        ):
            loop.waits = waits
            loop.run(drained(loop, list(readers))) if drain else loop.run()
            stopped = loop.crew.services.patience.stop
            waits.on("what was asked last to be answered, before it leaves")
    at_work = loop.stretch
    duration_s = time.monotonic() - began_s
    return RunReport(loop.counts, loop.skipped_offsets, duration_s, stopped, at_work.wall_s, at_work.cpu_s)


def patient(settings: Settings) -> Settings:
    """The same without a limit on rejects."""
    delivery = replace(settings.delivery, stop_rejects_in_a_row=sys.maxsize, stop_rejects_share=1.0)
    return replace(settings, delivery=delivery)


@contextmanager
def _loop(
    settings: Settings, readers: Mapping[str, Reader], group: str, drain: bool, schema: Schema, store_of: StoreOf
) -> Iterator[Loop]:
    delivery = settings.delivery
    inbox = Consumer(settings.kafka, delivery, list(readers), group)
    outbox = Producer(settings.kafka)
    connected = client(settings.elasticsearch, 2 * delivery.connections + 2)
    with_ = services(settings, store_of(connected), outbox)
    crew = Crew(with_, delivery.connections, deriver(with_, schema, delivery))
    worker = Worker(group, f"{socket.gethostname()}:{os.getpid()}")
    flows = {topic: reader.flow for topic, reader in readers.items()}
    together = Limits(delivery.bulk_bytes // BYTES_BECOME, delivery.bulk_documents)
    hand = Hand(together, DRAIN_FLUSH_S if drain else delivery.flush_s)
    books = Books(inbox, crew, flows, worker, delivery.commit_s)
    try:
        yield Loop(inbox, crew, books, readers, worker, hand, delivery.drain_s)
    finally:
        inbox.close()
        crew.dismiss()
        outbox.close()
        connected.close()


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
