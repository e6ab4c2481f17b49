"""Opening a worker: settings to clients, refusing to start where a later failure is already certain."""

import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from ingest.config import Settings
from ingest.core.fields import Schema
from ingest.core.flow import Flow
from ingest.core.model import Intake, Problem
from ingest.edge.elasticsearch.connect import client
from ingest.edge.elasticsearch.store import ElasticsearchStore, StoreOf
from ingest.edge.elasticsearch.templates import templates
from ingest.edge.kafka.consumer import Consumer
from ingest.edge.kafka.producer import Producer
from ingest.edge.kafka.topics import Topic, topics
from ingest.run.books import Books
from ingest.run.count import Count
from ingest.run.crew import Crew
from ingest.run.drained import drained
from ingest.run.hand import Hand
from ingest.run.knowledge import Knowledge
from ingest.run.ledger import Worker
from ingest.run.outfit import deriver, places_of, services, sweeping
from ingest.run.reading import Reader
from ingest.run.signals import heard
from ingest.run.waits import Waits, watched
from ingest.run.worker import Loop
from ingest.run.writing import Limits

SET_UP = "Run `perflog setup`."
BYTES_BECOME = 4  # documents are some three to seven times as long as their record: so much of them makes a request
DRAIN_FLUSH_S = 0.1  # what is drained is there already: waiting for more is of no use


@dataclass(slots=True)
class RunReport:
    """What a worker did, by intake."""

    counts: dict[str, Count] = field(default_factory=dict)
    skipped_offsets: int = 0
    duration_s: float = 0.0
    stopped: bool = False
    working_s: float = 0.0  # from the first record to the last commit; of several workers the longest
    cpu_s: float = 0.0  # of this time on the processor, of all workers

    def add(self, other: "RunReport") -> None:
        """Sum up."""
        for name, count in other.counts.items():
            self.counts.setdefault(name, Count()).add(count)
        self.skipped_offsets += other.skipped_offsets
        self.working_s = max(self.working_s, other.working_s)
        self.cpu_s += other.cpu_s

    @property
    def reasons(self) -> Counter[str]:
        """Rejects by reason, over all intakes."""
        return sum((count.reasons for count in self.counts.values()), Counter())


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


def check(settings: Settings, schema: Schema, intakes: Sequence[Intake]) -> None:
    """Refuse (78) to start without topics of append time, or without templates of this schema version."""
    if not intakes:
        raise Problem(f"{settings.path} declares no [[intake]].", "Declare one: see deploy/settings.example.toml.", 78)
    wanted = [intake.topic for intake in intakes]
    with topics(settings.kafka) as cluster:
        _check_topics(cluster.described([*wanted, settings.delivery.dead_letter_topic]), wanted, settings)
    with templates(settings.elasticsearch) as known:
        _check_templates(known.versions(), schema)


def _check_topics(there: Mapping[str, Topic], wanted: Sequence[str], settings: Settings) -> None:
    for name in [*wanted, settings.delivery.dead_letter_topic]:
        if name not in there:
            raise Problem(f"There is no topic {name} in Kafka.", SET_UP, 78)
    for name in wanted:
        if not there[name].append_time:
            why = "with the shippers' own time, old records are deleted unread and record time is not to be trusted"
            raise Problem(f"Topic {name} is not set to message.timestamp.type=LogAppendTime: {why}.", SET_UP, 78)


def _check_templates(there: Mapping[str, int], schema: Schema) -> None:
    for kind in schema.kinds:
        if kind not in there:
            raise Problem(f"There is no index template perf-{kind} in Elasticsearch.", SET_UP, 78)
        if there[kind] != schema.version:
            found = (
                f"The index template perf-{kind} is of schema version {there[kind]}, this worker of {schema.version}."
            )
            raise Problem(found, f"{SET_UP} If it is newer than this worker, install the newer perflog.", 78)


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
