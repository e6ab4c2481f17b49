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
    said = declared or Declared()
    walked = [TrainingRun(run, stored_course(run)) for run in runs if run.state in SETTLED and run.stages]
    walked.sort(key=lambda each: (each.run.start_ms, each.run.uid))
    found = [_bare(stages) for stages in said.stages] or _variants(walked)
    if not found:
        return None
    numbered = Template(tuple(variant._replace(number=n) for n, variant in enumerate(found, 1)))
    begins = [each.run.start_ms for each in walked]
    return Template(
        variants=_told(numbered, walked, said),
        runs=len(walked),
        first_ms=begins[0] if begins else None,
        last_ms=begins[-1] if begins else None,
        declared=said != Declared(),
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


def _variants(walked: Sequence[TrainingRun]) -> list[Variant]:
    """Return the sets of stages that are variants, and those that remain; each in its usual order."""
    sets = Counter(frozenset(each.course.stages) for each in walked)
    ended = Counter(frozenset(each.course.stages) for each in walked if each.run.state != ABANDONED)
    least = _least(sets, len(walked))
    taken: list[frozenset[str]] = []
    left: list[frozenset[str]] = []
    for names in sorted(sets, key=lambda names: (-len(names), -sets[names], sorted(names))):
        larger = [sets[other] for other in taken if names < other]
        if not larger:
            (taken if sets[names] >= least else left).append(names)
        elif ended[names] >= max(LEAST_PARTS, PART_SHARE * max(larger)):
            taken.append(names)
    return [_bare(_in_order(names, walked)) for names in taken] + _left_over(left, sets, walked)


def _least(sets: Mapping[frozenset[str], int], runs: int) -> int:
    """Return how many runs make a set a variant; with few runs one, unless many runs have a unique set."""
    alone = sum(count == 1 for count in sets.values())
    return min(FEW_RUNS, max(ceil(OWN_SHARE * runs), 2 if alone >= FEW_RUNS else 1))


def _left_over(
    left: Sequence[frozenset[str]], sets: Mapping[frozenset[str], int], walked: Sequence[TrainingRun]
) -> list[Variant]:
    number = sum(sets[names] for names in left)
    if number < FEW_RUNS:
        return [_bare(_in_order(names, walked)) for names in left]
    counts: Counter[str] = Counter()
    for names in left:
        counts.update(dict.fromkeys(names, sets[names]))
    ordered = _in_order(frozenset(counts), [each for each in walked if frozenset(each.course.stages) in set(left)])
    stages = tuple(TemplateStage(name, counts[name] >= LOOSE_SHARE * number) for name in ordered)
    return [Variant(0, stages, loose=True)]


def _in_order(names: frozenset[str], walked: Iterable[TrainingRun]) -> list[str]:
    """Sort stages by median position in the runs with exactly these, preferring sequential runs."""
    same = [each.course for each in walked if names.issuperset(each.course.stages)]
    whole = [course for course in same if len(course.stages) == len(names)] or same
    chosen = [course for course in whole if not course.parallel] or whole
    places: dict[str, list[int]] = {}
    for course in chosen:
        for place, name in enumerate(course.stages):
            places.setdefault(name, []).append(place)
    return sorted(names, key=lambda name: (median_low(places[name]) if name in places else len(names), name))


def _told(bare: Template, walked: Sequence[TrainingRun], said: Declared) -> tuple[Variant, ...]:
    """Fill in the variants from their runs, most frequent first; declared variants keep their order."""
    whose: dict[int, list[TrainingRun]] = {variant.number: [] for variant in bare.variants}
    for each in walked:
        variant = matching_variant(each.course, bare)
        if variant is not None:
            whose[variant.number].append(each)
    found = [_variant(variant, whose[variant.number], said) for variant in bare.variants]
    if not said.stages:
        found.sort(key=lambda variant: (-variant.runs, variant.number))
    heads = [each.run.head_seen for own in whose.values() for each in own]
    overall = said.head if said.head is not None else _habit(heads)
    return tuple(
        variant._replace(number=n, head=overall if variant.head is None else variant.head)
        for n, variant in enumerate(found, 1)
    )


def _variant(bare: Variant, own: Sequence[TrainingRun], said: Declared) -> Variant:
    usual = set(bare.usual)
    whole = [each for each in own if usual.issubset(each.course.stages)]
    named: dict[str, list[StoredStage]] = {stage.name: [] for stage in bare.stages}
    for stage in (stage for each in own for stage in each.run.stages):
        named.setdefault(stage.name, []).append(stage)
    return bare._replace(
        stages=tuple(_stage(stage, named[stage.name], len(own)) for stage in bare.stages),
        runs=len(own),
        whole=len(whole),
        head=said.head if said.head is not None else _habit([each.run.head_seen for each in whole]),
        tail=_tail(bare, whole, said),
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


def _tail(bare: Variant, whole: Sequence[TrainingRun], said: Declared) -> Tail | None:
    """Return the declared tail, or the last declared stage, else how complete runs usually end."""
    if _habit([each.run.tail_seen for each in whole]) and not said.tail:
        return Tail("", AT_RUN_END)
    stage = said.tail if said.tail in bare.names else bare.usual[-1] if said.stages else _last_stage(whole)
    if not stage:
        return None
    ends = [stage in each.course.ended for each in whole]
    return Tail(stage, AT_END if _habit(ends) else AT_START)


def _last_stage(whole: Sequence[TrainingRun]) -> str:
    lasts = [each.course.stages[-1] for each in whole if not each.course.parallel]
    if not lasts:
        return ""
    ((stage, _),) = Counter(sorted(lasts)).most_common(1)
    return stage if _habit([each == stage for each in lasts]) else ""


def _habit(holds: Sequence[bool]) -> bool | None:
    """Whether most values are true; None if there are too few."""
    return sum(holds) >= USUAL_SHARE * len(holds) if len(holds) >= FEW_RUNS else None
