"""`perflog bench replay`: the speed of reading stored lines again, beside the speed of reading them first.

The first rate is that of one worker that drains a topic and derives stages and runs. Then `perflog replay` sends the
stored lines while one worker reads: measured from the first query to Elasticsearch until everything sent is committed.
Once with the same revision (nothing changes) and once with a raised one (every document is corrected). Everything
created is removed again.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import click

from ingest.cli.bench.derive import interleaved
from ingest.cli.bench.harness import (
    FACILITY,
    INTAKE,
    TOPIC,
    Measurement,
    bench_settings,
    in_own_process,
    peak_mib,
    recreate_indices,
    shipped,
)
from ingest.cli.console import echo, echo_json, figures_table, open_console, progress_bar
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.edge.kafka.offsets import committed
from ingest.pipeline.admin.setup import DEFAULT_PARTITIONS
from ingest.pipeline.replay.resend import resend
from ingest.pipeline.worker.bootstrap import run_worker
from ingest.pipeline.worker.process import fit_for_work

ASK_EVERY_S = 0.25
SETTLE_S = 8.0  # time for a new worker to get its partitions


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay: lines, seconds until all were sent, seconds until all were committed."""

    lines: int
    sent_s: float
    committed_s: float


@click.command("replay")
@click.option("--lines", "count", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@click.pass_obj
def command(settings_path: Path | None, /, count: int, as_json: bool) -> None:
    """Lines read first, read again with the same revision, and with a raised one: lines per second, in one run."""
    settings = bench_settings(load_settings(settings_path), derive=True)
    registry = load_registry(settings.grammars)
    fit_for_work()
    with shipped(settings, registry, lambda: interleaved(count), DEFAULT_PARTITIONS):
        recreate_indices(settings, registry.schema)
        first = in_own_process(lambda: _drain(settings, registry))
        same = _replay(settings, registry)
        raised = _replay(settings, _with_raised_revisions(registry))
    result = _tree(first, same, raised)
    echo_json(result) if as_json else _show(result, count)


def _drain(settings: Settings, registry: Registry) -> Measurement:
    report = run_worker(settings, registry, drain=True)
    return Measurement(report.counts[INTAKE.name].records, report.working_s, report.cpu_s, peak_mib())


def _with_raised_revisions(registry: Registry) -> Registry:
    """Return the same grammars with a higher revision."""
    sources = {name: replace(source, revision=source.revision + 1) for name, source in registry.sources.items()}
    return replace(registry, sources=sources)


def _replay(settings: Settings, registry: Registry) -> Replayed:
    before = _committed(settings)
    with _worker(settings, registry) as reading:
        time.sleep(SETTLE_S)
        began_s = time.monotonic()
        lines, sent_s = in_own_process(lambda: _send(settings, registry))
        while _committed(settings) < before + lines:
            if not reading.is_alive():
                raise Problem(
                    "The worker ended before it had read everything.", "See what it said above.", ExitCode.SOFTWARE
                )
            time.sleep(ASK_EVERY_S)
        return Replayed(lines, sent_s, time.monotonic() - began_s)


def _send(settings: Settings, registry: Registry) -> tuple[int, float]:
    began_s = time.monotonic()
    with progress_bar() as progress:
        report = resend(settings, registry, FactQuery(facilities=(FACILITY,)), progress=progress)
    return report.lines, time.monotonic() - began_s


def _committed(settings: Settings) -> int:
    return committed(settings.kafka, settings.kafka.group).get(TOPIC, 0)


@contextmanager
def _worker(settings: Settings, registry: Registry) -> Iterator[BaseProcess]:
    """Run one worker in the background."""
    process = get_context("fork").Process(target=lambda: run_worker(settings, registry))
    process.start()
    try:
        yield process
    finally:
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGTERM)
        process.join()


def _tree(first: Measurement, same: Replayed, raised: Replayed) -> dict[str, dict[str, float]]:
    """Return the rates and their ratio to the first."""
    rows: dict[str, dict[str, float]] = {"read first": {"lines": first.lines, "lines_per_s": round(first.rate)}}
    for name, replay in (("replayed, same revision", same), ("replayed, raised revision", raised)):
        rate = replay.lines / replay.committed_s
        rows[name] = {
            "lines": replay.lines,
            "lines_per_s": round(rate),
            "of_the_first": round(rate / first.rate, 2),
            "sent_per_s": round(replay.lines / replay.sent_s),
        }
    return rows


def _show(rows: dict[str, dict[str, float]], count: int) -> None:
    table = figures_table("what", ("lines/s", "of the first", "sent/s"))
    for name, row in rows.items():
        more = [f"{row['of_the_first']:.2f}", f"{row['sent_per_s']:,}"] if "sent_per_s" in row else ["", ""]
        table.add_row(name, f"{row['lines_per_s']:,}", *more)
    open_console().print(table)
    echo(f"{count:,} lines of 1,000 interleaved runs, one worker, stages and runs derived.")
