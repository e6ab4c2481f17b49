"""Completeness held against the generator's plan: lines are dropped on purpose, and what is said to be missing is that.

A template is learned from 20 runs of which every line is there; 200 others are judged by it. What a run is made of, and
what was dropped of it, is known by the plan alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ingest.core.analysis.learning import learn
from ingest.core.runs.completeness import COMPLETE, INCOMPLETE, Completeness
from ingest.core.runs.derive import derive, documents
from ingest.core.runs.state import RunState, with_marks
from ingest.core.runs.stored import StoredRun, run_from, stage_from, with_stages
from ingest.core.runs.template import StoredTemplate, template_body, template_in
from ingest.core.timestamps import MS_PER_DAY, MS_PER_HOUR
from ingest.synthetic.workload import workflow_model
from ingest.synthetic.workload.generator import messages, runs_truth
from ingest.synthetic.workload.truth import Made, RunTruth, Shares, Slowed, Workload
from tests.core.conftest import GRAMMARS
from tests.support.amount import examples
from tests.support.derived import Sets, documents_of, marks_of_lines, shipped

TRAINING, OTHERS = 20, 200
RECIPES = {frozenset(step.stage for step in recipe): recipe[-1].stage for recipe in workflow_model.RECIPES}
LINES = 14_000
NOT_SMALLER = (Phase.explicit, Phase.reuse, Phase.generate)  # thousands of lines an example: a seed is small enough
LATER_MS = 30 * MS_PER_DAY


@dataclass
class Planned:
    """A planned run, its lines, and the parts that are dropped."""

    truth: RunTruth
    lines: list[Made] = field(default_factory=list)
    stages: frozenset[str] = frozenset()
    head: bool = False
    tail: bool = False

    @property
    def recipe(self) -> frozenset[str]:
        """The stages it is made of."""
        return frozenset(stage.stage for stage in self.truth.stages)

    @property
    def last(self) -> str:
        """The last stage of its recipe."""
        return RECIPES[self.recipe]

    @property
    def has_ends(self) -> bool:
        """Whether its stages print ENDs."""
        return any(stage.end_written for stage in self.truth.stages)

    def is_dropped(self, line: Made) -> bool:
        """Whether that line is."""
        (fact,) = line.truth.facts
        if fact.stage == "SUBMIT":
            return self.head
        last_end = fact.stage == self.last and fact.key == "END_DATE"
        return fact.stage in self.stages or (self.tail and last_end)


def planned(workload: Workload) -> list[Planned]:
    """The runs that are whole, in the order of their begin."""
    lines: dict[str, list[Made]] = {}
    for made in messages(workload):
        for fact in made.truth.facts:
            lines.setdefault(fact.run or "", []).append(made)
    runs = [Planned(truth, lines.get(truth.run, [])) for truth in runs_truth(workload)]
    return [
        run for run in runs
        if run.recipe in RECIPES and run.truth.queued_written and run.truth.work_written
        and all(stage.start_written for stage in run.truth.stages)
    ]  # fmt: skip


def damage(rng: Random, run: Planned) -> None:
    """Drop nothing, up to three stages, the head, the tail (of a run that prints ENDs sometimes only its last END)."""
    names = sorted(run.recipe - {run.last})
    if rng.random() < 0.5:
        run.stages = frozenset(rng.sample(names, rng.randint(1, 3)))
    run.head = rng.random() < 0.3
    if rng.random() < 0.3:
        run.tail = True
        if not run.has_ends or rng.random() < 0.5:
            run.stages |= {run.last}


def remaining_marks(runs: Iterable[Planned]) -> Sets:
    """The marks of the lines that are not dropped."""
    return marks_of_lines((line.data for run in runs for line in run.lines if not run.is_dropped(line)), "als")


def end_ms(runs: Iterable[Planned]) -> int:
    """A watermark behind everything."""
    return max(line.at_ms for run in runs for line in run.lines) + LATER_MS


def stored(sets: Sets, watermark_ms: int) -> list[StoredRun]:
    """The runs as they are stored, with their stages."""
    derived = documents_of(sets, watermark_ms)
    runs = [run_from(document.body) for document in derived if document.index.startswith("perf-runs-")]
    stages = [document for document in derived if document.index.startswith("perf-stages-")]
    return with_stages(runs, (stage_from(document.id, document.body) for document in stages))


def taught(runs: Sequence[Planned]) -> StoredTemplate:
    """The template that these runs teach, as it comes back from its document."""
    template = learn(stored(remaining_marks(runs), end_ms(runs)))
    assert template is not None
    return template_in(template_body(StoredTemplate("als", "als-tomography", 3, 0, template)))


def judged(sets: Sets, watermark_ms: int, template: StoredTemplate) -> Mapping[str, Completeness | None]:
    """Run id -> its completeness, as a sweeper writes it."""
    schema = shipped(GRAMMARS).schema
    completeness = {}
    for key, marks in sets.items():
        state = with_marks(RunState(key, watermark_ms=watermark_ms), marks.values())
        for document in documents(derive(state), schema, None, {template.workflow: template}):
            if document.index.startswith("perf-runs-"):
                completeness[key.run] = run_from(document.body).completeness
    return completeness


def parted(runs: Sequence[Planned]) -> tuple[list[Planned], list[Planned]]:
    """The first 20 runs among which are six of each recipe that are not parallel; and the others."""
    counts: Counter[frozenset[str]] = Counter()
    teaching: list[Planned] = []
    others: list[Planned] = []
    for run in runs:
        is_needed = counts[run.recipe] < 6 and not run.truth.parallel
        if len(teaching) < TRAINING and (is_needed or sum(counts.values()) == 6 * len(RECIPES)):
            teaching.append(run)
            counts[run.recipe] += is_needed
        else:
            others.append(run)
    assert len(teaching) == TRAINING
    return teaching, others


KINDS = st.builds(
    Shares,
    parallel=st.sampled_from([0.0, 0.15]),
    retried=st.sampled_from([0.0, 0.3]),
    with_ends=st.sampled_from([0.0, 0.5, 1.0]),
    late=st.sampled_from([0.0, 0.3]),
    repeated=st.sampled_from([0.0, 0.1]),
)


@settings(max_examples=examples(16), deadline=None, phases=NOT_SMALLER, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), shares=KINDS)
def test_every_dropped_stage_head_and_tail_is_found_and_none_invented(seed: int, shares: Shares) -> None:
    """20 runs teach, six of each of the three recipes; of 200 others exactly the dropped stages are missing."""
    runs = planned(Workload(seed, LINES, shares=shares))
    training, others = parted(runs)
    others = others[:OTHERS]
    assert len(others) == OTHERS
    template = taught(training)
    rng = Random(seed)
    for run in others:
        damage(rng, run)

    judgements = judged(remaining_marks(others), end_ms(others), template)

    assert sum(bool(run.stages) for run in others) > 80
    assert sum(run.tail for run in others) > 30
    for run in others:
        completeness = judgements[run.truth.run]
        assert completeness is not None
        assert set(completeness.missing) == run.stages
        assert completeness.head_seen is not run.head
        assert not completeness.unexpected
        assert (completeness.expected, completeness.seen) == (len(run.recipe), len(run.recipe) - len(run.stages))
        if not run.truth.parallel:
            assert completeness.tail_seen is not run.tail
        dropped = bool(run.stages or run.head or run.tail)
        assert completeness.verdict == (INCOMPLETE if dropped else COMPLETE)
        assert (completeness.seen_pct == 100) == (not run.stages)


@settings(max_examples=examples(12), deadline=None, phases=NOT_SMALLER, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), with_ends=st.sampled_from([0.0, 0.5]))
def test_a_run_that_is_still_open_is_never_called_incomplete(seed: int, with_ends: float) -> None:
    """At any instant before its last line, however silent it is, whatever lines of it were lost before."""
    slow = (Slowed("SUBMIT_NORM", 60), Slowed("SUBMIT_GAL-render-gridrec", 90), Slowed("SUBMIT_ROT", 100))
    workload = Workload(seed, 5_000, shares=Shares(with_ends=with_ends, parallel=0.1), slowed=slow, steady=True)
    runs = planned(workload)
    training, others = parted(runs)
    template = taught(training)
    rng = Random(seed)
    looked = quiet = 0
    for run in others[:60]:
        damage(rng, run)
        last_ms = max(line.truth.facts[0].logged_ms for line in run.lines)
        first_ms = min(line.truth.facts[0].at_ms for line in run.lines)
        for _ in range(4):
            until_ms = rng.randint(first_ms, last_ms - 1)
            lines = [line for line in run.lines if line.truth.facts[0].logged_ms <= until_ms]
            part = Planned(run.truth, lines, run.stages, run.head, run.tail)
            for completeness in judged(remaining_marks([part]), until_ms, template).values():
                looked += 1
                if completeness is not None:
                    quiet += 1
                    assert completeness.verdict != INCOMPLETE
                    assert not completeness.missing

    assert looked > 100
    assert quiet > 10


def test_damaged_runs_teach_the_same_template() -> None:
    """Of 300 runs a third lack something: the variants are those of whole runs, their tails and heads too."""
    runs = planned(Workload(5, LINES, shares=Shares(retried=0.2)))[:300]
    rng = Random(5)
    for run in islice(runs, 0, None, 3):
        damage(rng, run)
    whole, learned = taught([run for run in runs if not (run.stages or run.head or run.tail)]), taught(runs)

    assert {variant.names for variant in learned.template.variants} == set(RECIPES)
    assert learned.template.judges_as(whole.template)
    for variant in learned.template.variants:
        assert variant.tail is not None
        assert variant.tail.stage == RECIPES[variant.names]
        assert variant.head
        assert [stage.name for stage in variant.stages] == [
            step.stage
            for recipe in workflow_model.RECIPES
            if {s.stage for s in recipe} == variant.names
            for step in recipe
        ]


@pytest.mark.parametrize(("after_h", "is_judged"), [(0.5, False), (0.99, False), (1.01, True)])
def test_completeness_is_judged_an_hour_after_the_last_line(after_h: float, is_judged: bool) -> None:
    """Lines of another writer may be on their way; also of a run whose tail was seen."""
    training, (run, *_) = parted(planned(Workload(8, 2_000)))
    template = taught(training)
    last_ms = max(line.truth.facts[0].logged_ms for line in run.lines)

    (completeness,) = judged(remaining_marks([run]), last_ms + round(after_h * MS_PER_HOUR), template).values()

    assert (completeness is not None) == is_judged
