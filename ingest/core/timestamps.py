"""Converts timestamps, zones, epochs, durations and NTP times to UTC, without a clock or the zone of the process.

Times are unix milliseconds (int) unless the name says otherwise. `strptime` is not used: its `%Z` knows only the
zone of the process, and reads `PST` sixteen hours wrong in Manila without a warning (als-perf.md, ambiguity 2).
A time that cannot be read raises `TimestampError` with a message for people.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from math import isfinite

MS_PER_DAY = 86_400_000
MS_PER_HOUR = 3_600_000
EPOCH_DAY = 719_163  # 1970-01-01 as a day of the proleptic Gregorian calendar
LATEST_MS = 253_402_300_800_000  # the year 10000, beyond Python's calendar
EARLIEST_MS = 946_684_800_000  # 2000-01-01: older epochs are typos, no facility has logs of that age
NTP_TO_UNIX_S = 2_208_988_800
NTP_ERA = 1 << 64
QUARTER_S = 900  # every zone in use is a multiple of a quarter of an hour
ZONE_LIMIT_S = 14 * 3600

_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec mon tue wed thu fri sat sun".split()  # noqa: SIM905
_MONTHS = {name: n for n, name in enumerate(_NAMES[:12], 1)}
_WEEKDAYS = {name: n for n, name in enumerate(_NAMES[12:])}
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,12}))?\s?(Z|z|[+-]\d\d:?(?:\d\d)?)?", re.ASCII
)
_DURATION = re.compile(
    r"([+-])?P(?=.)(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?=.)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?", re.ASCII)
_EPOCH = re.compile(r"(\d{10}|\d{13}|\d{16}|\d{19})(?:\.(\d{1,12}))?", re.ASCII)


class TimestampError(ValueError):
    """A time that cannot be read; the message says why."""


class UnknownZoneError(TimestampError):
    """A time that names no zone, where nothing else declares one."""


@lru_cache(maxsize=4096)
def _day_ms(year: int, month: int, day: int) -> int:
    try:
        return (date(year, month, day).toordinal() - EPOCH_DAY) * MS_PER_DAY
    except ValueError as error:
        raise TimestampError(f"no such day: {year}-{month}-{day}") from error


def month_number(name: str) -> int:
    """Convert `Feb` to 2; English only: other languages are rejected rather than guessed (ambiguity 8)."""
    try:
        return _MONTHS[name[:3].lower()]
    except KeyError:
        raise TimestampError(f"`{name}` is no English month") from None


def weekday_agrees(name: str, local_ms: int) -> bool:
    """Whether `Fri` is the weekday of that local time; False hints at a copied line or a wrong year."""
    return _WEEKDAYS.get(name[:3].lower()) == (local_ms // MS_PER_DAY + 3) % 7


def local_ms(year: int, month: int, day: int, clock: str, half: str | None = None) -> tuple[int, bool]:
    """Convert `H:MM:SS[.fff]` (with AM/PM as `half`) on a date to (milliseconds as if UTC, is it a leap second)."""
    hour_text, minute_text, second_text = clock.split(":")
    whole, _, fraction = second_text.partition(".")
    hour, minute, second = int(hour_text), int(minute_text), int(whole)
    leap = second == 60  # a leap second has no unix time of its own: shown as :59
    if half:
        if not 1 <= hour <= 12:
            raise TimestampError(f"hour {hour} does not go with {half}")
        hour = hour % 12 + (12 if half.upper() == "PM" else 0)
    if hour > 23 or minute > 59 or second > 60:
        raise TimestampError(f"no such time: {clock}")
    second = min(second, 59)
    millis = int((fraction + "000")[:3]) if fraction else 0
    return _day_ms(year, month, day) + (hour * 3600 + minute * 60 + second) * 1000 + millis, leap


def offset_s(text: str) -> int:
    """Convert `Z`, `-0800`, `-08:00` or `+05` to seconds east of UTC."""
    if text in {"Z", "z"}:
        return 0
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise TimestampError(f"`{text}` is no UTC offset")
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    if seconds > ZONE_LIMIT_S:
        raise TimestampError(f"no zone is as far from UTC as `{text}`")
    return -seconds if match[1] == "-" else seconds


def epoch_ms(text: str) -> int:
    """Convert unix time to ms, truncated; its number of digits gives the unit (10 s, 13 ms, 16 µs, 19 ns).

    Decimals are allowed.
    """
    match = _EPOCH.fullmatch(text)
    if match is None:
        raise TimestampError(f"`{text[:40]}` is no unix time: 10, 13, 16 or 19 digits are")
    digits = match[1]
    millis = int((digits + "000")[:13])
    if len(digits) == 10 and match[2]:
        millis += int((match[2] + "000")[:3])
    if millis < EARLIEST_MS:
        raise TimestampError(f"`{text}` lies before the year 2000")
    return millis


def iso_ms(text: str, default_offset_s: int | None = None) -> int:
    """Convert an ISO 8601 date-time to ms.

    Without an offset in the text it uses `default_offset_s`; without that too it raises `UnknownZoneError`.
    """
    second_ms, fraction = _iso_second_ms(text, default_offset_s)
    return second_ms + int((fraction + "000")[:3])


def iso_us(text: str, default_offset_s: int | None = None, counts_us: bool = False) -> int:
    """Convert an ISO 8601 date-time to microseconds, as `iso_ms` does to ms.

    With `counts_us` a fraction of fewer than 6 digits is a number of microseconds that lacks its leading zeros.
    """
    second_ms, fraction = _iso_second_ms(text, default_offset_s)
    return second_ms * 1000 + fraction_us(fraction, counts_us)


def fraction_us(digits: str, counts_us: bool = False) -> int:
    """Convert the digits behind a decimal point to microseconds; with `counts_us` they are a number of them."""
    return int(digits.rjust(6, "0")[:6] if counts_us else (digits + "000000")[:6])


def _iso_second_ms(text: str, default_offset_s: int | None) -> tuple[int, str]:
    """Return the whole second of an ISO 8601 date-time in ms, and the digits of its fraction."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise TimestampError(f"`{text[:40]}` is no ISO 8601 date-time")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    offset = offset_s(zone) if zone else default_offset_s
    if offset is None:
        raise UnknownZoneError(f"`{text}` names no zone")
    local, _ = local_ms(int(year), int(month), int(day), f"{hour}:{minute}:{second}")
    return local - offset * 1000, fraction or ""


