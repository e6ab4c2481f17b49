"""What people read: times in UTC, durations, counts and missing values."""

from ingest.cli.format import bounded, clock, day, minute, number, plural, second, seconds, utc

AT_MS = 1_454_716_799_999  # 2016-02-05T23:59:59.999Z


def test_times_are_cut_not_rounded() -> None:
    """To the second, the minute or the day in which they lie."""
    assert second(AT_MS) == "2016-02-05 23:59:59"
    assert minute(AT_MS) == "2016-02-05 23:59"
    assert day(AT_MS) == "2016-02-05"
    assert clock(AT_MS) == "23:59:59"
    assert utc(AT_MS, "%m-%d") == "02-05"


def test_a_missing_value_is_never_0() -> None:
    """It is a dash, or said in words; 0 is 0."""
    assert (number(None), number(0.0), number(1234.4)) == ("–", "0", "1,234")
    assert (seconds(None), seconds(0.0), seconds(1234.4)) == ("not seen", "0 s", "1,234 s")
    assert (bounded("upper", None), bounded("upper", 12.0)) == ("–", "≤ 12")


def test_one_is_singular() -> None:
    """Everything else is plural, 0 too."""
    assert [plural(count, "run") for count in (0, 1, 1000)] == ["0 runs", "1 run", "1,000 runs"]
