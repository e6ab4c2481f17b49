"""Compare the runs and stages derived from generated lines with the generator's truth of each run.

The truth comes from the generator's plan. Where lines are lost, the plan knows more than anybody can derive: a run may
be parallel without two lines that show it, an END may belong to an attempt whose START is gone. Such runs are told
apart here by the plan, not by what was derived.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema, load_schema
from ingest.core.mark import RunKey, RunMark
from ingest.core.model import Document, Intake, Message
from ingest.core.runs.run import Run, runs_of
from ingest.core.sources.loader import load_sources
from ingest.synthetic.workload.generator import messages, runs_truth
from ingest.synthetic.workload.truth import RunTruth, Shares, StageTruth, Workload
from tests.core.conftest import GRAMMARS
from tests.support.marks import figures_of, marks_by_run

RECEIVED_MS = 1_790_000_000_000
RUNS = ("parallel", "retried", "stuck", "late", "skewed", "with_ends", "headless", "tailless", "reused")
LINES = ("torn", "glued", "refused", "foreign", "repeated")
MIXED = Shares(**dict.fromkeys(RUNS, 0.25), **dict.fromkeys(LINES, 0.03))


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    """The core as an intake of lines has it."""
    schema: Schema = load_schema(GRAMMARS / "fields.toml")
    return Decoder(Intake("test", "t", "als", ("als_perf",), "w"), load_sources(GRAMMARS, schema), schema)


def sets_of(decoder: Decoder, workload: Workload) -> dict[RunKey, dict[str, RunMark]]:
    """The marks of every run of a workload."""

    def stored() -> Iterator[Document]:
        for made in messages(workload):
            yield from decoder.decode(Message(made.data, RECEIVED_MS, backfill=True), 0).documents

    return marks_by_run(stored())


def pairs(workload: Workload, sets: Mapping[RunKey, Mapping[str, RunMark]]) -> Iterator[tuple[RunTruth, Run]]:
    """Each run by plan and as derived; instances of an id in order of time, without those of which nothing is there."""
    planned: dict[str, list[RunTruth]] = {}
    for truth in runs_truth(workload):
        if truth.first_ms is not None:
            planned.setdefault(truth.run, []).append(truth)
    assert set(planned) == {key.run for key in sets}
    for key, marks in sets.items():
        yield from zip(planned[key.run], runs_of(key, marks.values()), strict=True)


def shows_overlap(truth: RunTruth) -> bool:
    """Whether two lines that are there show that stages overlapped."""
    starts = [stage for stage in truth.stages if stage.start_written]
    ended = [stage for stage in starts if stage.end_written and stage.end_ms is not None]
    return any(
        stage.start_ms <= other.start_ms < (stage.end_ms or 0)
        for stage in ended
        for other in starts
        if other is not stage
    )


def lost_start(truth: RunTruth, stage: StageTruth) -> bool:
    """Whether an attempt at the same stage lost its START but not its END, which then seems to be this one's."""
    attempts_at_stage = [attempt for attempt in truth.stages if attempt.stage == stage.stage]
    return any(attempt.end_written and not attempt.start_written for attempt in attempts_at_stage)


def assert_agrees(truth: RunTruth, run: Run) -> bool:
    """Compare everything that the lines show; return whether that was all of the run."""
    assert (truth.first_ms, truth.last_ms) == (run.first_ms, run.last_ms)
    assert run.part_lengths_ms.get("queue") == queue_ms(truth)
    stages = in_order(truth)
    assert [stage.start_ms + truth.skew_s * 1000 for stage in stages] == [stage.start_ms for stage in run.stages]
    if any(lost_start(truth, stage) for stage in stages):
        return False
    assert run.parallel == shows_overlap(truth)
    if truth.parallel != run.parallel:
        return False
    derived = zip(figures_of(run), (stage.start_ms for stage in run.stages), strict=True)
    assert [(s.stage, s.kind, s.known_s, s.closed_by) for s in stages] == [
        fields for fields, _ in sorted(derived, key=lambda pair: (pair[1], pair[0][0]))
    ]
    return True


