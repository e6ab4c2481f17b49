"""Things taken some at a time, so that what is in memory is bounded. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(things: Iterable[T], weight: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """So many at a time that they weigh no more than `most` together; a heavier one by itself."""
    some: list[T] = []
    weighed = 0
    for each in things:
        weighs = weight(each)
        if some and weighed + weighs > most:
            yield some
            some, weighed = [], 0
        some.append(each)
        weighed += weighs
    if some:
        yield some
