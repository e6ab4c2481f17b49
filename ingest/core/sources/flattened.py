"""What Elasticsearch's field type flattened takes: data of unknown keys, within bounds. Pure; never recurses.

It refuses the whole document over deep nesting, NUL in a key, or a term beyond 32,766 bytes; so what does not fit
is left out (it stays in event.original) and flagged.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ingest.core.sources.convert import MAX_LONG
from ingest.core.sources.event import EventBuilder

MAX_DEPTH = 20
MAX_NODES = 10_000  # each leaf is a term of its own in the index, and stands in the document twice
MAX_PATH_BYTES = 16_384  # of Lucene's 32,766 a term; the value beside it is cut at 1,024 characters by the mapping


def fits_flattened(value: Any) -> bool:
    """Whether a value can stand in a flattened field: an object, its names, numbers, depth (20) and size in bounds."""
    if not isinstance(value, Mapping):
        return False
    todo: list[tuple[Any, int, int]] = [(value, 1, 0)]
    nodes = 0
    while todo:
        node, depth, path_bytes = todo.pop()
        nodes += 1
        if nodes > MAX_NODES or (isinstance(node, Mapping | list) and depth > MAX_DEPTH):
            return False
        if isinstance(node, int | float) and not _is_number(node):
            return False
        if isinstance(node, Mapping):
            for name, inner in node.items():
                longer = path_bytes + len(name.encode()) + 1
                if not name.strip() or "\0" in name or longer > MAX_PATH_BYTES:
                    return False
                todo.append((inner, depth + 1, longer))
        elif isinstance(node, list):
            todo += [(inner, depth + 1, path_bytes) for inner in node]
    return True


def _is_number(value: float) -> bool:
    """Whether JSON and its readers agree on it: finite, and of at most 63 bits where it is whole."""
    return -MAX_LONG <= value <= MAX_LONG if isinstance(value, int) else isfinite(value)


def keep_extra(turn: EventBuilder, extra: Mapping[str, Any]) -> None:
    """Keep names that the source does not know as data; what the index cannot take stays in event.original alone."""
    if not extra:
        return
    if fits_flattened(extra):
        turn.body["perf.extra"] = dict(extra)
    else:
        turn.flags.append("not_indexed")
