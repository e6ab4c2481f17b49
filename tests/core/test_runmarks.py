"""The set of a run's marks: a union that only grows, whatever the order, and its compact form."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.derive import derived
from ingest.core.runmarks import RunMark, as_json, key_of, mark_of, of_json, risen, union
from ingest.core.runstate import RunState
from tests.core.runmaking import BEGIN_MS, KEY, MARKS, mark, versions


@given(st.data(), MARKS)
def test_merging_is_commutative_associative_and_idempotent(data: st.DataObject, found: list[RunMark]) -> None:
    """Any order, any repetition, any split over workers: the same set."""
    everything = [*found, *data.draw(versions(found))]
    order = data.draw(st.permutations(everything))
    cut = data.draw(st.integers(0, len(order)))
    left, right = union({}, order[:cut]), union({}, order[cut:])

    whole = union({}, everything)

    assert union({}, order) == whole
    assert union(left, right.values()) == union(right, left.values()) == whole
    assert union(whole, order) == whole


@given(st.data(), MARKS)
def test_the_form_that_is_stored_keeps_everything(data: st.DataObject, found: list[RunMark]) -> None:
    """Read back it is equal, and equal sets have equal bytes."""
    everything = union({}, [*found, *data.draw(versions(found))])
    form = as_json(everything)

    assert of_json(orjson.loads(form)) == everything
    assert as_json(dict(reversed(everything.items()))) == form


def test_the_highest_version_wins_and_its_past_is_kept() -> None:
    """That a mark once opened a stage, and in which year, outlives its correction."""
    start = mark(0, "START")
    newer = start._replace(version=3, what=start.what._replace(role="other"))

    for order in ([start, newer], [newer, start]):
        (merged,) = union({}, order).values()
        assert merged == newer._replace(opened=(2016,))


def test_a_mark_has_risen_when_the_next_revision_reads_it_to_the_same_effect() -> None:
    """One of another effect, one that is new or gone, and one that skipped a revision have not only risen."""
    start, end = mark(0, "START"), mark(5, "END")
    known = union({}, [start, end])

    def by(*more: RunMark) -> bool:
        return risen(known, union(known, more))

    for some in ([], [start], [start._replace(version=1)], [start._replace(version=3)]):
        assert by(*some)
    assert by(start._replace(version=3), end._replace(version=3))
    assert not by(start._replace(version=4))
    assert not by(start._replace(version=3), end._replace(version=4))
    assert not by(start._replace(version=3, lag_ms=7))
    assert not by(start._replace(version=3, at_ms=start.at_ms + 1))
    assert not by(start._replace(version=3, what=start.what._replace(role="other")))
    assert not by(start._replace(version=3, retracted=True))
    assert not by(mark(9, "START", "B"))
    gone = start._replace(version=3, retracted=True)
    assert not risen({gone.id: gone}, {gone.id: gone._replace(version=4)})


@given(st.data(), MARKS)
def test_of_marks_that_have_only_risen_the_same_is_derived(data: st.DataObject, found: list[RunMark]) -> None:
    """Every stage and run, tombstones too, and what is due; with any past that is kept of them."""
    known = union({}, [*found, *data.draw(versions(found))])
    up = data.draw(st.lists(st.sampled_from([m for m in known.values() if not m.retracted] or [mark(0, "START")])))
    after = union(known, [one._replace(version=one.version + 1, opened=()) for one in up if one.id in known])

    assert risen(known, after)
    was, now = (derived(RunState(KEY, each, 1)) for each in (known, after))
    assert (was.run_documents, was.due_ms, was.issued) == (now.run_documents, now.due_ms, now.issued)
    assert [(s.ordinal, s.stage[1:]) for s in was.stages.values()] == [
        (s.ordinal, s.stage[1:]) for s in now.stages.values()
    ]
    assert was.retracted_stages.keys() == now.retracted_stages.keys()


def test_two_contents_of_one_version_have_one_winner() -> None:
    """It should not be; if it is (settings were changed), all workers choose alike."""
    one, other = mark(0, "START"), mark(0, "START")._replace(lag_ms=7000)

    assert union({}, [one, other]) == union({}, [other, one])


def test_ten_thousand_marks_stay_below_a_megabyte() -> None:
    """The runstate document of the largest run at full speed."""
    stages = [f"SUBMIT_GAL-render-fast-tomopy-{n}" for n in range(30)]
    found = union({}, (mark(n * 17, "START", stages[n % 30], 14) for n in range(10_000)))

    assert len(as_json(found)) < 600_000


def body(**perf: object) -> dict[str, object]:
    """A document of kind marks."""
    told = {
        "facility": "als", "source": "als_perf", "run": {"id": "1-2"}, "stage": {"name": "A", "family": "A"},
        "mark": {"key": "START_DATE", "role": "start", "emit_lag_s": 2}, **perf,
    }  # fmt: skip
    return {"@timestamp": "2016-02-06T05:39:37Z", "perf": told}


def test_a_document_becomes_a_mark() -> None:
    """Its id and version, instant, lag, and what it says of the stage."""
    found = mark_of("id", 2, body())

    assert found is not None
    assert key_of(body()) == KEY
    assert (found.id, found.version, found.at_ms, found.lag_ms) == ("id", 2, BEGIN_MS, 2000)
    assert (found.what.stage, found.what.key, found.what.role) == ("A", "START_DATE", "start")


def test_a_stamp_that_failed_its_self_check_is_not_measured_from() -> None:
    """Neither a lower bound nor the last line seen comes from a clock that is known to be wrong."""
    assert mark_of("id", 2, body(flags=["clock_skew"])).lag_ms is None  # type: ignore[union-attr]
    assert mark_of("id", 2, body(flags=["printed_late"])).lag_ms is None  # type: ignore[union-attr]
    assert mark_of("id", 2, body(flags=["blank_before_tag"])).lag_ms == 2000  # type: ignore[union-attr]


def test_a_lag_has_no_decimals_that_its_stamp_has_not() -> None:
    """A value in milliseconds, a stamp in seconds: whole seconds, cut towards the smaller bound."""
    at = "2016-02-06T05:39:37.125Z"

    found = mark_of("id", 2, {**body(mark={"key": "S", "role": "start", "emit_lag_s": 2.875}), "@timestamp": at})
    finer = mark_of("id", 2, {**body(mark={"key": "S", "role": "start", "emit_lag_s": 2.5}), "@timestamp": at})

    assert found is not None
    assert finer is not None
    assert (found.lag_ms, finer.lag_ms) == (2000, 2500)


def test_a_mark_of_no_run_joins_nothing() -> None:
    """Nor does one that names no stage."""
    orphan = body()
    del orphan["perf"]["run"]  # type: ignore[attr-defined]

    assert mark_of("id", 2, orphan) is None
    assert key_of(orphan) is None
    assert mark_of("id", 2, body(stage={})) is None
    assert key_of(body(stage={})) is None
