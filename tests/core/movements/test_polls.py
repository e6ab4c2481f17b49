"""Polls of an active task: at most 64 are kept, the same ones in whatever order and portions they came."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ingest.core.movements.polls import MOST_POLLS, SLOT_MS, Growth, Poll, growth_of

POLLS = st.lists(
    st.builds(Poll, st.integers(0, 500 * SLOT_MS), st.integers(0, 20), st.integers(0, 5)), max_size=150
)  # fmt: skip


@given(polls=POLLS, rng=st.randoms(use_true_random=False), parts=st.integers(1, 6))
def test_polls_leave_the_same_state_however_they_come(polls: list[Poll], rng: Random, parts: int) -> None:
    """Shuffled, repeated, split over several workers, each portion thinned before it is merged."""
    shuffled = [*polls, *polls[: len(polls) // 3]]
    rng.shuffle(shuffled)
    merged = Growth()
    for portion in (shuffled[n::parts] for n in range(parts)):
        merged = merged.merged(growth_of(portion))

    assert merged == growth_of(polls)
    assert len(merged.polls) <= MOST_POLLS


@given(polls=POLLS.filter(bool))
def test_when_bytes_last_grew_is_exact(polls: list[Poll]) -> None:
    """Thinning drops polls, not the instant of the first poll that told the most bytes."""
    growth = growth_of(polls)
    most_bytes = max(poll.bytes for poll in polls)

    assert growth.most_bytes == most_bytes
    assert growth.grew_ms == min(poll.at_ms for poll in polls if poll.bytes == most_bytes)
    assert growth.last == max(polls)


def test_faults_that_grow_while_bytes_do_not_are_a_stall() -> None:
    """ACTIVE is no progress: two polls tell it. Without a new fault, or with more bytes, nothing is stalled."""
    first = Poll(0, 5_000, 3)

    assert growth_of([first, Poll(SLOT_MS, 5_000, 17)]).is_stalled
    assert not growth_of([first, Poll(SLOT_MS, 5_000, 3)]).is_stalled
    assert not growth_of([first, Poll(SLOT_MS, 6_000, 17)]).is_stalled
    assert not growth_of([first]).is_stalled
    assert not Growth().is_stalled


def test_a_day_of_polls_keeps_its_shape() -> None:
    """1,440 polls a minute apart: 64 at most, from the first on, evenly spread."""
    growth = growth_of(Poll(minute * SLOT_MS, minute, 0) for minute in range(1440))

    assert growth.polls[0].at_ms == 0
    assert growth.slot_ms == 32 * SLOT_MS
    assert len({second.at_ms - first.at_ms for first, second in zip(growth.polls, growth.polls[1:], strict=False)}) == 1
