"""The set of a run's marks: a union that only grows, whatever the order, and its compact form."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.mark import RunMark, key_of, mark_of
from ingest.core.runs.state import marks_from_json, marks_to_json, union
from tests.support.marks import BEGIN_MS, KEY, MARKS, mark, versions


@given(st.data(), MARKS)
def test_merging_is_commutative_associative_and_idempotent(data: st.DataObject, run_marks: list[RunMark]) -> None:
    """Any order, any repetition, any split over workers: the same set."""
    everything = [*run_marks, *data.draw(versions(run_marks))]
    order = data.draw(st.permutations(everything))
    cut = data.draw(st.integers(0, len(order)))
    left, right = union({}, order[:cut]), union({}, order[cut:])

    whole = union({}, everything)

    assert union({}, order) == whole
    assert union(left, right.values()) == union(right, left.values()) == whole
    assert union(whole, order) == whole


@given(st.data(), MARKS)
def test_the_form_that_is_stored_keeps_everything(data: st.DataObject, run_marks: list[RunMark]) -> None:
    """Read back it is equal, and equal sets have equal bytes."""
    everything = union({}, [*run_marks, *data.draw(versions(run_marks))])
    form = marks_to_json(everything)

    assert marks_from_json(orjson.loads(form)) == everything
    assert marks_to_json(dict(reversed(everything.items()))) == form


def test_the_highest_version_wins_and_its_past_is_kept() -> None:
    """That a mark once opened a stage, and in which year, outlives its correction."""
    start = mark(0, "START")
    newer = start._replace(version=3, what=start.what._replace(role="other"))

    for order in ([start, newer], [newer, start]):
        (merged,) = union({}, order).values()
        assert merged == newer._replace(opened=(2016,))


def test_two_contents_of_one_version_have_one_winner() -> None:
    """It should not be; if it is (settings were changed), all workers choose alike."""
    early, late = mark(0, "START"), mark(0, "START")._replace(lag_ms=7000)

    assert union({}, [early, late]) == union({}, [late, early])


def test_ten_thousand_marks_stay_below_a_megabyte() -> None:
    """The runstate document of the largest run at full speed."""
    stages = [f"SUBMIT_GAL-render-fast-tomopy-{n}" for n in range(30)]
    merged = union({}, (mark(n * 17, "START", stages[n % 30], 14) for n in range(10_000)))

    assert len(marks_to_json(merged)) < 600_000


def body(**perf: object) -> dict[str, object]:
    """A document of kind marks."""
    fields = {
        "facility": "als", "source": "als_perf", "run": {"id": "1-2"}, "stage": {"name": "A", "family": "A"},
        "mark": {"key": "START_DATE", "role": "start", "emit_lag_s": 2}, **perf,
    }  # fmt: skip
    return {"@timestamp": "2016-02-06T05:39:37Z", "perf": fields}


def test_a_document_becomes_a_mark() -> None:
    """Its id and version, instant, lag, and what it says of the stage."""
    made_mark = mark_of("id", 2, body())

    assert made_mark is not None
    assert key_of(body()) == KEY
    assert (made_mark.id, made_mark.version, made_mark.at_ms, made_mark.lag_ms) == ("id", 2, BEGIN_MS, 2000)
    assert (made_mark.what.stage, made_mark.what.key, made_mark.what.role) == ("A", "START_DATE", "start")


def test_a_stamp_that_failed_its_self_check_is_not_measured_from() -> None:
    """Neither a lower bound nor the last line seen comes from a clock that is known to be wrong."""
    for flag in ("clock_skew", "printed_late", "zone_suspect", "zone_inferred", "zone_unlisted"):
        assert mark_of("id", 2, body(flags=["blank_before_tag", flag])).lag_ms is None  # type: ignore[union-attr]
    assert mark_of("id", 2, body(flags=["blank_before_tag"])).lag_ms == 2000  # type: ignore[union-attr]


def test_a_lag_has_no_decimals_that_its_stamp_has_not() -> None:
    """A value in milliseconds, a stamp in seconds: whole seconds, cut towards the smaller bound."""
    at = "2016-02-06T05:39:37.125Z"

    made_mark = mark_of("id", 2, {**body(mark={"key": "S", "role": "start", "emit_lag_s": 2.875}), "@timestamp": at})
    finer = mark_of("id", 2, {**body(mark={"key": "S", "role": "start", "emit_lag_s": 2.5}), "@timestamp": at})

    assert made_mark is not None
    assert finer is not None
    assert (made_mark.lag_ms, finer.lag_ms) == (2000, 2500)


def test_a_mark_of_no_run_joins_nothing() -> None:
    """Nor does one that names no stage."""
    orphan = body()
    del orphan["perf"]["run"]  # type: ignore[attr-defined]

    assert mark_of("id", 2, orphan) is None
    assert key_of(orphan) is None
    assert mark_of("id", 2, body(stage={})) is None
    assert key_of(body(stage={})) is None
