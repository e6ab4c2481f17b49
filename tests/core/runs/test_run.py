"""Runs against the truth tables of the sample, and their states by the watermark."""

import csv
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.mark import RunMark
from ingest.core.model import Message
from ingest.core.runs.documents import run_json, stage_json
from ingest.core.runs.run import Run, runs_of
from ingest.core.runs.stages import Stage
from tests.core.decode.test_workflow_lines_als_perf import DATA, RECEIVED_MS, SAMPLE, truth
from tests.support.marks import BEGIN_MS, KEY, MARKS, marks, run, runs_in

RUNS = {row["run_id"]: row for row in csv.DictReader((DATA / "als_perf_runs.csv").read_text().splitlines())}
WEEK_S = 7 * 86_400


@pytest.fixture
def sample(flow_of: Callable[..., Decoder]) -> dict[str, Run]:
    """The runs of the 35 lines."""
    decoder = flow_of("als_perf")
    lines = SAMPLE.read_bytes().splitlines()
    return {
        run.key.run: run for run in runs_in(decoder.decode(Message(s, RECEIVED_MS, backfill=True), 0) for s in lines)
    }


def number(text: str) -> float | None:
    """A cell of the table."""
    return float(text) if text else None


def in_pst(ms: int) -> str:
    """As the table has it."""
    return datetime.fromtimestamp(ms / 1000, timezone(timedelta(hours=-8))).strftime("%Y-%m-%d %H:%M:%S PST")


def row_of(run: Run) -> dict[str, Any]:
    """The columns of the table of runs, from the documents of the run and its stages."""
    fields = run_of(run)["perf"]["run"]
    stages = [stage_of(run, stage)["perf"] for stage in run.stages]
    lags = [stage["mark"]["emit_lag_s"] for stage in stages]
    gaps = [s["stage"]["duration_s"] for s in stages if s["stage"]["duration_kind"] == "upper"]
    rests = [stage.duration_ms - (stage.mark.lag_ms or 0) for stage in run.stages[:-1] if stage.duration_ms]
    return {
        "run_id": fields["id"],
        "lines": fields["marks"],
        "stage_lines": fields["stages"],
        "head_seen": fields["head_seen"],
        "tail_seen": fields["tail_seen"],
        "queue_wait_s": fields.get("queue_wait_s"),
        "first_start": in_pst(run.stages[0].start_ms),
        "last_start": in_pst(run.stages[-1].start_ms),
        "dispatch_s": fields.get("dispatch_s"),
        "start_span_s": fields["start_span_s"],
        "observed_total_s": fields["observed_total_s"],
        "sum_lag_s": sum(lags),
        "sum_lag_closed_s": sum(lags[:-1]),
        "lag_share_of_span_pct": round(100 * sum(lags[:-1]) / fields["start_span_s"], 2),
        "lag_min_s": min(lags),
        "lag_median_s": median(lags),
        "lag_max_s": max(lags),
        "gap_min_s": min(gaps),
        "gap_median_s": median(gaps),
        "gap_max_s": max(gaps),
        "longest_gap_stage": fields["longest_stage"],
        "longest_gap_share_pct": round(100 * fields["longest_stage_s"] / fields["start_span_s"], 1),
        "min_log_to_next_start_s": min(rests) / 1000,
    }


def run_of(run: Run) -> dict[str, Any]:
    """Its document."""
    body: dict[str, Any] = orjson.loads(run_json(run))
    return body


def stage_of(run: Run, stage: Stage) -> dict[str, Any]:
    """The document of a stage of it."""
    body: dict[str, Any] = orjson.loads(stage_json(run.key, run.ordinal, stage))
    return body


@pytest.mark.parametrize("run_id", RUNS)
def test_a_run_of_the_sample_is_what_the_truth_table_says(run_id: str, sample: dict[str, Run]) -> None:
    """Every column."""
    row, derived_row = RUNS[run_id], row_of(sample[run_id])
    texts = {"run_id", "longest_gap_stage", "first_start", "last_start"}

    assert set(derived_row) == set(row)
    for column in row:
        assert derived_row[column] == (row[column] if column in texts else number(row[column])), column


