"""Shared by the benchmarks of `perflog run`: lines in a topic of their own, and a process per measurement."""

import itertools
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, TypeVar

from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.decode.registry import Registry
from ingest.core.fields import Schema
from ingest.core.ids import index_pattern, index_patterns
from ingest.core.kafka_record import ConsumerRecord, Partition, ProducerRecord
from ingest.core.model import Intake, Provenance
from ingest.core.records.headers import to_headers
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.client import client
from ingest.edge.kafka.producer import open_producer
from ingest.edge.kafka.topics import open_topics
from ingest.pipeline.admin.setup import set_up
from ingest.pipeline.intake.ship import CHUNK_MESSAGES as CHUNK
from ingest.pipeline.signals import interrupt_on_signals
from ingest.pipeline.worker.bootstrap import run_worker
from ingest.synthetic.workload.generator import Made, Workload, messages

TOPIC, FACILITY = "perf.bench.lines.v1", "bench"
INTAKE = Intake("bench", TOPIC, FACILITY, ("als_perf",), "als-tomography")
WRITTEN = ("marks", "runstate", "writers", "runs", "stages", "ledger")
FLIGHT = 5000
T = TypeVar("T")
Records = Callable[[], Iterator[ConsumerRecord]]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement: lines and seconds, and the processor time and peak memory of its process."""

    lines: int
    wall_s: float
    cpu_s: float = 0.0
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Lines per second."""
        return self.lines / self.wall_s


def bench_settings(settings: Settings, derive: bool) -> Settings:
    """Return the settings with an intake, a consumer group and an index of the benchmark's own."""
    kafka = replace(settings.kafka, group=f"perflog-bench-{time.time_ns()}")
    delivery = replace(settings.delivery, dead_letter_topic="perf.bench.deadletter.v1", derive=derive)
    return replace(settings, kafka=kafka, delivery=delivery, intakes={INTAKE.name: INTAKE})


def in_own_process(measure: Callable[[], T]) -> T:
    """Run a measurement in its own process, so that processor time and memory are its own."""
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(_uninterrupted(measure)))
    try:
        process.start()
        sender.close()
        measured: T = receiver.recv()
        return measured
    except KeyboardInterrupt:
        process.terminate()
        raise
    finally:
        process.join()


def _uninterrupted(measure: Callable[[], T]) -> T:
    """Leave Ctrl-C, which reaches every process of the terminal, to the parent: it ends this process by SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return measure()


def marks_index(schema: Schema) -> str:
    """Return the index of the workload's marks, which are all of one day."""
    return schema.index("marks", FACILITY, Workload().start_ms)


def recreate_indices(settings: Settings, schema: Schema) -> None:
    """Recreate the index of marks from its template and delete everything derived."""
    with client(settings.elasticsearch) as connected:
        _deleted(connected, index_patterns(WRITTEN, (FACILITY,)))
        connected.indices.create(index=marks_index(schema))
        connected.cluster.health(wait_for_status="yellow")


def _deleted(connected: Any, indices: str) -> None:
    """Delete indices by name, since a cluster may refuse to delete by a pattern."""
    existing = connected.indices.get(index=indices, ignore_unavailable=True, filter_path="*.settings.index.uuid").body
    for name in existing:
        connected.indices.delete(index=name)


def generated_records(count: int) -> Iterator[ConsumerRecord]:
    """Yield the workload as `ship` would send it, file by file."""
    yield from by_file(messages(Workload(lines=count, facilities=(FACILITY,))))


def by_file(messages_made: Iterable[Made]) -> Iterator[ConsumerRecord]:
    """Yield lines as `ship` would send them, file by file."""
    files: dict[tuple[str, str], list[bytes]] = {}
    for made in messages_made:
        files.setdefault((made.host, made.path), []).append(made.data)
    sent_ms, offsets = now_ms(), itertools.count()
    for (host, path), lines in files.items():
        head = to_headers(Provenance(host, path, forwarder="perflog"), backfill=True)
        at_bytes = 0
        for n, line in enumerate(lines):
            key = f"{host}:{path}#{n // CHUNK}".encode()
            tail = ("perflog.offset", b"%d" % at_bytes)
            yield ConsumerRecord(Partition(TOPIC, 0), next(offsets), sent_ms, key, line, head, tail)
            at_bytes += len(line) + 1


def worker(settings: Settings, registry: Registry) -> Measurement:
    """Run one worker that drains the topic."""
    group = f"{settings.kafka.group}-{time.time_ns()}"
    report = run_worker(settings, registry, drain=True, group=group)
    records = report.counts[INTAKE.name].records
    return Measurement(records, report.working_s, report.cpu_s, peak_mib())


def peak_mib() -> float:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def shipped(settings: Settings, registry: Registry, records: Records, partitions: int) -> Iterator[None]:
    """Provide the lines in a topic, which is deleted afterwards."""
    set_up(settings, registry.schema, partitions)
    with interrupt_on_signals(close_s=None):
        try:
            in_own_process(lambda: ship(settings, records))
            yield
        finally:
            remove_all(settings)


def ship(settings: Settings, records: Records) -> None:
    """Send all records."""
    with open_producer(settings.kafka) as outbox:
        for batch in batched(records(), max_items=FLIGHT):
            outbox.send([ProducerRecord(TOPIC, r.key, r.value, r.headers) for r in batch])


def remove_all(settings: Settings) -> None:
    """Delete everything that the benchmark created."""
    with client(settings.elasticsearch) as connected:
        _deleted(connected, index_pattern("*", (FACILITY,)))
    with open_topics(settings.kafka) as cluster:
        cluster.delete([TOPIC, settings.delivery.dead_letter_topic])
