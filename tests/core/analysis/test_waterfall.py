"""A run as a waterfall: its rows, their bars, what is folded."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.analysis.waterfall import WaterfallRow, waterfall
from ingest.core.mark import RunMark
from tests.support.marks import MARKS
from tests.support.stored_runs import run_of, stored_runs

HOURS_28 = 100_000


def drawn(row: WaterfallRow) -> tuple[Any, ...]:
    """What it is, its bar, its seconds."""
    return row.what, row.start, row.end, row.took_s


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            "0 QSTART, 20 WSTART, 30 START A, 60 START B 10",  # the last one's lag is a lower bound
            [("queue", 0, 20, 20), ("dispatch", 20, 30, 10), ("upper", 30, 60, 30), ("lower", 60, 70, 10)],
        ),
        ("0 START A, 35 START B, 70 END B 0", [("upper", 0, 35, 35), ("exact", 35, 70, 35)]),
        ("0 START A, 70 START B -", [("upper", 0, 70, 70), ("none", 69, 70, None)]),
        (
            "0 START A, 10 START B, 50 END A, 70 END B 0",  # side by side
            [("exact", 0, 50, 50), ("exact", 10, 70, 60)],
        ),
        ("0 START A, 20 END A, 40 START B, 70 END B 0", [("exact", 0, 20, 20), ("exact", 40, 70, 30)]),
        ("0 QSTART, 30 START A, 70 END A 0", [("lead", 0, 30, 30), ("exact", 30, 70, 40)]),
        (
            "0 QSTART, 0 WSTART, 0 START A, 70 END A 0",  # waits of no length were measured, and are there
            [("queue", 0, 1, 0), ("dispatch", 0, 1, 0), ("exact", 0, 70, 70)],
        ),
        ("0 QSTART, 70 WSTART SUBMIT 0", [("queue", 0, 70, 70)]),
    ],
)
def test_each_wait_and_stage_has_a_row(text: str, rows: list[tuple[Any, ...]]) -> None:
    """In order of time, from where to where, with what is known of it: a column a second."""
    assert [drawn(row) for row in waterfall(run_of(text), 70).rows] == rows


def test_what_is_open_says_so() -> None:
    """A stage that nothing closed went on beyond its bar; one that was closed did not."""
    rows = waterfall(run_of("0 START A, 60 START B"), 40).rows

    assert [row.open for row in rows] == [False, True]
    assert rows[1].kind == "lower"


def test_a_queue_that_dwarfs_the_run_breaks_the_axis() -> None:
    """A queue of a thousand times the longest stage has eight columns, the stages all others."""
    text = f"0 QSTART, {HOURS_28} WSTART, {HOURS_28} START A, {HOURS_28 + 100} START B, {HOURS_28 + 200} END B"
    chart = waterfall(run_of(text), 108)

    assert [(gap.column, gap.end_column) for gap in chart.axis.breaks] == [(0, 8)]
    assert [drawn(row) for row in chart.rows] == [
        ("queue", 0, 8, HOURS_28), ("dispatch", 8, 9, 0), ("upper", 8, 58, 100), ("exact", 58, 108, 100),
    ]  # fmt: skip


def test_time_in_which_nothing_ran_breaks_it_too() -> None:
    """Between two stages whose ENDs are there, and before the end of the run; not behind a stage that is still open."""
    text = f"0 START A, 50 END A, {HOURS_28} START B, {HOURS_28 + 50} END B"
    assert len(waterfall(run_of(text), 100).axis.breaks) == 1
    assert len(waterfall(run_of(f"{text}, {2 * HOURS_28} WEND"), 100).axis.breaks) == 2
    assert not waterfall(run_of(f"0 START A, {HOURS_28} START B"), 100).axis.breaks


def test_a_second_queue_is_not_drawn_where_nobody_knows_it_was() -> None:
    """A run that was queued again between stages has more of a queue than lies before its first start."""
    text = "0 QSTART, 10 WSTART, 15 START A, 40 END A, 50 QSTART, 90 WSTART, 95 START B, 99 END B"
    chart = waterfall(run_of(text), 50)

    assert [row.what for row in chart.rows] == ["wait", "exact", "exact"]
    assert chart.rows[0].took_s == 15
    assert chart.elsewhere_s == 45


def many(count: int, long: dict[int, int]) -> str:
    """Stages of two seconds one after the other, but for some that are longer."""
    at_s, text = 0, []
    for n in range(count):
        text.append(f"{at_s} START S{n}")
        at_s += long.get(n, 2)
    return ", ".join(text)


def test_of_many_stages_the_longest_are_shown() -> None:
    """What lies between them is folded: how many, and the longest of them."""
    run = run_of(many(300, {100: 90, 101: 50, 200: 70}))
    chart = waterfall(run, 80, 7)

    assert [(row.what, len(row.stages), row.took_s) for row in chart.rows] == [
        ("fold", 100, 2), ("upper", 1, 90), ("upper", 1, 50), ("fold", 98, 2), ("upper", 1, 70), ("fold", 98, 2),
        ("lower", 1, 1),
    ]  # fmt: skip
    assert chart.folded == 296
    assert chart.rows[1].stages[0].name == "S100"
    assert sum(len(row.stages) for row in chart.rows) == 300


def test_marked_stages_are_shown_before_longer_ones() -> None:
    """What is slow for its kind may be short."""
    run = run_of(many(300, {100: 90, 101: 50}))
    marked = {stage.id for stage in run.stages if stage.name in {"S7", "S250"}}
    shown = {row.stages[0].name for row in waterfall(run, 80, 7, marked).rows if row.what != "fold"}

    assert {"S7", "S250", "S299"} <= shown


@pytest.mark.parametrize(
    ("kinds", "kind", "is_open"),
    [
        (["exact"], "exact", False),
        (["upper"], "upper", False),
        (["exact", "upper"], "upper", False),
        (["none"], "none", True),
        (["upper", "lower"], "none", True),
    ],
)
def test_a_fold_never_says_more_than_is_known(kinds: list[str], kind: str, is_open: bool) -> None:
    """Bounds and exact ones together are a bound; with one of which nothing is known nothing is said."""
    run = run_of(many(30, {3: 50, 25: 60}))
    shown = [stage for stage in run.stages if stage.name in {"S3", "S25"}]
    between = [
        stage._replace(kind=kinds[n % len(kinds)], duration_s=None if "none" in kinds else 2.0)
        for n, stage in enumerate(run.stages[4:25])
    ]
    made = replace(run, stages=(shown[0], *between, shown[1]))
    (fold,) = [row for row in waterfall(made, 80, 3, {stage.id for stage in shown}).rows if row.what == "fold"]

    assert (fold.kind, fold.open) == (kind, is_open)
    assert fold.took_s == (None if kind == "none" else 2)


@given(MARKS, st.integers(24, 160), st.one_of(st.none(), st.integers(1, 9)))
def test_whatever_the_marks_every_stage_is_drawn_once(
    run_marks: list[RunMark], columns: int, most_rows: int | None
) -> None:
    """Whatever the marks: in order, inside the axis, in no more rows than there may be, and nothing is drawn twice."""
    for run in stored_runs(run_marks):
        drawn_ = waterfall(run, columns, most_rows)
        stages = [stage for row in drawn_.rows for stage in row.stages]

        assert stages == list(run.stages)
        assert all(0 <= row.start < row.end <= columns for row in drawn_.rows)
        rows = [row for row in drawn_.rows if row.stages]
        assert len(rows) <= max(most_rows or len(stages), 3)
        assert drawn_.axis.columns == columns
