"""Parts that all queries share: index patterns, time ranges, wildcards."""

from collections.abc import Mapping, Sequence
from typing import Any

MOST = 10_000  # limit of a sorted search

PAGE = 2000

_LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}

_RETRACTED = {"term": {"perf.retracted": True}}

WILD = str.maketrans({"?": r"\?", "\\": r"\\"})  # escapes all wildcards but `*`

_WILD = WILD | str.maketrans({"*": r"\*", "?": r"\?", "\\": r"\\"})


def alive(clauses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the query for documents that match all clauses and are not retracted."""
    return {"bool": {"filter": list(clauses), "must_not": [_RETRACTED]}}


def within(since_ms: int | None, until_ms: int | None) -> list[dict[str, Any]]:
    """Return the range clause on `@timestamp`, or no clause if neither bound is given."""
    span = {"gte": since_ms, "lt": until_ms}
    given = {name: ms for name, ms in span.items() if ms is not None}
    return [{"range": {"@timestamp": {**given, "format": "epoch_millis"}}}] if given else []


def between(start_ms: int, end_ms: int) -> dict[str, Any]:
    """Return the clause for events from `start_ms` to `end_ms`, both inclusive."""
    return {"range": {"@timestamp": {"gte": start_ms, "lte": end_ms, "format": "epoch_millis"}}}
