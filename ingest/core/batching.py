"""Splits a sequence into batches of bounded weight and length, so that memory stays bounded."""

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import TypeVar

T = TypeVar("T")


def batched(
    items: Iterable[T],
    weight: Callable[[T], int] | None = None,
    max_weight: float = inf,
    max_items: float = inf,
) -> Iterator[list[T]]:
    """Yield batches of at most `max_items` that weigh at most `max_weight` together.

    An item that is heavier by itself gets a batch of its own. A full batch is yielded before the next item is read.
    """
    batch: list[T] = []
    batch_weight = 0
    for item in items:
        item_weight = weight(item) if weight else 0
        if batch and batch_weight + item_weight > max_weight:
            yield batch
            batch, batch_weight = [], 0
        batch.append(item)
        batch_weight += item_weight
        if len(batch) >= max_items or batch_weight >= max_weight:
            yield batch
            batch, batch_weight = [], 0
    if batch:
        yield batch
