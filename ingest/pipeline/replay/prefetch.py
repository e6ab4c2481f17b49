"""One step ahead: what is asked of a service while what it answered before is worked on. A thread, and nothing else."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


def fetched_ahead(source: Iterable[T]) -> Iterator[T]:
    """The same items in the same order; the next one is fetched on a thread meanwhile."""
    each = iter(source)
    with ThreadPoolExecutor(1, "perflog-ahead") as thread:
        coming: Future[object] = thread.submit(next, each, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, each, _END)
            yield item  # type: ignore[misc]  # what is not the end is an item


def done_behind(items: Iterable[T], do: Callable[[T], None]) -> None:
    """Do something with every item on a thread, in order, while the next one is made; raises what that raises."""
    with ThreadPoolExecutor(1, "perflog-behind") as thread:
        before: Future[None] | None = None
        for item in items:
            if before is not None:
                before.result()
            before = thread.submit(do, item)
        if before is not None:
            before.result()