def queue_ms(truth: RunTruth) -> float | None:
    """What its two marks tell of the wait: nothing when the worker's clock stands before the queue's."""
    wait_s = truth.queue_s + truth.skew_s
    return wait_s * 1000 if truth.queued_written and truth.work_written and wait_s >= 0 else None


def in_order(truth: RunTruth) -> list[StageTruth]:
    """The stages whose start is there, by start; of lanes that start in one second, by name."""
    return sorted((s for s in truth.stages if s.start_written), key=lambda stage: (stage.start_ms, stage.stage))


def attempts(truth: RunTruth) -> list[tuple[str, int]]:
    """Attempts, counted over the starts that are there."""
    seen: dict[str, int] = {}
    counted = []
    for stage in in_order(truth):
        seen[stage.stage] = seen.get(stage.stage, 0) + 1
        counted.append((stage.stage, seen[stage.stage]))
    return sorted(counted)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    shares=st.builds(
        Shares,
        **{name: st.sampled_from([0.0, 0.3, 1.0]) for name in RUNS},
        **{name: st.floats(0, 0.2) for name in LINES},
    ),
)
def test_runs_agree_with_the_plan(decoder: Decoder, seed: int, shares: Shares) -> None:
    """Whatever is late, lost, torn, retried, parallel, skewed or used again: kind, seconds, closer, attempt."""
    workload = Workload(seed, 300, shares=shares)
    for truth, run in pairs(workload, sets_of(decoder, workload)):
        assert_agrees(truth, run)
        assert sorted((stage.mark.what.stage, stage.attempt) for stage in run.stages) == attempts(truth)


def test_thousands_of_lines_of_every_kind_of_run(decoder: Decoder) -> None:
    """All kinds come up, and nearly every run is compared to the last stage."""
    workload = Workload(11, 12_000, shares=MIXED)
    compared = [(truth, run, assert_agrees(truth, run)) for truth, run in pairs(workload, sets_of(decoder, workload))]

    assert sum(whole for *_, whole in compared) > 0.9 * len(compared)
    assert {stage.kind for _, run, _ in compared for stage in run.stages} == {"exact", "upper", "lower", "none"}
    assert sum(run.parallel for _, run, _ in compared) > 50
    assert sum(run.ordinal > 1 for _, run, _ in compared) > 50


def test_queue_and_dispatch_of_runs_whose_clocks_agree(decoder: Decoder) -> None:
    """Exactly the plan's; the parts add up."""
    workload = Workload(5, 4_000, shares=Shares(parallel=0.3, with_ends=0.3, retried=0.3))
    for truth, run in islice(pairs(workload, sets_of(decoder, workload)), 200):
        if truth.queued_written and truth.work_written and truth.stages and truth.stages[0].start_written:
            assert run.part_lengths_ms.get("queue") == truth.queue_s * 1000
            assert run.part_lengths_ms.get("dispatch") == truth.dispatch_s * 1000
            assert run.head_seen
        assert sum(part.end_ms - part.start_ms for part in run.parts) == run.observed_ms


def test_exact_durations_are_the_true_ones_and_bounds_hold(decoder: Decoder) -> None:
    """Compare with the true durations, not only the printed ones: END minus START is exact, upper is not below it."""
    workload = Workload(6, 8_000, shares=Shares(parallel=0.2, with_ends=0.4, retried=0.2, tailless=0.2, stuck=0.1))
    kinds = set()
    for truth, run in pairs(workload, sets_of(decoder, workload)):
        if truth.parallel != run.parallel:
            continue
        stages = sorted(run.stages, key=lambda stage: (stage.start_ms, stage.mark.what.stage))
        for planned, stage in zip(in_order(truth), stages, strict=True):
            took_s, known_s = planned.duration_s, (stage.duration_ms or 0) / 1000
            if took_s is not None:
                assert stage.kind != "exact" or known_s == took_s
                assert stage.kind != "upper" or known_s >= took_s
                assert stage.kind != "lower" or known_s <= took_s
            kinds.add(stage.kind)
    assert kinds == {"exact", "upper", "lower"}
