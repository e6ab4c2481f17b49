"""`perflog ship`: sends files to Kafka; done only when Kafka has acknowledged every message."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from ingest.cli.console import echo, echo_json, open_error_console
from ingest.cli.options import with_options
from ingest.config.load import load_settings
from ingest.core.decode.registry import load_registry
from ingest.core.model import ExitCode
from ingest.edge.files import checked
from ingest.pipeline.intake.ship import ShipReport, ship, shipment
from ingest.telemetry import log_to_stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipOptions:
    """The files that `perflog ship` sends, to which intake, and how; `framing` None: as the intake reads them."""

    files: tuple[Path, ...]
    intake_name: str
    backfill: bool
    host: str | None
    framing: str | None
    manifest: bool
    grammars: Path | None
    as_json: bool


@click.command("ship")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--intake", "intake_name", required=True, help="The [[intake]] of the settings that the files are for.")
@click.option("--backfill", is_flag=True, help="The data is old on purpose: skip the intake's age limit.")
@click.option("--host", help="The machine that wrote the files. Default: this one.")
@click.option("--framing", type=click.Choice(["line", "file"]),
              help="What a message is. Default: as the intake's sources read it; .jsonl by line.")  # fmt: skip
@click.option("--manifest/--no-manifest", default=True, show_default=True,
              help="Send each file's size, so that missing bytes can be found.")  # fmt: skip
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_options(ShipOptions)
def command(settings_path: Path | None, options: ShipOptions) -> int:
    """Send FILES to the topic of an intake, each message's bytes unchanged (a line of UTF-16: with a byte order mark).

    Before and after each file goes a manifest, a record that says how large the file is: `perflog gaps` uses it to find
    what did not arrive.

    Exit code 65 if a message was too large and therefore not sent, 66 if a file cannot be read.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    sources = load_registry(options.grammars or settings.grammars).sources
    to_send = shipment(
        settings.intake(options.intake_name), sources, options.files, version("perflog-ingest"),
        backfill=options.backfill, host=options.host, framing=options.framing, manifest=options.manifest,
    )  # fmt: skip
    console = open_error_console()
    with _progress_bar(console) as progress:
        task = progress.add_task("ship", total=checked(options.files))
        report = ship(settings, to_send, lambda size_bytes: progress.advance(task, size_bytes))
    _show(report, options.as_json)
    return ExitCode.BAD_DATA if report.too_large else 0


def _progress_bar(console: Console) -> Progress:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _show(report: ShipReport, as_json: bool) -> None:
    for message in report.too_large:
        reason = f"{message.size_bytes:,} bytes are more than the {report.limit_bytes:,} that {report.topic} takes"
        echo(f"perflog: {message.path} at byte {message.offset_bytes}: not sent, {reason}.", err=True)
    for file in report.files:
        if file.lost_bytes:
            reason = f"{file.lost_bytes:,} bytes could not be read: the file was truncated while it was sent"
            echo(f"perflog: {file.path}: {reason}.", err=True)
    if as_json:
        too_large = [
            {"path": str(t.path), "offset": t.offset_bytes, "size_bytes": t.size_bytes} for t in report.too_large
        ]
        totals = {"topic": report.topic, "messages": report.messages, "size_bytes": report.size_bytes}
        files = [
            {"path": str(f.path), "size_bytes": f.size_bytes, "lines": f.lines, "sha256": f.sha256}
            for f in report.files
        ]
        echo_json({**totals, "too_large": too_large, "files": files})
    else:
        echo(f"{report.messages:,} messages ({report.size_bytes:,} bytes) acknowledged by {report.topic}.")
