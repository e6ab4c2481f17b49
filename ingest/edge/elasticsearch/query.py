"""Builds the clauses and queries that searches are made of."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LACKING: Mapping[str, Any] = {"ignore_unavailable": True, "allow_no_indices": True}  # a kind may have no index yet
MOST = 10_000  # limit of a sorted search
Clause = dict[str, Any]
_WILD = str.maketrans({"?": r"\?", "\\": r"\\"})  # escapes all wildcards but `*`
_LITERAL = _WILD | str.maketrans({"*": r"\*"})
_RETRACTED: Clause = {"term": {"perf.retracted": True}}


def terms(values: Mapping[str, Sequence[object]]) -> list[Clause]:
    """Return one clause per field that has values: it must hold one of them. A field without values has no clause."""
    return [{"terms": {field: list(allowed)}} for field, allowed in values.items() if allowed]


def in_time(field: str, **bounds_ms: int) -> Clause:
    """Return the clause for times within the bounds (`gt`, `gte`, `lt`, `lte`; unix ms)."""
    return {"range": {field: {**bounds_ms, "format": "epoch_millis"}}}


def within(since_ms: int | None, until_ms: int | None) -> list[Clause]:
    """Return the clause for events in [since_ms, until_ms), or no clause if neither bound is given."""
    bounds_ms = {name: ms for name, ms in (("gte", since_ms), ("lt", until_ms)) if ms is not None}
    return [in_time("@timestamp", **bounds_ms)] if bounds_ms else []


def between(start_ms: int, end_ms: int) -> Clause:
    """Return the clause for events from `start_ms` to `end_ms`, both inclusive."""
    return in_time("@timestamp", gte=start_ms, lte=end_ms)


def wildcard(field: str, pattern: str) -> Clause:
    """Return the clause for values that match a pattern, in which only `*` is special."""
    return {"wildcard": {field: pattern.translate(_WILD)}}


def ending(field: str, text: str) -> Clause:
    """Return the clause for values that end in a text, in which nothing is special."""
    return {"wildcard": {field: f"*{text.translate(_LITERAL)}"}}


def containing(field: str, text: str) -> Clause:
    """Return the clause for values that contain a text, in which nothing is special."""
    return {"wildcard": {field: f"*{text.translate(_LITERAL)}*"}}


def without(clause: Clause) -> Clause:
    """Return the clause for documents that a clause does not match."""
    return {"bool": {"must_not": [clause]}}


def any_of(clauses: Iterable[Clause]) -> Clause:
    """Return the clause for documents that match at least one of the clauses."""
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def all_of(clauses: Iterable[Clause]) -> Clause:
    """Return the query for documents that match all clauses."""
    return {"bool": {"filter": list(clauses)}}


def alive(clauses: Iterable[Clause]) -> Clause:
    """Return the query for documents that match all clauses and are not retracted."""
    return {"bool": {"filter": list(clauses), "must_not": [_RETRACTED]}}
