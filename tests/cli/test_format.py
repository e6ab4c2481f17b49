"""What people read: times in UTC, durations, counts and missing values."""

from ingest.cli.format import (
    format_bounded,
    format_clock,
    format_count,
    format_day,
    format_minute,
    format_number,
    format_second,
    format_seconds,
    format_time,
)

AT_MS = 1_454_716_799_999  # 2016-02-05T23:59:59.999Z


def test_times_are_cut_not_rounded() -> None:
    """To the second, the minute or the day in which they lie."""
    assert format_second(AT_MS) == "2016-02-05 23:59:59"
    assert format_minute(AT_MS) == "2016-02-05 23:59"
    assert format_day(AT_MS) == "2016-02-05"
    assert format_clock(AT_MS) == "23:59:59"
    assert format_time(AT_MS, "%m-%d") == "02-05"


def test_a_missing_value_is_never_0() -> None:
    """It is a dash, or said in words; 0 is 0."""
    assert (format_number(None), format_number(0.0), format_number(1234.4)) == ("–", "0", "1,234")
    assert (format_seconds(None), format_seconds(0.0), format_seconds(1234.4)) == ("not seen", "0 s", "1,234 s")
    assert (format_bounded("upper", None), format_bounded("upper", 12.0)) == ("–", "≤ 12")


def test_one_is_singular() -> None:
    """Everything else is plural, 0 too."""
    assert [format_count(count, "run") for count in (0, 1, 1000)] == ["0 runs", "1 run", "1,000 runs"]
