"""`perflog compare`, as a user calls it: two runs of a file or of the index, for people and for machines."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingest.cli.console import open_console
from ingest.cli.runs import compare
from ingest.cli.runs.compare_text import show_comparison
from ingest.core.analysis.compare import compared
from ingest.core.mark import RunKey
from ingest.core.model import Problem
from ingest.edge.local.stack import Running
from tests.cli.runs.test_runs import make_marks
from tests.support.derived import SAMPLE, documents_of, marks_of_sample
from tests.support.stored import Stored
from tests.support.stored_runs import run_of

FACILITY = f"compared{os.getpid()}"
FIRST, SECOND = "1084664-62990", "1086857-64636"
FAST = "0 QSTART, 5 WSTART, 10 START A, 60 START B, 90 END B, 100 START C, 160 END C"
SLOW = "0 QSTART, 105 WSTART, 110 START A, 360 START B, 390 END B, 400 START B, 420 END B"


def run_compare(*words: str, obj: Path | None = None) -> Result:
    """Call it in this process; a pipe."""
    done = CliRunner().invoke(compare.command, words, obj=obj, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def test_two_runs_of_a_file_without_servers() -> None:
    """The sample's two share no stage: each is listed with the one side that has it; waits and totals differ."""
    comparison = json.loads(run_compare("--file", str(SAMPLE), FIRST, SECOND, "--json").stdout)

    assert (comparison["first"]["run"], comparison["second"]["run"]) == (FIRST, SECOND)
    assert [pair["in"] for pair in comparison["stages"]] == ["first"] * 21 + ["second"] * 12
    assert all(pair["difference_s"] is None for pair in comparison["stages"])
    waits = {pair["name"]: pair for pair in comparison["waits"]}
    assert (waits["queue"]["first_s"], waits["queue"]["second_s"], waits["queue"]["in"]) == (None, 25, "second")
    assert (waits["span"]["difference_s"], waits["span"]["difference_kind"]) == (-3057, "exact")
    assert waits["total"]["difference_kind"] == "bounds"


def test_the_percent_of_a_bound_is_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    """Seconds and percent of a difference have the same sign: of an exact stage, and of one that is at most so long."""
    first, second = run_of("0 START A, 1 END A, 2 START B, 9 START C"), run_of("0 START A, 45 START B, 46 END B")
    show_comparison(compared(first, second), open_console())
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert ["A", "=", "1", "≤", "45", "≤", "+44", "≤", "+4,400"] in rows
    assert ["B", "≤", "7", "=", "1", "≥", "-6", "≥", "-86"] in rows


def test_a_slip_is_answered_with_near_runs() -> None:
    """66, from a file as from the index."""
    with pytest.raises(Problem, match=f"Did you mean {FIRST}") as caught:
        run_compare("--file", str(SAMPLE), f"{FIRST}1", SECOND)
    assert caught.value.exit_code == 66


def test_an_option_of_files_needs_a_file() -> None:
    """64: it would change nothing."""
    with pytest.raises(Problem, match="--zone says how a file is read") as caught:
        run_compare(FIRST, SECOND, "--zone", "-08:00")
    assert caught.value.exit_code == 64


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The sample's runs, one that was fast, one that was slow."""
    stored = Stored(stack, tmp_path_factory.mktemp("compared"), FACILITY)
    stored.set_up(partitions=1)
    stored.put(documents_of(marks_of_sample(FACILITY)))
    runs = {"fast": FAST, "slow": SLOW}
    stored.put(
        documents_of({RunKey(FACILITY, "als_perf", name): make_marks(name, text) for name, text in runs.items()})
    )
    return stored


@pytest.mark.stack
def test_differences_say_their_kind(world: Stored) -> None:
    """Of two exact ones exact, of two upper bounds none; repeats by their order; % of the first."""
    rows = [
        line.split()
        for line in run_compare("fast", "slow", "--facility", FACILITY, obj=world.settings_file).stdout.splitlines()
    ]

    assert ["queue", "=", "5", "=", "105", "=", "+100", "=", "+2,000"] in rows
    assert ["A", "≤", "50", "≤", "250", "~", "+200", "~", "+400"] in rows
    assert ["B", "=", "30", "=", "30", "=", "+0", "=", "+0"] in rows
    assert ["B", "(2)", "not", "there", "=", "20", "–", "–"] in rows
    assert ["C", "=", "60", "not", "there", "–", "–"] in rows


@pytest.mark.stack
def test_a_file_and_the_index_give_the_same(world: Stored) -> None:
    """The same pairs, whichever way the lines came."""
    index, file = (
        json.loads(run_compare(FIRST, SECOND, "--facility", FACILITY, "--json", *words, obj=world.settings_file).stdout)
        for words in ((), ("--file", str(SAMPLE)))
    )

    assert index["stages"] == file["stages"]
    assert index["waits"] == file["waits"]


@pytest.mark.stack
def test_an_unknown_run_is_an_input_error(world: Stored) -> None:
    """Exit code 66, for the first run and for the second."""
    for pair in (("nobody", "fast"), ("fast", "nobody")):
        with pytest.raises(Problem, match="There is no run nobody") as caught:
            run_compare(*pair, "--facility", FACILITY, obj=world.settings_file)
        assert caught.value.exit_code == 66
