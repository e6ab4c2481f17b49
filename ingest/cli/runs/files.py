"""Options of the commands that read files without servers, and reading files into an analysis."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ingest.cli.console import open_error_console
from ingest.cli.options import check_facility, parse_zone, prefix_option, select_sources
from ingest.config.settings import Settings
from ingest.core.analysis.offline import MOST_MARKS, Analysis, FileLine
from ingest.core.batching import batched
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.model import ExitCode, Intake, Problem
from ingest.core.runs.stored import StoredRun
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.prefixes import NONE
from ingest.core.sources.wrapping.wrappers import BARE
from ingest.edge.clock import now_ms
from ingest.edge.files import LINE, FileMessage, checked, pieces, pieces_of

AT_ONCE = 2000  # lines per portion
MARKS = "marks"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How files are read: as an intake of the settings, or as the other options say."""

    intake_name: str | None
    source_name: str | None
    facility: str | None
    workflow: str | None
    zone: str | None
    wrapper: str | None
    prefix: str | None
    grammars: Path | None
    most: int


_OPTIONS = (
    click.option("--intake", "intake_name", help="Read as this [[intake]] of the settings does; ids are those stored."),
    click.option("--source", "source_name", help="Read as this source only. Default: every source of workflow lines."),
    click.option("--facility", help="The facility that would have shipped it.  [default: unknown]"),
    click.option("--workflow", help="The workflow that the lines belong to, as an intake declares it."),
    click.option("--zone", help="UTC offset of timestamps without a zone, as an intake declares it, e.g. -08:00."),
    click.option("--wrapper", help="The wrapper that a forwarder put around each message.  [default: none]"),
    prefix_option("  [default: none]", None),
    click.option("--grammars", type=click.Path(path_type=Path, file_okay=False),
                 help="Read the sources from this folder."),
    click.option("--most", type=click.IntRange(1), default=MOST_MARKS, show_default=True,
                 help="Stop with an error above this many marks; each takes some 0.5 KB of memory."),
)  # fmt: skip


def find_first_given(options: ReadingOptions, names: Sequence[str]) -> str | None:
    """Return the first of these options that was given, as it is typed; None if none was."""
    name_given = next((name for name in names if getattr(options, name) is not None), None)
    return None if name_given is None else f"--{name_given.removesuffix('_name')}"


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how files are read to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_files(settings: Settings, files: Sequence[Path], options: ReadingOptions) -> Analysis:
    """Read all files (`-`: standard input) to their ends; progress on a terminal.

    `Problem`: 64 for invalid options, 65 for too many marks, 66 for a file that cannot be read.
    """
    registry = load_registry(options.grammars or settings.grammars)
    intake = _make_intake(settings, registry, options)
    decoder = Decoder(intake, registry.sources, registry.schema, settings.sites, registry.wrappers)
    analysis = Analysis(decoder, registry.schema, options.most)
    limit_bytes, received_ms = settings.delivery.max_message_bytes, now_ms()
    size_bytes = checked([file for file in files if str(file) != "-"], "")
    console = open_error_console()
    with _progress_bar(console) as progress:
        task = progress.add_task("reading", total=size_bytes or None)
        for file in files:
            _add_file(analysis, file, limit_bytes, received_ms, lambda done_bytes: progress.advance(task, done_bytes))
    return analysis


def derive_runs(analysis: Analysis) -> list[StoredRun]:
    """Return the runs of the lines read, with a spinner on a terminal."""
    with spinner("deriving runs"):
        return analysis.runs()


@contextmanager
def spinner(words: str) -> Iterator[None]:
    """Show a message on a terminal during long work of unknown length, nothing elsewhere."""
    console = open_error_console()
    if not console.is_terminal:
        yield
        return
    with console.status(words):
        yield


def _add_file(
    analysis: Analysis, file: Path, limit_bytes: int, received_ms: int, advance: Callable[[int], None]
) -> None:
    """Add a file, some thousand lines at a time."""
    numbered = enumerate(_read_pieces(file, limit_bytes), 1)
    for portion in batched(numbered, max_items=AT_ONCE):
        lines = []
        for number, piece in portion:
            if piece.data is None:
                analysis.too_long(str(file), number, piece.size_bytes, limit_bytes)
            else:
                lines.append(FileLine(number, piece.offset_bytes, piece.data))
        analysis.add(str(file), lines, received_ms)
        last = portion[-1][1]
        advance(last.offset_bytes + last.size_bytes - portion[0][1].offset_bytes)


def _read_pieces(file: Path, limit_bytes: int) -> Iterator[FileMessage]:
    if str(file) != "-":
        return pieces(file, LINE, limit_bytes, "")
    return pieces_of(sys.stdin.buffer, LINE, limit_bytes)


def _progress_bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


def _make_intake(settings: Settings, registry: Registry, options: ReadingOptions) -> Intake:
    """Return the named intake, or one built from the other options."""
    if options.intake_name is not None:
        option = find_first_given(options, ("source_name", "facility", "workflow", "zone", "wrapper", "prefix"))
        if option:
            problem = f"--intake and {option} cannot be combined."
            remedy = "The intake declares facility, workflow, sources, zone, wrapper and prefix."
            raise Problem(problem, remedy, ExitCode.USAGE)
        intake = settings.intake(options.intake_name)
        _demand_marks(registry.sources, intake.sources)
        return intake
    facility = check_facility(options.facility or "unknown")
    wrapper, prefix = options.wrapper or BARE, options.prefix or NONE
    names = _source_names(registry.sources, options.source_name)
    zone = parse_zone(options.zone)
    return Intake("files", "files", facility, names, options.workflow, zone, wrapper=wrapper, prefix=prefix)


def _source_names(sources: Mapping[str, Source], name: str | None) -> tuple[str, ...]:
    """Return the named source, or all sources of workflow lines."""
    selected = select_sources(sources, name)
    if name is not None:
        _demand_marks(sources, (name,))
    return tuple(source_name for source_name, source in selected.items() if source.kind == MARKS)


def _demand_marks(sources: Mapping[str, Source], names: Sequence[str]) -> None:
    if not any(sources[name].kind == MARKS for name in names):
        raise Problem(
            f"{names[0]} reads no workflow lines.",
            "Runs are made of those; `perflog try` reads others.",
            ExitCode.USAGE,
        )
