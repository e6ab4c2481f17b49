"""Stages from opening marks: what closes them, how sure their durations are, attempts, lanes, and parallel runs."""

import pytest
from hypothesis import given

from ingest.core.mark import RunMark
from ingest.core.runs.pairing import stem
from ingest.core.runs.run import runs_of
from tests.support.marks import KEY, MARKS, figures_of, in_s, run


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("0 START A", [("A", "lower", 1, "open")]),
        ("0 START A 0", [("A", "lower", 0, "open")]),
        ("0 START A -", [("A", "none", None, "open")]),
        ("0 START A -1", [("A", "none", None, "open")]),
        ("0 START A, 7 START B", [("A", "upper", 7, "next_start"), ("B", "lower", 1, "open")]),
        ("0 START A, 5 END A, 7 START B", [("A", "exact", 5, "end"), ("B", "lower", 1, "open")]),
        ("0 START A, 5 END A, 5 START B", [("A", "exact", 5, "end"), ("B", "lower", 1, "open")]),
        ("0 START A, 0 END A", [("A", "exact", 0, "end")]),
        ("0 START A, 5 END B", [("A", "lower", 1, "open")]),
        ("5 END A, 7 START A", [("A", "lower", 1, "open")]),
        ("0.25 START A, 5 END A", [("A", "exact", 4.75, "end")]),
        # the run's own end closes what is open: the END of its WSTART, or of the stage that was queued
        ("0 QSTART, 1 WSTART, 2 START A, 9 WEND", [("A", "upper", 7, "run_end")]),
        ("0 QSTART, 1 WSTART, 2 START A, 9 END SUBMIT", [("A", "upper", 7, "run_end")]),
        ("0 WSTART, 2 START A, 2 WEND", [("A", "upper", 0, "run_end")]),
        ("0 WSTART, 2 START A, 9 WEND, 20 START B", [("A", "upper", 7, "run_end"), ("B", "lower", 1, "open")]),
        # a QEND ends the queue, no stage
        ("0 QSTART, 1 QEND, 2 START A", [("A", "lower", 1, "open")]),
    ],
)
def test_what_closes_a_stage(text: str, stages: list[tuple[str, str, float | None, str]]) -> None:
    """Its END, else the next START of a sequential run, else the run's end; else it is open, and its lag is known."""
    assert figures_of(run(text)) == stages


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        # a START before the END of the one before: B is not closed by C
        (
            "0 START A, 3 START B, 5 END A, 9 START C",
            [("A", "exact", 5, "end"), ("B", "lower", 1, "open"), ("C", "lower", 1, "open")],
        ),
        ("0 START A, 3 START B, 5 END A, 8 END B", [("A", "exact", 5, "end"), ("B", "exact", 5, "end")]),
        # in one second, whichever of the two came first
        ("0 START A 0, 0 START B 1, 5 END A", [("A", "exact", 5, "end"), ("B", "lower", 1, "open")]),
        ("0 START B 0, 0 START A 1, 5 END A", [("B", "lower", 0, "open"), ("A", "exact", 5, "end")]),
        # what nests is parallel, too
        ("0 START A, 2 XFER_START A, 4 XFER_END A, 5 END A", [("A", "exact", 5, "end"), ("A", "exact", 2, "end")]),
        # the run's end closes also there: no stage outlasts its run
        (
            "0 WSTART, 1 START A, 3 START B, 5 END A, 9 WEND",
            [("A", "exact", 4, "end"), ("B", "upper", 6, "run_end")],
        ),
    ],
)
def test_stages_that_overlap_are_closed_by_their_ends_only(
    text: str, stages: list[tuple[str, str, float | None, str]]
) -> None:
    """A next START says nothing there, not even of stages that did not overlap."""
    derived = run(text)

    assert derived.parallel
    assert figures_of(derived) == stages


def test_a_start_in_the_second_of_an_end_is_no_overlap() -> None:
    """Nor is one after it: such a run is sequential, all in one lane."""
    derived = run("0 START A, 5 END A, 5 START B, 9 END B, 12 START C")

    assert not derived.parallel
    assert [stage.lane for stage in derived.stages] == [1, 1, 1]


