"""Values deep inside a result, read without trust: what is missing or null is absent, what cannot be read is flagged.

Tools behind pScheduler write null, text for numbers, arrays for objects. A result is worth keeping without the one
value that cannot be read, so nothing here raises; `perf.flags` says that something was left out.
"""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from ingest.core.sources.convert import OutOfRange, boolean, integer, number, rounded, text
from ingest.core.sources.event import EventBuilder
from ingest.core.timestamps import iso_duration_s

NETWORK = "perf.network."
Convert = Callable[[Any], float | int | None]
LONGEST_MS = 366 * 86_400_000
WHOLE = (integer, rounded)


def put(turn: EventBuilder, name: str, value: Any, convert: Convert = number, least: float | None = 0) -> None:
    """Set `perf.network.<name>` to the converted value; flag what cannot be read or is below `least`."""
    if value is None:
        return
    try:
        found = convert(value)
    except OutOfRange:
        turn.flags.append("value_range")
        return
    except ValueError:
        turn.flags.append("value_unreadable")
        return
    if found is None:
        return
    if not isfinite(found) or (least is not None and found < least):
        turn.flags.append("value_range")
        return
    turn.body[NETWORK + name] = found if convert in WHOLE else float(found)


def put_text(turn: EventBuilder, field: str, value: Any) -> None:
    """Set a field to a text that is one, and not empty; one longer than a name may be is left out and flagged."""
    try:
        found = text(value) if isinstance(value, str) else None
    except ValueError:
        turn.flags.append("value_unreadable")
        return
    if found is not None:
        turn.body[field] = found


def put_count(turn: EventBuilder, name: str, value: Any) -> int | None:
    """Set a whole number from 0 as `put` does, and give it; None where it is not there or cannot be."""
    put(turn, name, value, integer)
    found: int | None = turn.body.get(NETWORK + name)
    return found


def put_slot(turn: EventBuilder, start_ms: int, end_ms: int) -> None:
    """Set the end and the length of a test; flag an end before its start, or more than a year after it."""
    if 0 <= end_ms - start_ms <= LONGEST_MS:
        turn.body["event.end"] = end_ms
        turn.body["event.duration"] = (end_ms - start_ms) * 1_000_000
    else:
        turn.flags.append("value_range")


def number_of(value: Any) -> float | None:
    """A finite number, also written as text; None for anything else."""
    try:
        found = None if value is None else number(value)
    except ValueError:
        return None
    return None if found is None else float(found)


def whole_of(value: Any) -> int | None:
    """A whole number of at most 63 bits, also written as text; None for anything else."""
    try:
        return None if value is None else integer(value)
    except ValueError:
        return None


def count_of(value: Any) -> int | None:
    """A whole number from 0, also written as text; None for anything else."""
    found = whole_of(value)
    return None if found is None or found < 0 else found


def mean_above_0(values: Iterable[Any]) -> float | None:
    """The mean of the numbers above 0 among them; tools write 0 for what they could not measure. None without one."""
    found = [number for value in values if (number := number_of(value)) is not None and number > 0]
    return round(sum(found) / len(found), 3) if found else None


def is_true(value: Any) -> bool:
    """Whether it says true, as a boolean, as text or as 1; anything else, null too, does not."""
    try:
        return value is not None and boolean(value)
    except ValueError:
        return False


def object_of(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def objects_of(value: Any) -> list[Mapping[str, Any]]:
    """The JSON objects of an array; what is no object, and what is no array, is left out."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def seconds(value: Any) -> float | None:
    """An ISO 8601 duration, or a number of seconds -> seconds. Raises ValueError."""
    return iso_duration_s(value) if isinstance(value, str) and "P" in value else number(value)


def milliseconds(value: Any) -> float | None:
    """An ISO 8601 duration, or a number of seconds -> ms, to a nanosecond. Raises ValueError."""
    found = seconds(value)
    return None if found is None else round(found * 1000, 6)
