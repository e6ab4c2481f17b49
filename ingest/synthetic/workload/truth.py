"""What the generator makes, and what it knows of it: plain data, made from its own plan and never by reading a line."""

from dataclasses import dataclass, fields

import orjson

from ingest.core.ids import is_facility
from ingest.core.model import ExitCode, Problem

START_MS = 1_454_659_200_000  # midnight at the ALS before the sample's first run

EARLIEST_MS = 1_000_086_400_000  # a day on, for clocks that are behind
MAX_ADDED = 0.9
MOST_TIMES = 100


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares from 0 to 1 of runs and of lines that are not plain; all 0: plain, sequential runs only.

    Attributes:
        parallel: runs whose stages overlap; they write their ends too, since nothing else tells their durations.
        retried: runs of which a stage fails and is started again.
        stuck: runs that hang in a stage: no line after it.
        late: runs some of whose lines arrive hours after they were printed.
        skewed: runs on a node whose clock is seconds off from that of the host that prints.
        with_ends: runs that print END_DATE too.
        headless, tailless: runs of which the first or the last lines are not there (an excerpt).
        reused: runs whose id is used again, after more than seven days (so behind a span of less).
        torn: lines of which a part was not written.
        glued: lines that lost the newline between them; the first or second of them may be torn.
        refused: lines whose value, time or tag is wrong.
        poisoned: lines that read well and that Elasticsearch refuses.
        foreign: messages of the same files that are none of ours.
        repeated: messages that are sent once more, byte by byte.
    """

    parallel: float = 0.0
    retried: float = 0.0
    stuck: float = 0.0
    late: float = 0.0
    skewed: float = 0.0
    with_ends: float = 0.0
    headless: float = 0.0
    tailless: float = 0.0
    reused: float = 0.0
    torn: float = 0.0
    glued: float = 0.0
    refused: float = 0.0
    poisoned: float = 0.0
    foreign: float = 0.0
    repeated: float = 0.0

    def __post_init__(self) -> None:
        wrong = [field.name for field in fields(self) if not 0 <= getattr(self, field.name) <= 1]
        if wrong:
            raise Problem(
                f"The share `{wrong[0]}` is {getattr(self, wrong[0])}.", "Shares lie from 0 to 1.", ExitCode.USAGE
            )
        if self.torn + self.glued + self.refused + self.poisoned > 1:
            raise Problem("The shares of damaged lines are more than 1 together.", "Lower one of them.", ExitCode.USAGE)
        if self.foreign + self.repeated > MAX_ADDED:
            raise Problem(
                f"`foreign` and `repeated` are more than {MAX_ADDED} together.",
                "Lines of runs must be left.",
                ExitCode.USAGE,
            )


@dataclass(frozen=True, slots=True)
class Slowed:
    """A stage, as written, that takes so many times as long whenever it starts from an instant on (unix ms)."""

    stage: str
    times: float
    from_ms: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.times <= MOST_TIMES:
            what = f"{self.stage} cannot take {self.times} times as long."
            raise Problem(what, f"A number above 0, {MOST_TIMES} at most.", ExitCode.USAGE)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be made.

    Attributes:
        seed: the same workload gives the same bytes; another seed another workload.
        lines: messages of PERF lines over all facilities, exactly: damaged, foreign and repeated ones count.
        facilities: names, as in the settings' intakes.
        start_ms: the first instant (unix ms); unix times have ten digits since September 2001, so not before;
            beyond the time of reading the core would refuse all of them.
        span_s: in which the runs begin, with a daily rhythm.
        shares: what is not plain.
        results: perfSONAR results besides, over all facilities: 148 an hour and facility from `start_ms` on.
        slowed: stages that are slow from some instant on.
        steady: stages take their median, a tenth more or less, by day as by night: what is slow is slowed.
    """

    seed: int = 1
    lines: int = 20_000
    facilities: tuple[str, ...] = ("als",)
    start_ms: int = START_MS
    span_s: float = 86_400.0
    shares: Shares = Shares()
    results: int = 0
    slowed: tuple[Slowed, ...] = ()
    steady: bool = False

    def __post_init__(self) -> None:
        if not self.facilities or len(set(self.facilities)) != len(self.facilities):
            raise Problem("A workload needs facilities of different names.", "Name at least one.", ExitCode.USAGE)
        unfit = [name for name in self.facilities if not is_facility(name)]
        if unfit:
            raise Problem(
                f"`{unfit[0]}` cannot name a facility.", "Lower-case letters, digits and _ can.", ExitCode.USAGE
            )
        if self.start_ms < EARLIEST_MS:
            raise Problem(
                f"A workload cannot begin at {self.start_ms} ms.", "Unix times need ten digits.", ExitCode.USAGE
            )
        if self.lines < 0 or self.results < 0 or self.span_s <= 0:
            raise Problem(
                "A workload has no negative numbers, and a span.", "Correct lines, results or span.", ExitCode.USAGE
            )


