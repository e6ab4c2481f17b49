"""Tracks the time zones that runs were printed in, for tables whose times people compare with their logs.

Nothing derived depends on them, and they are not stored with a run: only a reader of the lines knows them. For each run
id and zone the first and the last time are kept, which distinguishes summer from winter time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.core.decode.fast_path import PlainMark
from ingest.core.lookup import lookup
from ingest.core.mark import RunKey
from ingest.core.runs.stored import StoredRun
from ingest.core.timestamps import TimestampError, of_iso, offset_s

UTC_NAME = "UTC"


class Zones:
    """The zones that the lines of each run id named, and when."""

    def __init__(self) -> None:
        """Start without any zone."""
        self._seen: dict[RunKey, dict[str, tuple[int, int]]] = {}

    def add_plain(self, mark: PlainMark) -> None:
        """Add a line decoded on the fast path."""
        fields = mark.template.fields
        perf = fields["perf"]
        self._add(RunKey(perf["facility"], perf["source"], mark.run), mark.at_ms, lookup(fields, "event.timezone"))

    def add(self, key: RunKey, at: str, zone: Any) -> None:
        """Add a line's time (ISO 8601) and zone; None if its timestamp named no zone."""
        self._add(key, of_iso(at), zone)

    def _add(self, key: RunKey, at_ms: int, zone: Any) -> None:
        if not zone:
            return
        spans = self._seen.setdefault(key, {})
        first_ms, last_ms = spans.get(zone, (at_ms, at_ms))
        if not first_ms < at_ms < last_ms:
            spans[zone] = (min(first_ms, at_ms), max(last_ms, at_ms))

    def of(self, key: RunKey, at_ms: int) -> str:
        """Return the zone that the run's timestamps named at that time; UTC if none is known."""
        spans = self._seen.get(key, {})
        return next((zone for zone, (first, last) in sorted(spans.items()) if first <= at_ms <= last), UTC_NAME)


def local(at_ms: int, zone: str, zones: Mapping[str, int]) -> str:
    """Format a time in a zone of the table or `+hhmm`, else in UTC: `2016-02-05 21:39:37 PST`."""
    shift_s = 0 if zone == UTC_NAME else zones.get(zone)
    if shift_s is None:
        try:
            shift_s = offset_s(zone)
        except TimestampError:
            zone, shift_s = UTC_NAME, 0
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC) + timedelta(seconds=shift_s):%Y-%m-%d %H:%M:%S} {zone}"


def in_utc(run: StoredRun, at_ms: int) -> str:
    """Format a time of a run in UTC, for when the zone of its timestamps is not known."""
    return local(at_ms, UTC_NAME, {})
