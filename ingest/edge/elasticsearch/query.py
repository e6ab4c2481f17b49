"""What all queries share: patterns of index names, spans of time, wildcards."""

from collections.abc import Mapping, Sequence
from typing import Any

MOST = 10_000  # as far as a sorted search goes

PAGE = 2000

_LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}

_RETRACTED = {"term": {"perf.retracted": True}}

WILD = str.maketrans({"?": r"\?", "\\": r"\\"})  # in which `*` stands for anything

_WILD = WILD | str.maketrans({"*": r"\*", "?": r"\?", "\\": r"\\"})


def indices(kind: str, facilities: Sequence[str] = ()) -> str:
    """The indices of a kind: of all facilities, or of these."""
    return ",".join(f"perf-{kind}-{name},perf-{kind}-{name}-*" for name in facilities) or f"perf-{kind}-*"


def alive(clauses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The query for what meets all clauses and is not retracted."""
    return {"bool": {"filter": list(clauses), "must_not": [_RETRACTED]}}


def within(since_ms: int | None, until_ms: int | None) -> list[dict[str, Any]]:
    """The clause for a span of `@timestamp`, none when nothing bounds it."""
    span = {"gte": since_ms, "lt": until_ms}
    given = {name: ms for name, ms in span.items() if ms is not None}
    return [{"range": {"@timestamp": {**given, "format": "epoch_millis"}}}] if given else []


def between(start_ms: int, end_ms: int) -> dict[str, Any]:
    """The clause for events from `start_ms` to `end_ms`, both included."""
    return {"range": {"@timestamp": {"gte": start_ms, "lte": end_ms, "format": "epoch_millis"}}}