def test_lanes_are_reused_when_they_are_free() -> None:
    """The first free one; a stage without END holds its lane until its line was printed."""
    derived = run(
        "0 START A, 1 START B, 2 START C, 3 END B, 4 START D, 9 END A, 9 END C, 9 END D, 9 START E, 22 START F"
    )

    assert [stage.lane for stage in derived.stages] == [1, 2, 3, 2, 1, 1]


@given(MARKS)
def test_stages_of_one_lane_do_not_overlap(run_marks: list[RunMark]) -> None:
    """As far as their extent is known."""
    for instance in runs_of(KEY, run_marks):
        free: dict[int, int] = {}
        for stage in instance.stages:
            assert stage.start_ms >= free.get(stage.lane, 0)
            free[stage.lane] = stage.closed_ms if stage.kind == "exact" else stage.start_ms  # type: ignore[assignment]


def test_another_value_is_another_attempt_in_order_of_value() -> None:
    """Each a stage of its own; the END belongs to the last start before it, a failed attempt ends with the next."""
    derived = run("60 START A, 0 START A, 30 START B, 90 END A")

    assert [(s.mark.what.stage, s.attempt) for s in derived.stages] == [("A", 1), ("B", 1), ("A", 2)]
    assert figures_of(derived) == [
        ("A", "upper", 30, "next_start"),
        ("B", "upper", 30, "next_start"),
        ("A", "exact", 30, "end"),
    ]


def test_the_same_value_again_is_the_same_stage() -> None:
    """Printed twice, by two scripts or with two stamps: one stage, from the earliest line."""
    derived = run("0 START A 2, 0 START A 1, 9 START B")

    assert [(s.mark.what.stage, s.mark.lag_ms, s.attempt) for s in derived.stages] == [("A", 1000, 1), ("B", 1000, 1)]
    assert derived.marks == 2


def test_only_the_first_end_of_a_start_counts() -> None:
    """A second one is that of an attempt whose START was lost: it ends nothing, and is counted."""
    derived = run("0 START A, 5 END A, 8 END A, 10 START B, 12 END C")

    assert figures_of(derived)[0] == ("A", "exact", 5, "end")
    assert derived.ends_unmatched == 2


def test_the_stage_that_was_queued_may_be_a_stage_itself() -> None:
    """Then its END ends that stage, and a second one ends nothing: not the run."""
    derived = run("0 QSTART, 1 WSTART, 2 START SUBMIT, 5 END SUBMIT, 7 END SUBMIT")

    assert figures_of(derived) == [("SUBMIT", "exact", 3, "end")]
    assert (derived.tail_seen, derived.ends_unmatched) == (False, 1)


def test_in_one_second_an_end_goes_to_the_attempt_before() -> None:
    """Not to the START of the same second, unless nothing else is open."""
    derived = run("0 START A, 5 END A, 5 START A")

    assert figures_of(derived) == [("A", "exact", 5, "end"), ("A", "lower", 1, "open")]


@pytest.mark.parametrize(
    ("key", "role", "beside"),
    [
        ("START_DATE", "start", "_DATE"), ("END_DATE", "end", "_DATE"), ("QEND_DATE", "end", "Q_DATE"),
        ("QSTART_DATE", "queued", "Q_DATE"), ("SENDER_END_DATE", "end", "SENDER__DATE"),
        ("SENDER_START_DATE", "start", "SENDER__DATE"), ("t_start", "start", "t_"), ("t_end", "end", "t_"),
        ("als.transfer.start", "start", "als.transfer."), ("BEGIN", "start", ""), ("STOP", "end", ""),
    ],
)  # fmt: skip
def test_start_and_end_pair_by_what_else_their_keys_say(key: str, role: str, beside: str) -> None:
    """In any dialect: what is left without START or END must be equal."""
    assert stem(key, role) == beside


def test_open_for_counts_to_the_watermark_and_is_no_duration() -> None:
    """Only while the run goes on: after a week of silence the stage is closed by nothing, and grows no more."""
    (early,), (open_,), (over,) = (run("0 START A", at).stages for at in (-5, 500, 8 * 86_400))

    assert early.open_for_ms is None
    assert (open_.kind, in_s(open_.duration_ms), open_.closed_by, in_s(open_.open_for_ms)) == ("lower", 1, "open", 500)
    assert (over.kind, in_s(over.duration_ms), over.closed_by, over.open_for_ms) == ("lower", 1, "timeout", None)
