"""A run's time as a partition: parts that adjoin, and what each is called."""

from itertools import pairwise

import pytest
from hypothesis import given

from ingest.core.mark import RunMark
from ingest.core.runs.run import runs_of
from tests.support.marks import KEY, MARKS, run


def parts(text: str) -> list[tuple[str, float]]:
    """Kind and seconds."""
    return [(part.kind, (part.end_ms - part.start_ms) / 1000) for part in run(text).parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 QSTART, 5 WSTART, 7 START A, 17 START B 3", [("queue", 5), ("dispatch", 2), ("stage", 10), ("tail", 3)]),
        ("0 START A, 4 END A, 6 START B, 9 END B 0", [("stage", 4), ("between", 2), ("stage", 3), ("tail", 0)]),
        ("0 START A -", []),
        ("0 QSTART, 0 WSTART, 0 START A", [("queue", 0), ("dispatch", 0), ("tail", 1)]),
        # the queue without its end, and work that no START follows, cannot be told apart
        ("0 QSTART, 7 START A", [("lead", 7), ("tail", 1)]),
        ("0 QSTART", [("tail", 1)]),
        ("0 QSTART, 5 WSTART SUBMIT 2", [("queue", 5), ("tail", 2)]),
        ("0 WSTART, 5 START A", [("dispatch", 5), ("tail", 1)]),
        ("0 QSTART, 4 QEND, 5 WSTART, 7 START A", [("queue", 4), ("dispatch", 1), ("dispatch", 2), ("tail", 1)]),
        ("0 WSTART, 5 END Z, 9 START A", [("lead", 5), ("between", 4), ("tail", 1)]),
        # queued again: the sum of both, never a negative wait
        (
            "0 QSTART, 2 WSTART, 3 QSTART, 8 WSTART, 9 START A",
            [("queue", 2), ("dispatch", 1), ("queue", 5), ("dispatch", 1), ("tail", 1)],
        ),
        ("3 QSTART, 2 WSTART, 9 START A", [("dispatch", 7), ("tail", 1)]),
        # within a stage the queue cuts nothing; behind an END it does
        ("0 START A, 2 QSTART, 3 WSTART, 5 START B", [("stage", 5), ("tail", 1)]),
        (
            "0 START A, 1 END A, 2 QSTART, 4 WSTART, 5 START B",
            [("stage", 1), ("between", 1), ("queue", 2), ("dispatch", 1), ("tail", 1)],
        ),
        # an excerpt that begins with an END; an instant that is no START, END or queue
        ("0 END A, 4 START B", [("between", 4), ("tail", 1)]),
        ("0 X A, 4 START B", [("lead", 4), ("tail", 1)]),
        ("0 START A, 9 X A", [("tail", 10)]),
        # parallel: the union of what is known
        ("0 START A, 3 START B, 5 END A, 8 END B, 9 START C", [("stage", 8), ("between", 1), ("tail", 1)]),
        (
            "0 START A, 3 START B, 5 END A, 9 START C, 11 END C",
            [("stage", 5), ("between", 4), ("stage", 2), ("tail", 1)],
        ),
        # a stage of 0 s is a part
        ("0 START A, 0 END A, 4 START B", [("stage", 0), ("between", 4), ("tail", 1)]),
    ],
)
def test_what_a_runs_time_is_made_of(text: str, expected: list[tuple[str, float]]) -> None:
    """Queue, dispatch, stages, what lies between, and the tail."""
    assert parts(text) == expected


@given(MARKS)
def test_parts_adjoin_and_add_up_to_the_observed_total(run_marks: list[RunMark]) -> None:
    """Of any set of marks: no hole, no overlap, from the first instant to the last line printed."""
    for instance in runs_of(KEY, run_marks):
        assert sum(part.end_ms - part.start_ms for part in instance.parts) == instance.observed_ms
        assert all(a.end_ms == b.start_ms for a, b in pairwise(instance.parts))
        assert all(part.end_ms >= part.start_ms for part in instance.parts)
        if instance.parts:
            assert (instance.parts[0].start_ms, instance.parts[-1].end_ms) == (
                instance.first_ms,
                instance.seen_ms,
            )


@given(MARKS)
def test_the_stage_parts_of_a_sequential_run_are_its_closed_stages(run_marks: list[RunMark]) -> None:
    """Each with its own bound; one that is open has the tail only."""
    for instance in runs_of(KEY, run_marks):
        if not instance.parallel:
            parts = {part.stage: part.end_ms - part.start_ms for part in instance.parts if part.kind == "stage"}
            closed = {s.mark.id: s.duration_ms for s in instance.stages if not s.is_open}
            last = {instance.stages[-1].mark.id} if instance.stages else set()
            assert {k: v for k, v in parts.items() if k not in last} == {
                k: v for k, v in closed.items() if k not in last
            }
