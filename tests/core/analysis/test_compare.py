"""Two runs side by side: what is aligned with what, and what a difference says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.analysis.compare import BOUNDS, ComparedStage, Difference, MeasuredRun, compared, difference
from ingest.core.mark import RunMark
from tests.support.derived import marks_of_sample
from tests.support.marks import MARKS
from tests.support.stored_runs import run_of, stored_runs

KINDS = ("exact", "upper", "lower")


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("exact", "exact", "exact"),
        ("exact", "upper", "upper"),
        ("lower", "upper", "upper"),
        ("lower", "exact", "upper"),
        ("exact", "lower", "lower"),
        ("upper", "lower", "lower"),
        ("upper", "exact", "lower"),
        ("upper", "upper", BOUNDS),
        ("lower", "lower", BOUNDS),
    ],
)
def test_a_difference_is_as_sure_as_its_two_sides(first: str, second: str, kind: str) -> None:
    """Of two bounds of the same side nothing is a bound of the difference."""
    assert difference(MeasuredRun(100, first), MeasuredRun(150, second)) == Difference(50, 50.0, kind)


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), *[st.integers(0, 50) for _ in range(4)])
def test_a_bound_of_a_difference_holds(
    first: str, second: str, first_s: int, second_s: int, first_off_s: int, second_off_s: int
) -> None:
    """Whatever was really taken within the two bounds: an upper difference is no smaller, a lower one no larger."""
    printed_s = [max(0, real + {"exact": 0, "upper": by, "lower": -by}[kind])
             for real, kind, by in ((first_s, first, first_off_s), (second_s, second, second_off_s))]  # fmt: skip
    bound = difference(MeasuredRun(printed_s[0], first), MeasuredRun(printed_s[1], second))

    assert bound is not None
    really = second_s - first_s
    assert bound.kind != "exact" or bound.seconds == really
    assert bound.kind != "upper" or bound.seconds >= really
    assert bound.kind != "lower" or bound.seconds <= really


def test_what_is_not_known_has_no_difference_and_nothing_is_divided_by_zero() -> None:
    """None, never 0; of a first that took no time there are seconds and no percent."""
    assert difference(MeasuredRun(None, "none"), MeasuredRun(5, "exact")) is None
    assert difference(MeasuredRun(0, "exact"), MeasuredRun(5, "exact")) == Difference(5, None, "exact")
    assert ComparedStage("A", 1, MeasuredRun(1, "exact"), None).difference is None


def names(text: str, other: str) -> list[tuple[str, int, float | None, float | None]]:
    """Name, repeat and the seconds of both sides, stage by stage."""
    stages = compared(run_of(text), run_of(other)).stages
    return [(p.name, p.repeat, p.first and p.first.seconds, p.second and p.second.seconds) for p in stages]


def test_stages_are_aligned_in_the_order_of_the_first_run() -> None:
    """Whatever order the second ran them in; repeats by their order; what one lacks stands where the other had it."""
    first = "0 START A, 10 START B, 30 START A, 60 START C, 61 END C"
    second = "0 START N, 1 START B, 6 START X, 8 START A, 20 START C, 25 END C"

    assert names(first, second) == [
        ("N", 1, None, 1), ("A", 1, 10, 12), ("B", 1, 20, 5), ("X", 1, None, 2), ("A", 2, 30, None), ("C", 1, 1, 5),
    ]  # fmt: skip


def test_waits_and_totals_stand_beside_the_stages() -> None:
    """A wait that only one run shows is there with one side; spans are exact, a total is of its run's kind."""
    comparison = compared(run_of("0 QSTART, 20 WSTART, 30 START A"), run_of("0 START A, 50 START B"))
    seconds_by_name = {pair.name: (pair.first, pair.second) for pair in comparison.waits}

    assert seconds_by_name["queue"] == (MeasuredRun(20, "exact"), None)
    assert seconds_by_name["dispatch"] == (MeasuredRun(10, "exact"), None)
    assert seconds_by_name["span"] == (MeasuredRun(0, "exact"), MeasuredRun(50, "exact"))
    assert seconds_by_name["total"] == (MeasuredRun(31, "lower"), MeasuredRun(51, "lower"))
    assert [pair.difference.kind for pair in comparison.waits if pair.name == "total" and pair.difference] == [BOUNDS]


def test_the_samples_two_runs_share_no_stage() -> None:
    """All 33 are listed, none with a difference; the waits are."""
    first, second = (
        run for key, run_marks in marks_of_sample().items() for run in stored_runs(run_marks.values(), key)
    )
    comparison = compared(first, second)

    assert len(comparison.stages) == 33
    assert all(pair.difference is None for pair in comparison.stages)
    assert [pair.name for pair in comparison.stages[:21]] == [stage.name for stage in first.stages]
    assert next(pair for pair in comparison.waits if pair.name == "span").difference == Difference(
        -3057, -79.8, "exact"
    )


@given(MARKS, MARKS)
def test_every_stage_of_both_runs_stands_once(first: list[RunMark], second: list[RunMark]) -> None:
    """Whatever the two are; a run beside itself has no difference that is not 0."""
    for first_run, second_run in zip(stored_runs(first), stored_runs(second), strict=False):
        comparison = compared(first_run, second_run)
        assert sum(pair.first is not None for pair in comparison.stages) == len(first_run.stages)
        assert sum(pair.second is not None for pair in comparison.stages) == len(second_run.stages)
        same = compared(first_run, first_run)
        assert all(pair.first and pair.second for pair in same.stages)
        assert {pair.difference.seconds for pair in same.stages if pair.difference} <= {0}
