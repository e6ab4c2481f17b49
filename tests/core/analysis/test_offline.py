"""Lines of files -> the runs that would be stored of them: by the same steps, whatever way a line takes."""

import csv
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from ingest.core.analysis.figures import COLUMNS, figures
from ingest.core.analysis.offline import MOST_SHAPES, Analysis, FileLine
from ingest.core.analysis.printed_zones import Zones, in_utc, local
from ingest.core.decode.decoder import Decoder
from ingest.core.mark import RunKey
from ingest.core.model import Intake, Problem
from ingest.core.runs.derive import as_swept, derive, documents
from ingest.core.runs.state import RunState, at_watermark, with_marks
from ingest.core.runs.stored import StoredRun
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Shares, Workload
from tests.core.conftest import GRAMMARS
from tests.support.derived import RECEIVED_MS, SAMPLE, marks_of_lines, shipped
from tests.support.marks import BEGIN_MS, KEY, mark, marks
from tests.support.stored_runs import SCHEMA, run_of, stored_runs

RUNS_CSV = Path(__file__).parents[2] / "data" / "als_perf_runs.csv"
MIXED = Shares(parallel=0.2, retried=0.2, with_ends=0.3, headless=0.2, tailless=0.2, reused=0.2, torn=0.02, glued=0.02,
               refused=0.02, foreign=0.05, repeated=0.05)  # fmt: skip


def decoder(facility: str = "als", zone: int | None = None) -> Decoder:
    """The core as an intake of lines has it."""
    registry = shipped(GRAMMARS)
    return Decoder(Intake("t", "t", facility, ("als_perf",), "als-tomography", zone), registry.sources, registry.schema)


def analysed(lines: Sequence[bytes], portion: int = 500, path: str = "a.log") -> Analysis:
    """The lines as one file, so many at once."""
    analysis = Analysis(decoder(), SCHEMA)
    numbered = [FileLine(number, 0, data) for number, data in enumerate(lines, 1)]
    for begin in range(0, len(numbered), portion):
        analysis.add(path, numbered[begin : begin + portion], RECEIVED_MS)
    return analysis


def at_once(lines: Sequence[bytes]) -> list[StoredRun]:
    """The runs of the lines read one by one the general way, swept once at the newest instant."""
    sets = marks_of_lines(lines, "als")
    newest_ms = max(mark.at_ms for run_marks in sets.values() for mark in run_marks.values())
    runs = [run for key, run_marks in sets.items() for run in stored_runs(run_marks.values(), key, newest_ms)]
    return sorted(runs, key=lambda run: (run.start_ms, run.facility, run.run, run.instance))


def test_the_sample_gives_the_table_that_goes_with_it() -> None:
    """Column by column what was computed by hand, as text."""
    analysis = analysed(SAMPLE.read_bytes().splitlines())
    with RUNS_CSV.open(newline="") as file:
        head, *expected = csv.reader(file)
    rows = []
    for run in analysis.runs():
        first, last = (analysis.printed(run, stage.start_ms) for stage in (run.stages[0], run.stages[-1]))
        rows.append(["" if value is None else str(value) for value in figures(run, first, last)])

    assert list(COLUMNS) == [*head, "instance"]
    assert rows == [[*row, "1"] for row in expected]


@pytest.mark.parametrize("portion", [1, 70, 5000])
def test_the_short_way_and_the_general_way_tell_the_same(portion: int) -> None:
    """Whatever the lines, in any order and some twice, in portions of any size: the runs of all marks at once."""
    lines = [made.data for made in messages(Workload(3, 3000, shares=MIXED))]
    sent = [*lines, *lines[::10]]
    Random(4).shuffle(sent)

    assert analysed(sent, portion).runs() == at_once(lines)


def test_every_line_is_counted_once() -> None:
    """Read, refused or ignored, as the generator knows; refused ones by shape with the first place of each."""
    made = list(messages(Workload(5, 4000, shares=MIXED)))
    counts = analysed([message.data for message in made]).counts
    outcomes = [message.truth.outcome for message in made]

    assert counts.lines == len(made)
    assert counts.read == outcomes.count("stored")
    assert sum(refused.lines for refused in counts.rejected.values()) == outcomes.count("rejected") > 100
    assert counts.ignored.total() == outcomes.count("ignored") > 100
    for refused in counts.rejected.values():
        assert made[refused.number - 1].truth.outcome == "rejected"


def test_shapes_are_bounded_whatever_is_refused() -> None:
    """A file of rubbish costs no memory: beyond a thousand shapes they are counted together."""
    lines = [
        f"Fri Feb 5 21:39:37 PST 2016: s{n}.sh:1:r: PREF:A:START_DATE=1".encode() for n in range(MOST_SHAPES + 500)
    ]
    counts = analysed(lines).counts

    assert len(counts.rejected) == MOST_SHAPES + 1
    assert sum(refused.lines for refused in counts.rejected.values()) == MOST_SHAPES + 500


def test_more_marks_than_there_may_be_are_refused() -> None:
    """65, with what to do, before memory is full."""
    analysis = Analysis(decoder(), SCHEMA, most=20)
    lines = [FileLine(n, 0, data) for n, data in enumerate(SAMPLE.read_bytes().splitlines(), 1)]
    with pytest.raises(Problem, match="more than 20 marks") as caught:
        analysis.add("a.log", lines, RECEIVED_MS)
    assert caught.value.exit_code == 65


