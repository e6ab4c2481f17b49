"""Wires the sweeper from the settings: one for `perflog sweep`, one beside each worker, each with a sink of its own."""

import logging
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
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.files import ElasticsearchFiles
from ingest.edge.elasticsearch.kinds.transfers import ElasticsearchTransfers
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.kafka.offsets import progress
from ingest.edge.kafka.rights import DESCRIBE, GROUP, Right, topic_rights
from ingest.pipeline.derive.gap_sweeper import GapSweeper
from ingest.pipeline.derive.movement_sweeper import MovementSweeper
from ingest.pipeline.derive.sweeper import Rounds, Sweeper, Swept
from ingest.pipeline.preflight import demand_rights
from ingest.pipeline.signals import OutOfTime, Stop, run_stoppable
from ingest.pipeline.sink.retry import RetryPolicy, StopRequested
from ingest.pipeline.sink.wiring import Sink

log = logging.getLogger("perflog.run")


class SweepTargets(NamedTuple):
    """What to sweep.

    Attributes:
        sources: (facility, source) of all marks.
        topics: (facility, topic) of all files whose gaps are reported.
        transfers: the facilities whose intakes read transfers.
    """

    sources: Sequence[tuple[str, str]]
    topics: Sequence[tuple[str, str]]
    transfers: Sequence[str]


def sweep_function(
    sink: Sink, settings: Settings, schema: Schema, targets: SweepTargets, group: str
) -> Callable[[], Swept]:
    """Return a function that sweeps runs and files once."""
    runs = Sweeper(ElasticsearchStates(sink.client), sink.cas_writer, sink.rewriter, schema)
    offsets = partial(progress, settings.kafka, group)
    clock = now_ms, settings.delivery.gap_after_s
    files = GapSweeper(ElasticsearchFiles(sink.client), sink.cas_writer, sink.rewriter, schema, offsets, clock)
    transfers = ElasticsearchTransfers(sink.client)
    movements = MovementSweeper(transfers, sink.cas_writer, sink.rewriter, schema)

    def sweep() -> Swept:
        swept = runs.sweep(targets.sources)
        gap_sweep = files.sweep(targets.topics)
        movement_sweep = movements.sweep(targets.transfers)
        return replace(
            swept,
            gaps=gap_sweep.gaps,
            gap_documents=gap_sweep.documents,
            movements=movement_sweep.movements,
            movement_documents=movement_sweep.documents,
        )

    return sweep


@contextmanager
def sweep_in_background(
    settings: Settings, schema: Schema, targets: SweepTargets, group: str, retry_policy: RetryPolicy
) -> Iterator[None]:
    """Sweep at intervals on a thread while the body of the `with` runs."""
    with Sink(settings, retry_policy=retry_policy) as sink:
        rounds = Rounds(sweep_function(sink, settings, schema, targets, group), settings.delivery.sweep_s)
        rounds.begin()
        try:
            yield
        finally:
            retry_policy.end()
            rounds.end(settings.delivery.drain_s)


def sweep(
    settings: Settings, registry: Registry, once: bool, report: Callable[[Swept], None], stop: Stop | None = None
) -> bool:
    """Sweep everything that the settings' intakes fill, once or until stopped; `report` receives each result.

    After a stop request a round may last for `drain_s`; returns whether the last round was finished.
    """
    stop = stop or Stop()
    targets = targets_of(settings.intakes.values(), registry.sources)
    topics = sorted({topic for _, topic in targets.topics})
    needed = [*topic_rights(topics, DESCRIBE), Right(DESCRIBE, GROUP, settings.kafka.group)]
    with Sink(settings) as sink:
        retry_policy = sink.retry_policy
        sweep_once = sweep_function(sink, settings, registry.schema, targets, settings.kafka.group)

        def sweep_rounds() -> None:
            demand_rights(settings, needed)
            while not retry_policy.stop:
                report(retry_policy.until_done(sweep_once))
                if once:
                    return
                retry_policy.pause(settings.delivery.sweep_s)

        def begin_stopping() -> None:
            log.info("%s: stopping; a sweep under way may last for %.0f s more.", stop.why, settings.delivery.drain_s)
            retry_policy.end()

        log.info("Sweeping %d sources and %d topics.", len(targets.sources), len(targets.topics))
        try:
            run_stoppable(sweep_rounds, stop, lambda: settings.delivery.drain_s, begin_stopping)
        except (OutOfTime, StopRequested):
            return False
    return True


def targets_of(intakes: Iterable[Intake], sources: Mapping[str, Source]) -> SweepTargets:
    """The sweep targets of these intakes."""
    intakes = list(intakes)
    marks = {(i.facility, name) for i in intakes for name in i.sources if sources[name].kind == "marks"}
    transfers = {i.facility for i in intakes for name in i.sources if sources[name].kind == "transfers"}
    return SweepTargets(sorted(marks), sorted((i.facility, i.topic) for i in intakes if i.gaps), sorted(transfers))
