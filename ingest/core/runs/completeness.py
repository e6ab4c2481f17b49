"""How complete a run is, compared with the template of its workflow. Depends only on the run and the template.

    complete     every usual stage of its variant was seen, and head and tail if the variant's runs have them
    incomplete   some of that is missing, and the run is over
    open         not everything was seen, but nothing says that the run is over: nothing is called missing
    unknown      nothing says which variant the run follows

A run is over when its variant's tail or its own end was seen; otherwise after seven days of silence, since the next
line would then begin another run. Shorter silence ends nothing, not even if each stage has its END: the START of a
stage that takes hours may be lost. And no run is judged until an hour without a line has passed by the watermark: a
line from another writer may still be on its way.

A run follows the variant in which the fewest of its stages are unexpected (a stage that was seen is certain, a missing
line may just be lost); among these the one with the fewest missing stages; among these the most frequent. So a run that
was cut off exactly where a shorter variant ends is taken for the shorter one: no line tells the two apart. If most of a
run's stages are unexpected even in that variant, the run follows none.

Several attempts at a stage count once. The tail of a sequential run is one stage; if the run prints ENDs, it is that
stage's END (scripts with and without ENDs may run side by side, so this depends on the run itself; a run of only this
one stage has to print what its variant's runs print). Parallel stages have no order, so the tail of a parallel run is
seen when each of its stages has ended. Whether a duration counts for the baseline of its stage does not depend on any
of this: it counts if the stage's own start and its close were seen (core/alerts/slow_stage.py). An incomplete run
spoils totals only.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ingest.core.runs.instances import SILENCE_MS
from ingest.core.runs.run import ABANDONED, CLOSED, QUIET, Run
from ingest.core.runs.stages import EXACT
from ingest.core.runs.template import AT_END, AT_RUN_END, StoredTemplate, Template, Variant

COMPLETE, INCOMPLETE, OPEN_YET, UNKNOWN = "complete", "incomplete", "open", "unknown"
SETTLED = (QUIET, CLOSED, ABANDONED)


class StageSequence(NamedTuple):
    """The stages that a run went through.

    Attributes:
        stages: each stage once, in the order of first start; ended: those with an END.
        end_seen: whether the run's own end was seen.
    """

    stages: tuple[str, ...]
    ended: frozenset[str]
    parallel: bool
    head_seen: bool
    end_seen: bool


class Completeness(NamedTuple):
    """How complete a run is.

    Attributes:
        version: of the template; variant: its number, None if it is not known.
        expected, seen: number of usual stages of the variant, and how many of them were seen.
        missing: usual stages not seen, of a run that is over; unexpected: stages that are not in the variant.
        head_seen: None if its runs have no head, or if that is not known; tail_seen: likewise.
    """

    version: int
    verdict: str
    variant: int | None = None
    expected: int = 0
    seen: int = 0
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    head_seen: bool | None = None
    tail_seen: bool | None = None

    @property
    def seen_pct(self) -> int | None:
        """Percentage of the expected stages that were seen, rounded down: 100 only if none is missing."""
        return 100 * self.seen // self.expected if self.expected else None


def sequence_of(run: Run) -> StageSequence:
    """The stage sequence of a derived run."""
    names = [stage.mark.what.stage for stage in run.stages]
    ended = {stage.mark.what.stage for stage in run.stages if stage.kind == EXACT}
    return StageSequence(tuple(dict.fromkeys(names)), frozenset(ended), run.parallel, run.head_seen, run.tail_seen)


def completeness(course: StageSequence, stored: StoredTemplate, silent_ms: int) -> Completeness:
    """Judge a run by its workflow's template, `silent_ms` after its last line."""
    variant = matching_variant(course, stored.template)
    if variant is None:
        return Completeness(stored.version, UNKNOWN)
    seen, usual = set(course.stages), variant.usual
    missing = tuple(name for name in usual if name not in seen)
    head = course.head_seen if variant.head else None
    tail = _tail_seen(course, variant, bool(missing))
    result = Completeness(
        version=stored.version,
        verdict=OPEN_YET,
        variant=variant.number,
        expected=len(usual),
        seen=len(usual) - len(missing),
        unexpected=tuple(name for name in course.stages if name not in variant.names),
        head_seen=head,
        tail_seen=tail,
    )
    if not (tail or silent_ms > SILENCE_MS):
        return result
    is_complete = not missing and head is not False and tail is not False
    return result._replace(verdict=COMPLETE if is_complete else INCOMPLETE, missing=missing)


def matching_variant(course: StageSequence, template: Template) -> Variant | None:
    """The variant that a run follows; None if nothing says which."""
    seen = frozenset(course.stages)
    if not template.variants or (not seen and len(template.variants) > 1):
        return None

    def distance(variant: Variant) -> tuple[int, bool, int, int]:
        unexpected = len(seen - variant.names)
        missing = sum(name not in seen for name in variant.usual)
        return unexpected, variant.loose, missing, variant.number

    best = min(template.variants, key=distance)
    unexpected = len(seen - best.names)
    return None if unexpected > len(seen) - unexpected else best


def _tail_seen(course: StageSequence, variant: Variant, stages_missing: bool) -> bool | None:
    """Whether the run's tail was seen; None if nothing says how its runs end."""
    tail = variant.tail
    if course.end_seen:
        return True
    if tail is not None and tail.by == AT_RUN_END:
        return False
    if course.parallel:
        return not stages_missing and course.ended.issuperset(course.stages)
    if tail is None:
        return None
    is_only_stage = tail.by == AT_END and set(course.stages) == {tail.stage}
    demands_end = bool(course.ended) or is_only_stage
    return tail.stage in (course.ended if demands_end else course.stages)


_NUMBERS = ("expected", "seen")
_LISTS = (("missing", "missing_stages"), ("unexpected", "unexpected_stages"))


def completeness_fields(result: Completeness) -> dict[str, Any]:
    """The fields below perf.run.completeness in a run's document; unknown ones are absent."""
    fields: dict[str, Any] = {"verdict": result.verdict, "template_version": result.version}
    if result.variant is None:
        return fields
    fields |= {"variant": result.variant} | {name: getattr(result, name) for name in _NUMBERS}
    if result.verdict != OPEN_YET:
        fields["missing"] = len(result.missing)
    ends = {"seen_pct": result.seen_pct, "head_seen": result.head_seen, "tail_seen": result.tail_seen}
    fields |= {name: value for name, value in ends.items() if value is not None}
    return fields | {name: list(value) for part, name in _LISTS if (value := getattr(result, part))}


def completeness_in(fields: Mapping[str, Any]) -> Completeness:
    """Parse what `completeness_fields` wrote."""
    return Completeness(
        version=fields["template_version"],
        verdict=fields["verdict"],
        variant=fields.get("variant"),
        expected=fields.get("expected", 0),
        seen=fields.get("seen", 0),
        missing=tuple(fields.get("missing_stages", ())),
        unexpected=tuple(fields.get("unexpected_stages", ())),
        head_seen=fields.get("head_seen"),
        tail_seen=fields.get("tail_seen"),
    )
