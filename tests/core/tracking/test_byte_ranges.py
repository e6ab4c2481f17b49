"""Which bytes were received, and the holes: the same for any order, repetition and partition of the messages."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.tracking.byte_ranges import SLACK_BYTES, ByteRange, Instant, holes, merge_ranges, subtract

LINES = st.lists(st.integers(0, 12), min_size=1, max_size=40)


def piece(start: int, stop: int, ms: int = 0, event_ms: int | None = None) -> ByteRange:
    """A message of a file."""
    instant = None if event_ms is None else Instant(start, event_ms)
    return ByteRange(start, stop, ms, ms, instant, instant)


def messages(sizes: list[int], rng: Random) -> list[ByteRange]:
    """The lines of a file with so many bytes before their newline, some of them facts, received at any times."""
    at, made = 0, []
    for size in sizes:
        made.append(piece(at, at + size + 1, rng.randrange(100), rng.choice([None, rng.randrange(1000)])))
        at += size + 1
    return made


@given(sizes=LINES, lost=st.sets(st.integers(0, 39)), rng=st.randoms(use_true_random=False), parts=st.integers(1, 5))
def test_any_order_repetition_and_partition_gives_the_same(
    sizes: list[int], lost: set[int], rng: Random, parts: int
) -> None:
    """Batches are united first, then united with one another; a batch may come again, a line at another time."""
    received = [byte_range for n, byte_range in enumerate(messages(sizes, rng)) if n not in lost]
    received += [
        byte_range._replace(start_ms=50, stop_ms=50) for byte_range in rng.sample(received, len(received) // 3)
    ]
    size_bytes = sum(sizes) + len(sizes)
    whole = merge_ranges(received)

    mixed = [*received, *rng.sample(received, len(received) // 2)]
    rng.shuffle(mixed)
    batches = [merge_ranges(mixed[n::parts]) for n in range(parts)]
    merged: tuple[ByteRange, ...] = ()
    for batch in [*batches, batches[0]]:
        merged = merge_ranges([*merged, *batch])

    assert merged == whole
    assert list(holes(merged, size_bytes)) == list(holes(whole, size_bytes))


@given(sizes=LINES, lost=st.sets(st.integers(0, 39)))
def test_what_is_missing_is_what_was_lost(sizes: list[int], lost: set[int]) -> None:
    """Byte by byte, but for a single blank line."""
    made = messages(sizes, Random(1))
    received = merge_ranges(byte_range for n, byte_range in enumerate(made) if n not in lost)
    gone = {byte for n in lost if n < len(made) for byte in range(made[n].start, made[n].stop)}

    missing_ranges = list(holes(received, made[-1].stop))

    missing = {byte for hole in missing_ranges for byte in range(hole.start, hole.stop)}
    assert missing <= gone
    assert all({byte - 1, byte + 1} & gone == set() for byte in gone - missing)
    assert all(hole.size_bytes > SLACK_BYTES for hole in missing_ranges)


def test_a_hole_tells_what_stands_around_it() -> None:
    """When it happened, and when Kafka got it."""
    (hole,) = holes(merge_ranges([piece(0, 40, 7, 100), piece(40, 80, 8, 110), piece(120, 160, 9, 170)]), 160)

    assert (hole.start, hole.stop, hole.size_bytes) == (80, 120, 40)
    assert hole.before is not None
    assert hole.after is not None
    assert (hole.before.last, hole.before.stop_ms) == (Instant(40, 110), 8)
    assert (hole.after.first, hole.after.start_ms) == (Instant(120, 170), 9)


@pytest.mark.parametrize(
    ("pieces", "size_bytes", "expected"),
    [
        ([], None, []),
        ([], 10, [(0, 10)]),
        ([], 0, []),
        ([(0, 10)], 10, []),
        ([(0, 11)], 10, []),  # the last line had no newline
        ([(0, 9)], 10, []),  # a CR was taken off
        ([(0, 4)], 10, [(4, 10)]),
        ([(4, 10)], 10, [(0, 4)]),
        ([(4, 10)], None, []),  # who begins in the middle of a file that is followed has lost nothing
        ([(0, 4), (8, 20)], 10, [(4, 8)]),  # it grew since
    ],
)
def test_the_holes_of_a_file(
    pieces: list[tuple[int, int]], size_bytes: int | None, expected: list[tuple[int, int]]
) -> None:
    """Between pieces always; ahead and behind only where its size is known."""
    missing_ranges = holes(merge_ranges(piece(*bounds) for bounds in pieces), size_bytes)

    assert [(hole.start, hole.stop) for hole in missing_ranges] == expected


@given(
    whole=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    taken=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6),
)
def test_what_is_left_of_a_range(whole: tuple[int, int], taken: list[tuple[int, int]]) -> None:
    """Byte by byte, whatever the order and the overlaps of what is taken."""
    start, stop = min(whole), max(whole) + 1
    ranges = [(min(bounds), max(bounds)) for bounds in taken]

    left = list(subtract(start, stop, ranges))

    covered = {byte for first, behind in ranges for byte in range(first, behind)}
    assert {byte for byte_range in left for byte in range(*byte_range)} == set(range(start, stop)) - covered
    assert all(first < behind for first, behind in left)
