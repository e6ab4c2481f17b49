"""`perflog runs` and `perflog show`, as a user calls them: for people, in a pipe, for machines; slips have codes."""

import csv
import json
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from ingest.cli.console import open_console
from ingest.cli.runs import runs, show
from ingest.cli.runs.runs_text import show_run
from ingest.core.ids import digest_id
from ingest.core.mark import RunKey, RunMark
from ingest.core.model import Problem
from ingest.core.runs.derive import DerivedDocument, derive, documents
from ingest.core.runs.state import RunState, with_marks
from ingest.core.runs.stored import run_from, stage_from, with_stages
from ingest.edge.elasticsearch import search
from ingest.edge.elasticsearch.runs import RunQuery
from ingest.edge.elasticsearch.runs import open_runs as stored_runs
from ingest.edge.local.stack import Running
from tests.core.conftest import GRAMMARS
from tests.support.derived import Sets, documents_of, marks_of_sample, shipped
from tests.support.marks import BEGIN_MS, marks
from tests.support.stored import Stored
from tests.support.stored_runs import run_of

FACILITY = f"runs{os.getpid()}"
OTHER = f"others{os.getpid()}"
FIRST, SECOND = "1084664-62990", "1086857-64636"
DAY_S = 86_400
PARALLEL = "0 START A, 1 START B, 30 END A, 90 END B"
USED_TWICE = f"0 START A, 60 START B, {20 * DAY_S} START A, {20 * DAY_S + 300} START B"
RETRIED = "0 QSTART, 5 START A, 65 START A, 95 END A"

pytestmark = pytest.mark.stack


def make_sets(facility: str, **texts: str) -> Sets:
    """Run id -> marks in words, each with an id of its own."""
    return {RunKey(facility, "als_perf", run): make_marks(run, text) for run, text in texts.items()}


def make_marks(run: str, text: str) -> dict[str, RunMark]:
    """The marks of one run, by id."""
    own = [mark._replace(id=digest_id(run.encode(), mark.id.encode())) for mark in marks(text)]
    return {mark.id: mark for mark in own}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 START A, 5 END A, 6 START B, 9 END B", "each stage that started has its END"),
        ("0 START A, 6 START B, 9 END B", "no stage is open"),
    ],
)  # fmt: skip
def test_a_run_closed_by_silence_does_not_claim_to_be_whole(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its stages may have ENDs, all or the last one; its total is a lower bound still, since it may go on."""
    run = run_of(text, BEGIN_MS + 2 * 3_600_000)
    show_run(run, 1, open_console())
    out = capsys.readouterr().out

    assert (run.state, run.closed_by, run.total_kind) == ("closed", "ends", "lower")
    assert f"closed: {words}, and an hour of silence followed; began" in out
    assert "head and tail not seen: the total is a lower bound, and no baseline" in out


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The sample's two runs and three more, another facility with a run of the same id, and what was retracted."""
    stored = Stored(stack, tmp_path_factory.mktemp("runs"), FACILITY)
    stored.set_up(partitions=1)
    stored.put(documents_of(marks_of_sample(FACILITY)))
    stored.put(documents_of(make_sets(FACILITY, side=PARALLEL, twice=USED_TWICE, again=RETRIED, line_only="0 QSTART")))
    stored.put(documents_of(make_sets(OTHER, side=PARALLEL, alone=PARALLEL)))
    stored.put(documents_of(make_sets(FACILITY, gone=PARALLEL)))
    stored.put(retract(RunKey(FACILITY, "als_perf", "gone"), PARALLEL))
    return stored


def retract(key: RunKey, text: str) -> list[DerivedDocument]:
    """What is written when each of its marks was retracted."""
    before = derive(with_marks(RunState(key), make_marks(key.run, text).values()))
    gone = [mark._replace(retracted=True, version=9) for mark in make_marks(key.run, text).values()]
    state = RunState(key, make_marks(key.run, text), revision=1, issued=before.issued)
    return list(documents(derive(with_marks(state, gone)), shipped(GRAMMARS).schema))


Caller = Callable[..., Result]


@pytest.fixture
def call(world: Stored) -> Caller:
    """Calls a command in this process."""

    def run_command(command: click.Command, *words: str, columns: int = 200) -> Result:
        done = CliRunner().invoke(
            command, words, obj=world.settings_file, env={"COLUMNS": str(columns)}, standalone_mode=False
        )
        if done.exception is not None:
            raise done.exception
        return done

    return run_command


def list_runs(call: Caller, *words: str) -> list[str]:
    """The run ids that `runs` lists, with the instance."""
    stored_runs = json.loads(call(runs.command, "--facility", FACILITY, "--json", *words).stdout)["runs"]
    return [f"{run['run']}.{run['instance']}" for run in stored_runs]


def test_runs_stand_newest_first_and_nothing_retracted_among_them(call: Caller) -> None:
    """Each use of an id is a run; retracted runs are left out."""
    assert list_runs(call)[:2] == ["twice.2", f"{SECOND}.1"]
    assert set(list_runs(call)) == {
        "twice.2", f"{SECOND}.1", f"{FIRST}.1", "side.1", "twice.1", "again.1", "line_only.1"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--workflow", "als-tomography"), [f"{SECOND}.1", f"{FIRST}.1"]),
        (("--workflow", "nothing-like-it"), []),
        (("--run", "side"), ["side.1"]),
        (("--run", "twice"), ["twice.2", "twice.1"]),
        (("--state", "queued"), ["line_only.1"]),
        (("--state", "closed", "--state", "abandoned"), []),
        (("--source", "netlogger"), []),
        (("--since", "2016-02-07"), ["twice.2"]),
        (("--since", "2016-02-06T18:00:00Z", "--until", "2016-02-07"), [f"{SECOND}.1"]),
        (("--limit", "1"), ["twice.2"]),
    ],
)
def test_filters(call: Caller, words: tuple[str, ...], expected: list[str]) -> None:
    """Each says which runs are meant; several of a kind widen."""
    assert list_runs(call, *words) == expected


