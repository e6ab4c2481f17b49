"""`perflog run`: one worker, from Kafka to Elasticsearch; start as many as there are partitions."""

from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from ingest import config
from ingest.run.knowledge import knowledge
from ingest.run.ledger import Count
from ingest.run.session import RunReport, work
from ingest.telemetry import log_to_stderr


@click.command("run")
@click.option("--drain", is_flag=True, help="Stop when everything that is in the topics now has been committed.")
@click.option("--group", help="Consumer group. Default: kafka.group of the settings.")
@click.option("--intake", "names", multiple=True, help="Only this intake; may be given several times. Default: all.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Another folder of sources.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option("--verbose", is_flag=True, help="Hear the client libraries too.")
@click.pass_obj
def command(settings_path: Path | None, /, grammars: Path | None, as_json: bool, verbose: bool, **options: Any) -> int:
    """Read the intakes' topics, write documents to Elasticsearch, commit when everything was answered.

    SIGTERM and Ctrl-C finish the batch in hand first. Exit code 78 when `perflog setup` has to run before.
    """
    log_to_stderr(verbose)
    settings = config.load(settings_path)
    known = knowledge(grammars or settings.grammars)
    report = work(settings, known, options["names"], drain=options["drain"], group=options["group"])
    if as_json:
        click.echo(orjson.dumps(as_tree(report)))
    else:
        show(report, Console())
    return 0


def as_tree(report: RunReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "intakes": {name: _tree(count) for name, count in report.counts.items()},
        "skipped_offsets": report.skipped_offsets,
        "duration_s": round(report.duration_s, 3),
        "stopped": report.stopped,
    }


def _tree(count: Count) -> dict[str, Any]:
    return {
        **count.numbers(),
        "rejects_by_reason": dict(count.reasons),
        "ignored_by_shape": dict(count.shapes),
    }


def show(report: RunReport, console: Console) -> None:
    """The report for people: what became of the records of each intake, and why some were refused."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("intake")
    for column in Count().numbers():
        table.add_column(column, justify="right")
    for name, count in report.counts.items():
        table.add_row(name, *(f"{number:,}" for number in count.numbers().values()))
    console.print(table)
    if report.reasons:
        told = ", ".join(f"{reason} {number:,}" for reason, number in report.reasons.most_common())
        console.print(f"Refused parts by reason: {told}. `perflog dlq list` says which.")
    if report.skipped_offsets:
        console.print(f"{report.skipped_offsets:,} offsets held no record (see the log).")
