"""Times, by tables and properties; the standard library is the oracle where it can be one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core import timestamps

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31))  # noqa: DTZ001 - zones are drawn apart
QUARTERS = st.integers(-56, 56).map(lambda n: n * 900)


@given(MOMENTS, QUARTERS)
def test_an_iso_time_means_what_the_standard_library_says(moment: datetime, offset_s: int) -> None:
    """Any moment in any zone, to the millisecond."""
    aware = moment.replace(tzinfo=timezone(timedelta(seconds=offset_s)))

    assert timestamps.iso_ms(aware.isoformat()) == int(aware.timestamp() * 1000 // 1) or moment.microsecond


@given(MOMENTS)
def test_iso_writes_what_iso_ms_and_of_iso_read(moment: datetime) -> None:
    """A round trip loses nothing, by the quick way for our own documents either."""
    ms = int(moment.replace(tzinfo=UTC).timestamp()) * 1000 + moment.microsecond // 1000

    assert timestamps.iso_ms(timestamps.iso(ms)) == timestamps.of_iso(timestamps.iso(ms)) == ms


@given(MOMENTS, QUARTERS, st.integers(-2, 897))
def test_the_likely_zone_is_the_one_the_stamp_was_printed_in(moment: datetime, offset_s: int, lag_s: int) -> None:
    """For every zone and every lag below 15 minutes less two seconds."""
    instant = int(moment.replace(tzinfo=UTC).timestamp()) * 1000
    local = instant + (offset_s + lag_s) * 1000
    expected = offset_s if abs(offset_s) <= timestamps.ZONE_LIMIT_S else None

    assert timestamps.likely_offset_s(local, instant) == expected


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1454737177", 1454737177000),
        ("1454737177123", 1454737177123),
        ("1454737177123456", 1454737177123),
        ("1454737177123456789", 1454737177123),
        ("1454737177.5", 1454737177500),
        ("1454737177.0009", 1454737177000),
    ],
)
def test_an_epochs_unit_follows_from_its_digits(text: str, ms: int) -> None:
    """Seconds, milli-, micro- and nanoseconds, with or without decimals."""
    assert timestamps.epoch_ms(text) == ms


@pytest.mark.parametrize(
    "text", ["", "12345", "145473717714547371771454737177", "NaN", "0946684799", "-1454737177", "١٤٥٤٧٣٧١٧٧"]
)
def test_what_is_no_epoch_is_refused(text: str) -> None:
    """Also a time before 2000, and digits of other scripts."""
    with pytest.raises(timestamps.TimestampError):
        timestamps.epoch_ms(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT19S", 19),
        ("P0D", 0),
        ("P1W2D", 777600),
        ("PT1.5H", 5400),
        ("PT0.00896S", 0.00896),
        ("-PT5M", -300),
        ("P1DT2H3M4.5S", 93784.5),
    ],
)
def test_a_duration_in_seconds(text: str, seconds: float) -> None:
    """Weeks to seconds, decimals anywhere, a sign."""
    assert timestamps.iso_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "P", "PT", "P1Y", "P1M", "PT1", "1D", "P1DT", "PT1S2M", "R/PT1S"])
def test_what_has_no_fixed_length_is_no_duration(text: str) -> None:
    """Years and months are refused, not guessed."""
    with pytest.raises(timestamps.TimestampError):
        timestamps.iso_duration_s(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("Z", 0), ("-0800", -28800), ("-08:00", -28800), ("+05", 18000), ("+0545", 20700)]
)
def test_an_offset(text: str, seconds: int) -> None:
    """As ISO 8601 and `date +%z` write it."""
    assert timestamps.offset_s(text) == seconds


@pytest.mark.parametrize("text", ["", "PST", "0800", "+9900", "+15:00"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    """Abbreviations are no offsets, and no zone is fifteen hours from UTC."""
    with pytest.raises(timestamps.TimestampError):
        timestamps.offset_s(text)


@pytest.mark.parametrize(
    ("clock_text", "half", "hour"),
    [("12:00:00", "AM", 0), ("12:00:00", "PM", 12), ("01:00:00", "PM", 13), ("11:00:00", "AM", 11)],
)
def test_the_twelve_hour_clock(clock_text: str, half: str, hour: int) -> None:
    """Midnight is 12 AM, noon is 12 PM."""
    assert timestamps.local_ms(1970, 1, 1, clock_text, half) == (hour * 3_600_000, False)


@pytest.mark.parametrize("bad", ["24:00:00", "13:60:00", "00:00:61"])
def test_a_time_of_day_that_does_not_exist_is_refused(bad: str) -> None:
    """A wall clock has 24 hours of 60 minutes of 60 seconds, and a leap second."""
    with pytest.raises(timestamps.TimestampError):
        timestamps.local_ms(2016, 2, 5, bad)


def test_a_leap_second_is_shown_as_the_one_before_and_told() -> None:
    """Unix time has no place for it."""
    assert timestamps.local_ms(1970, 1, 1, "00:00:60") == (59_000, True)


def test_ntp_time() -> None:
    """The NTP epoch of 1970, and half a second after it."""
    assert timestamps.ntp_unix_s(2_208_988_800 << 32) == 0
    assert timestamps.ntp_unix_s((2_208_988_800 << 32) + 2**31) == 0.5


@pytest.mark.parametrize(
    ("text", "counts_us", "us"),
    [
        ("2026-03-04T19:21:00.5000Z", True, 5_000),
        ("2026-03-04T19:21:00.050Z", True, 50),
        ("2026-03-04T19:21:00.250000Z", True, 250_000),
        ("2026-03-04T19:21:00.5Z", False, 500_000),
        ("2026-03-04T19:21:00Z", True, 0),
        ("2026-03-04T19:21:00.1234567Z", False, 123_456),
    ],
)
def test_a_fraction_is_decimal_or_a_count_of_microseconds(text: str, counts_us: bool, us: int) -> None:
    """Programs that print microseconds without leading zeros mean the number, not the decimals."""
    assert timestamps.iso_us(text, counts_us=counts_us) == 1_772_652_060_000_000 + us
