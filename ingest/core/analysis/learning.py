"""Learns the template of a workflow from its stored runs, or takes it from a declaration.

Only runs that are quiet, closed or abandoned are used. Some of them are themselves fragments, and must not teach that a
fragment is complete. So runs are counted by their set of stages, the largest sets first:

    a set that is in no variant     becomes a variant if a fiftieth of the runs have it (five always suffice);
    a subset of a variant           becomes a variant too if at least two runs have it, and at least a tenth as many as
                                    have the larger one; otherwise these runs are fragments (abandoned runs always are);
    what remains                    up to four runs: each its own variant; more: one loose variant, whose usual stages
                                    are those that nine of ten of these runs have.

The tail is learned from five complete runs of a variant on, and only if four of five agree. So is whether runs begin
with queue and dispatch; a variant with fewer runs takes the answer of all variants together.

Typical seconds come from closed stages of all runs of a variant, complete or not: a stage counts once its start and its
close were seen. Exact durations and upper bounds are not mixed; the more frequent kind is reported.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from statistics import median_low
from typing import NamedTuple

from ingest.core.runs.completeness import SETTLED, StageSequence, matching_variant
from ingest.core.runs.run import ABANDONED
from ingest.core.runs.stages import EXACT
from ingest.core.runs.stored import StoredRun, StoredStage
from ingest.core.runs.template import AT_END, AT_RUN_END, AT_START, Declared, Tail, Template, TemplateStage, Variant
from ingest.core.statistics import baseline_of

FEW_RUNS = 5  # the number of runs from which on a habit is accepted
USUAL_SHARE = 0.8
LOOSE_SHARE = 0.9
OWN_SHARE = 0.02
PART_SHARE = 0.1
LEAST_PARTS = 2


class TrainingRun(NamedTuple):
    """A run to learn from, and its sequence of stages."""

    run: StoredRun
    course: StageSequence


def learn(runs: Iterable[StoredRun], declared: Declared | None = None) -> Template | None:
    """Learn the template of one workflow from its runs with their stages; None if they teach nothing."""
    declaration = declared or Declared()
    training_runs = [TrainingRun(run, stored_course(run)) for run in runs if run.state in SETTLED and run.stages]
    training_runs.sort(key=lambda training: (training.run.start_ms, training.run.uid))
    variants = [_bare(stages) for stages in declaration.stages] or _variants(training_runs)
    if not variants:
        return None
    numbered = Template(tuple(variant._replace(number=n) for n, variant in enumerate(variants, 1)))
    begins = [training.run.start_ms for training in training_runs]
    return Template(
        variants=_with_figures(numbered, training_runs, declaration),
        runs=len(training_runs),
        first_ms=begins[0] if begins else None,
        last_ms=begins[-1] if begins else None,
        declared=declaration != Declared(),
    )


def stored_course(run: StoredRun) -> StageSequence:
    """Return the stage sequence of a stored run, which must come with its stages."""
    return StageSequence(
        stages=tuple(dict.fromkeys(stage.name for stage in run.stages)),
        ended=frozenset(stage.name for stage in run.stages if stage.kind == EXACT),
        parallel=run.parallel,
        head_seen=run.head_seen,
        end_seen=run.tail_seen,
    )


def _bare(stages: Sequence[str], loose: bool = False) -> Variant:
    """Build a variant of which only the stages are known."""
    return Variant(0, tuple(map(TemplateStage, stages)), loose=loose)


def _variants(training_runs: Sequence[TrainingRun]) -> list[Variant]:
    """Return the sets of stages that are variants, and those that remain; each in its usual order."""
    sets = Counter(frozenset(training.course.stages) for training in training_runs)
    ended = Counter(frozenset(training.course.stages) for training in training_runs if training.run.state != ABANDONED)
    least = _least(sets, len(training_runs))
    accepted: list[frozenset[str]] = []
    remaining: list[frozenset[str]] = []
    for names in sorted(sets, key=lambda names: (-len(names), -sets[names], sorted(names))):
        larger = [sets[other] for other in accepted if names < other]
        if not larger:
            (accepted if sets[names] >= least else remaining).append(names)
        elif ended[names] >= max(LEAST_PARTS, PART_SHARE * max(larger)):
            accepted.append(names)
    return [_bare(_in_order(names, training_runs)) for names in accepted] + _left_over(remaining, sets, training_runs)


def _least(sets: Mapping[frozenset[str], int], runs: int) -> int:
    """Return how many runs make a set a variant; with few runs one, unless many runs have a unique set."""
    alone = sum(count == 1 for count in sets.values())
    return min(FEW_RUNS, max(ceil(OWN_SHARE * runs), 2 if alone >= FEW_RUNS else 1))


def _left_over(
    remaining: Sequence[frozenset[str]], sets: Mapping[frozenset[str], int], training_runs: Sequence[TrainingRun]
) -> list[Variant]:
    number = sum(sets[names] for names in remaining)
    if number < FEW_RUNS:
        return [_bare(_in_order(names, training_runs)) for names in remaining]
    counts: Counter[str] = Counter()
    for names in remaining:
        counts.update(dict.fromkeys(names, sets[names]))
    ordered = _in_order(
        frozenset(counts),
        [training for training in training_runs if frozenset(training.course.stages) in set(remaining)],
    )
    stages = tuple(TemplateStage(name, counts[name] >= LOOSE_SHARE * number) for name in ordered)
    return [Variant(0, stages, loose=True)]


def _in_order(names: frozenset[str], training_runs: Iterable[TrainingRun]) -> list[str]:
    """Sort stages by median position in the runs with exactly these, preferring sequential runs."""
    same = [training.course for training in training_runs if names.issuperset(training.course.stages)]
    whole = [course for course in same if len(course.stages) == len(names)] or same
    chosen = [course for course in whole if not course.parallel] or whole
    positions: dict[str, list[int]] = {}
    for course in chosen:
        for position, name in enumerate(course.stages):
            positions.setdefault(name, []).append(position)
    return sorted(names, key=lambda name: (median_low(positions[name]) if name in positions else len(names), name))


def _with_figures(bare: Template, training_runs: Sequence[TrainingRun], declaration: Declared) -> tuple[Variant, ...]:
    """Fill in the variants from their runs, most frequent first; declared variants keep their order."""
    runs_of: dict[int, list[TrainingRun]] = {variant.number: [] for variant in bare.variants}
    for training in training_runs:
        variant = matching_variant(training.course, bare)
        if variant is not None:
            runs_of[variant.number].append(training)
    variants = [_variant(variant, runs_of[variant.number], declaration) for variant in bare.variants]
    if not declaration.stages:
        variants.sort(key=lambda variant: (-variant.runs, variant.number))
    heads = [training.run.head_seen for own in runs_of.values() for training in own]
    overall = declaration.head if declaration.head is not None else _habit(heads)
    return tuple(
        variant._replace(number=n, head=overall if variant.head is None else variant.head)
        for n, variant in enumerate(variants, 1)
    )


def _variant(bare: Variant, own: Sequence[TrainingRun], declaration: Declared) -> Variant:
    usual = set(bare.usual)
    whole = [training for training in own if usual.issubset(training.course.stages)]
    named: dict[str, list[StoredStage]] = {stage.name: [] for stage in bare.stages}
    for stage in (stage for training in own for stage in training.run.stages):
        named.setdefault(stage.name, []).append(stage)
    return bare._replace(
        stages=tuple(_stage(stage, named[stage.name], len(own)) for stage in bare.stages),
        runs=len(own),
        whole=len(whole),
        head=declaration.head
        if declaration.head is not None
        else _habit([training.run.head_seen for training in whole]),
        tail=_tail(bare, whole, declaration),
    )


def _stage(bare: TemplateStage, same: Sequence[StoredStage], runs: int) -> TemplateStage:
    counted = bare._replace(seen_pct=100 * len({stage.uid for stage in same}) // runs if runs else 0)
    closed: dict[str, list[StoredStage]] = {}
    for stage in same:
        if stage.closed_ms is not None:
            closed.setdefault(stage.kind, []).append(stage)
    if not closed:
        return counted
    kind, most = max(closed.items(), key=lambda item: (len(item[1]), item[0]))
    usual = baseline_of([stage.duration_s or 0 for stage in most], most[0].start_ms, most[-1].start_ms)
    return counted._replace(n=usual.n, kind=kind, median_s=usual.median_s, p95_s=usual.p95_s)


def _tail(bare: Variant, whole: Sequence[TrainingRun], declaration: Declared) -> Tail | None:
    """Return the declared tail, or the last declared stage, else how complete runs usually end."""
    if _habit([training.run.tail_seen for training in whole]) and not declaration.tail:
        return Tail("", AT_RUN_END)
    stage = (
        declaration.tail
        if declaration.tail in bare.names
        else bare.usual[-1]
        if declaration.stages
        else _last_stage(whole)
    )
    if not stage:
        return None
    ends = [stage in training.course.ended for training in whole]
    return Tail(stage, AT_END if _habit(ends) else AT_START)


def _last_stage(whole: Sequence[TrainingRun]) -> str:
    lasts = [training.course.stages[-1] for training in whole if not training.course.parallel]
    if not lasts:
        return ""
    ((stage, _),) = Counter(sorted(lasts)).most_common(1)
    return stage if _habit([training == stage for training in lasts]) else ""


def _habit(holds: Sequence[bool]) -> bool | None:
    """Whether most values are true; None if there are too few."""
    return sum(holds) >= USUAL_SHARE * len(holds) if len(holds) >= FEW_RUNS else None
