"""Options of the commands that read files without servers, and reading files into an analysis."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ingest.cli.options import chosen_of, facility_of, zone_of
from ingest.config.settings import Settings
from ingest.core.analysis.offline import MOST_MARKS, Analysis, FileLine
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.model import ExitCode, Intake, Problem
from ingest.core.runs.stored import StoredRun
from ingest.core.sources.source import Source
from ingest.core.sources.wrappers import BARE
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
    grammars: Path | None
    most: int


_OPTIONS = (
    click.option("--intake", "intake_name", help="Read as this [[intake]] of the settings does: ids are those stored."),
    click.option("--source", "source_name", help="Read as this source only. Default: every source of workflow lines."),
    click.option("--facility", help="The facility that would have shipped it.  [default: unknown]"),
    click.option("--workflow", help="The workflow that the lines belong to, as an intake declares it."),
    click.option("--zone", help="UTC offset of timestamps without a zone, as an intake declares it, e.g. -08:00."),
    click.option("--wrapper", help="The wrapper that a forwarder put around each message.  [default: none]"),
    click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Another folder of sources."),
    click.option("--most", type=click.IntRange(1), default=MOST_MARKS, show_default=True,
                 help="Stop with an error above so many marks: some 0.5 KB of memory each."),
)  # fmt: skip


def first_given(options: ReadingOptions, names: Sequence[str]) -> str | None:
    """Return the first of these options that was given, as it is typed; None if none was."""
    given = next((name for name in names if getattr(options, name) is not None), None)
    return None if given is None else f"--{given.removesuffix('_name')}"


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how files are read to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_files(settings: Settings, files: Sequence[Path], options: ReadingOptions) -> Analysis:
    """Read all files (`-`: standard input) to their ends; progress on a terminal.

    `Problem`: 64 for invalid options, 65 for too many marks, 66 for a file that cannot be read.
    """
    known = load_registry(options.grammars or settings.grammars)
    intake = _intake(settings, known, options)
    decoder = Decoder(intake, known.sources, known.schema, settings.sites, known.wrappers)
    analysis = Analysis(decoder, known.schema, options.most)
    limit_bytes, received_ms = settings.delivery.max_message_bytes, now_ms()
    size_bytes = checked([file for file in files if str(file) != "-"], "")
    screen = Console(stderr=True)
    with _progress(screen) as progress:
        task = progress.add_task("reading", total=size_bytes or None)
        for file in files:
            _add(analysis, file, limit_bytes, received_ms, lambda done_bytes: progress.advance(task, done_bytes))
    return analysis


def derived_runs(analysis: Analysis) -> list[StoredRun]:
    """Return the runs of the lines read; shows on a terminal what takes so long."""
    with working("deriving runs"):
        return analysis.runs()


@contextmanager
def working(words: str) -> Iterator[None]:
    """Show a message on a terminal during long work of unknown length, nothing elsewhere."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(words):
        yield


def _add(analysis: Analysis, file: Path, limit_bytes: int, received_ms: int, done: Callable[[int], None]) -> None:
    """Add a file, some thousand lines at a time."""
    numbered = enumerate(_pieces(file, limit_bytes), 1)
    while portion := list(islice(numbered, AT_ONCE)):
        lines = []
        for number, piece in portion:
            if piece.data is None:
                analysis.too_long(str(file), number, piece.size_bytes, limit_bytes)
            else:
                lines.append(FileLine(number, piece.offset_bytes, piece.data))
        analysis.add(str(file), lines, received_ms)
        last = portion[-1][1]
        done(last.offset_bytes + last.size_bytes - portion[0][1].offset_bytes)


def _pieces(file: Path, limit_bytes: int) -> Iterator[FileMessage]:
    if str(file) != "-":
        return pieces(file, LINE, limit_bytes, "")
    return pieces_of(sys.stdin.buffer, LINE, limit_bytes)


def _progress(screen: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=screen, transient=True, disable=not screen.is_terminal)


def _intake(settings: Settings, known: Registry, options: ReadingOptions) -> Intake:
    """Return the named intake, or one built from the other options."""
    if options.intake_name is not None:
        given = first_given(options, ("source_name", "facility", "workflow", "zone", "wrapper"))
        if given:
            what = f"--intake and {given} are given both."
            raise Problem(what, "The intake declares facility, workflow, sources, zone and wrapper.", ExitCode.USAGE)
        intake = settings.intake(options.intake_name)
        _demand_marks(known.sources, intake.sources)
        return intake
    facility = facility_of(options.facility or "unknown")
    wrapper = options.wrapper or BARE
    names = _chosen(known.sources, options.source_name)
    return Intake("files", "files", facility, names, options.workflow, zone_of(options.zone), wrapper=wrapper)


def _chosen(sources: Mapping[str, Source], name: str | None) -> tuple[str, ...]:
    """Return the named source, or all sources of workflow lines."""
    chosen = chosen_of(sources, name)
    if name is not None:
        _demand_marks(sources, (name,))
    return tuple(source_name for source_name, source in chosen.items() if source.kind == MARKS)


def _demand_marks(sources: Mapping[str, Source], names: Sequence[str]) -> None:
    if not any(sources[name].kind == MARKS for name in names):
        raise Problem(
            f"{names[0]} reads no workflow lines.",
            "Runs are made of those; `perflog try` reads others.",
            ExitCode.USAGE,
        )
