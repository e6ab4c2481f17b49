"""A file's state and its gaps: whatever order records come in, the same is missing; and what is surely missing when."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.fields import Schema
from ingest.core.tracking.byte_ranges import ByteRange, Instant, merge_ranges
from ingest.core.tracking.file_document import body_of, key_of, state_of
from ingest.core.tracking.file_state import MOST_RANGES, FileKey, FileState, FileUpdate, merge, missing_of
from ingest.core.tracking.gaps import candidates, confirmed, documents, gap_id, is_due, record_gaps
from ingest.core.tracking.manifest import BEGIN, END, Manifest
from tests.core.tracking.test_watermark import leaves

KEY = FileKey("als", "perf.als.lines.v1", "node", "/data/run.log", "a1")
SIZE, LINE = 400, 40
NOON = 1_790_000_000_000
PATIENCE_MS = 300_000


def line(n: int) -> ByteRange:
    """The n-th line of the file, received n seconds after noon and happened a day before."""
    instant = Instant(LINE * n, NOON - 86_400_000 + 1000 * n)
    return ByteRange(LINE * n, LINE * (n + 1), NOON + 1000 * n, NOON + 1000 * n, instant, instant)


def update_of(numbers: Iterable[int]) -> FileUpdate:
    """A batch of lines."""
    update = FileUpdate()
    update.add_ranges(merge_ranges(line(n) for n in numbers))
    return update


def manifest_update(role: str, record_ms: int, size_bytes: int = SIZE) -> FileUpdate:
    """A manifest."""
    update = FileUpdate()
    update.add_manifest(role, Manifest(record_ms, size_bytes, 10 if role == END else -1))
    return update


def merged_state(updates: Iterable[FileUpdate], state: FileState | None = None) -> FileState:
    """The state with all that is told."""
    state = state or FileState(KEY)
    for update in updates:
        state = merge(state, update)
    return state


def without_revision(state: FileState) -> FileState:
    """All but what counts the changes."""
    return replace(state, revision=0)


@given(
    numbers=st.sets(st.integers(0, 9)),
    parts=st.integers(1, 4),
    roles=st.lists(st.tuples(st.sampled_from([BEGIN, END]), st.integers(0, 5)), max_size=3),
    rng=st.randoms(use_true_random=False),
)
def test_a_state_follows_from_the_set_of_records(
    numbers: set[int], parts: int, roles: list[tuple[str, int]], rng: Random
) -> None:
    """Shuffled, repeated, over workers that merge what each of them saw: the same pieces, holes and sizes."""
    lines = rng.sample(sorted(numbers), len(numbers))
    batches = [update_of(lines[n::parts]) for n in range(parts)]
    batches += [manifest_update(role, NOON + 1000 * at, SIZE + 10 * at) for role, at in roles]
    once = merged_state(batches)
    mixed = [*batches, *rng.sample(batches, len(batches) // 2)]
    rng.shuffle(mixed)
    joined = FileUpdate()
    for update in mixed[::2]:
        joined.join(update)

    assert without_revision(merged_state([*mixed[1::2], joined])) == without_revision(once)
    assert merge(once, batches[0]) is once


def test_who_has_not_said_its_end_may_be_at_it() -> None:
    """Its holes are gaps once it is silent; behind its end they are at once, whatever the time."""
    begun = merged_state([manifest_update(BEGIN, NOON), update_of(range(4))])
    newest = NOON + 3000

    assert begun.under_way
    assert confirmed(begun, newest + PATIENCE_MS - 1, PATIENCE_MS) == []
    ((hole, shown_by),) = confirmed(begun, newest + PATIENCE_MS, PATIENCE_MS)
    assert (hole.start, hole.stop, shown_by) == (160, 400, "silence")

    ended = merged_state([manifest_update(END, NOON + 4000)], begun)
    ((hole, shown_by),) = confirmed(ended, NOON, PATIENCE_MS)
    assert (hole.start, hole.stop, shown_by) == (160, 400, "end")
    again = merged_state([manifest_update(BEGIN, NOON + 5000)], ended)
    assert again.under_way
    assert confirmed(again, NOON + 5000, PATIENCE_MS) == []


def test_what_a_shipper_left_missing_when_it_died_is_one_gap() -> None:
    """Its partitions stood elsewhere: from the first byte to the last that is missing; only those count."""
    begun = merged_state([manifest_update(BEGIN, NOON), update_of([0, 1, 3, 5])])
    later_ms = NOON + 5000 + PATIENCE_MS

    (gap,) = record_gaps(begun, confirmed(begun, later_ms, PATIENCE_MS), later_ms).gaps

    assert (gap.start, gap.stop, gap.size_bytes, gap.shown_by) == (80, 400, 240, "silence")
    assert (gap.since_ms, gap.until_ms) == (NOON - 86_400_000 + 1000, None)
    assert missing_of(gap, begun.ranges) == 240


def test_in_a_file_that_is_followed_what_comes_behind_must_be_there_for_a_while() -> None:
    """Its end is not known, so nothing is missing there; nor ahead of where it was followed from."""
    state = merged_state([update_of([2, 3, 5])])

    assert confirmed(state, NOON + 5000 + PATIENCE_MS - 1, PATIENCE_MS) == []
    ((hole, shown_by),) = confirmed(state, NOON + 5000 + PATIENCE_MS, PATIENCE_MS)
    assert (hole.start, hole.stop, shown_by) == (160, 200, "next")


def test_a_gap_keeps_its_range_and_is_filled_by_the_last_of_it(schema: Schema) -> None:
    """Half of it changes what is missing; the rest says when. What is missing beside it is another gap."""
    state = merged_state([manifest_update(END, NOON), update_of([0, 9])])
    state = record_gaps(state, confirmed(state, NOON, PATIENCE_MS), NOON + 1)
    (gap,) = state.gaps
    assert (gap.start, gap.stop, gap.since_ms, gap.until_ms) == (40, 360, line(0).last.ms, line(9).first.ms)  # type: ignore[union-attr]
    assert list(candidates(state)) == []

    half = merged_state([update_of([1, 2, 3, 7])], replace(state, pending=False))
    assert (half.pending, missing_of(gap, half.ranges), half.missing_bytes) == (True, 160, 160)
    assert half.gaps == state.gaps
    assert [gap.body["perf"]["gap"]["size_bytes"] for gap in documents(half, schema)] == [320]
    longer = merged_state([manifest_update(END, NOON + 9, SIZE + 100)], half)
    ((hole, _),) = confirmed(longer, NOON, PATIENCE_MS)
    assert (hole.start, hole.stop) == (400, 500)

    full = merged_state([update_of([4, 5, 6]), update_of([8])], half)
    assert full.gaps[0].filled_ms == NOON + 8000
    assert (full.whole, full.missing_bytes, full.received_bytes) == (True, 0, SIZE)


def test_the_documents_of_gaps_are_of_the_list_and_keep_their_ids(schema: Schema) -> None:
    """One for each, with the state's revision as version; the same id when it is filled."""
    state = merged_state([manifest_update(END, NOON), update_of([0, 5])])
    state = record_gaps(state, confirmed(state, NOON, PATIENCE_MS), NOON + 1)
    full = merged_state([update_of(range(10))], state)

    opened, filled = documents(state, schema), documents(full, schema)

    assert [gap.id for gap in opened] == [gap_id(KEY, (40, 200)), gap_id(KEY, (240, 400))]
    assert [gap.id for gap in filled] == [gap.id for gap in opened]
    assert {gap.index for gap in [*opened, *filled]} == {"perf-gaps-als"}
    assert filled[0].version > opened[0].version
    assert [gap.body["perf"]["gap"]["state"] for gap in [*opened, *filled]] == ["open", "open", "filled", "filled"]
    assert {name for gap in [*opened, *filled] for name in leaves(gap.body)} <= set(schema.of("gaps"))
    assert key_of(opened[0].body) == KEY


