"""The watermark of a source, from what was heard of its writers."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.fields import Schema
from ingest.core.tracking.watermark import (
    ACTIVE_MS,
    WriterKey,
    WriterProgress,
    body_of,
    merged,
    watermark_ms,
    writer_of,
)

HOUR = ACTIVE_MS
BEGIN = 1_454_737_177_000


def key(path: str, backfill: bool = False) -> WriterKey:
    """A writer."""
    return WriterKey("als", "als_perf", "node", path, backfill)


@pytest.mark.parametrize(
    ("writers", "expected"),
    [
        ([], None),
        ([("a", 5, 9)], 5),
        ([("a", 5, 9), ("b", 7, 9)], 5),  # the slowest one says how far all are
        ([("a", 5, 9), ("b", HOUR + 8, HOUR + 9)], 5),  # silent for an hour: still active
        ([("a", 5, 9), ("b", HOUR + 8, HOUR + 10)], HOUR + 8),  # and a moment later no more
        ([("old", 1, 9, True), ("a", 5, 9)], 5),  # a backfill holds nobody back
        ([("old", 1, 9, True), ("older", 3, 9, True)], 1),  # unless there is nobody else
        ([("old", 8, 99 * HOUR, True), ("a", 5, 9)], 5),  # nor does it let time pass
    ],
)
def test_the_watermark(writers: list[tuple[str | int, ...]], expected: int | None) -> None:
    """Newest instant and newest record time of each writer, in ms; in any order."""
    progress = [(key(str(w[0]), len(w) > 3), WriterProgress(int(w[1]), int(w[2]))) for w in writers]

    assert {watermark_ms(ordered) for ordered in permutations(progress)} == {expected}


ENDED = WriterProgress(9, 9, False, 9)


@pytest.mark.parametrize(
    ("writers", "expected"),
    [
        ([("a", WriterProgress(5, 9)), ("b", ENDED)], 5),
        ([("a", WriterProgress(5, 9, False, 9)), ("b", WriterProgress(7, 9))], 7),  # who has ended holds nobody back
        ([("a", WriterProgress(5, 9, False, 8)), ("b", WriterProgress(7, 9))], 5),  # a line came since
        (
            [("a", WriterProgress(5, 9, False, 9)), ("b", WriterProgress(7, 9, False, 12))],
            7,
        ),  # all have: up to the newest
        ([("a", WriterProgress(0, 0, False, 9)), ("b", WriterProgress(7, 9))], 7),  # nothing of it but its end came
        ([("a", WriterProgress(0, 0, False, 9))], None),
    ],
)
@pytest.mark.parametrize("backfill", [False, True])
def test_the_watermark_where_shippers_said_their_end(
    writers: list[tuple[str, WriterProgress]], expected: int | None, backfill: bool
) -> None:
    """Live files and backfills alike, in any order."""
    progress = [(key(path, backfill), own) for path, own in writers]

    assert {watermark_ms(ordered) for ordered in permutations(progress)} == {expected}


PROGRESS = st.builds(WriterProgress, st.integers(0, 9), st.integers(0, 9), st.booleans(), st.integers(0, 9))


@given(st.lists(PROGRESS, min_size=1, max_size=6), st.randoms())
def test_progress_merges_in_any_order(progresses: list[WriterProgress], rng: object) -> None:
    """And twice is as once."""
    whole = None
    for progress in progresses:
        whole = merged(whole, progress)
    mixed = None
    for progress in [*progresses[::-1], *progresses]:
        mixed = merged(mixed, progress)

    newest = [max(int(progress[n]) for progress in progresses) for n in (0, 1, 3)]
    assert whole == mixed == WriterProgress(newest[0], newest[1], any(h[2] for h in progresses), newest[2])


@pytest.mark.parametrize("writer", [key("/a.log"), key("", True), WriterKey("als", "als_perf", "", "", False)])
@pytest.mark.parametrize("ahead", [True, False])
def test_a_writer_is_kept_as_a_document(schema: Schema, writer: WriterKey, ahead: bool) -> None:
    """Read back it says the same, and every field is in the list."""
    for progress in (
        WriterProgress(BEGIN, BEGIN + 2000, ahead),
        WriterProgress(BEGIN, BEGIN, ahead, BEGIN),
        WriterProgress(ended_ms=BEGIN),
    ):
        body = body_of(writer, progress)

        assert writer_of(body) == (writer, progress)
        assert leaves(body) <= set(schema.of("writers"))
        assert body["perf"]["writer"].get("ended", False) == progress.ended


def leaves(body: dict[str, object], prefix: str = "") -> set[str]:
    """Dotted names."""
    keys = set()
    for name, value in body.items():
        keys |= leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
    return keys


def test_writers_are_told_apart() -> None:
    """By path, and a backfill of a file from its live tail."""
    assert len({key("a").id, key("b").id, key("a", True).id}) == 3