@dataclass(frozen=True, slots=True)
class ExpectedDocument:
    """A document that must exist.

    Attributes:
        original: event.original; of a glued line its half; None of a result.
        at_ms: @timestamp; logged_ms: perf.mark.logged (of a result: when its run ended). Unix ms.
        run: perf.run.id, or of a result perf.network.run_id.
        stage: perf.stage.name, or of a result its type of test.
        key, script, script_line: as in the line; empty of a result.
        flags: perf.flags; not told of results.
    """

    original: str | None
    at_ms: int
    logged_ms: int
    run: str | None
    stage: str
    key: str
    script: str
    script_line: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Truth:
    """What must become of a message.

    Attributes:
        outcome: stored, rejected or ignored: what its record counts as when it is read for the first time.
        reason: of the reject: torn, syntax, value, …, or INDEX where it is Elasticsearch that refuses.
        facts: the documents that exist because of it; beside a reject, too (one half of a glued line).
        repeats: the same bytes were made before, so that nothing new is stored.
    """

    outcome: str
    reason: str | None = None
    facts: tuple[ExpectedDocument, ...] = ()
    repeats: bool = False


INDEX = "index"
LINE, RESULT = "line", "result"


@dataclass(frozen=True, slots=True)
class Made:
    """A message: `kind` line or result, the file it stands in, its bytes without line end, when it comes (unix ms)."""

    kind: str
    facility: str
    host: str
    path: str
    data: bytes
    at_ms: int
    truth: Truth


@dataclass(frozen=True, slots=True)
class StageTruth:
    """An attempt at a stage: what really happened, and what the stored lines let anybody know of it.

    Attributes:
        attempt: 1, or 2 of a stage that was retried.
        lane: 0, or in a parallel run the lane it ran in.
        start_ms, end_ms: by a true clock (unix ms); no end: the run is stuck in it.
        duration_s: what it really took.
        start_written, end_written: whether that line is there and reads, so that its document exists.
        kind: what seems to be known: exact (start and end), upper (to the run's next start), lower (the emission lag),
            none. Where the start of a second attempt is lost, its end seems to be the first's.
        known_s: that number, by the clocks that were printed.
        closed_by: end, next_start, open, or unseen (no start is there).
    """

    stage: str
    attempt: int
    lane: int
    start_ms: int
    end_ms: int | None
    duration_s: float | None
    start_written: bool
    end_written: bool
    kind: str
    known_s: float | None
    closed_by: str

    @property
    def open(self) -> bool:
        """Whether its start was seen and nothing that closes it."""
        return self.closed_by == "open"


@dataclass(frozen=True, slots=True)
class RunTruth:
    """What a run really did. Where an id is used again, `instance` counts from 1.

    Attributes:
        queue_s: from queued to work, by a true clock; dispatch_s: from work to the first start.
        queued_written, work_written: whether the documents of these two instants exist.
        skew_s: by how much the node's clock, which gives the values of all but QSTART, is ahead of the printed one.
        first_ms, last_ms: the first and the last value that is there (as printed); None when nothing is.
    """

    facility: str
    host: str
    run: str
    instance: int
    queue_s: float
    dispatch_s: float
    queued_written: bool
    work_written: bool
    stages: tuple[StageTruth, ...]
    parallel: bool = False
    retried: bool = False
    stuck: bool = False
    skew_s: int = 0
    first_ms: int | None = None
    last_ms: int | None = None


def as_json(made: Made, file: str, offset_bytes: int) -> bytes:
    """A line of truth.jsonl: where the message stands in the files that were written, and its truth."""
    truth = made.truth
    line = {
        "kind": made.kind,
        "facility": made.facility,
        "file": file,
        "offset_bytes": offset_bytes,
        "at_ms": made.at_ms,
        "outcome": truth.outcome,
        "reason": truth.reason,
        "repeats": truth.repeats,
        "facts": truth.facts,
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def run_as_json(run: RunTruth) -> bytes:
    """A line of runs.jsonl."""
    return orjson.dumps(run, option=orjson.OPT_APPEND_NEWLINE)
