"""Which of a zone's two abbreviations fits a date, by the daylight-saving rules in a source's table.

`PST` in July was printed by a host with a fixed offset, or by one whose zone was set by hand. The abbreviation is
trusted and the document flagged (als-perf.md 5.5, ambiguity 3). Zone data of the process or the system is not used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from ingest.core.timestamps import EPOCH_DAY, MS_PER_DAY, MS_PER_HOUR, TimestampError, local_ms, month_number

_COUNTS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
SUNDAY = 6


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """From year `since` on, summer begins and ends on the nth Sunday (0 first, -1 last) of a month."""

    since: int
    begins: tuple[int, int]
    ends: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Daylight:
    """The abbreviations of summer and standard time, the rules of their changes, and the wall-clock hour of each."""

    summer: frozenset[str]
    standard: frozenset[str]
    rules: tuple[ChangeRule, ...]
    hour: int

    def unexpected(self, zone: str, local: int) -> bool:
        """Whether a wall clock (ms as if UTC) printed with `zone` lies in the other half of the year.

        Compared in standard time, which skips and repeats no hour: in the autumn night both 01:30 PDT and 01:30 PST are
        expected.
        """
        in_summer = zone in self.summer
        if not in_summer and zone not in self.standard:
            return False
        standard = local - in_summer * MS_PER_HOUR
        begins, ends = _summer(standard // MS_PER_DAY, self.rules, self.hour)
        return (begins <= standard < ends) != in_summer


def daylight(table: Mapping[str, Any]) -> Daylight:
    """Build the rules from a source's table: `summer`, `standard`, `hour`, `rules`.

    A rule has since, begins, ends (`second Sunday of March`). Raises TimestampError, KeyError.
    """
    rules = [ChangeRule(rule["since"], _sunday(rule["begins"]), _sunday(rule["ends"])) for rule in table["rules"]]
    newest_first = tuple(sorted(rules, key=lambda rule: -rule.since))
    return Daylight(frozenset(table["summer"]), frozenset(table["standard"]), newest_first, table["hour"])


def _sunday(words: str) -> tuple[int, int]:
    """`second Sunday of March` -> (1, 3)."""
    count, day, _, month = [*words.split(), "", "", "", ""][:4]
    if count not in _COUNTS or day != "Sunday":
        raise TimestampError(f"`{words}` is not a day of change; write it like `second Sunday of March`")
    return _COUNTS[count], month_number(month)


@lru_cache(maxsize=4096)
def _summer(day: int, rules: tuple[ChangeRule, ...], hour: int) -> tuple[int, int]:
    """Begin and end (ms of standard time) of summer in the year of a day counted from 1970; (0, 0) without a rule."""
    year = date.fromordinal(max(1, day + EPOCH_DAY)).year
    rule = next((rule for rule in rules if rule.since <= year), None)
    if rule is None:
        return 0, 0
    return _change(year, rule.begins, hour), _change(year, rule.ends, hour - 1)


def _change(year: int, sunday: tuple[int, int], hour: int) -> int:
    nth, month = sunday
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    first, after = (local_ms(*when, 1, "00:00:00")[0] // MS_PER_DAY for when in ((year, month), following))
    sundays = [day for day in range(first, after) if (day + 3) % 7 == SUNDAY]
    return sundays[nth] * MS_PER_DAY + hour * MS_PER_HOUR
