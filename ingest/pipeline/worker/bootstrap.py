"""Builds a worker from the settings and runs it from its start to its end.

Refuses to start if the configuration is certain to fail later; waits for a service that does not answer.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

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
from ingest.pipeline.signals import OutOfTime, Stop, run_stoppable, stop_on_signals
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.sink.retry import RetryPolicy, StopRequested
from ingest.pipeline.sink.wiring import Sink
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.committer import Committer
from ingest.pipeline.worker.drain import until_drained
from ingest.pipeline.worker.ledger import WorkerIdentity
from ingest.pipeline.worker.report import RunReport
from ingest.pipeline.worker.threads import WorkerThreads
from ingest.pipeline.worker.waits import Waits, log_waits
from ingest.pipeline.worker.worker import Worker

T = TypeVar("T")
log = logging.getLogger("perflog.run")
LEAVE_S = 1.0  # after `drain_s`, to leave the group and close the connections
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
    """Run one worker until SIGTERM, Ctrl-C or, with `drain`, until it has caught up: see `WorkerRun`."""
    with stop_on_signals(Stop()) as stop:
        return WorkerRun(settings, registry, stop, names, drain, group).run()


@dataclass(slots=True)
class WorkerRun:
    """One worker from its start to its end, for the named intakes (default: all); with `drain` until it has caught up.

    It starts once Kafka and Elasticsearch answer; with `fail_fast` it raises `Problem` (69) if they do not. After a
    stop request it ends within `drain_s` + 2 s, whatever it waits for: it works on a thread of its own, which is left
    behind if a request or a call of Kafka's client does not return. Nothing is lost by that: nothing is committed that
    was not answered.
    """

    settings: Settings
    registry: Registry
    stop: Stop
    names: Sequence[str] = ()
    drain: bool = False
    group: str | None = None
    fail_fast: bool = False
    _waits: Waits = field(default_factory=Waits)
    _retry_policy: RetryPolicy = field(init=False)
    _worker: Worker | None = None

    def __post_init__(self) -> None:
        delivery = self.settings.delivery
        self._retry_policy = RetryPolicy(delivery.retry_first_s, delivery.retry_most_s)

    def run(self) -> RunReport:
        """Run the worker and return what it did.

        Raises `Problem`: 65 if too many records are rejected (see `reject_limit`), 77 or 78 if waiting does not help.
        """
        began_s = time.monotonic()
        ended_in_time = False
        with log_waits(self._waits):
            with suppress(OutOfTime, StopRequested):  # what was not committed will be read again
                run_stoppable(self._work, self.stop, self._most_s, self._begin_stopping)
                ended_in_time = True
            if self.stop.requested:
                self._log_end(ended_in_time)
        return self._report(time.monotonic() - began_s)

    def _work(self) -> None:
        settings, schema, waits = self.settings, self.registry.schema, self._waits
        intakes = [settings.intake(name) for name in self.names] or list(settings.intakes.values())
        group = self.group or settings.kafka.group
        waits.on("Kafka and Elasticsearch to list their topics and templates")
        self._until_available(lambda: check(settings, schema, intakes, group))
        waits.on("the grammars to load")
        decoders = _decoders(settings, self.registry, intakes)
        targets = targets_of(intakes, self.registry.sources)
        sweeps = settings.delivery.derive and not self.drain
        background = (
            sweep_in_background(settings, schema, targets, group, self._retry_policy) if sweeps else nullcontext()
        )
        waits.on(f"Kafka to let the worker join the group {group}")
        consumer = self._until_available(
            lambda: GroupConsumer(settings.kafka, settings.delivery, list(decoders), group)
        )
        with background, self._open(consumer, decoders, group) as worker:
            worker.waits, worker.stop = waits, self.stop
            self._worker = worker
            worker.run(until_drained(worker, list(decoders))) if self.drain else worker.run()
            if not worker.unfinished:
                waits.on("the last requests to be answered, and the group to let the worker leave")

    def _until_available(self, call: Callable[[], T]) -> T:
        """Wait until Kafka and Elasticsearch answer, unless it has to fail fast."""
        return call() if self.fail_fast else self._retry_policy.until_available(call)

    def _most_s(self) -> float:
        """Return how long the worker may take after a stop request: none while it starts, since it has read nothing."""
        return 0.0 if self._worker is None else self.settings.delivery.drain_s + LEAVE_S

    def _begin_stopping(self) -> None:
        """Say what is done now, and end every wait between two attempts."""
        self._retry_policy.end()
        if self._worker is None:
            log.info("%s: stopping at its start%s; nothing was read.", self.stop.why, self._waiting())
            return
        log.info(
            "%s: stopping; what is in flight may take %.0f s to finish%s. "
            "A second signal ends the worker at once; nothing is lost either way.",
            self.stop.why, self.settings.delivery.drain_s, self._waiting(),
        )  # fmt: skip

    def _log_end(self, ended_in_time: bool) -> None:
        """Say how long stopping took, what was still waited for, and what is unfinished."""
        unfinished = self._worker.unfinished if self._worker else 0
        took = f"Stopped {-self.stop.left_s(0.0):.1f} s after {self.stop.why}"
        waiting = "" if ended_in_time and not unfinished else self._waiting()
        if unfinished:
            log.warning(
                "%s%s: %s records are not committed and will be read again; nothing is lost.",
                took, waiting, f"{unfinished:,}",
            )  # fmt: skip
        else:
            log.info("%s%s; everything that was in flight is committed.", took, waiting)

    def _waiting(self) -> str:
        what = self._waits.what
        return "" if what is None else f", while waiting for {what}"

    def _report(self, duration_s: float) -> RunReport:
        worker, stopped = self._worker, self.stop.requested
        if worker is None:
            return RunReport(duration_s=duration_s, stopped=stopped)
        work_time = worker.work_time
        return RunReport(
            worker.counts, worker.skipped_offsets, duration_s, stopped, work_time.wall_s, work_time.cpu_s,
            worker.unfinished,
        )  # fmt: skip

    @contextmanager
    def _open(self, consumer: GroupConsumer, decoders: Mapping[str, RecordDecoder], group: str) -> Iterator[Worker]:
        """Open a worker with its clients, threads and committer; close them all afterwards."""
        settings, schema, delivery = self.settings, self.registry.schema, self.settings.delivery
        producer = AcknowledgedProducer(settings.kafka)
        sink = Sink(settings, 2 * delivery.connections + 2, self._retry_policy)
        context = build_context(sink, schema, delivery, producer)
        threads = WorkerThreads(context, delivery.connections, build_deriver(sink, schema, delivery))
        identity = WorkerIdentity(group, f"{socket.gethostname()}:{os.getpid()}")
        intakes = {topic: decoder.decoder.intake for topic, decoder in decoders.items()}
        buffer_limits = RequestLimits(delivery.bulk_bytes // DOCUMENT_BYTES_PER_BYTE, delivery.bulk_documents)
        buffer = RecordBuffer(buffer_limits, DRAIN_FLUSH_S if self.drain else delivery.flush_s)
        committer = Committer(consumer, threads, intakes, identity, delivery.commit_s)
        try:
            yield Worker(consumer, threads, committer, decoders, identity, buffer, delivery.drain_s)
        finally:
            consumer.close()
            threads.shut_down()
            producer.close()
            sink.close()


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
