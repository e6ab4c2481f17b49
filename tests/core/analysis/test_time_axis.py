"""The axis of a waterfall: where instants stand, what is broken, where ticks lie."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.analysis.time_axis import BREAK_TIMES, STEPS_MS, Span, axis

S = 1000


def seconds(*spans: tuple[int, int]) -> list[Span]:
    """Spans of whole seconds."""
    return [(start * S, end * S) for start, end in spans]


@pytest.mark.parametrize(
    ("waits", "broken"),
    [
        ([], []),
        ([(0, 40)], []),  # a wait as long as the work is drawn to scale
        ([(0, 66)], []),  # up to twice as long, too
        ([(0, 67)], [(0, 67)]),
        ([(0, 99)], [(0, 99)]),
        ([(0, 10), (20, 99)], [(20, 99)]),  # behind a stage as well as before it
        ([(0, 45), (50, 95)], [(0, 45), (50, 95)]),  # either would dwarf what is left
        ([(0, 100)], []),  # nothing was done: nothing is dwarfed
    ],
)
def test_a_wait_is_broken_when_it_dwarfs_all_that_was_done(
    waits: list[tuple[int, int]], broken: list[tuple[int, int]]
) -> None:
    """More than twice the time of all stages together, of a span of 100 s."""
    time_axis = axis((0, 100 * S), seconds(*waits), 96)

    assert [(gap.start_ms // S, gap.end_ms // S) for gap in time_axis.breaks] == broken


def test_a_broken_wait_leaves_its_room_to_what_was_done() -> None:
    """A wait of a thousand times the stages has eight columns of 88, and the rest one scale."""
    time_axis = axis((0, 1_001_000 * S), seconds((0, 1_000_000)), 88)

    assert [(segment.column, segment.end_column, segment.broken) for segment in time_axis.segments] == [
        (0, 8, True),
        (8, 88, False),
    ]
    assert time_axis.bar(0, 1_000_000 * S) == (0, 8)
    assert time_axis.bar(1_000_000 * S, 1_000_500 * S) == (8, 48)
    assert time_axis.bar(1_000_500 * S, 1_001_000 * S) == (48, 88)


def test_many_long_waits_leave_half_of_the_axis_at_least() -> None:
    """The longest are broken, one for each dozen columns, whatever their number."""
    waits = [(n * 1000 + 1, n * 1000 + 1000 - (n > 3)) for n in range(200)]
    time_axis = axis((0, 200_000 * S), seconds(*waits), 48)

    assert [gap.start_ms // S for gap in time_axis.breaks] == [1, 1001, 2001, 3001]
    assert sum(gap.end_column - gap.column for gap in time_axis.breaks) <= 24


def test_a_bar_has_a_column_at_least_and_never_leaves_the_axis() -> None:
    """An instant, one at the very end, and what lies outside."""
    time_axis = axis((0, 100 * S), [], 50)

    assert time_axis.bar(10 * S, 10 * S) == (5, 6)
    assert time_axis.bar(100 * S, 100 * S) == (49, 50)
    assert time_axis.bar(-5 * S, 500 * S) == (0, 50)
    assert axis((7, 7), [], 30).bar(7, 7) == (0, 1)


@pytest.mark.parametrize(
    ("length_s", "step_s"), [(10, 2), (60, 10), (800, 300), (3600, 600), (86_400, 21_600), (864_000, 172_800)]
)
def test_ticks_stand_at_usual_times_and_apart(length_s: int, step_s: int) -> None:
    """The smallest usual step that leaves ten columns between two."""
    time_axis = axis((0, length_s * S), [], 60)
    step_ms = time_axis.step_ms(10)
    columns = [column for column, _ in time_axis.ticks(step_ms)]

    assert step_ms == step_s * S
    assert all(after - column >= 9 for column, after in pairwise(columns))


def test_no_tick_stands_in_a_break() -> None:
    """Its columns are no measure of time."""
    time_axis = axis((0, 1_000_100 * S), seconds((0, 1_000_000)), 60)
    ticks = time_axis.ticks(time_axis.step_ms(10))

    assert len(ticks) > 2
    assert all(column >= 8 and ms >= 1_000_000 * S for column, ms in ticks)


@given(
    st.integers(0, 10**9),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=12),
    st.integers(24, 200),
)
def test_stretches_adjoin_and_order_is_kept(begin_ms: int, pairs: list[tuple[int, int]], columns: int) -> None:
    """Whatever is broken: the axis has all its columns, time never goes back on it, and unbroken time has one scale."""
    waits, at_ms = [], begin_ms
    for work_ms, wait_ms in pairs:
        waits.append((at_ms + work_ms, at_ms + work_ms + wait_ms))
        at_ms += work_ms + wait_ms
    time_axis = axis((begin_ms, at_ms), waits, columns)

    assert time_axis.segments[0].column == 0
    assert time_axis.columns == columns
    for segment, following in pairwise(time_axis.segments):
        assert (segment.end_ms, segment.end_column) == (following.start_ms, following.column)
    instants = [begin_ms, at_ms, *(ms for wait in waits for ms in wait)]
    columns_of_instants = [time_axis.at(ms) for ms in sorted(instants)]
    assert columns_of_instants == sorted(columns_of_instants)
    work_ms = at_ms - begin_ms - sum(end - start for start, end in waits)
    assert all(gap.end_ms - gap.start_ms > BREAK_TIMES * work_ms for gap in time_axis.breaks)
    assert time_axis.step_ms(10) in STEPS_MS