def test_the_parts_of_the_samples_runs(sample: dict[str, Run]) -> None:
    """One seen from its head, one from its middle: what is not there is absent, and the rest adds up."""
    cut, whole = (run_of(sample[run_id])["perf"]["run"] for run_id in ("1084664-62990", "1086857-64636"))

    assert [whole[f"{part}_s"] for part in ("queue_wait", "dispatch", "staged", "tail")] == [25, 14, 775, 3]
    assert not {"lead_s", "between_s"} & set(whole)
    assert whole["observed_total_s"] == 817
    assert (cut["staged_s"], cut["tail_s"], cut["observed_total_s"]) == (3832, 1, 3833)
    assert not {"queue_wait_s", "dispatch_s", "lead_s", "between_s"} & set(cut)
    assert (cut["longest_stage"], cut["longest_stage_s"]) == ("SUBMIT_GAL-render-gridrec", 706)
    assert (cut["head_seen"], cut["tail_seen"], whole["head_seen"], whole["tail_seen"]) == (False, False, True, False)
    assert {cut["observed_total_kind"], whole["observed_total_kind"]} == {"lower"}


def test_every_stage_of_the_sample_is_what_the_truth_table_says(sample: dict[str, Run]) -> None:
    """31 upper bounds and 2 lower bounds, none exact, each with the number of the table, in whole seconds."""
    derived_stages = [
        (run.key.run, body["stage"]["name"], stage.start_ms // 1000, *kind_of(body), body["mark"]["emit_lag_s"])
        for run in sample.values()
        for stage in run.stages
        for body in [stage_of(run, stage)["perf"]]
    ]
    expected = [
        (
            row["run_id"],
            row["stage"],
            int(row["value_epoch_s"]),
            "lower" if row["is_last_in_run"] == "1" else "upper",
            int(row["lag_s"] if row["is_last_in_run"] == "1" else row["value_to_next_value_s"]),
            int(row["lag_s"]),
        )
        for row in truth()
        if row["key"] == "START_DATE"
    ]

    assert derived_stages == expected
    assert [stage[3] for stage in derived_stages].count("upper") == 31
    assert [stage[3] for stage in derived_stages].count("lower") == 2
    assert all(isinstance(stage[4], int) for stage in derived_stages)


def kind_of(body: dict[str, Any]) -> tuple[str, Any]:
    """Kind and seconds of a stage's document."""
    return body["stage"]["duration_kind"], body["stage"]["duration_s"]


@pytest.mark.parametrize(
    ("text", "after_s", "state", "closed_by"),
    [
        ("0 QSTART", None, "queued", "open"),
        ("0 QSTART", 6 * 86_400, "queued", "open"),
        ("0 QSTART", WEEK_S + 2, "abandoned", "timeout"),
        ("0 QSTART, 1 WSTART", 60, "running", "open"),
        ("0 START A", None, "running", "open"),
        ("0 START A", -50, "running", "open"),
        ("0 START A", 3601, "running", "open"),
        ("0 START A", 3602, "quiet", "open"),
        ("0 START A", WEEK_S + 1, "quiet", "open"),
        ("0 START A", WEEK_S + 2, "closed", "timeout"),
        # a run that prints ENDs: the open stage has lost its own, or never came to it
        ("0 START A, 5 END A", 3605, "running", "open"),
        ("0 START A, 5 END A", 3607, "closed", "ends"),
        ("0 START A, 5 END A, 6 START B", 3608, "quiet", "open"),
        ("0 START A, 5 END A, 6 START B", WEEK_S + 8, "abandoned", "timeout"),
        # its own end closes it at once
        ("0 WSTART, 1 START A, 9 WEND", None, "closed", "run_end"),
        ("0 WSTART, 1 START A, 9 WEND, 12 START B", None, "running", "open"),
    ],
)
def test_a_runs_state_follows_from_its_marks_and_the_watermark(
    text: str, after_s: float | None, state: str, closed_by: str
) -> None:
    """Silence is counted from the last line printed (here a second after its value)."""
    derived = run(text, after_s)

    assert (derived.state, derived.closed_by) == (state, closed_by)


@given(MARKS, st.integers(0, 20 * 86_400))
def test_a_state_stays_until_it_is_due(run_marks: list[RunMark], after_s: int) -> None:
    """The sweeper need not look earlier, and at that watermark the state is another."""
    for instance in runs_of(KEY, run_marks, BEGIN_MS + after_s * 1000):
        if instance.due_ms is None:
            (later,) = [r for r in runs_of(KEY, run_marks, BEGIN_MS + 10**12) if r.ordinal == instance.ordinal]
            assert (later.state, later.closed_by) == (instance.state, instance.closed_by)
            continue
        before, then = (
            runs_of(KEY, run_marks, at)[instance.ordinal - 1] for at in (instance.due_ms - 1, instance.due_ms)
        )
        assert before.state == instance.state
        assert then.state != instance.state


def test_an_id_that_is_used_again_is_another_run() -> None:
    """After more than a week of silence, counted from 1 in order of time; a line in between joins them."""
    first, week, more = "0 START A 0", f"{WEEK_S} START B 0", f"{WEEK_S + 1} START B 0"

    assert len(runs_in_text(f"{first}, {week}")) == 1
    assert [instance.ordinal for instance in runs_in_text(f"{more}, {first}")] == [1, 2]
    assert len(runs_in_text(f"{more}, {first}, {4 * 86_400} X A")) == 1


def test_a_long_wait_in_a_queue_is_no_silence() -> None:
    """The line that says when the run was queued is printed when the wait is over."""
    (waited,) = runs_in_text(f"0 QSTART SUBMIT {9 * 86_400}, {9 * 86_400 - 1} WSTART, {9 * 86_400 + 5} START A")

    assert waited.part_lengths_ms.get("queue") == (9 * 86_400 - 1) * 1000


def runs_in_text(text: str) -> tuple[Run, ...]:
    """All runs of such marks."""
    return runs_of(KEY, marks(text))


def test_what_is_not_known_is_absent() -> None:
    """A run seen from its middle has no queue wait, not one of 0 s; a stage without a lag has no duration."""
    derived = run("0 START A -")
    body, stage = run_of(derived)["perf"]["run"], stage_of(derived, derived.stages[0])

    assert not {"queue_wait_s", "dispatch_s", "lead_s", "between_s", "tail_s", "longest_stage"} & set(body)
    assert (body["start_span_s"], body["observed_total_s"]) == (0, 0)
    assert stage["perf"]["stage"]["duration_kind"] == "none"
    assert not {"duration_s", "open_for_s"} & set(stage["perf"]["stage"])
    assert "emit_lag_s" not in stage["perf"]["mark"]
    assert not {"end", "duration"} & set(stage["event"])


def test_only_a_measured_end_makes_an_event_end() -> None:
    """event.duration is nanoseconds between START and END; an upper bound has none."""
    derived = run("0 START A, 5 END A, 7 START B, 9 START C")
    ended, bounded = (stage_of(derived, stage)["event"] for stage in derived.stages[:2])

    assert (ended["end"], ended["duration"]) == ("2016-02-06T05:39:42Z", 5_000_000_000)
    assert set(bounded) == {"start"}


def test_decimals_are_shown_only_where_they_were_measured() -> None:
    """Values in milliseconds give them, values in seconds do not."""
    derived = run("0.25 START A, 5.5 END A, 7 START B")

    assert [stage_of(derived, s)["perf"]["stage"]["duration_s"] for s in derived.stages] == [5.25, 1]
    assert isinstance(stage_of(derived, derived.stages[1])["perf"]["stage"]["duration_s"], int)
