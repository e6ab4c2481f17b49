"""Finds the causes of an exception: client libraries keep them in various places."""

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
