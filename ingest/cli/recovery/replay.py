"""`perflog replay`: reads stored lines again, to correct them after a source's revision rose, or only to compare."""

from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console, progress_bar
from ingest.cli.options import check_facility, parse_period, with_options
from ingest.cli.recovery.replay_text import differences_to_json, report_to_json, show_report, show_shadow
from ingest.config.load import load_settings
from ingest.core.decode.registry import load_registry
from ingest.core.model import ExitCode, Problem
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.pipeline.replay.resend import resend
from ingest.pipeline.replay.shadow import shadow as shadow_them
from ingest.pipeline.worker.process import fit_for_work
from ingest.telemetry import log_to_stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Which stored lines `perflog replay` reads again, and whether they are sent or only compared."""

    runs: tuple[str, ...]
    files: tuple[str, ...]
    sources: tuple[str, ...]
    facilities: tuple[str, ...]
    since: str | None
    until: str | None
    every: bool
    dry_run: bool
    rate: float | None
    shadow: bool
    grammars: Path | None
    as_json: bool


@click.command("replay")
@click.option("--run", "runs", multiple=True, help="Only lines of this run id; repeatable.")
@click.option("--file", "files", multiple=True, help="Only lines of this file, by its path; `*` matches anything.")
@click.option("--source", "sources", multiple=True, help="Only lines that this source read; repeatable.")
@click.option("--facility", "facilities", multiple=True, help="Only lines of this facility; repeatable.")
@click.option("--since", help="Only lines of what happened since then: 2h, 7d, or ISO 8601.")
@click.option("--until", help="Only lines of what happened before then, in the same form.")
@click.option("--all", "every", is_flag=True, help="All stored lines.")
@click.option("--dry-run", is_flag=True, help="Only report how many lines, and what would be corrected.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Send at most this many lines per second.")
@click.option("--shadow", is_flag=True, help="Send nothing: report which fields these grammars read differently.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@with_options(ReplayOptions)
def command(settings_path: Path | None, options: ReplayOptions) -> int:
    """Send stored lines to their intake topics again, unchanged; `run` reads them.

    The same revision of a source changes nothing. A higher one corrects: a fact that moves to another index or run is
    overwritten in its old place, and its runs are derived again. The report is based on the grammars of the settings
    (or --grammars); the actual corrections depend on the grammars of the workers.

    --shadow only compares, in memory. Exit code 1 if anything differs, 65 if a line could not be sent.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    registry = load_registry(options.grammars or settings.grammars)
    fit_for_work()
    query = _make_query(options)
    if options.shadow and (options.dry_run or options.rate):
        raise Problem("--shadow sends nothing.", "Leave out --dry-run and --rate.", ExitCode.USAGE)
    console = open_console()
    with progress_bar() as progress:
        if options.shadow:
            differences, left_out = shadow_them(settings, registry, query, progress)
        else:
            report = resend(settings, registry, query, rate=options.rate, dry_run=options.dry_run, progress=progress)
    if options.shadow:
        echo_json(differences_to_json(differences, left_out)) if options.as_json else show_shadow(
            differences, left_out, console
        )
        return ExitCode.FINDINGS if differences.any else ExitCode.DONE
    echo_json(report_to_json(report)) if options.as_json else show_report(report, console)
    return ExitCode.BAD_DATA if report.left_out else 0


def _make_query(options: ReplayOptions) -> FactQuery:
    since_ms, until_ms = parse_period(options.since, options.until, now_ms())
    query = FactQuery(
        facilities=tuple(map(check_facility, options.facilities)),
        sources=options.sources,
        runs=options.runs,
        files=options.files,
        since_ms=since_ms,
        until_ms=until_ms,
    )
    if query.everything and not options.every:
        raise Problem(
            "No lines are selected.",
            "Use --run, --file, --source, --facility, --since or --until; or --all.",
            ExitCode.USAGE,
        )
    if options.every and not query.everything:
        raise Problem("--all does not go together with a filter.", "Leave out one of the two.", ExitCode.USAGE)
    return query
