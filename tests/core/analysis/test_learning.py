"""What stored runs teach of their workflow: variants, order, tails, seconds; and what a person declares."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.analysis.learning import learn
from ingest.core.ids import digest_id
from ingest.core.mark import RunKey
from ingest.core.runs.stored import StoredRun, run_from, stage_from, with_stages
from ingest.core.runs.template import Declared, Tail, Template
from tests.support.derived import Sets, documents_of
from tests.support.marks import BEGIN_MS, DAY_S, marks

LATER_MS = BEGIN_MS + 60 * DAY_S * 1000


def runs(*texts: str, watermark_ms: int | None = LATER_MS) -> list[StoredRun]:
    """Runs of marks in words, as they are stored."""
    sets: Sets = {}
    for number, text in enumerate(texts):
        own = [mark._replace(id=digest_id(str(number).encode(), mark.id.encode())) for mark in marks(text)]
        sets[RunKey("als", "als_perf", f"run-{number}")] = {mark.id: mark for mark in own}
    documents = documents_of(sets, watermark_ms)
    whole = [run_from(document.body) for document in documents if document.index.startswith("perf-runs-")]
    return with_stages(
        whole, (stage_from(document.id, document.body) for document in documents if "stages" in document.index)
    )


def through(stages: str, *, head: bool = True, every_s: int = 60) -> str:
    """A run through stages of one letter, one after the other."""
    starts = [f"{100 + n * every_s} START {stage}" for n, stage in enumerate(stages)]
    return ", ".join([*(["0 QSTART", "50 WSTART"] if head else []), *starts])


def taught(runs: Iterable[StoredRun], declared: Declared | None = None) -> Template:
    """The template, which is there."""
    template = learn(runs, declared)
    assert template is not None
    return template


def shape(template: Template) -> list[tuple[str, int, int]]:
    """Stages, runs, whole runs of each variant."""
    return [("".join(s.name for s in variant.stages), variant.runs, variant.whole) for variant in template.variants]


@pytest.mark.parametrize(
    ("texts", "variants"),
    [
        (["ABC"] * 5, [("ABC", 5, 5)]),
        (["ABC"] * 5 + ["AB"], [("ABC", 6, 5)]),  # one fragment
        (["ABC"] * 5 + ["AB"] * 2, [("ABC", 5, 5), ("AB", 2, 2)]),  # two alike: a variant
        (["ABC"] * 30 + ["AB"] * 2, [("ABC", 32, 30)]),  # less than a tenth of the larger one
        (["ABC"] * 3 + ["ADE"] * 4, [("ADE", 4, 4), ("ABC", 3, 3)]),
        (["ABC"] * 5 + ["ABD"], [("ABC", 5, 5), ("ABD", 1, 1)]),  # something nobody else has
        (["ABC"] * 99 + ["ABD"], [("ABC", 99, 99), ("ABD", 1, 1)]),
        (["ABC"] * 4 + ["AABC"], [("ABC", 5, 5)]),  # a second attempt is no other stage
        (["CBA"] * 2 + ["ABC"] * 5, [("ABC", 7, 7)]),
    ],
)
def test_variants_are_the_sets_of_stages_that_come_again(
    texts: list[str], variants: list[tuple[str, int, int]]
) -> None:
    """Fragments belong to what they are fragments of; the most frequent variant stands first, in its usual order."""
    assert shape(taught(runs(*map(through, texts)))) == variants


def test_runs_like_no_other_teach_only_what_nearly_all_of_them_have() -> None:
    """Where each run goes through other stages beside A and Z, only these two are usual."""
    rng = Random(3)
    texts = [through("A" + "".join(sorted(rng.sample("BCDEFGHIJKLMNOP", 6))) + "Z") for _ in range(20)]

    (variant,) = taught(runs(*texts)).variants

    assert variant.loose
    assert variant.usual == ("A", "Z")


def test_tail_and_head_take_five_whole_runs_that_agree() -> None:
    """Four teach neither; where one of five ends otherwise four of five still do, two of five do not."""
    four, five = (taught(runs(*[through("ABC")] * n)).variants[0] for n in (4, 5))
    with_one, with_two = (taught(runs(*[through("ABC")] * (5 - n), *[through("ACB")] * n)).variants[0] for n in (1, 2))

    assert (four.tail, four.head) == (None, None)
    assert (five.tail, five.head) == (Tail("C", "start"), True)
    assert with_one.tail == Tail("C", "start")
    assert with_two.tail is None


def test_a_rare_variant_has_the_head_that_all_have() -> None:
    """Three runs of it, ten of another: it begins as those do; its own tail is not known."""
    template = taught(runs(*[through("ABC")] * 10, *[through("AXY")] * 3))
    without = taught(runs(*[through("ABC", head=False)] * 5))

    assert [(variant.head, variant.tail) for variant in template.variants] == [
        (True, Tail("C", "start")), (True, None)
    ]  # fmt: skip
    assert without.variants[0].head is False


def test_runs_that_print_ends_end_with_an_end_or_with_their_own() -> None:
    """The END of the last stage; the END of the WSTART."""
    ended = "0 START A, 60 END A, 61 START B, 90 END B"
    own = "0 QSTART, 5 WSTART, 10 START A, 60 START B, 90 WEND"

    assert taught(runs(*[ended] * 5)).variants[0].tail == Tail("B", "end")
    assert taught(runs(*[own] * 5)).variants[0].tail == Tail("", "run_end")


def test_parallel_runs_teach_no_order_and_no_last_stage() -> None:
    """Sequential ones of the same stages do."""
    side = "0 START B, 1 START A, 80 END B, 90 END A"
    plain = "0 START A, 60 END A, 61 START B, 90 END B"
    only, both = taught(runs(*[side] * 9)).variants[0], taught(runs(*[side] * 9, *[plain] * 5)).variants[0]

    assert only.tail is None
    assert both.tail == Tail("B", "end")
    assert both.usual == ("A", "B")


def test_seconds_come_from_every_stage_that_was_closed_also_of_a_fragment() -> None:
    """A fragment's first stage counts, its open last one does not; kinds are not mixed."""
    template = taught(runs(*[through("ABC")] * 5, through("AB", every_s=180)))
    a, b, c = template.variants[0].stages

    assert (a.n, a.kind, a.median_s, a.seen_pct) == (6, "upper", 60, 100)
    assert (b.n, b.median_s) == (5, 60)
    assert (c.n, c.kind, c.median_s, c.seen_pct) == (0, "none", None, 83)


