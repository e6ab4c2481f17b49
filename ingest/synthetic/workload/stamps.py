"""What `date` prints at a facility, fast: an instant -> `Fri Feb 5 21:39:37 PST 2016: `. Asks no zone of the process.

Its own arithmetic, apart from the core's, so that one can be held against the other.
"""

from datetime import UTC, datetime, timedelta

PACIFIC = ("PST", "PDT", -8)
ZONES = {
    "aps": ("CST", "CDT", -6),
    "alcf": ("CST", "CDT", -6),
    "olcf": ("EST", "EDT", -5),
    "nsls": ("EST", "EDT", -5),
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_IN_HOUR = tuple(f"{second // 60:02d}:{second % 60:02d}" for second in range(3600))
_MOST_HOURS = 5000


class Stamps:
    """The clock of a facility. Zones change at whole hours, so an hour's stamps differ in minute and second only."""

    def __init__(self, facility: str) -> None:
        """Pacific time, where nothing else is known of the facility."""
        self._standard, self._summer, self._offset_h = ZONES.get(facility, PACIFIC)
        self._hours: dict[int, tuple[str, str]] = {}

    def at(self, at_s: int) -> str:
        """The stamp of an instant (unix s), with the colon and blank behind it."""
        hour, second = divmod(at_s, 3600)
        halves = self._hours.get(hour)
        if halves is None:
            if len(self._hours) > _MOST_HOURS:
                self._hours.clear()
            halves = self._hours[hour] = self._of_hour(hour * 3600)
        return halves[0] + _IN_HOUR[second] + halves[1]

    def _of_hour(self, at_s: int) -> tuple[str, str]:
        standard = datetime.fromtimestamp(at_s, UTC) + timedelta(hours=self._offset_h)
        begins, ends = _summer(standard.year)
        in_summer = begins <= standard < ends
        local = standard + timedelta(hours=in_summer)
        head = f"{_DAYS[local.weekday()]} {_MONTHS[local.month]} {local.day} {local.hour:02d}:"
        return head, f" {self._summer if in_summer else self._standard} {local.year}: "


def _summer(year: int) -> tuple[datetime, datetime]:
    """When summer begins and ends in the United States, in standard time (marked UTC here)."""
    if year >= 2007:
        return _sunday(year, 3, 8, 2), _sunday(year, 11, 1, 1)
    return _sunday(year, 4, 1, 2), _sunday(year, 10, 25, 1)


def _sunday(year: int, month: int, day: int, hour: int) -> datetime:
    """The first Sunday from that day on."""
    first = datetime(year, month, day, hour, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7)
