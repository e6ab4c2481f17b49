"""`perflog demo`: the whole pipeline once, on real lines: servers, topics, files, documents, and the answer.

Ships the 35 sample lines and a day of synthetic perfSONAR results around them, runs until everything is committed, and
queries Elasticsearch. Starts the local stack if it does not run, and ends what it started.
"""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click
from rich.status import Status

from ingest.cli.console import echo, open_console, open_error_console
from ingest.cli.pipeline import demo_text
from ingest.config.load import load_settings
from ingest.config.paths import home
from ingest.config.settings import Settings
from ingest.core.analysis.network_window import TestResult, measured_of
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.ids import index_pattern
from ingest.core.model import ExitCode, Problem
from ingest.core.runs.stored import StoredRun
from ingest.core.timestamps import MS_PER_DAY
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.ledger import LedgerQueries
from ingest.edge.elasticsearch.query import between
from ingest.edge.elasticsearch.runs import RunIndex, RunQuery
from ingest.edge.kafka.offsets import committed
from ingest.edge.local import stack as local
from ingest.pipeline.admin.setup import set_up
from ingest.pipeline.intake.ship import ship, shipment
from ingest.pipeline.signals import interrupt_on_signals
from ingest.pipeline.worker.bootstrap import run_worker
from ingest.synthetic.network.schedule import day
from ingest.telemetry import log_to_stderr

DAY = datetime(2016, 2, 6, tzinfo=UTC)
SEED = 185  # a day on which some minutes of congestion fall into the first run, so that there is something to see
LINES, RESULTS = "als-lines", "als-results"
NETWORK_FIELDS = (
    "@timestamp", "event.end", "event.outcome", "source.site", "destination.site", "perf.network.test_type",
    "perf.network.throughput_bps", "perf.network.packets_sent", "perf.network.packets_lost",
    "perf.network.delay_median_ms", "perf.network.delay_p95_ms", "perf.synthetic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DemoResults:
    """What Elasticsearch and Kafka hold after the run."""

    runs: list[StoredRun]
    tests: list[TestResult]
    ledger: dict[str, dict[str, int]]
    committed: dict[str, int]


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the servers up, and print what to try next.")
@click.option(
    "--elasticsearch",
    "major",
    type=click.Choice(["8", "9"]),
    help="Elasticsearch's major version. Default: what the installed Java can run.",
)
@click.pass_obj
def command(settings_path: Path | None, /, keep: bool, major: str | None) -> int:
    """From a file to an answer: ship 35 real lines and a day of network results, index them, query them."""
    log_to_stderr()
    logging.getLogger("perflog").setLevel(logging.WARNING)
    console = open_console()
    settings = load_settings(settings_path)
    registry = load_registry(settings.grammars)
    with interrupt_on_signals(close_s=None), _running_stack(keep, major) as running:
        settings = _with_addresses(settings, running)
        _print_step(f"Kafka at {running.kafka}, Elasticsearch at {running.elasticsearch}")
        steps = set_up(settings, registry.schema).steps
        _print_step(f"Set up: {sum(step.done == 'created' for step in steps)} topics and templates created")
        _ship(settings, registry)
        with _spinner("Indexing"):
            report = run_worker(settings, registry, [LINES, RESULTS], drain=True)
        if report.stopped:
            raise KeyboardInterrupt
        records = sum(count.records for count in report.counts.values())
        _print_step(f"Indexed {records:,} records in {report.duration_s:.1f} s")
        results = _query_results(settings)
        demo_text.show(results.runs, results.tests, _list_directions(settings), console)
        agrees = demo_text.show_ledger(results.ledger, results.committed, console)
        demo_text.show_next(running, keep, results.runs, console)
    return ExitCode.DONE if agrees else ExitCode.SOFTWARE


@contextmanager
def _running_stack(keep: bool, major: str | None) -> Iterator[local.Running]:
    """Provide the stack that already runs, or one of the demo's own, which ends with the demo unless kept."""
    requested = local.LocalStack(elasticsearch_major=int(major) if major else None)
    if not keep and not any(status.state == "ready" for status in local.status(requested)):
        requested = replace(requested, folder=home() / "demo")
    with _spinner("Starting the servers") as status:
        running = local.up(requested, status.update)
    try:
        yield running
    finally:
        if running.started and not keep:
            local.down(requested, purge=True)


def _with_addresses(settings: Settings, running: local.Running) -> Settings:
    """Return the settings with the addresses of the running stack."""
    kafka = replace(settings.kafka, bootstrap=(running.kafka,))
    elasticsearch = replace(settings.elasticsearch, url=(running.elasticsearch,), api_key=None, user=None)
    return replace(settings, kafka=kafka, elasticsearch=elasticsearch)


def _ship(settings: Settings, registry: Registry) -> None:
    with tempfile.TemporaryDirectory(prefix="perflog-demo-") as folder:
        results = Path(folder) / f"perfsonar-{DAY:%Y-%m-%d}.jsonl"
        results.write_bytes(b"".join(document + b"\n" for document in day(DAY, seed=SEED)))
        lines = settings.grammars / "als_perf" / "samples.log"
        for name, path in ((LINES, lines), (RESULTS, results)):
            to_send = shipment(
                settings.intake(name),
                registry.sources,
                [path],
                version("perflog-ingest"),
                backfill=True,
                manifest=False,
            )
            report = ship(settings, to_send)
            if report.too_large:
                raise Problem(f"{path.name}: {len(report.too_large)} messages are too large.", "", ExitCode.BAD_DATA)
            synthetic = " (synthetic, and marked so)" if name == RESULTS else ""
            _print_step(f"Shipped {report.messages:,} messages of {path.name}{synthetic} to {report.topic}")


def _query_results(settings: Settings) -> DemoResults:
    facility = settings.intake(LINES).facility
    with session(settings.elasticsearch) as connected:
        queries = LedgerQueries(connected)
        queries.refresh(index_pattern("*"))
        start_ms = int(DAY.timestamp() * 1000)
        end_ms = start_ms + MS_PER_DAY - 1
        tests = queries.documents("network", facility, [between(start_ms, end_ms)], NETWORK_FIELDS)
        return DemoResults(
            runs=RunIndex(connected).whole(RunQuery((facility,), since_ms=start_ms, until_ms=end_ms + 1)),
            tests=[test for body in tests if (test := measured_of(body))],
            ledger=queries.ledger(settings.kafka.group),
            committed=committed(settings.kafka, settings.kafka.group),
        )


def _list_directions(settings: Settings) -> list[tuple[str, str]]:
    """Return both directions of the workflow's pairs of sites."""
    pairs = settings.workflow(settings.intake(LINES).workflow).pairs
    return [direction for a, b in pairs for direction in ((a, b), (b, a))]


def _spinner(words: str) -> Status:
    """Show a spinner on a terminal, nothing in a pipe."""
    return open_error_console().status(words)


def _print_step(words: str) -> None:
    echo(f"· {words}")