def iso_duration_s(text: str) -> float:
    """Convert an ISO 8601 duration to seconds; years and months have no fixed length and are rejected."""
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith("T"):
        raise TimestampError(f"`{text[:40]}` is no ISO 8601 duration of weeks, days, hours, minutes and seconds")
    sign, *parts = match.groups()
    seconds = sum(float(part) * unit for part, unit in zip(parts, (604_800, 86_400, 3600, 60, 1), strict=True) if part)
    if not isfinite(seconds):
        raise TimestampError(f"`{text[:40]}` is longer than every duration")
    return -seconds if sign == "-" else seconds


def ntp_unix_s(ntp64: int) -> float:
    """Convert 64-bit NTP time (seconds since 1900 in the high half, 2^-32 s in the low half) to unix seconds."""
    return (ntp64 >> 32) - NTP_TO_UNIX_S + (ntp64 & 0xFFFFFFFF) / 2**32


def ntp_s(ntp64: int) -> float:
    """Convert 64-bit NTP time to unix seconds; values in the lower half belong to the era that begins in 2036."""
    return ntp_unix_s(ntp64 if ntp64 >= NTP_ERA >> 1 else ntp64 + NTP_ERA)


def likely_offset_s(local: int, instant: int, earliest_lag_s: int = -2) -> int | None:
    """Infer the zone (offset in s) in which the wall clock `local` (ms) comes soonest after `instant` (ms).

    `earliest_lag_s` is the smallest lag allowed. None if no zone on earth fits. Only quarter hours are tried, so a line
    printed over 15 minutes late gives a wrong zone.
    """
    offset = quarters_s((local - instant) // 1000, earliest_lag_s)
    return offset if abs(offset) <= ZONE_LIMIT_S else None


def quarters_s(ahead_s: float, earliest_s: int) -> int:
    """Return the most quarters of an hour, in seconds, that leave at least `earliest_s` of `ahead_s`."""
    return int((ahead_s - earliest_s) // QUARTER_S) * QUARTER_S


def of_iso(text: str) -> int:
    """Convert the output of `iso` back to milliseconds; many times faster than `iso_ms`, which reads any ISO form."""
    return _second_of(text[:19]) * 1000 + (int(text[20:23]) if len(text) > 20 else 0)


@lru_cache(maxsize=65_536)
def _second_of(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").timestamp())


@lru_cache(maxsize=65_536)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso(ms: int) -> str:
    """Convert milliseconds to `2016-02-06T05:39:37Z`, with `.mmm` only if it is not zero."""
    second, millis = divmod(ms, 1000)
    return f"{_iso_second(second)}.{millis:03d}Z" if millis else f"{_iso_second(second)}Z"
