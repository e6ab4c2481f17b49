"""What of a run is there: held against the template of its workflow. Pure: a function of the run and the template.

    complete     each usual stage of its variant was seen, and head and tail where its runs have them
    incomplete   something of that is missing, and the run is over
    open         not everything was seen, and nothing says that the run is over: nothing is called missing
    unknown      nothing says which variant it follows

A run is over when what its runs end with was seen, or its own end; else after seven days of silence, since then the
next line would begin another run. Less silence ends nothing, not even where each stage has its END: the START of one
that takes hours may be lost. And no run is judged before no line of it came for an hour by the watermark: one of
another writer may still be on its way.

Which variant a run follows: the one in which the fewest of its stages are strange (a stage that was seen is certain, a
line that is missing may have been lost), of these the one with the fewest missing, of these the most frequent. So a run
that was cut off exactly where a shorter variant ends is taken for that one: no line tells the two apart. A run most of
whose stages are strange follows none.

Attempts at a stage count once. The tail of a sequential run is one stage; of a run that prints ENDs that stage's END
(scripts with and without ENDs may run side by side, so the run itself tells; a run of this one stage only follows its
like). Parallel stages have no order, so the tail of a parallel run is there when each of its stages has
ended. Whether a duration counts for the baseline of its stage does not depend on any of this: it does once the stage's
own start and its close were seen (core/alerts/slow_stage.py). What is incomplete spoils totals only.
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
    """What a run went through.

    Attributes:
        stages: each once, in the order of their first start; ended: those of which an END was seen.
        end_seen: its own end.
    """

    stages: tuple[str, ...]
    ended: frozenset[str]
    parallel: bool
    head_seen: bool
    end_seen: bool


class Completeness(NamedTuple):
    """What of a run is there.

    Attributes:
        version: of the template it was judged by; variant: its number, None when it is not known.
        expected, seen: usual stages of the variant, and how many of them were seen.
        missing: those not seen of a run that is over; unexpected: stages that are none of the variant's.
        head_seen: None when its runs have no head, or it is not known whether they do; tail_seen: likewise.
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
        """Stages seen of a hundred expected ones, rounded down: 100 only when none is missing."""
        return 100 * self.seen // self.expected if self.expected else None


def sequence_of(run: Run) -> StageSequence:
    """What a derived run went through."""
    names = [stage.mark.what.stage for stage in run.stages]
    ended = {stage.mark.what.stage for stage in run.stages if stage.kind == EXACT}
    return StageSequence(tuple(dict.fromkeys(names)), frozenset(ended), run.parallel, run.head_seen, run.tail_seen)


def completeness(course: StageSequence, stored: StoredTemplate, silent_ms: int) -> Completeness:
    """What of a run is there, by the template of its workflow, so long (ms) after its last line."""
    variant = matching_variant(course, stored.template)
    if variant is None:
        return Completeness(stored.version, UNKNOWN)
    there, usual = set(course.stages), variant.usual
    missing = tuple(name for name in usual if name not in there)
    head = course.head_seen if variant.head else None
    tail = _tail_seen(course, variant, bool(missing))
    found = Completeness(
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
        return found
    whole = not missing and head is not False and tail is not False
    return found._replace(verdict=COMPLETE if whole else INCOMPLETE, missing=missing)


def matching_variant(course: StageSequence, template: Template) -> Variant | None:
    """The variant that a run follows; None when nothing says which."""
    there = frozenset(course.stages)
    if not template.variants or (not there and len(template.variants) > 1):
        return None

    def unlike(variant: Variant) -> tuple[int, bool, int, int]:
        strange = len(there - variant.names)
        lacking = sum(name not in there for name in variant.usual)
        return strange, variant.loose, lacking, variant.number

    found = min(template.variants, key=unlike)
    strange = len(there - found.names)
    return None if strange > len(there) - strange else found


def _tail_seen(course: StageSequence, variant: Variant, lacking: bool) -> bool | None:
    """None where nothing says what its runs end with."""
    tail = variant.tail
    if course.end_seen:
        return True
    if tail is not None and tail.by == AT_RUN_END:
        return False
    if course.parallel:
        return not lacking and course.ended.issuperset(course.stages)
    if tail is None:
        return None
    nothing_else = tail.by == AT_END and set(course.stages) == {tail.stage}
    demands_end = bool(course.ended) or nothing_else
    return tail.stage in (course.ended if demands_end else course.stages)


_NUMBERS = ("expected", "seen")
_LISTS = (("missing", "missing_stages"), ("unexpected", "unexpected_stages"))


def completeness_fields(found: Completeness) -> dict[str, Any]:
    """What the document of a run says of it, below perf.run.completeness: what is not known is absent."""
    told: dict[str, Any] = {"verdict": found.verdict, "template_version": found.version}
    if found.variant is None:
        return told
    told |= {"variant": found.variant} | {name: getattr(found, name) for name in _NUMBERS}
    if found.verdict != OPEN_YET:
        told["missing"] = len(found.missing)
    ends = {"seen_pct": found.seen_pct, "head_seen": found.head_seen, "tail_seen": found.tail_seen}
    told |= {name: value for name, value in ends.items() if value is not None}
    return told | {name: list(value) for part, name in _LISTS if (value := getattr(found, part))}


def completeness_in(told: Mapping[str, Any]) -> Completeness:
    """The same, read again."""
    return Completeness(
        version=told["template_version"],
        verdict=told["verdict"],
        variant=told.get("variant"),
        expected=told.get("expected", 0),
        seen=told.get("seen", 0),
        missing=tuple(told.get("missing_stages", ())),
        unexpected=tuple(told.get("unexpected_stages", ())),
        head_seen=told.get("head_seen"),
        tail_seen=told.get("tail_seen"),
    )
