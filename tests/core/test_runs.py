"""A run's timeline, against the truth table and against the order of its marks."""

import csv
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.flow import Flow
from ingest.core.model import Message
from ingest.core.runs import Mark, Timeline, mark_of, timeline, timelines
from tests.core.test_als_perf import DATA, RECEIVED_MS, SAMPLE, truth

RUNS = {row["run_id"]: row for row in csv.DictReader((DATA / "als_perf_runs.csv").read_text().splitlines())}

# Columns of the table of runs that a run's timeline does not hold, and why.
NOT_IN_A_TIMELINE = {
    "lines": "counted from the marks", "stage_lines": "counted from the marks",
    "head_seen": "whether queue_wait_s is known", "tail_seen": "no dialect's end is known yet: a run's summary, later",
    "observed_total_s": "last printed minus first instant: of a run's summary, which knows the last emission lag",
    "sum_lag_s": "statistics over marks, which Elasticsearch makes", "sum_lag_closed_s": "as sum_lag_s",
    "lag_share_of_span_pct": "as sum_lag_s", "lag_min_s": "as sum_lag_s", "lag_median_s": "as sum_lag_s",
    "lag_max_s": "as sum_lag_s", "min_log_to_next_start_s": "a check of the oracle's that stages are sequential",
}  # fmt: skip


@pytest.fixture
def sample(flow_of: Callable[..., Flow]) -> dict[str, Timeline]:
    """The timelines of the 35 lines."""
    flow = flow_of("als_perf")
    lines = SAMPLE.read_bytes().splitlines()
    documents = [d for line in lines for d in flow.outcomes(Message(line, RECEIVED_MS, backfill=True), 0).documents]
    marks = [mark for document in documents if (mark := mark_of(document.body))]
    return {found.run: found for found in timelines(marks)}


@pytest.mark.parametrize("run", RUNS)
def test_a_run_of_the_sample_is_what_the_truth_table_says(run: str, sample: dict[str, Timeline]) -> None:
    """Queue, dispatch, span, and the gaps' smallest, median and largest."""
    row, found = RUNS[run], sample[run]
    gaps = sorted(stage.duration_s or 0 for stage in found.stages if stage.kind == "upper")
    middle = len(gaps) // 2
    median = gaps[middle] if len(gaps) % 2 else (gaps[middle - 1] + gaps[middle]) / 2
    longest = max((s for s in found.stages if s.kind == "upper"), key=lambda stage: stage.duration_s or 0)

    assert found.queue_wait_s == (float(row["queue_wait_s"]) if row["queue_wait_s"] else None)
    assert found.dispatch_s == (float(row["dispatch_s"]) if row["dispatch_s"] else None)
    assert found.start_span_s == float(row["start_span_s"])
    assert (gaps[0], median, gaps[-1]) == tuple(float(row[f"gap_{what}_s"]) for what in ("min", "median", "max"))
    assert longest.stage == row["longest_gap_stage"]
    assert round(100 * gaps[-1] / found.start_span_s, 1) == float(row["longest_gap_share_pct"])


def test_every_column_of_the_table_of_runs_is_compared_or_has_a_reason() -> None:
    """No column of the oracle is forgotten in silence."""
    compared = {
        "run_id", "queue_wait_s", "dispatch_s", "first_start", "last_start", "start_span_s",
        "gap_min_s", "gap_median_s", "gap_max_s", "longest_gap_stage", "longest_gap_share_pct",
    }  # fmt: skip

    assert compared | set(NOT_IN_A_TIMELINE) == set(next(iter(RUNS.values())))


def test_every_gap_of_the_sample_is_what_the_truth_table_says(sample: dict[str, Timeline]) -> None:
    """31 upper bounds and 2 lower bounds, none exact, each with the number of the table."""
    found = [
        (run.run, stage.stage, stage.start_ms // 1000, stage.kind, stage.duration_s)
        for run in sample.values()
        for stage in run.stages
    ]
    expected = [
        (
            row["run_id"],
            row["stage"],
            int(row["value_epoch_s"]),
            "lower" if row["is_last_in_run"] == "1" else "upper",
            float(row["lag_s"] if row["is_last_in_run"] == "1" else row["value_to_next_value_s"]),
        )
        for row in truth()
        if row["key"] == "START_DATE"
    ]

    assert found == expected
    assert [stage[3] for stage in found].count("upper") == 31
    assert [stage[3] for stage in found].count("lower") == 2


def test_a_named_end_makes_a_stage_exact() -> None:
    """Also when another stage started before it."""
    marks = [Mark("r", "A", "start", 0), Mark("r", "B", "start", 5_000), Mark("r", "A", "end", 7_000)]

    first, second = timeline("r", marks).stages

    assert (first.kind, first.duration_s, first.closed_by) == ("exact", 7.0, "end")
    assert (second.kind, second.duration_s, second.closed_by) == ("none", None, "open")


@given(st.permutations([Mark("r", f"S{n}", "start", n * 7_000, 1) for n in range(6)]), st.integers(1, 6))
def test_the_order_and_the_number_of_copies_do_not_matter(marks: list[Mark], copies: int) -> None:
    """A timeline is a function of the set of marks."""
    assert timelines(marks * copies) == timelines(sorted(marks, key=lambda mark: mark.at_ms))


def test_what_is_not_known_is_none() -> None:
    """A run seen from its middle has no queue wait, not one of 0 s."""
    found = timeline("r", [Mark("r", "A", "start", 0, 2)])

    assert (found.queue_wait_s, found.dispatch_s) == (None, None)
    assert found.start_span_s == 0
