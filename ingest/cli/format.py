"""Formats times, durations, counts and missing values for people; every time is in UTC."""

from datetime import UTC, datetime

NONE = "–"

SIGN = {"upper": "≤", "lower": "≥", "exact": "=", "none": ""}


def bounded(kind: str, duration_s: float | None) -> str:
    """Format a duration with the sign of its kind."""
    return NONE if duration_s is None else f"{SIGN[kind]} {duration_s:,.0f}"


def number(value: float | None) -> str:
    """Format a number without decimals, a missing one as `–`."""
    return NONE if value is None else f"{value:,.0f}"


def seconds(duration_s: float | None) -> str:
    """Format a duration with its unit, a missing one in words."""
    return "not seen" if duration_s is None else f"{duration_s:,.0f} s"


def plural(count: int, noun: str) -> str:
    """Format a count with its noun: 1 run, 1,000 runs."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def utc(ms: int, form: str) -> str:
    """Format a time (unix ms) by a form of strftime, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def minute(ms: int) -> str:
    """Format a time to the minute."""
    return utc(ms, "%Y-%m-%d %H:%M")


def second(ms: int) -> str:
    """Format a time to the second."""
    return utc(ms, "%Y-%m-%d %H:%M:%S")


def clock(ms: int) -> str:
    """Format the time of a day to the second."""
    return utc(ms, "%H:%M:%S")


def day(ms: int) -> str:
    """Format the day of a time."""
    return utc(ms, "%Y-%m-%d")
