"""`perflog dlq`: dead letters: count by shape, show one, replay, purge."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingest.cli.console import echo, echo_json, open_console, progress_bar
from ingest.cli.options import parse_period, with_options
from ingest.cli.recovery.dlq_json import listing_to_json, purge_to_json, reject_to_json, replay_to_json
from ingest.cli.recovery.dlq_text import show_listing, show_purge, show_reject, show_replay
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.decode.registry import load_registry
from ingest.core.model import ExitCode, Problem
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.rejects import RejectQuery
from ingest.pipeline.deadletters.inspect import count_rejects, list_shapes, newest_reject
from ingest.pipeline.deadletters.purge import purge as purge_them
from ingest.pipeline.deadletters.replay import replay as replay_them
from ingest.pipeline.deadletters.reread import as_of_now
from ingest.telemetry import log_to_stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectFilter:
    """Which rejects a command is about: those that every given option fits."""

    reasons: tuple[str, ...]
    sources: tuple[str, ...]
    facilities: tuple[str, ...]
    intakes: tuple[str, ...]
    shapes: tuple[str, ...]
    since: str | None
    until: str | None

    def query(self, ids: tuple[str, ...] = (), replayed: bool | None = None) -> RejectQuery:
        """Return the query for these rejects; `ids`: only these, `replayed`: only those that were, None: all."""
        since_ms, until_ms = parse_period(self.since, self.until, now_ms())
        return RejectQuery(
            reasons=self.reasons,
            sources=self.sources,
            facilities=self.facilities,
            intakes=self.intakes,
            shapes=self.shapes,
            ids=ids,
            since_ms=since_ms,
            until_ms=until_ms,
            replayed=replayed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DlqListOptions(RejectFilter):
    """The rejects that `perflog dlq list` counts."""

    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DlqShowOptions(RejectFilter):
    """The reject that `perflog dlq show` shows: by its id, else the newest of those selected."""

    reject_id: str | None
    raw: bool
    grammars: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DlqReplayOptions(RejectFilter):
    """The rejects whose records `perflog dlq replay` sends again."""

    ids: tuple[str, ...]
    again: bool
    dry_run: bool
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DlqPurgeOptions(RejectFilter):
    """The rejects that `perflog dlq purge` deletes."""

    ids: tuple[str, ...]
    replayed: bool
    every: bool
    yes: bool
    as_json: bool


_FILTERS = (
    click.option("--reason", "reasons", multiple=True, help="Only rejects of this reason; repeatable."),
    click.option("--source", "sources", multiple=True, help="Only rejects of this source; repeatable."),
    click.option("--facility", "facilities", multiple=True, help="Only rejects of this facility; repeatable."),
    click.option("--intake", "intakes", multiple=True, help="Only rejects that came through this intake; repeatable."),
    click.option(
        "--shape", "shapes", multiple=True, help="Only rejects of this shape, as `list` prints it; repeatable."
    ),
    click.option("--since", help="Only rejects whose record Kafka received since then: 2h, 7d, or ISO 8601."),
    click.option("--until", help="Only rejects whose record Kafka received before then, in the same form."),
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")


def _filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that select rejects to a command."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group("dlq")
def command() -> None:
    """Dead letters: rejected records by what broke; show, replay, purge.

    Each rejected record is a document in `perf-rejects-*` (the exact count) and a letter in the dead-letter topic (the
    record as received). One broken script is one shape, whatever runs, stages and times its lines name.
    """


@command.command("list")
@_filter_options
@_json
@with_options(DlqListOptions)
def list_(settings_path: Path | None, options: DlqListOptions) -> None:
    """Count the rejects by shape, the most frequent first; each with the id of its newest reject, for `show`."""
    log_to_stderr()
    shapes = list_shapes(load_settings(settings_path), options.query())
    if options.as_json:
        echo_json(listing_to_json(shapes))
    else:
        show_listing(shapes, open_console())


@command.command()
@click.argument("reject_id", metavar="[ID]", required=False)
@_filter_options
@click.option("--raw", is_flag=True, help="Write the record's value to standard output, byte by byte; nothing else.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@_json
@with_options(DlqShowOptions)
def show(settings_path: Path | None, options: DlqShowOptions) -> None:
    """Show the reject ID, or the newest of the selected ones: where it broke, and the record as received.

    The id is topic/partition/offset of the record, or of its letter. Exit code 66 if there is no such reject.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    reject, original, parts = newest_reject(settings, options.query((options.reject_id,) if options.reject_id else ()))
    if options.raw:
        if original is None or original.value is None:
            raise Problem(
                f"{reject.id} has no value: the record had none, or no copy of it is left.", "", ExitCode.NO_INPUT
            )
        _write_raw(original.value)
        return
    registry = load_registry(options.grammars or settings.grammars)
    now = as_of_now(reject, original, settings, registry)
    if options.as_json:
        echo_json(reject_to_json(reject, original, parts, now))
    else:
        show_reject(reject, original, parts, now, registry.sources, open_console())


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_filter_options
@click.option("--again", is_flag=True, help="Also send rejects that were replayed before.")
@click.option("--dry-run", is_flag=True, help="Only report what would be sent.")
@_json
@with_options(DlqReplayOptions)
def replay(settings_path: Path | None, options: DlqReplayOptions) -> int:
    """Send rejected records to their intake topics again, unchanged; `run` reads them.

    Key, value and headers are the original ones. Facts keep their ids, so nothing is stored twice; a record that is
    rejected again remains the same reject. Exit code 65 if a record could not be sent.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    query = options.query(options.ids)
    _demand_existing(settings, query)
    with progress_bar("rejects") as progress:
        report = replay_them(settings, query, now_ms, again=options.again, dry_run=options.dry_run, progress=progress)
    if options.as_json:
        echo_json(replay_to_json(report))
    else:
        show_replay(report, open_console())
    return ExitCode.BAD_DATA if report.not_sent else 0


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_filter_options
@click.option("--replayed", is_flag=True, help="Only rejects that were replayed.")
@click.option("--all", "every", is_flag=True, help="All rejects.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_json
@with_options(DlqPurgeOptions)
def purge(settings_path: Path | None, options: DlqPurgeOptions) -> None:
    """Delete rejects for good, and the letters that no remaining reject needs.

    Letters are deleted from the beginning of the topic up to the first one that a remaining reject refers to. Asks for
    confirmation; in a pipe --yes is required.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    query = options.query(options.ids, options.replayed or None)
    if query.everything and not options.every:
        raise Problem("`perflog dlq purge` deletes permanently.", "Select rejects, or use --all.", ExitCode.USAGE)
    if options.every and not query.everything:
        raise Problem("--all does not go together with a filter.", "Leave out one of the two.", ExitCode.USAGE)
    _demand_existing(settings, query)
    count = count_rejects(settings, query)
    if count and not options.yes:
        _confirm(count)
    with progress_bar("rejects") as progress:
        report = purge_them(settings, query, progress)
    if options.as_json:
        echo_json(purge_to_json(report))
    else:
        show_purge(report, open_console())


def _demand_existing(settings: Settings, query: RejectQuery) -> None:
    """Raise `Problem` (66) if a given id is not a reject's: a typo must not pass as an empty selection."""
    for reject_id in query.ids:
        if not count_rejects(settings, RejectQuery(ids=(reject_id,))):
            problem = f"There is no reject with the id {reject_id}."
            raise Problem(problem, "`perflog dlq list` lists the rejects.", ExitCode.NO_INPUT)


def _confirm(count: int) -> None:
    if not sys.stdin.isatty():
        raise Problem(
            f"{count:,} rejects would be deleted permanently, and nobody can confirm it in a pipe.",
            "Add --yes.",
            ExitCode.USAGE,
        )
    click.confirm(f"Delete {count:,} rejects and the letters that only they need, permanently?", abort=True, err=True)


def _write_raw(value: bytes) -> None:
    """Write a record's bytes; on a terminal, which they could control, as text instead."""
    if sys.stdout.isatty():
        echo(value.decode("utf-8", "replace"))
        return
    sys.stdout.buffer.write(value)
    sys.stdout.flush()