def test_a_run_is_a_line_on_a_wide_terminal(call: Caller) -> None:
    """Id, state, begin, queue, dispatch, span, total with its kind, stages, what was not seen, the longest stage."""
    lines = call(runs.command, "--facility", FACILITY).stdout.splitlines()
    by_id = {line.split()[0]: line.split() for line in lines if line}

    assert by_id[SECOND] == [
        SECOND, "running", "2016-02-06", "18:35", "25", "14", "775", "≥", "817", "12", "tail",
        "SUBMIT_GAL-render-raw", "≤", "203", "s",
    ]  # fmt: skip
    assert by_id[FIRST][4:9] == ["–", "–", "3,832", "≥", "3,833"]
    assert by_id[FIRST][9:] == ["21", "head,", "tail", "SUBMIT_GAL-render-gridrec", "≤", "706", "s"]
    assert by_id["line_only"][4:7] == ["–", "–", "–"]
    assert lines[-2] == "7 runs."


@pytest.mark.parametrize("columns", [80, 160])
def test_nothing_is_wider_than_the_terminal(call: Caller, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """At 80 and 160 columns no row is broken, and the numbers are all there."""
    for name in ("runs", "show"):
        monkeypatch.setattr(f"ingest.cli.runs.{name}.open_console", lambda: Console(highlight=False, width=columns))
    for words in ((runs.command, "--facility", FACILITY), (show.command, FIRST, "--facility", FACILITY)):
        out = call(*words, columns=columns).stdout
        assert max(len(line.rstrip()) for line in out.splitlines()) <= columns
        assert "3,832" in out
        assert "706" in out


def test_a_pipe_gets_the_number_of_runs_left_out(call: Caller) -> None:
    """It prints the number of all runs."""
    assert "2 of 7 runs" in call(runs.command, "--facility", FACILITY, "--limit", "2").stdout
    assert call(runs.command, "--run", "nobody").stdout.strip() == "No run is like that."


def test_a_run_is_shown_with_its_stages(call: Caller) -> None:
    """Kind, closer, lag of each stage; the parts of its time, which add up; what was not seen."""
    out = call(show.command, SECOND, "--facility", FACILITY).stdout
    rows = [row.split() for row in out.splitlines() if "SUBMIT" in row]

    assert f"Run {SECOND} of {FACILITY} / als_perf / als-tomography" in out
    assert "queue 25 s, dispatch 14 s, first to last start 775 s" in out
    assert "total ≥ 817 s = queue 25 + dispatch 14 + stages 775 + tail 3" in out
    assert "tail not seen" in out
    assert len(rows) == 12
    assert rows[0] == ["18:36:27", "SUBMIT_FAST_TOMOPY", "≤", "11", "next", "start", "1"]
    assert rows[-1] == ["18:49:22", "SUBMIT_SINO", "≥", "3", "open", "3"]


def test_the_waterfall_is_drawn_on_a_terminal_or_when_asked_for(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the table; in a pipe only with --waterfall, in the same signs; --no-waterfall leaves it out."""
    piped = call(show.command, SECOND, "--facility", FACILITY).stdout
    requested = call(show.command, SECOND, "--facility", FACILITY, "--waterfall").stdout
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(
        "ingest.cli.runs.show.open_console", lambda: Console(force_terminal=True, width=80, color_system=None)
    )
    drawn = call(show.command, SECOND, "--facility", FACILITY).stdout
    without = call(show.command, SECOND, "--facility", FACILITY, "--no-waterfall").stdout

    assert "2016-02-06 UTC" not in piped
    assert requested.startswith(piped)
    assert "▒▒▒▒▒▒▒" in requested
    assert "▒▒▒▒▒▒▒" in drawn
    assert "▒" not in without


def test_the_sample_has_31_upper_bounds_2_lower_and_none_exact(call: Caller) -> None:
    """Count the kinds in the stored runs."""
    shown_runs = [
        json.loads(call(show.command, run, "--facility", FACILITY, "--json").stdout) for run in (FIRST, SECOND)
    ]
    kinds = [stage["duration_kind"] for run in shown_runs for stage in run["stages_in_order"]]

    assert (kinds.count("upper"), kinds.count("lower"), len(kinds)) == (31, 2, 33)
    assert shown_runs[0]["queue_wait_s"] is None
    assert shown_runs[0]["longest_stage"] == {"name": "SUBMIT_GAL-render-gridrec", "duration_s": 706, "kind": "upper"}
    assert (shown_runs[0]["start_span_s"], shown_runs[0]["observed_total_s"]) == (3832, 3833)


def test_runs_as_a_table_in_figures(call: Caller) -> None:
    """--csv: the columns of `analyze --csv`, those that began first ahead; what was not seen is empty; UTC."""
    rows = list(csv.DictReader(StringIO(call(runs.command, "--facility", FACILITY, "--csv").stdout)))
    first = next(row for row in rows if row["run_id"] == FIRST)

    assert [row["run_id"] for row in rows if row["run_id"] in {FIRST, SECOND}] == [FIRST, SECOND]
    assert (first["queue_wait_s"], first["gap_median_s"], first["lag_max_s"]) == ("", "76.0", "14")
    assert first["first_start"] == "2016-02-06 05:39:37 UTC"


def test_lanes_and_attempts_have_columns_where_they_tell_something(call: Caller) -> None:
    """Parallel stages a lane, second attempts a number; a plain run neither."""
    side = call(show.command, "side", "--facility", FACILITY).stdout
    again = call(show.command, "again", "--facility", FACILITY).stdout
    plain = call(show.command, FIRST, "--facility", FACILITY).stdout

    assert [line.split()[1:] for line in side.splitlines() if line[2:3] == ":"] == [
        ["A", "=", "30", "its", "END", "1", "1"], ["B", "=", "89", "its", "END", "1", "2"]
    ]  # fmt: skip
    assert [line.split()[1:] for line in again.splitlines() if line[2:3] == ":"] == [
        ["A", "≤", "60", "next", "start", "1", "1"], ["A", "=", "30", "its", "END", "1", "2"]
    ]  # fmt: skip
    assert not {"lane", "try"} & set(plain.split())


def test_a_used_id_shows_its_newest_use_and_any_other_on_request(call: Caller) -> None:
    """--instance names it; one that is not there is no input."""
    newest = call(show.command, "twice", "--facility", FACILITY).stdout
    first = call(show.command, "twice", "--instance", "1", "--facility", FACILITY).stdout

    assert "use 2 of 2 of this id" in newest
    assert "≤ 300" in newest
    assert "use 1 of 2 of this id" in first
    with pytest.raises(Problem, match="was used 2 times") as caught:
        call(show.command, "twice", "--instance", "3", "--facility", FACILITY)
    assert caught.value.exit_code == 66


@pytest.mark.parametrize(("word", "near"), [(f"{FIRST}0", FIRST), ("64636", SECOND), ("108666-64636", SECOND)])
def test_a_slip_of_the_pen_is_answered_with_near_runs(call: Caller, word: str, near: str) -> None:
    """66, and the nearest id first: a letter too many, the second half alone, a letter missing."""
    with pytest.raises(Problem, match=f"Did you mean {near}") as caught:
        call(show.command, word, "--facility", FACILITY)
    assert caught.value.exit_code == 66


def test_a_run_id_without_a_match_is_an_error(call: Caller) -> None:
    """Exit code 66 for an unknown run, a retracted one, and an id with wildcard characters."""
    for word in ("zzzzzz", "gone", "*", 'a"b/\\'):
        with pytest.raises(Problem, match="There is no run") as caught:
            call(show.command, word, "--facility", FACILITY)
        assert caught.value.exit_code == 66


def test_a_run_id_of_two_facilities_needs_the_facility(call: Caller) -> None:
    """The error with exit code 64 names both."""
    with pytest.raises(Problem, match=f"{OTHER} .*{FACILITY}") as caught:
        call(show.command, "side")
    assert caught.value.exit_code == 64
    assert f"of {OTHER} /" in call(show.command, "alone").stdout


def test_without_elasticsearch_the_error_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 69 and no traceback."""
    path = tmp_path / "perflog.toml"
    path.write_text('[elasticsearch]\nurl = "http://127.0.0.1:9"\n')
    for command, *words in ((runs.command,), (show.command, "x")):
        done = CliRunner().invoke(command, words, obj=path, standalone_mode=False)
        assert isinstance(done.exception, Problem)
        assert done.exception.exit_code == 69


def test_whole_runs_equal_the_written_documents(world: Stored) -> None:
    """The sample's two runs with their stages, read back, are those of the documents; as the demo shows them."""
    written = [
        document for document in documents_of(marks_of_sample(FACILITY)) if "retracted" not in document.body["perf"]
    ]
    expected = with_stages(
        (run_from(document.body) for document in written if document.index.startswith("perf-runs-")),
        (stage_from(document.id, document.body) for document in written if document.index.startswith("perf-stages-")),
    )
    with stored_runs(world.settings.elasticsearch) as stored:
        whole_runs = stored.whole(RunQuery(facilities=(FACILITY,), workflows=("als-tomography",)))

    assert whole_runs == expected
    assert [len(run.stages) for run in whole_runs] == [21, 12]


def test_no_facility_is_lost_behind_a_page(world: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """With pages of one: every facility has its newest line, every run and stage is read."""
    for limit in ("PAGE", "BUCKETS"):
        monkeypatch.setattr(search, limit, 1)
    with stored_runs(world.settings.elasticsearch) as stored:
        newest = stored.newest_line_ms()
        whole_runs = stored.whole(RunQuery(facilities=(FACILITY, OTHER)))
        stages = list(stored.stages_between(FACILITY, 0, 2_000_000_000_000))

    assert {FACILITY, OTHER} <= set(newest)
    assert newest[FACILITY] == max(run.seen_ms for run in whole_runs if run.facility == FACILITY)
    assert len(whole_runs) == 9
    assert sorted(stage.id for stage in stages) == sorted(
        stage.id for run in whole_runs if run.facility == FACILITY for stage in run.stages
    )
