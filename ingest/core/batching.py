"""Splits a sequence into batches of bounded weight, so that memory stays bounded."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], weight: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield batches that weigh no more than `most` together; a heavier item gets a batch of its own."""
    batch: list[T] = []
    batch_weight = 0
    for item in items:
        item_weight = weight(item)
        if batch and batch_weight + item_weight > most:
            yield batch
            batch, batch_weight = [], 0
        batch.append(item)
        batch_weight += item_weight
    if batch:
        yield batch
