"""The limits of Elasticsearch's field type flattened, for data with unknown keys; never recurses.

Elasticsearch rejects the whole document if it nests too deep, has NUL in a key, or a term beyond 32,766 bytes. So data
that exceeds a limit is left out (it stays in event.original) and flagged.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ingest.core.sources.convert import MAX_LONG
from ingest.core.sources.event import EventBuilder

MAX_DEPTH = 20
MAX_NODES = 10_000  # each leaf is its own term in the index, and is stored twice in the document
MAX_PATH_BYTES = 16_384  # Lucene allows 32,766 a term; the value in it is cut at 1,024 characters by the mapping


def fits_flattened(value: Any) -> bool:
    """Whether a value fits a flattened field: an object whose names, numbers, depth (20) and size are within limits."""
    if not isinstance(value, Mapping):
        return False
    todo: list[tuple[Any, int, int]] = [(value, 1, 0)]
    nodes = 0
    while todo:
        node, depth, path_bytes = todo.pop()
        nodes += 1
        if isinstance(node, str) and nodes <= MAX_NODES:
            continue  # most nodes: the checks below cost several times as much
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
    """Whether all JSON readers agree on a number: finite, and of at most 63 bits if it is whole."""
    return -MAX_LONG <= value <= MAX_LONG if isinstance(value, int) else isfinite(value)


def keep_extra(event: EventBuilder, extra: Mapping[str, Any]) -> None:
    """Keep names that the source does not know in perf.extra; flag them if they exceed what the index accepts."""
    if not extra:
        return
    if fits_flattened(extra):
        event.body["perf.extra"] = dict(extra)
    else:
        event.flags.append("not_indexed")
