"""Formats times, durations, counts and missing values for people; every time is in UTC."""

from datetime import UTC, datetime

NONE = "–"

SIGN = {"upper": "≤", "lower": "≥", "exact": "=", "none": ""}


def format_bounded(kind: str, duration_s: float | None) -> str:
    """Format a duration with the sign of its kind."""
    return NONE if duration_s is None else f"{SIGN[kind]} {duration_s:,.0f}"


def format_number(value: float | None) -> str:
    """Format a number without decimals, a missing one as `–`."""
    return NONE if value is None else f"{value:,.0f}"


def format_seconds(duration_s: float | None) -> str:
    """Format a duration with its unit, a missing one in words."""
    return "not seen" if duration_s is None else f"{duration_s:,.0f} s"


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun: 1 run, 1,000 runs."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_time(ms: int, form: str) -> str:
    """Format a time (unix ms) by a form of strftime, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


def format_minute(ms: int) -> str:
    """Format a time to the minute."""
    return format_time(ms, "%Y-%m-%d %H:%M")


def format_second(ms: int) -> str:
    """Format a time to the second."""
    return format_time(ms, "%Y-%m-%d %H:%M:%S")


def format_clock(ms: int) -> str:
    """Format the time of a day to the second."""
    return format_time(ms, "%H:%M:%S")


def format_day(ms: int) -> str:
    """Format the day of a time."""
    return format_time(ms, "%Y-%m-%d")
