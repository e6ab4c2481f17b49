"""Read values deep inside a result leniently: missing or null is absent, unreadable is flagged.

Tools behind pScheduler write null, text for numbers, and arrays for objects. A result is worth keeping without the one
value that is unreadable, so nothing here raises; `perf.flags` records that a value was left out.
"""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from ingest.core.sources.convert import OutOfRange, boolean, integer, number, rounded, text
from ingest.core.sources.event import EventBuilder
from ingest.core.timestamps import iso_duration_s

Convert = Callable[[Any], float | int | None]
LONGEST_MS = 366 * 86_400_000
WHOLE = (integer, rounded)


def put_number(event: EventBuilder, field: str, value: Any, convert: Convert = number, least: float | None = 0) -> None:
    """Set a field to the converted value; flag a value that is unreadable or below `least`."""
    if value is None:
        return
    try:
        converted = convert(value)
    except OutOfRange:
        event.flags.append("value_range")
        return
    except ValueError:
        event.flags.append("value_unreadable")
        return
    if converted is None:
        return
    if not isfinite(converted) or (least is not None and converted < least):
        event.flags.append("value_range")
        return
    event.body[field] = converted if convert in WHOLE else float(converted)


def put_text(event: EventBuilder, field: str, value: Any) -> None:
    """Set a field to a non-empty text; omit and flag a text longer than a name may be."""
    try:
        content = text(value) if isinstance(value, str) else None
    except ValueError:
        event.flags.append("value_unreadable")
        return
    if content is not None:
        event.body[field] = content


def put_slot(event: EventBuilder, start_ms: int, end_ms: int) -> None:
    """Set the end and the length of a test; flag an end before its start, or more than a year after it."""
    if 0 <= end_ms - start_ms <= LONGEST_MS:
        event.body["event.end"] = end_ms
        event.body["event.duration"] = (end_ms - start_ms) * 1_000_000
    else:
        event.flags.append("value_range")


def number_of(value: Any) -> float | None:
    """A finite number, also given as text; None for anything else."""
    try:
        parsed = None if value is None else number(value)
    except ValueError:
        return None
    return None if parsed is None else float(parsed)


def whole_of(value: Any) -> int | None:
    """A whole number of at most 63 bits, also given as text; None for anything else."""
    try:
        return None if value is None else integer(value)
    except ValueError:
        return None


def count_of(value: Any) -> int | None:
    """A whole number from 0, also given as text; None for anything else."""
    parsed = whole_of(value)
    return None if parsed is None or parsed < 0 else parsed


def mean_above_0(values: Iterable[Any]) -> float | None:
    """The mean of the values above 0, as tools write 0 for values they could not measure; None if there are none."""
    numbers = [number for value in values if (number := number_of(value)) is not None and number > 0]
    return round(sum(numbers) / len(numbers), 3) if numbers else None


def is_true(value: Any) -> bool:
    """Whether a value is true, "true" or 1; any other value, including null, is not."""
    try:
        return value is not None and boolean(value)
    except ValueError:
        return False


def object_of(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def objects_of(value: Any) -> list[Mapping[str, Any]]:
    """The JSON objects of an array, without its other elements; empty if it is not an array."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def seconds(value: Any) -> float | None:
    """Convert an ISO 8601 duration, or a number of seconds, to seconds. Raises ValueError."""
    return iso_duration_s(value) if isinstance(value, str) and "P" in value else number(value)


def milliseconds(value: Any) -> float | None:
    """Convert an ISO 8601 duration, or a number of seconds, to ms, to a nanosecond. Raises ValueError."""
    length_s = seconds(value)
    return None if length_s is None else round(length_s * 1000, 6)