def test_a_file_of_which_nothing_came_is_missing_with_its_lines() -> None:
    """They are known of a whole file only."""
    state = merged_state([manifest_update(END, NOON)])
    state = record_gaps(state, confirmed(state, NOON, PATIENCE_MS), NOON + 1)

    assert [(gap.start, gap.stop, gap.lines) for gap in state.gaps] == [(0, SIZE, 10)]


@pytest.mark.parametrize(
    "batches",
    [
        [update_of([])],
        [update_of([0, 5])],
        [manifest_update(BEGIN, NOON), update_of([1])],
        [manifest_update(BEGIN, NOON), manifest_update(END, NOON + 1)],
    ],
)
def test_a_state_is_kept_as_a_document(schema: Schema, batches: Sequence[FileUpdate]) -> None:
    """Read back it says the same, and every field is in the list; what is in the set is not indexed."""
    state = merged_state(batches)
    state = record_gaps(state, confirmed(state, NOON + PATIENCE_MS * 2, PATIENCE_MS), NOON)
    body = body_of(state, is_due(state))
    stored_set = body["perf"]["file"]["set"]
    named = leaves({**body, "perf": {**body["perf"], "file": {**body["perf"]["file"], "set": 0}}})

    assert state_of(body) == state
    assert set(stored_set) <= {"pieces", "gaps", "seen_ms", "owing", "begun", "ended"}
    assert named <= set(schema.of("files"))


def test_files_are_told_apart() -> None:
    """By topic, host, path and generation, wherever one ends and the next begins."""
    parts = [
        ("t", "h", "/p", ""),
        ("t", "h", "/p", "1"),
        ("t", "", "h/p", ""),
        ("th", "", "/p", ""),
        ("t", "h/", "p", ""),
    ]

    assert len({FileKey("als", *names).id for names in parts}) == len(parts)


def test_a_file_in_very_many_pieces_says_so_until_it_is_whole() -> None:
    """What is kept is bounded, and nothing is called missing that was only forgotten."""
    every_other = FileUpdate()
    every_other.add_ranges(ByteRange(4 * n, 4 * n + 2, NOON, NOON) for n in range(MOST_RANGES + 1))
    state = merged_state([every_other, manifest_update(END, NOON, 4 * (MOST_RANGES + 1))])

    assert (state.scattered, len(state.ranges)) == (True, MOST_RANGES)
    assert list(candidates(state)) == []
    rest = FileUpdate()
    rest.add_ranges([ByteRange(0, 4 * (MOST_RANGES + 1), NOON, NOON)])
    assert not merged_state([rest], state).scattered
