"""`perflog sweep`: advances runs by event time and finds gaps in files, once or as a service of its own.

Workers sweep too, beside their other work.
"""

from pathlib import Path
from typing import Any

import click

from ingest.cli.console import echo, encode_json
from ingest.config.load import load_settings
from ingest.core.decode.registry import load_registry
from ingest.core.model import ExitCode, Problem
from ingest.core.timestamps import iso
from ingest.pipeline.derive.sweep_service import sweep
from ingest.pipeline.derive.sweeper import Swept
from ingest.pipeline.signals import Stop, stop_on_signals
from ingest.telemetry import log_to_stderr


@click.command("sweep")
@click.option("--once", is_flag=True, help="Sweep once, then stop.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON per sweep.")
@click.pass_obj
def command(settings_path: Path | None, /, once: bool, grammars: Path | None, as_json: bool) -> None:
    """Advance runs (quiet, closed, abandoned) to the watermark of their source, and find gaps in files.

    Every `delivery.sweep_s` seconds until stopped. Any number of sweepers may run at once. SIGTERM and Ctrl-C end it
    within `delivery.drain_s` seconds; the next sweep does what is left.
    """
    log_to_stderr()
    with stop_on_signals(Stop()) as stop:
        settings = load_settings(settings_path)
        registry = load_registry(grammars or settings.grammars)
        is_finished = sweep(settings, registry, once, lambda swept: echo(_format_report(swept, as_json)), stop)
    if once and not is_finished:
        raise Problem("Stopped before the sweep was finished.", "The next sweep does the rest.", ExitCode.INTERRUPTED)


def _format_report(swept: Swept, as_json: bool) -> str:
    watermarks = {"/".join(key): iso(ms) for key, ms in swept.watermarks.items()}
    report: dict[str, Any] = {"run_ids": swept.states, "documents": swept.documents, "watermarks": watermarks}
    report |= {"gaps": swept.gaps, "gap_documents": swept.gap_documents}
    if as_json:
        return encode_json(report).decode()
    until = ", ".join(f"{key} up to {at}" for key, at in watermarks.items()) or "no watermark yet"
    gaps = (
        f" Gaps in files: {swept.gaps:,} found, {swept.gap_documents:,} documents written."
        if swept.gap_documents
        else ""
    )
    return f"{swept.states:,} run ids were due, {swept.documents:,} documents written ({until}).{gaps}"
