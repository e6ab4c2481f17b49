"""Builds a worker from the settings; refuses to start if the configuration is certain to fail later."""

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

from ingest.config.settings import Delivery, Settings
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry
from ingest.core.fields import Schema
from ingest.core.model import Intake
from ingest.core.records.record_decoder import RecordDecoder
from ingest.edge.clock import now_ms
from ingest.edge.kafka.consumer import GroupConsumer
from ingest.edge.kafka.producer import AcknowledgedProducer
from ingest.edge.ports import Producer
from ingest.pipeline.batch.context import BatchContext
from ingest.pipeline.batch.reject_limit import RejectLimit
from ingest.pipeline.derive.deriver import Deriver
from ingest.pipeline.derive.sweep_service import sweep_in_background, targets_of
from ingest.pipeline.preflight import check
from ingest.pipeline.signals import stop_on_signals
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.sink.wiring import Sink
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.committer import Committer
from ingest.pipeline.worker.drain import until_drained
from ingest.pipeline.worker.ledger import WorkerIdentity
from ingest.pipeline.worker.report import RunReport
from ingest.pipeline.worker.threads import WorkerThreads
from ingest.pipeline.worker.waits import Waits, log_waits
from ingest.pipeline.worker.worker import Worker

DOCUMENT_BYTES_PER_BYTE = (
    4  # documents are three to seven times as long as their record; scales the request limit to records
)
DRAIN_FLUSH_S = 0.1  # when draining, all records are in the topic already: waiting gains nothing


def run_worker(
    settings: Settings,
    registry: Registry,
    names: Sequence[str] = (),
    *,
    drain: bool = False,
    group: str | None = None,
) -> RunReport:
    """Run one worker for the named intakes (default: all) until it is stopped or, with `drain`, has caught up.

    Raises `Problem` (65) when too many records are rejected (see `reject_limit`).
    """
    intakes = [settings.intake(name) for name in names] or list(settings.intakes.values())
    with log_waits(Waits()) as waits:
        waits.on("Kafka and Elasticsearch to list their topics and templates")
        group = group or settings.kafka.group
        check(settings, registry.schema, intakes, group)
        waits.on("the grammars to load")
        decoders = _decoders(settings, registry, intakes)
        began_s = time.monotonic()
        targets = targets_of(intakes, registry.sources)
        sweeps = settings.delivery.derive and not drain
        background = sweep_in_background(settings, registry.schema, targets, group) if sweeps else nullcontext()
        waits.on(f"Kafka to let the worker join the group {group}")
        with (
            open_worker(settings, decoders, group, drain, registry.schema) as loop,
            stop_on_signals(loop.threads.context.retry_policy.end),
            background,
        ):
            loop.waits = waits
            loop.run(until_drained(loop, list(decoders))) if drain else loop.run()
            stopped = loop.threads.context.retry_policy.stop
            waits.on("the last requests to be answered before the worker leaves")
    work_time = loop.work_time
    duration_s = time.monotonic() - began_s
    return RunReport(loop.counts, loop.skipped_offsets, duration_s, stopped, work_time.wall_s, work_time.cpu_s)


def _decoders(settings: Settings, registry: Registry, intakes: Sequence[Intake]) -> dict[str, RecordDecoder]:
    """Return the decoder of each topic; build their grammars now, not at the first line."""
    derive = settings.delivery.derive
    decoders = {}
    for intake in intakes:
        decoder = Decoder(intake, registry.sources, registry.schema, settings.sites, registry.wrappers)
        decoders[intake.topic] = RecordDecoder(decoder, derive)
    for name in {name for intake in intakes for name in intake.sources}:
        registry.sources[name].prove()
    return decoders


def without_reject_limit(settings: Settings) -> Settings:
    """Return the settings with the reject limit switched off."""
    delivery = replace(settings.delivery, stop_rejects_in_a_row=sys.maxsize, stop_rejects_share=1.0)
    return replace(settings, delivery=delivery)


@contextmanager
def open_worker(
    settings: Settings,
    decoders: Mapping[str, RecordDecoder],
    group: str,
    drain: bool,
    schema: Schema,
) -> Iterator[Worker]:
    """Open a worker with its clients, threads and committer; close them all afterwards."""
    delivery = settings.delivery
    consumer = GroupConsumer(settings.kafka, delivery, list(decoders), group)
    producer = AcknowledgedProducer(settings.kafka)
    sink = Sink(settings, 2 * delivery.connections + 2)
    context = build_context(sink, schema, delivery, producer)
    threads = WorkerThreads(context, delivery.connections, build_deriver(sink, schema, delivery))
    worker = WorkerIdentity(group, f"{socket.gethostname()}:{os.getpid()}")
    intakes = {topic: decoder.decoder.intake for topic, decoder in decoders.items()}
    buffer_limits = RequestLimits(delivery.bulk_bytes // DOCUMENT_BYTES_PER_BYTE, delivery.bulk_documents)
    buffer = RecordBuffer(buffer_limits, DRAIN_FLUSH_S if drain else delivery.flush_s)
    committer = Committer(consumer, threads, intakes, worker, delivery.commit_s)
    try:
        yield Worker(consumer, threads, committer, decoders, worker, buffer, delivery.drain_s)
    finally:
        consumer.close()
        threads.shut_down()
        producer.close()
        sink.close()


def build_context(sink: Sink, schema: Schema, delivery: Delivery, producer: Producer) -> BatchContext:
    """Build the services that batches are indexed with."""
    limit = RejectLimit(delivery.stop_rejects_in_a_row, delivery.stop_rejects_share, delivery.stop_window_records)
    topic = delivery.dead_letter_topic
    return BatchContext(
        schema, sink.store, producer, sink.writer, sink.retry_policy, limit, topic, now_ms, delivery.derive
    )


def build_deriver(sink: Sink, schema: Schema, delivery: Delivery) -> Deriver | None:
    """Build the deriver; None if the settings switch deriving off."""
    return Deriver(schema, sink.cas_writer, sink.rewriter, delivery.connections) if delivery.derive else None
