"""Daylight saving by table; the standard library's zone data are the oracle."""

import tomllib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.sources.daylight import Daylight, daylight
from ingest.core.timestamps import TimestampError
from tests.core.conftest import GRAMMARS

ROW = tomllib.loads((GRAMMARS / "als_perf" / "source.toml").read_text())["stamp"]["daylight"]
TABLE: Daylight = daylight(ROW)
ZONES = {"America/Los_Angeles": "P", "America/Chicago": "C", "America/New_York": "E", "America/Anchorage": "AK"}


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31)),  # noqa: DTZ001 - the zone is drawn apart
    st.sampled_from(sorted(ZONES)),
)
def test_the_table_agrees_with_the_zone_data_at_any_moment(moment: datetime, name: str) -> None:
    """The abbreviation that a host's own zone prints is expected, the other one is not; both laws, every US zone."""
    local = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(name))
    wall_ms = int(local.replace(tzinfo=UTC).timestamp()) * 1000
    printed = str(local.tzname())
    other = printed.replace("DT", "ST") if "DT" in printed else printed.replace("ST", "DT")
    shift_ms = 3_600_000 if "DT" in other else -3_600_000

    assert not TABLE.unexpected(printed, wall_ms)
    assert TABLE.unexpected(other, wall_ms + shift_ms)


@pytest.mark.parametrize("year", range(2000, 2038))
def test_the_changes_are_met_to_the_second(year: int) -> None:
    """Around each change of the zone data, one second before and after, both abbreviations are where they belong."""
    zone = ZoneInfo("America/Los_Angeles")
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(8760)]
    changes = [b for a, b in pairwise(hours) if a.astimezone(zone).dst() != b.astimezone(zone).dst()]

    assert len(changes) == 2
    for change in changes:
        for moment in (change - timedelta(seconds=1), change):
            local = moment.astimezone(zone)
            assert not TABLE.unexpected(str(local.tzname()), int(local.replace(tzinfo=UTC).timestamp()) * 1000)


def test_a_zone_that_does_not_change_is_never_unexpected() -> None:
    """UTC, and Arizona's MST, are the same all year."""
    assert not any(TABLE.unexpected(zone, ms) for zone in ("UTC", "MST", "HST", "-0800") for ms in (0, 1468647576000))


def test_before_the_first_rule_there_is_no_summer() -> None:
    """Also at the edge of the calendar."""
    assert TABLE.unexpected("PDT", 0)
    assert TABLE.unexpected("PDT", -62135596800000)


@pytest.mark.parametrize(
    "words", ["fifth Sunday of March", "second Monday of March", "second Sunday of Foo", "", "March"]
)
def test_what_is_no_day_of_change_is_refused(words: str) -> None:
    """A table that cannot be read is wrong at loading, not in July."""
    with pytest.raises(TimestampError):
        daylight({**ROW, "rules": [{"since": 2007, "begins": words, "ends": "first Sunday of November"}]})
