"""`perflog generate`: synthetic lines and results, any number of them, and the truth about them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ingest.cli.console import echo, echo_json, open_error_console
from ingest.cli.format import NONE
from ingest.cli.options import with_options
from ingest.config.load import load_settings
from ingest.core.kafka_record import ProducerRecord
from ingest.core.model import ExitCode, Intake, Problem, Provenance
from ingest.core.records import headers
from ingest.core.timestamps import TimestampError, iso_ms
from ingest.edge.kafka.producer import open_producer
from ingest.pipeline.intake.paced import Pace, send_paced
from ingest.synthetic.workload.folder import Folder, OutputFiles, folder
from ingest.synthetic.workload.generator import Made, Shares, Slowed, Workload, messages
from ingest.synthetic.workload.workflow_model import WHOLE
from ingest.telemetry import log_to_stderr

READERS = {"lines": "als_perf", "results": "perfsonar"}
LINES = 20_000
SHARES = ", ".join(Shares.__slots__)


@dataclass(slots=True)
class GeneratedCounts:
    """Counts of the generated messages, from their truth."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    runs: int | None = None
    pace: Pace | None = None

    def count(self, message: Made) -> None:
        """Count one message."""
        truth = message.truth
        self.counts[f"{message.kind}s"] += 1
        self.counts[truth.outcome] += 1
        self.counts["documents"] += 0 if truth.repeats else len(truth.facts)
        self.counts["repeats"] += truth.repeats
        self.reasons[truth.reason or ""] += truth.reason is not None
        self.size_bytes += len(message.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions:
    """What `perflog generate` makes, and where it goes: into a folder, to an intake's topic at a rate, or both."""

    out: Path | None
    lines: int | None
    results: int
    seed: int
    facilities: tuple[str, ...]
    shares: tuple[str, ...]
    slowed: tuple[str, ...]
    steady: bool
    start: str | None
    span_s: float
    intake_name: str | None
    rate: float | None
    seconds: float | None
    backfill: bool
    as_json: bool


@click.command("generate")
@click.argument("out", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--lines", type=click.IntRange(0), help=f"How many messages of lines. Default: {LINES:,}.")
@click.option("--results", type=click.IntRange(0), default=0, help="How many perfSONAR results to generate too.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same messages.")
@click.option(
    "--facility",
    "facilities",
    multiple=True,
    help="Facility of the runs; repeatable. Default: als, or the intake's.",
)
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="NAME=0.01",
    help=f"Share of runs or lines that are not plain. NAME is one of: {SHARES}.",
)
@click.option("--slow", "slowed", multiple=True, metavar="STAGE=3[@INSTANT]",
              help="Make a stage slower: STAGE=3 takes 3 times as long, with @INSTANT from then on.")  # fmt: skip
@click.option("--steady", is_flag=True, help="Every stage takes its usual time, so that only --slow makes stages slow.")
@click.option("--start", help="Begin of the span; `now`: the span ends now. Default: 2016-02-05T08:00:00Z.")
@click.option("--span", "span_s", type=click.FloatRange(1), default=86_400.0, show_default=True,
              help="Seconds within which the runs begin.")  # fmt: skip
@click.option("--intake", "intake_name", help="Send to the topic of this [[intake]], with or without OUT.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Messages per second, with --intake.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    help="How long to send: as many lines as --rate gives in this time.",
)
@click.option("--backfill", is_flag=True, help="The data is old on purpose: skip the intake's age limit.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@with_options(GenerateOptions)
def command(settings_path: Path | None, options: GenerateOptions) -> int:
    """Generate lines and results whose truth is known: into the folder OUT, or to Kafka at a steady rate, or both.

    OUT/truth.jsonl says for every message what must become of it, OUT/runs.jsonl what every run really did.
    """
    log_to_stderr()
    settings = load_settings(settings_path)
    intake = settings.intake(options.intake_name) if options.intake_name else None
    workload = _make_workload(intake, options)
    _check(intake, workload, options)
    counts = GeneratedCounts()
    with folder(options.out) if options.out else nullcontext() as output, _progress_bar() as progress:
        task = progress.add_task("generate", total=workload.lines + workload.results)
        generated = _count_and_write(messages(workload), output, counts)
        if intake and options.rate:
            with open_producer(settings.kafka) as producer:
                records = _to_records(generated, intake, options.backfill)
                counts.pace = send_paced(producer, records, options.rate, _make_advance(progress, task))
        else:
            _write_all(generated, _make_advance(progress, task))
        counts.runs = output.write_runs(workload) if output else None
    _show(counts, intake, options)
    return 0


def _make_workload(intake: Intake | None, options: GenerateOptions) -> Workload:
    lines = options.lines
    if lines is None:
        lines = round(options.rate * options.seconds) if options.rate and options.seconds else LINES
    return Workload(
        seed=options.seed,
        lines=lines,
        facilities=options.facilities or ((intake.facility,) if intake else ("als",)),
        start_ms=_parse_start(options.start, options.span_s),
        span_s=options.span_s,
        shares=_parse_shares(options.shares),
        results=options.results,
        slowed=tuple(_parse_slowed(word) for word in options.slowed),
        steady=options.steady,
    )


def _parse_slowed(word: str) -> Slowed:
    stage, _, rest = word.partition("=")
    times, _, instant = rest.partition("@")
    checked = [step.stage for step in WHOLE]
    if stage not in checked:
        similar = get_close_matches(stage, checked, n=1, cutoff=0.5)
        remedy = f"Did you mean {similar[0]}?" if similar else f"There are: {', '.join(checked)}."
        raise Problem(f"There is no stage `{stage}` in generated runs.", remedy, ExitCode.USAGE)
    try:
        return Slowed(stage, float(times), iso_ms(instant) if instant else 0)
    except ValueError as error:
        raise Problem(
            f"--slow {word}: {error}.", "Write it like SUBMIT_NORM=3@2016-02-06T00:00:00Z.", ExitCode.USAGE
        ) from error


def _parse_shares(words: Sequence[str]) -> Shares:
    shares = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            shares[name] = float(text)
        except ValueError:
            raise Problem(f"`--share {word}` names no share.", "Write it like torn=0.01.", ExitCode.USAGE) from None
        if name not in Shares.__slots__:
            raise Problem(f"There is no share `{name}`.", f"There are: {SHARES}.", ExitCode.USAGE)
    return Shares(**shares)


def _parse_start(text: str | None, span_s: float) -> int:
    if text is None:
        return Workload().start_ms
    if text == "now":
        return int((datetime.now(UTC).timestamp() - span_s) * 1000)
    try:
        return iso_ms(text)
    except TimestampError as error:
        raise Problem(f"--start: {error}.", "Write it like 2016-02-05T08:00:00Z.", ExitCode.USAGE) from error


def _check(intake: Intake | None, workload: Workload, options: GenerateOptions) -> None:
    """Refuse options that do not go together: `Problem` (64)."""
    if intake is None:
        if options.out is None:
            raise Problem("No destination is given.", "Name a folder, or an --intake and a --rate.", ExitCode.USAGE)
        if options.rate or options.seconds:
            raise Problem("A rate is for sending.", "Name the --intake too.", ExitCode.USAGE)
        return
    if not options.rate:
        raise Problem("No rate is given.", "Give --rate, in messages a second.", ExitCode.USAGE)
    if workload.facilities != (intake.facility,):
        raise Problem(
            f"Intake {intake.name} is of facility {intake.facility}.", "Leave out --facility.", ExitCode.USAGE
        )
    for kind, source in READERS.items():
        if getattr(workload, kind) and source not in intake.sources:
            raise Problem(
                f"Intake {intake.name} does not read {kind}.", f"Use --{kind} 0, or another intake.", ExitCode.USAGE
            )


def _count_and_write(
    generated: Iterator[Made], output: Folder | None, counts: GeneratedCounts
) -> Iterator[tuple[Made, int]]:
    """Yield each message with its offset, counted, and written if a folder is named."""
    files = OutputFiles()
    for message in generated:
        file, offset_bytes = files.next_position(message)
        counts.count(message)
        if output:
            output.write(message, file, offset_bytes)
        yield message, offset_bytes


def _to_records(generated: Iterator[tuple[Made, int]], intake: Intake, backfill: bool) -> Iterator[ProducerRecord]:
    forwarder = f"perflog/{version('perflog-ingest')}"
    for message, offset_bytes in generated:
        header_list = headers.to_headers(Provenance(message.host, message.path, offset_bytes, forwarder), backfill)
        yield ProducerRecord(intake.topic, f"{message.host}:{message.path}".encode(), message.data, header_list)


def _write_all(generated: Iterator[tuple[Made, int]], advance: Callable[[int], None]) -> None:
    for number, _ in enumerate(generated, 1):
        if number % 1000 == 0:
            advance(1000)


def _progress_bar() -> Progress:
    console = open_error_console()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("messages"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _make_advance(progress: Progress, task: TaskID) -> Callable[[int], None]:
    return lambda count: progress.advance(task, count)


def _show(generated: GeneratedCounts, intake: Intake | None, options: GenerateOptions) -> None:
    pace = generated.pace
    if options.as_json:
        report = {
            "folder": str(options.out) if options.out else None,
            "topic": intake.topic if intake else None,
            "counts": generated.counts,
            "reasons": +generated.reasons,
            "runs": generated.runs,
            "size_bytes": generated.size_bytes,
            "rate_asked": options.rate,
            "rate_reached": pace.rate if pace else None,
            "duration_s": pace.duration_s if pace else None,
        }
        echo_json(report)
        return
    counts = generated.counts
    runs = "" if generated.runs is None else f" of {generated.runs:,} runs"
    echo(
        f"{counts['lines']:,} lines{runs} and {counts['results']:,} results ({generated.size_bytes:,} bytes), of which"
    )
    echo(
        f"{counts['documents']:,} documents must come; {counts['rejected']:,} messages must be rejected, "
        f"{counts['ignored']:,} ignored, {counts['repeats']:,} are repeats."
    )
    if pace and intake and options.rate:
        reached = f"{pace.rate:,.1f}" if pace.rate is not None else NONE
        echo(f"{intake.topic} acknowledged {reached} messages/s ({options.rate:,.1f} asked).")
