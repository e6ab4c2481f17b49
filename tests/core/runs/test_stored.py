"""What is read of stored runs and stages is what was derived: nothing lost or invented, nothing 0 that is absent."""

from typing import Any

from hypothesis import given

from ingest.core.fields import Schema
from ingest.core.mark import RunMark
from ingest.core.runs.derive import Derived, derive, documents
from ingest.core.runs.phases import DISPATCH, QUEUE
from ingest.core.runs.run import Run, seconds
from ingest.core.runs.stored import StoredRun, StoredStage, run_from, stage_from, with_stages
from tests.core.runs.test_derive import WATERMARKS
from tests.support.marks import MARKS, is_retracted, marks, state_of_marks


def read(derived: Derived, schema: Schema) -> list[StoredRun]:
    """The runs in what is written of a state."""
    alive = [document for document in documents(derived, schema) if not is_retracted(document.body)]
    runs = [run_from(d.body) for d in alive if d.index.startswith("perf-runs")]
    stages = [stage_from(d.id, d.body) for d in alive if d.index.startswith("perf-stages")]
    return with_stages(runs, stages)


def in_s(ms: int | None) -> float | None:
    """Seconds as documents have them."""
    return None if ms is None else seconds(ms)


def as_derived(run: Run) -> list[tuple[Any, ...]]:
    """What is told of each stage."""
    return [
        (s.mark.id, s.mark.what.stage, s.start_ms, in_s(s.duration_ms), s.kind, s.closed_by, s.attempt, s.lane,
         in_s(s.open_for_ms), in_s(s.mark.lag_ms))
        for s in run.stages
    ]  # fmt: skip


def as_stored(stages: tuple[StoredStage, ...]) -> list[tuple[Any, ...]]:
    """The same of stored ones."""
    return [
        (s.id, s.name, s.start_ms, s.duration_s, s.kind, s.closed_by, s.attempt, s.lane, s.open_for_s, s.lag_s)
        for s in stages
    ]


@given(MARKS, WATERMARKS)
def test_what_was_written_is_read(schema: Schema, run_marks: list[RunMark], watermark_ms: int | None) -> None:
    """State, times, kinds, stages in their order, for any set of marks and any watermark."""
    derived_again = derive(state_of_marks(run_marks, watermark_ms))
    stored = read(derived_again, schema)

    assert [run.instance for run in stored] == [run.ordinal for run in derived_again.runs]
    for run, derived_run in zip(stored, derived_again.runs, strict=True):
        assert as_stored(run.stages) == as_derived(derived_run)
        assert (run.state, run.closed_by) == (derived_run.state, derived_run.closed_by)
        assert (run.start_ms, run.seen_ms) == (derived_run.first_ms, derived_run.seen_ms)
        assert run.span_s == in_s(derived_run.start_span_ms)
        for part in (QUEUE, DISPATCH):
            assert run.parts.get(part) == in_s(derived_run.part_lengths_ms.get(part))
        assert abs(sum(run.parts.values()) - run.total_s) < 1e-6
        assert (run.started, run.parallel) == (len(derived_run.stages), derived_run.parallel)
        assert run.start_ms <= run.last_ms <= max(derived_run.last_ms, *(s.start_ms for s in run.stages), 0)


def test_what_is_absent_stays_absent(schema: Schema) -> None:
    """A run of two stages without queue: no wait, no dispatch, a lower total; the open stage has no close."""
    (run,) = read(derive(state_of_marks(marks("0 START A, 5 START B"))), schema)

    assert run.parts.get(QUEUE) is None
    assert run.not_seen == ("head", "tail")
    assert run.total_kind == "lower"
    assert [stage.closed_ms for stage in run.stages] == [run.stages[1].start_ms, None]
    assert run.last_ms == run.stages[1].start_ms
