"""Convert captured values into field values: the conversions that a source's table may name in `as`.

A conversion takes a value as read (text or any JSON value) and returns the field's value, or None for "absent". A value
that it cannot convert raises ValueError with a readable message. Dates are unix ms here; core/decode/decoder.py writes
them as ISO.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ingest.core.timestamps import iso_duration_s, iso_ms

MAX_TEXT = 1024
MAX_MESSAGE = 8192
MAX_LONG = 2**63 - 1
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)  # exact as an integer; a float might round it


class OutOfRange(ValueError):
    """A number that no field can hold: a whole number beyond 63 bits, or any other beyond a double."""


def shown(value: Any) -> str:
    """A value shortened for a message; objects and arrays are not walked, JSON may nest deeper than Python recurses."""
    return "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else str(value)[:60]


def text(value: Any) -> str | None:
    """Text unchanged, numbers as written; raises if it is too long to index, because cut names could collide."""
    if isinstance(value, bool | dict | list):
        raise ValueError(f"{shown(value)} is not text")
    content = str(value)
    if len(content) > MAX_TEXT:
        raise ValueError(f"`{shown(value)}…` has {len(content):,} characters, more than the {MAX_TEXT:,} of a name")
    return content or None


def message(value: Any) -> str | None:
    """Text for people, such as an error, cut at 8,192 characters; of an object or array, only its type."""
    return (value if isinstance(value, str) else shown(value)).strip()[:MAX_MESSAGE] or None


def basename(value: Any) -> str | None:
    """The last part of a path; the whole path stays in event.original."""
    return text(value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else value)


def number(value: Any) -> float | int | None:
    """A finite number; text that contains one counts too (as in old archives); nan and infinities are absent.

    An integer beyond 63 bits becomes a float. Raises OutOfRange for a number beyond a float too.
    """
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a number")
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int) and -MAX_LONG <= value <= MAX_LONG:
        return value
    try:
        parsed = float(value)
    except OverflowError:
        raise OutOfRange("a number of more than 308 digits") from None
    except (TypeError, ValueError):
        raise ValueError(f"`{shown(value)}` is not a number") from None
    if math.isinf(parsed) and not (isinstance(value, str) and "inf" in value.lower()):
        raise OutOfRange(f"`{shown(value)}` is larger than any number of 64 bits")
    return parsed if math.isfinite(parsed) else None


def integer(value: Any) -> int | None:
    """A whole number of at most 63 bits; 3.0 counts, 3.5 does not. Raises OutOfRange for a larger one."""
    parsed = number(value)
    if parsed is None:
        return None
    if abs(parsed) > MAX_LONG:
        raise OutOfRange(f"`{parsed}` is not a whole number of at most 63 bits")
    if parsed != int(parsed):
        raise ValueError(f"`{shown(value)}` is not a whole number of at most 63 bits")
    return int(parsed)


def rounded(value: Any) -> int | None:
    """The nearest whole number of at most 63 bits, for counts that a tool computed in floating point."""
    parsed = number(value)
    return None if parsed is None else integer(parsed if isinstance(parsed, int) else float(round(parsed)))


def boolean(value: Any) -> bool:
    """True or false, also as text or as 1 and 0."""
    known = {"true": True, "1": True, "false": False, "0": False}
    try:
        return known[shown(value).lower()]
    except KeyError:
        raise ValueError(f"`{shown(value)}` is neither true nor false") from None


def time(value: Any, zone_s: int | None = None) -> int:
    """ISO 8601 date-time -> unix ms; one without an offset is in the zone `zone_s`. Raises UnknownZoneError."""
    return iso_ms(shown(value), zone_s)


def duration_s(value: Any) -> float:
    """ISO 8601 duration -> seconds."""
    return iso_duration_s(shown(value))


def duration_ms(value: Any) -> float:
    """ISO 8601 duration -> ms, to a nanosecond."""
    return round(iso_duration_s(shown(value)) * 1000, 6)


def us_to_ms(value: Any) -> float | None:
    """Microseconds -> ms."""
    parsed = number(value)
    return None if parsed is None else parsed / 1000


def tree(value: Any) -> dict[str, Any]:
    """A JSON object, unchanged."""
    if not isinstance(value, dict):
        raise ValueError(f"{shown(value)} is not an object")
    return value


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "text": text,
    "message": message,
    "basename": basename,
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "time": time,
    "duration_s": duration_s,
    "duration_ms": duration_ms,
    "us_to_ms": us_to_ms,
    "object": tree,
}