@pytest.mark.parametrize("order", [1, -1])
def test_time_passes_up_to_the_newest_instant_of_all_files(order: int) -> None:
    """A run that was silent for an hour before it is quiet, in whichever file it stands."""
    lines = SAMPLE.read_bytes().splitlines()
    analysis = Analysis(decoder(), SCHEMA)
    for name, own in [("first.log", lines[:21]), ("second.log", lines[21:])][::order]:
        analysis.add(name, [FileLine(n, 0, data) for n, data in enumerate(own, 1)], RECEIVED_MS)
    first, second = analysis.runs()

    assert (first.state, second.state) == ("quiet", "running")
    assert first.stages[-1].open_for_s == 43_553
    assert analysis.newest_ms == {("als", "als_perf"): second.stages[-1].start_ms}


@pytest.mark.parametrize(
    ("after_s", "state", "open_for_s"),
    [(600, "running", None), (3661, "running", None), (3662, "quiet", 3602), (8 * 86_400, "closed", None)],
)
def test_a_state_that_is_not_due_stays_as_it_is(after_s: int, state: str, open_for_s: int | None) -> None:
    """As after one sweep: within the hour behind its last line (61 s) nothing passes for a run."""
    run = run_of("0 START A, 60 START B", BEGIN_MS + after_s * 1000)

    assert run.state == state
    assert run.stages[-1].open_for_s == open_for_s


def test_a_large_run_is_swept_whenever_there_is_a_watermark() -> None:
    """Workers leave it to the sweeper, which lets time pass for it at once."""
    state = with_marks(RunState(KEY), [mark(n, "START", f"S{n}") for n in range(10_001)])
    newest_ms = BEGIN_MS + 10_000_000

    assert list(documents(as_swept(state, newest_ms), SCHEMA)) == list(
        documents(derive(at_watermark(state, newest_ms)), SCHEMA)
    )


def test_zones_are_those_of_the_stamps() -> None:
    """Summer and winter apart, by when; +hhmm as well; UTC where a stamp named none or one that no table has."""
    zones, key = Zones(), RunKey("als", "als_perf", "1-2")
    for at, zone in (("2016-02-06T05:00:00Z", "PST"), ("2016-07-06T05:00:00Z", "PDT"), ("2016-09-06T05:00:00Z", "PDT")):
        zones.add(key, at, zone)
    winter_ms, summer_ms = 1_454_734_800_000, 1_467_781_200_000

    assert zones.of(key, winter_ms) == "PST"
    assert zones.of(key, summer_ms + 86_400_000) == "PDT"
    assert zones.of(RunKey("als", "als_perf", "other"), winter_ms) == "UTC"
    assert local(winter_ms, "PST", {"PST": -28_800}) == "2016-02-05 21:00:00 PST"
    assert local(winter_ms, "+0530", {}) == "2016-02-06 10:30:00 +0530"
    assert local(winter_ms, "XYZ", {}) == in_utc(run_of("0 START A"), winter_ms) == "2016-02-06 05:00:00 UTC"


def test_figures_of_few_stages_are_empty_not_zero() -> None:
    """No gap without a second start, no lag without a stamp, no share of a span of nothing."""
    single = figures(run_of("0 START A -"), None, None)
    none = figures(run_of("0 QSTART"), None, None)

    assert (single.stage_lines, single.start_span_s, single.sum_lag_s, single.gap_min_s) == (1, 0, None, None)
    assert (none.stage_lines, none.start_span_s, none.longest_gap_stage) == (0, None, None)
    assert single.lag_share_of_span_pct is None


def test_lags_of_closed_stages_count_the_last_one_if_its_end_closed_it() -> None:
    """A stage that nothing closed does not count, wherever it stands; the share of the span is of stages within it."""
    open_last, ended_last = (run_of(f"0 START A 2, 10 START B 3{end}") for end in ("", ", 20 END B"))
    parallel = run_of("0 START A 2, 10 START B 3, 12 START C 4, 20 END A, 30 END C")

    assert (figures(open_last, None, None).sum_lag_closed_s, figures(ended_last, None, None).sum_lag_closed_s) == (2, 5)
    assert figures(run_of("0 START A 2, 9 END A"), None, None).sum_lag_closed_s == 2
    assert figures(run_of("0 START A 2"), None, None).sum_lag_closed_s is None
    assert {figures(run, None, None).lag_share_of_span_pct for run in (open_last, ended_last)} == {20.0}
    assert figures(parallel, None, None).sum_lag_closed_s == 6


def test_gaps_of_a_parallel_run_are_those_between_starts() -> None:
    """Not what its stages took: that stands beside them."""
    text = "0 START A, 10 START B, 30 END A, 40 START C, 90 END B"
    measured = figures(run_of(text), None, None)

    assert (measured.gap_min_s, measured.gap_median_s, measured.gap_max_s, measured.longest_gap_stage) == (
        10,
        20.0,
        30,
        "B",
    )
    assert (measured.min_log_to_next_start_s, measured.lines) == (9, len(marks(text)))


def test_a_host_whose_zone_is_wrong_is_told() -> None:
    """By either way, whatever the portion: lines that fail the self-check are counted, their lags in no figure.

    Every other line is stamped with the name of a zone two hours west. Two of the 70 name the entry into a queue: two
    hours are a wait.
    """
    lines = SAMPLE.read_bytes().splitlines()
    wrong = [line.replace(b" PST ", b" HST ") if n % 2 else line for n, line in enumerate(lines * 4)]
    for portion in (1, 70, 5000):
        analysis = analysed(wrong, portion)
        (fault,) = analysis.zone_faults.by_host()
        lags_s = [stage.lag_s for run in analysis.runs() for stage in run.stages]

        assert (fault.host, fault.shift_s, fault.lines, fault.zone) == ("a.log", 7200, 68, "HST")
        assert (fault.least_lag_s, fault.most_lag_s) == (0, 14)
        assert max(lag_s for lag_s in lags_s if lag_s is not None) <= 14
