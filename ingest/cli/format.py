"""Formats times, durations and missing values for people."""

from datetime import UTC, datetime

NONE = "–"

SIGN = {"upper": "≤", "lower": "≥", "exact": "=", "none": ""}


def bounded(kind: str, duration_s: float | None) -> str:
    """Format a duration with the sign of its kind."""
    return NONE if duration_s is None else f"{SIGN[kind]} {duration_s:,.0f}"


def _at(ms: int, form: str) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def moment(ms: int) -> str:
    """Format a time to the minute, in UTC."""
    return _at(ms, "%Y-%m-%d %H:%M")


def second(ms: int) -> str:
    """Format a time to the second, in UTC."""
    return _at(ms, "%Y-%m-%d %H:%M:%S")
