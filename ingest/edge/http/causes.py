"""Finds the causes of an exception, which client libraries keep in various places, and frees what they hold."""

from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, each once, the nearest first."""
    seen: set[int] = set()
    due: list[object] = [error]
    while due:
        cause = due.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        due += [cause.__cause__, getattr(cause, "reason", None), *cause.args, *getattr(cause, "errors", ())]


def drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an error and of its causes: elastic-transport keeps them in a reference cycle.

    Each traceback holds its request: megabytes that only the garbage collector would free, and a worker collects
    rarely. While Elasticsearch is down, every attempt would leak one.
    """
    due: list[BaseException | None] = [error]
    while due:
        if (cause := due.pop()) is not None and cause.__traceback__ is not None:
            cause.__traceback__ = None
            due += [cause.__cause__, cause.__context__, *getattr(cause, "errors", ())]
