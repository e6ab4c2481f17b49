"""Overlaps requests to a service with the work on its previous answer, on one thread."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(source: Iterable[T]) -> Iterator[T]:
    """Yield the same items in the same order, and fetch the next one on a thread meanwhile."""
    items = iter(source)
    with ThreadPoolExecutor(1, "perflog-ahead") as thread:
        coming: Future[object] = thread.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, items, _END)
            yield item  # type: ignore[misc]  # anything but _END is an item


def process_behind(items: Iterable[T], do: Callable[[T], None]) -> None:
    """Call `do` with every item in order, on a thread, while the next item is made; raises what `do` raises."""
    with ThreadPoolExecutor(1, "perflog-behind") as thread:
        previous: Future[None] | None = None
        for item in items:
            if previous is not None:
                previous.result()
            previous = thread.submit(do, item)
        if previous is not None:
            previous.result()