def test_an_abandoned_run_is_a_fragment_however_often_it_comes() -> None:
    """Runs that print ENDs and hang in B are no variant of their own."""
    whole = "0 START A, 60 END A, 61 START B, 90 END B, 91 START C, 95 END C"
    hung = "0 START A, 60 END A, 61 START B"

    assert shape(taught(runs(*[whole] * 5, *[hung] * 4))) == [("ABC", 9, 5)]


def test_what_is_still_running_teaches_nothing() -> None:
    """Nor does what never started a stage; where nothing is left there is no template."""
    assert learn(runs(through("ABC"), watermark_ms=None)) is None
    assert learn(runs("0 QSTART, 5 WSTART")) is None
    assert learn([]) is None


def test_what_is_declared_is_taken_as_it_stands() -> None:
    """Stages, order and tail are the person's; seconds are measured; without any run it holds all the same."""
    declared = Declared((("A", "B", "C"), ("A", "D")), "", True)
    measured = taught(runs(*[through("CBA")] * 5), declared)
    bare = taught([], declared)

    assert shape(measured) == [("ABC", 5, 5), ("AD", 0, 0)]
    assert [variant.tail for variant in measured.variants] == [Tail("C", "start"), Tail("D", "start")]
    assert measured.variants[0].stages[2].median_s == 60
    assert measured.declared
    assert [variant.head for variant in bare.variants] == [True, True]
    assert bare.judges_as(measured)


def test_a_declared_tail_rules_in_variants_that_have_it() -> None:
    """The others keep what they learned."""
    template = taught(runs(*[through("ABC")] * 6, *[through("XYZ")] * 5), Declared(tail="B"))

    assert [variant.tail for variant in template.variants] == [Tail("B", "start"), Tail("Z", "start")]


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(["ABC", "AB", "ABCD", "XB", "BAC"]), min_size=1))
def test_the_order_of_runs_does_not_matter(rng: Random, texts: list[str]) -> None:
    """The template is a function of the set of runs."""
    taught_runs = runs(*map(through, texts))
    shuffled = rng.sample(taught_runs, len(taught_runs))

    assert taught(shuffled) == taught(taught_runs)


def test_other_seconds_do_not_judge_otherwise() -> None:
    """Another stage, tail or head does."""
    template, slower = taught(runs(*[through("ABC")] * 5)), taught(runs(*[through("ABC", every_s=90)] * 7))
    other = taught(runs(*[through("ABC", head=False)] * 5))

    assert template != slower
    assert template.judges_as(slower)
    assert not template.judges_as(other)
