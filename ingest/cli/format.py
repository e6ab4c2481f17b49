"""How times, durations and what is missing are written for people."""

from datetime import UTC, datetime

NONE = "–"

SIGN = {"upper": "≤", "lower": "≥", "exact": "=", "none": ""}


def bounded(kind: str, duration_s: float | None) -> str:
    """A duration with the sign of its kind."""
    return NONE if duration_s is None else f"{SIGN[kind]} {duration_s:,.0f}"


def _at(ms: int, form: str) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def moment(ms: int) -> str:
    """An instant to the minute, in UTC."""
    return _at(ms, "%Y-%m-%d %H:%M")


def second(ms: int) -> str:
    """An instant to the second, in UTC."""
    return _at(ms, "%Y-%m-%d %H:%M:%S")
