"""`perflog setup`: creates topics and templates, idempotently; reports its steps and what the cluster lacks."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from ingest.cli.console import echo, echo_json, open_console, plain_table
from ingest.config.load import load_settings
from ingest.core.decode.registry import load_registry
from ingest.pipeline.admin.setup import DEFAULT_PARTITIONS, SetupReport, replays_due, set_up
from ingest.telemetry import log_to_stderr

_STYLES = {"created": "green", "changed": "yellow", "unchanged": "dim", "skipped": "cyan", "due": "bold yellow"}


@click.command("setup")
@click.option("--partitions", type=click.IntRange(min=1), default=DEFAULT_PARTITIONS, show_default=True,
              help="Partitions of a topic that does not exist yet.")  # fmt: skip
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def command(settings_path: Path | None, /, partitions: int, grammars: Path | None, as_json: bool) -> None:
    """Create the topics and index templates that are missing, and add new fields to existing indices.

    Also reports facts that an earlier revision of their source read, for which a replay is due.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    registry = load_registry(grammars or settings.grammars)
    report = set_up(settings, registry.schema, partitions)
    report.steps += replays_due(settings, registry.sources)
    for warning in report.warnings:
        echo(f"perflog: {warning}", err=True)
    if as_json:
        echo_json([asdict(step) for step in report.steps])
    else:
        _show(report)


def _show(report: SetupReport) -> None:
    table = plain_table()
    for column in ("what", "name", "done", "detail"):
        table.add_column(column, no_wrap=column in {"what", "done"})
    for step in report.steps:
        table.add_row(step.what, step.name, Text(step.done, style=_STYLES[step.done]), step.detail)
    open_console().print(table)
