"""`perflog run`: workers from Kafka to Elasticsearch; more workers than partitions do not help."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ingest.cli.console import echo_json, figures_table, open_console
from ingest.cli.options import with_options
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.decode.registry import load_registry
from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.signals import Stop, stop_on_signals
from ingest.pipeline.worker.bootstrap import WorkerRun, without_reject_limit
from ingest.pipeline.worker.process import fit_for_work
from ingest.pipeline.worker.report import RunReport
from ingest.pipeline.worker.supervisor import Supervisor
from ingest.telemetry import log_to_stderr

log = logging.getLogger("perflog.run")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the workers of `perflog run` read, how many they are, and when they stop."""

    drain: bool
    workers: int
    accept_rejects: bool
    fail_fast: bool
    group: str | None
    names: tuple[str, ...]
    grammars: Path | None
    as_json: bool


@click.command("run")
@click.option("--drain", is_flag=True, help="Stop once everything now in the topics has been committed.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True,
              help="Processes that share the partitions; one that dies is restarted.")  # fmt: skip
@click.option("--accept-rejects", is_flag=True, help="Do not stop when many records are rejected.")
@click.option("--fail-fast", is_flag=True,
              help="End with 69 if Kafka or Elasticsearch does not answer at the start; else wait for it.")  # fmt: skip
@click.option("--group", help="Consumer group. Default: kafka.group of the settings.")
@click.option("--intake", "names", multiple=True, help="Only this intake; repeatable. Default: all.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_options(RunOptions)
def command(settings_path: Path | None, options: RunOptions) -> int:
    """Read the intakes' topics, write documents to Elasticsearch, commit once everything is stored or dead-lettered.

    SIGTERM and Ctrl-C finish the records in flight first, for at most `delivery.drain_s` seconds; a second signal ends
    at once (130). Nothing is lost either way. Exit code 78 if `perflog setup` has to run first, 65 if so many records
    were rejected that a grammar or a setting must be wrong.
    """
    log_to_stderr()
    with stop_on_signals(Stop()) as stop:
        report = _run(load_settings(settings_path), options, stop)
    if options.as_json:
        echo_json(report_to_json(report))
    else:
        show(report, open_console())
    return 0


def _run(settings: Settings, options: RunOptions, stop: Stop) -> RunReport:
    """Run one worker in this process, or several in processes of their own."""
    workers = options.workers
    log.info("Starting %d worker(s) of the group %s.", workers, options.group or settings.kafka.group)
    registry = load_registry(options.grammars or settings.grammars)
    fit_for_work()
    if options.accept_rejects:
        settings = without_reject_limit(settings)

    def run_numbered(number: int, stop: Stop) -> RunReport:
        numbered = _with_instance(settings, number if workers > 1 else None)
        return WorkerRun(numbered, registry, stop, options.names, options.drain, options.group, options.fail_fast).run()

    if workers == 1:
        return run_numbered(1, stop)
    return Supervisor(run_numbered, workers, settings.delivery.drain_s, stop).run()


def _with_instance(settings: Settings, number: int | None) -> Settings:
    """Give each static member of the group its own name."""
    instance = settings.kafka.instance
    if instance is None or number is None:
        return settings
    return replace(settings, kafka=replace(settings.kafka, instance=f"{instance}-{number}"))


def report_to_json(report: RunReport) -> dict[str, Any]:
    """Return the report as JSON."""
    return {
        "intakes": {name: _counts_to_json(count) for name, count in report.counts.items()},
        "skipped_offsets": report.skipped_offsets,
        "duration_s": round(report.duration_s, 3),
        "working_s": round(report.working_s, 3),
        "cpu_s": round(report.cpu_s, 3),
        "stopped": report.stopped,
        "unfinished": report.unfinished,
    }


def _counts_to_json(count: OutcomeCounts) -> dict[str, Any]:
    return {
        **count.numbers(),
        "rejects_by_reason": dict(count.reasons),
        "ignored_by_shape": dict(count.shapes),
    }


_HEADS = {
    "duplicate": "dupli- cate",
    "corrected": "cor- rected",
    "rejected": "re- jected",
    "ignored": "ig- nored",
    "documents": "docu- ments",
}


def show(report: RunReport, console: Console) -> None:
    """Print the report: the outcomes of each intake's records, and the reasons for rejects."""
    table = figures_table("intake", (_HEADS.get(name, name) for name in OutcomeCounts().numbers()))
    for name, count in report.counts.items():
        table.add_row(name, *(f"{number:,}" for number in count.numbers().values()))
    console.print(table)
    if report.reasons:
        summary = ", ".join(f"{reason} {number:,}" for reason, number in report.reasons.most_common())
        console.print(f"Rejected parts by reason: {summary}. `perflog dlq list` shows them.")
    records = sum(count.records for count in report.counts.values())
    if records and report.working_s:
        summary = f"{records / report.working_s:,.0f} records/s from the first record to the last commit"
        console.print(f"{summary}; {report.cpu_s / records * 1e6:.1f} µs of processor time a record.")
    if report.skipped_offsets:
        console.print(f"{report.skipped_offsets:,} offsets held no record (see the log).")
