"""What of a run is there: case by case. Against the generator's plan: tests/system/test_completeness_truth.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.runs.completeness import (
    COMPLETE,
    INCOMPLETE,
    OPEN_YET,
    UNKNOWN,
    StageSequence,
    completeness,
    completeness_fields,
    completeness_in,
)
from ingest.core.runs.instances import SILENCE_MS
from ingest.core.runs.template import StoredTemplate, Tail, Template, TemplateStage, Variant, template_body, template_in

HOURS_MS = 2 * 3_600_000
STAGES = st.lists(st.sampled_from("ABCDEFX"), unique=True, max_size=7)


def variant(number: int, stages: str, tail: Tail | None = None, head: bool | None = True) -> Variant:
    """A variant of stages of one letter; a small letter is one that is not always there."""
    made = tuple(TemplateStage(name.upper(), name.isupper()) for name in stages)
    return Variant(number, made, 9, 9, head, tail or Tail(stages[-1].upper(), "start"))


def template(*variants: Variant) -> StoredTemplate:
    """The second template of a workflow."""
    return StoredTemplate("als", "w", 2, 1_000, Template(variants, 20))


def course(
    stages: str, ended: str = "", *, parallel: bool = False, head: bool = True, end: bool = False
) -> StageSequence:
    """A run through stages of one letter."""
    return StageSequence(tuple(stages), frozenset(ended), parallel, head, end)


SHORT, LONG = variant(1, "ABC"), variant(2, "ABCDEF")


@pytest.mark.parametrize(
    ("went", "number", "missing"),
    [
        ("ABC", 1, ""),
        ("ABCDEF", 2, ""),
        ("AC", 1, "B"),
        ("ABCD", 2, "EF"),  # D stands in the longer one only: seen is certain, a line that is missing may be lost
        ("DEF", 2, "ABC"),
        ("BAC", 1, ""),
        ("ABCX", 1, ""),
        ("ABCDEX", 2, "F"),
    ],
)
def test_a_run_follows_the_variant_that_explains_what_was_seen(went: str, number: int, missing: str) -> None:
    """Fewest strange stages first, then fewest missing; the order of stages does not matter."""
    judgement = completeness(course(went), template(SHORT, LONG), SILENCE_MS + 1)

    assert (judgement.variant, judgement.missing) == (number, tuple(missing))
    assert judgement.unexpected == (("X",) if "X" in went else ())
    assert judgement.version == 2


@pytest.mark.parametrize("went", ["", "XYZ", "AXY"])
def test_a_run_like_no_variant_is_unknown_not_incomplete(went: str) -> None:
    """No stage at all where there are several variants, or more strange stages than known ones."""
    judgement = completeness(course(went), template(SHORT, LONG), SILENCE_MS + 1)

    assert judgement.verdict == UNKNOWN
    assert (judgement.variant, judgement.missing, judgement.seen_pct) == (None, (), None)


def test_without_a_stage_the_only_variant_is_the_one() -> None:
    """A run of which only the queue was seen misses everything, once it is over."""
    judgement = completeness(course(""), template(SHORT), SILENCE_MS + 1)

    assert (judgement.verdict, judgement.missing, judgement.seen_pct) == (INCOMPLETE, ("A", "B", "C"), 0)


@pytest.mark.parametrize(
    ("went", "silent_ms", "verdict", "missing"),
    [
        ("ABC", HOURS_MS, COMPLETE, ""),
        ("AC", HOURS_MS, INCOMPLETE, "B"),
        ("AB", HOURS_MS, OPEN_YET, ""),
        ("A", SILENCE_MS, OPEN_YET, ""),
        ("AB", SILENCE_MS + 1, INCOMPLETE, "C"),
    ],
)
def test_a_run_is_over_by_its_tail_or_by_seven_days_of_silence(
    went: str, silent_ms: int, verdict: str, missing: str
) -> None:
    """Before that nothing is called missing, however many stages were not seen."""
    judgement = completeness(course(went), template(SHORT), silent_ms)

    assert (judgement.verdict, judgement.missing) == (verdict, tuple(missing))
    assert (judgement.expected, judgement.seen) == (3, len(went))


@pytest.mark.parametrize(
    ("head", "usual", "seen", "verdict"),
    [
        (True, True, True, COMPLETE),
        (False, True, False, INCOMPLETE),
        (False, False, None, COMPLETE),
        (False, None, None, COMPLETE),
    ],
)
def test_a_head_is_missing_only_where_runs_have_one(
    head: bool, usual: bool | None, seen: bool | None, verdict: str
) -> None:
    """Jobs without a queue never show one; and what is not known is not held against a run."""
    judgement = completeness(course("ABC", head=head), template(variant(1, "ABC", head=usual)), HOURS_MS)

    assert (judgement.head_seen, judgement.verdict) == (seen, verdict)


@pytest.mark.parametrize(
    ("tail", "went", "seen"),
    [
        (Tail("C", "start"), course("ABC"), True),
        (Tail("C", "start"), course("AB"), False),
        (Tail("C", "start"), course("ABC", "AB"), False),  # it prints ENDs, and not that one
        (Tail("C", "start"), course("ABC", "ABC"), True),
        (Tail("C", "end"), course("ABC"), True),  # it prints none, though others do
        (Tail("C", "end"), course("C"), False),  # nothing tells whether it prints any
        (Tail("C", "end"), course("ABC", "C"), True),
        (Tail("", "run_end"), course("ABC", "ABC"), False),
        (Tail("", "run_end"), course("AB", end=True), True),
        (Tail("C", "start"), course("AB", end=True), True),
        (Tail("C", "start"), course("ACB", "ACB", parallel=True), True),
        (Tail("C", "start"), course("ACB", "CB", parallel=True), False),
        (Tail("C", "start"), course("AC", "AC", parallel=True), False),  # B may be what is still to come
        (None, course("ABC"), None),
    ],
)
def test_what_a_run_ends_with(tail: Tail | None, went: StageSequence, seen: bool | None) -> None:
    """START, END, the run's own end; of a parallel run, which has no order, each stage's END; or it is not known."""
    with_tail = variant(1, "ABC")._replace(tail=tail)

    assert completeness(went, template(with_tail), HOURS_MS).tail_seen is seen


def test_a_stage_that_is_not_always_there_is_never_missing() -> None:
    """Nor strange where it is there."""
    judgement = completeness(course("AC"), template(variant(1, "AbC")), HOURS_MS)
    also = completeness(course("ABC"), template(variant(1, "AbC")), HOURS_MS)

    assert (judgement.verdict, judgement.expected, judgement.missing) == (COMPLETE, 2, ())
    assert (also.verdict, also.seen, also.unexpected) == (COMPLETE, 2, ())


def test_percent_is_rounded_down() -> None:
    """99.7 % is not everything."""
    long_variant = Variant(1, tuple(TemplateStage(f"S{n}") for n in range(300)), tail=Tail("S299", "start"))
    went = StageSequence(tuple(f"S{n}" for n in range(300) if n != 7), frozenset(), False, True, False)

    assert completeness(went, template(long_variant), HOURS_MS).seen_pct == 99


@given(
    STAGES, STAGES, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([HOURS_MS, SILENCE_MS, SILENCE_MS + 1])
)
def test_what_is_said_holds_together_and_survives_its_document(
    went: list[str], ended: list[str], parallel: bool, head: bool, end: bool, silent_ms: int
) -> None:
    """Expected = seen + missing of a run that is over; missing was not seen; written and read again it is the same."""
    sequence = StageSequence(tuple(went), frozenset(ended) & frozenset(went), parallel, head, end)
    judgement = completeness(sequence, template(SHORT, LONG), silent_ms)

    assert completeness_in(completeness_fields(judgement)) == judgement
    assert not set(judgement.missing) & set(went)
    assert (judgement.verdict == OPEN_YET) <= (silent_ms <= SILENCE_MS)
    if judgement.verdict in {COMPLETE, INCOMPLETE}:
        assert judgement.expected == judgement.seen + len(judgement.missing)
        whole = not judgement.missing and judgement.head_seen is not False and judgement.tail_seen is not False
        assert (judgement.verdict == COMPLETE) == whole


def test_a_template_survives_its_document() -> None:
    """With everything that a run is judged by, and what is only shown."""
    stages = (TemplateStage("A", True, 100, 7, "upper", 12.5, 20.0), TemplateStage("B", False, 40))
    measured = Variant(1, stages, 7, 6, None, None, loose=True)
    stored_template = StoredTemplate("als", "w", 4, 5_000, Template((measured, SHORT), 9, 1_000, 2_000, declared=True))
    bare = StoredTemplate("als", "w", 1, 5_000, Template((SHORT,)))

    assert template_in(template_body(stored_template)) == stored_template
    assert template_in(template_body(bare)) == bare
