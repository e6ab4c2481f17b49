"""Batches within their limits."""

from collections.abc import Iterator
from itertools import pairwise
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.batching import batched

LIMITS = st.one_of(st.just(inf), st.integers(1, 30))


@settings(deadline=None)
@given(weights=st.lists(st.integers(0, 40), max_size=60), max_weight=LIMITS, max_items=LIMITS)
def test_every_item_is_in_one_batch_within_the_limits(weights: list[int], max_weight: float, max_items: float) -> None:
    """In order, none left out, none twice, no batch empty; only a single item may weigh more than allowed, alone."""
    numbers = range(len(weights))

    batches = list(batched(numbers, weights.__getitem__, max_weight, max_items))

    assert [number for batch in batches for number in batch] == list(numbers)
    for batch in batches:
        assert 1 <= len(batch) <= max_items
        assert len(batch) == 1 or sum(weights[number] for number in batch) <= max_weight


@settings(deadline=None)
@given(weights=st.lists(st.integers(0, 40), max_size=60), max_weight=LIMITS, max_items=LIMITS)
def test_a_batch_ends_only_where_it_is_full_or_the_next_item_is_too_heavy(
    weights: list[int], max_weight: float, max_items: float
) -> None:
    """Otherwise a request would be sent for less than it holds."""
    batches = list(batched(weights, int, max_weight, max_items))

    for batch, following in pairwise(batches):
        assert len(batch) == max_items or sum(batch) + following[0] > max_weight or sum(batch) >= max_weight


def test_without_a_weight_items_are_counted() -> None:
    """By sevens, the rest last."""
    assert [len(batch) for batch in batched(range(20), max_items=7)] == [7, 7, 6]
    assert list(batched([], max_items=7)) == []


def test_a_full_batch_comes_before_the_next_item_is_read() -> None:
    """A source that has no more for now does not hold it back."""
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    assert next(batched(source(), max_items=3)) == [0, 1, 2]
    assert read == [0, 1, 2]
    read.clear()
    assert next(batched(source(), lambda _: 5, max_weight=10)) == [0, 1]
    assert read == [0, 1]
