"""What is written of a run: a function of its set of marks and the watermark, with nothing left over of former sets."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.analysis.learning import learn
from ingest.core.fields import Schema
from ingest.core.mark import RunMark
from ingest.core.runs.derive import STATE_BITS, Derived, derive, documents
from ingest.core.runs.documents import uid
from ingest.core.runs.run import runs_of
from ingest.core.runs.state import LARGE, RunState, at_watermark, json_of, state_of, union, with_marks
from ingest.core.runs.template import Declared, StoredTemplate, Template, template_body
from tests.support.marks import (
    BEGIN_MS,
    DAY_S,
    KEY,
    MARKS,
    is_retracted,
    mark,
    marks,
    state_of_marks,
    versions,
    written,
)
from tests.support.work import assert_linear, executed_lines

Store = dict[tuple[str, str], tuple[int, dict[str, Any]]]
WATERMARKS = st.one_of(st.none(), st.integers(-100, 40 * DAY_S).map(lambda s: BEGIN_MS + s * 1000))


def write(store: Store, state: RunState, schema: Schema, old: RunState | None = None) -> None:
    """As Elasticsearch does with external versions: what is older than what is there is not taken."""
    before = derive(old) if old else None
    for document in documents(derive(state), schema, before):
        ref = (document.index, document.id)
        if ref not in store or store[ref][0] < document.version:
            store[ref] = (document.version, document.body)


def bodies(store: Store) -> dict[tuple[str, str], dict[str, Any]]:
    """What stands there, without the versions."""
    return {ref: body for ref, (_, body) in store.items()}


def splits(data: st.DataObject, everything: Sequence[RunMark]) -> list[list[RunMark]]:
    """The marks in any order, some of them again, in batches of any size."""
    again = data.draw(st.lists(st.sampled_from(everything), max_size=4))
    order = data.draw(st.permutations([*everything, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


@given(st.data(), MARKS, WATERMARKS)
def test_any_order_any_batches_the_same_documents(
    schema: Schema, data: st.DataObject, run_marks: list[RunMark], watermark_ms: int | None
) -> None:
    """Shuffled, repeated, in batches: what is alive in the end is what the whole set says at once, and nothing else."""
    everything = [*run_marks, *data.draw(versions(run_marks))]
    store: Store = {}
    state, old = RunState(KEY, watermark_ms=watermark_ms), None
    for batch in splits(data, everything):
        state = with_marks(state, batch)
        if not state.marks:
            continue
        state = state_of(orjson.loads(json_of(state, derive(state).issued, None)))
        warm = old if data.draw(st.booleans()) else None  # the cache may vanish at any time
        write(store, state, schema, warm)
        old = state
    whole = written(state_of_marks(everything, watermark_ms, state.issued), schema)

    alive = {ref: body for ref, body in bodies(store).items() if not is_retracted(body)}
    assert alive == {ref: body for ref, body in whole.items() if not is_retracted(body)}
    assert set(bodies(store)) <= set(whole)
    assert all(bodies(store)[ref] == whole[ref] for ref in store)


@given(st.data(), MARKS, WATERMARKS)
def test_a_subset_leaves_nothing_behind(
    schema: Schema, data: st.DataObject, run_marks: list[RunMark], watermark_ms: int | None
) -> None:
    """Every document of a part of the set is one of the whole, or one of its tombstones; and no tombstone is idle."""
    newer = data.draw(versions(run_marks))
    part = [run_mark for run_mark in run_marks if data.draw(st.booleans())] or run_marks[:1]
    before = state_of_marks(part, watermark_ms)
    first = derive(before)
    after = state_of_marks([*run_marks, *newer], watermark_ms, first.issued)

    earlier, now = written(before, schema), written(after, schema)
    stages = {ref for ref in now if ref[0].startswith("perf-stages")}

    assert set(earlier) <= set(now)
    could_be = {
        (index, doc_id)
        for run_mark in [*run_marks, *newer]
        for (index, doc_id), body in written(state_of_marks([run_mark]), schema).items()
        if index.startswith("perf-stages") and not is_retracted(body)
    }
    assert stages == could_be


@given(st.lists(st.booleans(), min_size=3, max_size=12), st.integers(-1, 11), st.integers(51, 99))
def test_a_late_line_closes_its_neighbours_only(schema: Schema, ended: list[bool], behind: int, after_s: int) -> None:
    """Of a sequential run: the new stage, and the one that it now closes; all others are byte-equal."""
    begun = [mark(n * 100, "START", f"S{n}") for n in range(len(ended))]
    ends = [mark(n * 100 + 50, "END", f"S{n}") for n, has_end in enumerate(ended) if has_end]
    behind = min(behind, len(begun) - 1)
    late = mark(behind * 100 + after_s, "START", "LATE")
    before = with_marks(RunState(KEY), [*begun, *ends])
    after = with_marks(before, [late])

    changed = {document.id for document in documents(derive(after), schema, derive(before))}

    closed = {begun[behind].id} if behind >= 0 and not ended[behind] else set()
    assert changed == {late.id, uid(KEY, 1)} | closed
    earlier, now = written(before, schema), written(after, schema)
    for ref, body in earlier.items():
        assert ref[1] in changed or orjson.dumps(now[ref]) == orjson.dumps(body)


def test_a_late_end_makes_its_stage_exact_and_touches_no_other(schema: Schema) -> None:
    """The upper bound becomes a duration."""
    before = with_marks(RunState(KEY), marks("0 START A, 9 START B, 20 START C"))
    after = with_marks(before, marks("4 END A"))

    perf_by_id = {document.id: document.body["perf"] for document in documents(derive(after), schema, derive(before))}

    assert set(perf_by_id) == {mark(0, "START", "A").id, uid(KEY, 1)}
    stage = perf_by_id[mark(0, "START", "A").id]["stage"]
    assert (stage["duration_s"], stage["duration_kind"], stage["closed_by"]) == (4, "exact", "end")


def test_an_id_that_splits_and_is_joined_again_leaves_no_ghost(schema: Schema) -> None:
    """Two instances, joined by a late line: the second becomes a tombstone, its stages belong to the first."""
    store: Store = {}
    apart = with_marks(RunState(KEY), marks(f"0 START A, {10 * DAY_S} START B"))
    write(store, apart, schema)
    issued = derive(apart).issued
    stored = state_of(orjson.loads(json_of(apart, issued, None)))
    joined = with_marks(stored, marks(f"{5 * DAY_S} X A"))
    second = ("perf-runs-als", uid(KEY, 2))
    assert (issued, is_retracted(store[second][1])) == (2, False)

    write(store, joined, schema)  # also after a crash: nothing is remembered but the state

    assert is_retracted(store[second][1])
    stage = store["perf-stages-als-2016", mark(10 * DAY_S, "START", "B").id][1]
    assert stage["perf"]["run"] == {"id": "1-2", "uid": uid(KEY, 1), "instance": 1}
    assert {ref for ref in store if not is_retracted(store[ref][1])} == {
        ref for ref, body in written(joined, schema).items() if not is_retracted(body)
    }


def test_a_late_line_may_begin_a_new_first_instance(schema: Schema) -> None:
    """The one that was the first counts on as the second, and its stages say so."""
    before = with_marks(RunState(KEY), marks(f"{10 * DAY_S} START B"))
    after = with_marks(before, marks("0 START A"))

    assert {(d.id, d.body["perf"]["run"]["instance"]) for d in documents(derive(after), schema, derive(before))} == {
        (uid(KEY, 1), 1), (uid(KEY, 2), 2),
        (mark(0, "START", "A").id, 1), (mark(10 * DAY_S, "START", "B").id, 2),
    }  # fmt: skip


def test_a_tombstone_says_that_it_is_one_and_comes_with_every_cold_derivation(schema: Schema) -> None:
    """A START of another line for the same instant opens no stage; with a warm cache it is written once."""
    first, repeat = mark(0, "START", "A", 1), mark(0, "START", "A", 3)
    before = with_marks(RunState(KEY), [repeat])
    after = with_marks(before, [first])

    cold = {due.id: due for due in documents(derive(after), schema)}
    warm = [due.id for due in documents(derive(with_marks(after, marks("9 START B"))), schema, derive(after))]

    assert cold[repeat.id].body["perf"]["retracted"] is True
    assert "retracted" not in cold[first.id].body["perf"]
    assert repeat.id not in warm


def test_a_tombstone_is_the_same_with_a_warm_cache_as_with_a_cold_one(schema: Schema) -> None:
    """Its time follows from the set: when that changes, it is written again."""
    store: Store = {}
    start = mark(100, "START", "A")
    gone = [start._replace(version=n, at_ms=start.at_ms + n, retracted=True) for n in (3, 4)]
    state = with_marks(RunState(KEY), [start, *marks(f"{10 * DAY_S} START B")])
    write(store, state, schema)
    for batch in (marks(f"{5 * DAY_S} X A"), gone[:1], gone[1:], marks("50 X A")):
        old, state = state, with_marks(state_of(orjson.loads(json_of(state, derive(state).issued, None))), batch)
        write(store, state, schema, old)

    now = written(state, schema)
    assert is_retracted(now["perf-stages-als-2016", start.id])
    assert is_retracted(now["perf-runs-als", uid(KEY, 2)])
    assert bodies(store) == now


def test_a_mark_that_moves_to_another_year_leaves_a_tombstone_in_the_old_index(schema: Schema) -> None:
    """A newer version of a mark with another instant: its stage moves, since its index follows from its start."""
    start = mark(0, "START", "A")
    moved = start._replace(version=3, at_ms=start.at_ms + 400 * DAY_S * 1000)

    bodies = written(state_of_marks([start, moved]), schema)

    assert is_retracted(bodies["perf-stages-als-2016", start.id])
    assert not is_retracted(bodies["perf-stages-als-2017", start.id])
    assert bodies["perf-stages-als-2016", start.id]["@timestamp"] == "2016-01-01T00:00:00Z"


def test_all_documents_of_a_revision_have_its_version(schema: Schema) -> None:
    """Behind that of their mark, of stages. What adds nothing raises none; a sweep does; time does not go back."""
    state = with_marks(with_marks(RunState(KEY), marks("0 START A")), marks("9 START B"))
    later = at_watermark(state, BEGIN_MS + 10**9)

    versions_ = {(document.index.split("-")[1], document.version) for document in documents(derive(state), schema)}
    assert versions_ == {("runs", 2), ("stages", (2 << STATE_BITS) + 2)}
    assert with_marks(state, marks("0 START A")) is state
    assert (later.revision, later.watermark_ms) == (3, BEGIN_MS + 10**9)
    assert at_watermark(later, BEGIN_MS) is later
    assert with_marks(later, marks("12 START C")).watermark_ms == later.watermark_ms


def test_a_sweep_writes_only_what_time_changed(schema: Schema) -> None:
    """The open stage and the run; when all is settled, nothing."""
    state = at_watermark(with_marks(RunState(KEY), marks("0 START A, 9 START B")), BEGIN_MS + 60_000)
    quiet = at_watermark(state, BEGIN_MS + 7_200_000)
    closed = at_watermark(quiet, BEGIN_MS + 9 * DAY_S * 1000)
    after = at_watermark(closed, BEGIN_MS + 99 * DAY_S * 1000)

    def ids(now: RunState, old: RunState) -> set[str]:
        return {document.id for document in documents(derive(now), schema, derive(old))}

    assert ids(quiet, state) == ids(closed, quiet) == {mark(9, "START", "B").id, uid(KEY, 1)}
    assert ids(after, closed) == set()
    assert derive(closed).due_ms is None


def test_a_run_is_written_anew_when_a_stage_of_it_has_another_name(schema: Schema) -> None:
    """Though its own document says the same: what was said of its completeness holds no longer."""
    before = state_of_marks(marks("0 START A, 60 START B, 61 START C"))
    renamed = mark(60, "START", "D")._replace(id=mark(60, "START", "B").id, version=3)
    after = with_marks(before, [renamed])

    by_id = {document.id: document for document in documents(derive(after), schema, derive(before))}

    assert set(by_id) == {renamed.id, uid(KEY, 1)}
    assert written(before, schema)[f"perf-runs-{KEY.facility}", uid(KEY, 1)] == by_id[uid(KEY, 1)].body


@given(st.data(), MARKS, st.integers(0, 60))
def test_what_is_said_of_completeness_follows_from_set_watermark_and_template(
    schema: Schema, data: st.DataObject, run_marks: list[RunMark], days: int
) -> None:
    """Cold or warm, in any order; only of settled runs; and its fields are in the list."""
    watermark_ms = BEGIN_MS + days * DAY_S * 1000
    learned = learn([], Declared((("A", "B"), ("A", "C")), "", True))
    assert learned is not None
    template = StoredTemplate("als", "", 7, 0, learned)
    state = state_of_marks(run_marks, watermark_ms)
    shuffled = state_of_marks(data.draw(st.permutations(run_marks)), watermark_ms)
    old = derive(state_of_marks(run_marks[:1], watermark_ms))

    def runs(now: RunState, warm: Derived | None = None) -> dict[str, Any]:
        made = documents(derive(now), schema, warm, {"": template})
        return {
            document.id: document.body["perf"]["run"] for document in made if document.index.startswith("perf-runs-")
        }

    cold, warm = runs(state), runs(state, old)
    completenesses = {name: run["completeness"] for name, run in cold.items() if "completeness" in run}
    assert runs(shuffled) == cold
    assert set(completenesses) <= set(warm)
    assert all(warm[name] == cold[name] for name in warm)
    assert all(cold[name]["state"] in {"quiet", "closed", "abandoned"} for name in completenesses)
    declared = set(schema.of("runs"))
    assert all(
        f"perf.run.completeness.{field}" in declared
        for completeness in completenesses.values()
        for field in completeness
    )


def test_the_fields_of_a_template_are_in_the_list(schema: Schema) -> None:
    """Mappings are strict: a field that is not there would be refused."""
    body = template_body(StoredTemplate("als", "w", 1, 0, Template((), 3, 1, 2)))
    declared = set(schema.of("workflows"))

    assert {"@timestamp", "perf.facility", "perf.workflow"} <= declared
    assert {f"perf.template.{name}" for name in body["perf"]["template"]} <= declared


@given(st.data(), MARKS, WATERMARKS)
def test_the_state_is_kept_as_a_document(
    data: st.DataObject, run_marks: list[RunMark], watermark_ms: int | None
) -> None:
    """Read back it says the same; marks that are merged into it meet the watermark that was stored."""
    state = state_of_marks([*run_marks, *data.draw(versions(run_marks))], watermark_ms)
    now = derive(state)

    back = state_of(orjson.loads(json_of(state, now.issued, now.due_ms)))

    assert (back.key, back.marks, back.revision) == (state.key, state.marks, state.revision)
    assert (back.issued, back.watermark_ms) == (now.issued, state.watermark_ms)
    assert derive(back) == now


@given(st.data(), MARKS, WATERMARKS)
def test_every_field_is_in_the_list(
    schema: Schema, data: st.DataObject, run_marks: list[RunMark], watermark_ms: int | None
) -> None:
    """Mappings are strict: a field that is not there would be refused."""
    state = state_of_marks([*run_marks, *data.draw(versions(run_marks))], watermark_ms)

    def names(body: dict[str, Any], prefix: str, declared: set[str]) -> set[str]:
        inner: set[str] = set()
        for key, value in body.items():
            name = prefix + key
            inner |= names(value, f"{name}.", declared) if isinstance(value, dict) and name not in declared else {name}
        return inner

    for (index, _), body in written(state, schema).items():
        declared = set(schema.of(index.split("-")[1]))
        assert names(body, "", declared) <= declared
    declared = set(schema.of("runstate"))
    assert names(orjson.loads(json_of(state, 1, BEGIN_MS)), "", declared) <= declared


def test_where_documents_are_kept(schema: Schema) -> None:
    """Stages by the year of their start in UTC, runs in one index; a stage has the id of its opening mark."""
    start = mark(330 * DAY_S, "START", "A")
    refs = {(d.index, d.id) for d in documents(derive(state_of_marks([start])), schema)}

    assert refs == {("perf-stages-als-2017", start.id), ("perf-runs-als", uid(KEY, 1))}
    assert uid(KEY, 1) != uid(KEY._replace(source="other"), 1) != uid(KEY._replace(run="1"), 1)


@pytest.mark.parametrize(("number", "flags"), [(LARGE, None), (LARGE + 1, ["large_run"])])
def test_a_run_of_more_marks_is_flagged(number: int, flags: list[str] | None, schema: Schema) -> None:
    """And left to the sweeper by those who write."""
    state = state_of_marks(mark(n, "START", "A") for n in range(number))
    runs = [flagged.body for flagged in documents(derive(state), schema) if flagged.index == "perf-runs-als"]

    assert [body["perf"].get("flags") for body in runs] == [flags]
    assert state.large == (flags is not None)


@pytest.mark.parametrize("ends", [False, True])
def test_a_mark_of_a_long_run_takes_no_more_work_than_one_of_a_short_run(ends: bool) -> None:
    """Twice the marks take at most 2.5 times the lines of code, at a thousand of them."""

    def spent(count: int) -> int:
        state = state_of_marks(many(count, ends))
        return executed_lines(lambda: derive(state))

    assert_linear(spent, 1_000)


def many(count: int, ends: bool) -> list[RunMark]:
    """So many marks of one run, of forty stages in turn."""
    starts = count // 2 if ends else count
    starts_of_run = [mark(n * 20, "START", f"S{n % 40}") for n in range(starts)]
    return starts_of_run + [mark(n * 20 + 35, "END", f"S{n % 40}") for n in range(count - starts)]


@given(st.data(), MARKS)
def test_runs_do_not_depend_on_the_order_of_marks(data: st.DataObject, run_marks: list[RunMark]) -> None:
    """Nor on how the set came about."""
    order = data.draw(st.permutations(run_marks))

    assert runs_of(KEY, union({}, order).values()) == runs_of(KEY, union({}, run_marks).values())
