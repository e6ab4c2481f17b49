"""Workflow lines: the instant that a key names, the stamp of printing, and what both reveal about zone and clock.

Event time is the value, never the stamp, and the value is never altered. Numbers in brackets are the ambiguities of
the reference (als-perf.md 5.5).

The stamp is not altered either; this departs from the reference [5]. The emission lag is the printed time minus the
named instant, in the zone as printed. A line that was printed 29 minutes late looks like one whose zone is half an hour
off, and a single line cannot tell the two apart. So a lag out of bounds is flagged and kept (zone_suspect, printed_late
or clock_skew). Many lines of one host can tell: see core/authoring/zone_faults.py. If the stamp names no known zone,
its zone is known only up to quarters of an hour, and so is the lag: the smallest lag is reported, with a flag. Nothing
is measured from a stamp with one of these flags (core/mark.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.core.mark import CLOCK_SKEW, DOUBTFUL, PRINTED_LATE, ZONE_INFERRED, ZONE_SUSPECT, ZONE_UNLISTED
from ingest.core.model import ParsedMessage
from ingest.core.sources.convert import text
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.source import Family, Marks, Stamp
from ingest.core.timestamps import (
    ZONE_LIMIT_S,
    TimestampError,
    epoch_ms,
    iso_ms,
    likely_offset_s,
    local_ms,
    month_number,
    offset_s,
    quarters_s,
    weekday_agrees,
)

ZONE_SLACK_S = 120
RESOLUTION_S = 1
TIME_WORDS = "ISO 8601 date-time, or unix time of 10, 13, 16 or 19 digits"
EPOCH_WORDS = "unix time of 10, 13, 16 or 19 digits"
ZONE_WORDS = "zone of the source's table, or +hhmm"


def events_of(record: ParsedMessage, marks: Marks) -> Iterator[EventBuilder]:
    """Yield one event per instant; pairs whose key names no instant are added to all of them as data.

    A line without an instant yields one event.
    """
    items = record.items or _without_key(record, marks)
    instants = [(n, item) for n, item in enumerate(items) if role_of(item[marks.key], marks)]
    extra = {item[marks.key]: item.get(marks.value) for item in items if not role_of(item[marks.key], marks)}
    for ordinal, item in instants or [(0, {})]:
        event = EventBuilder({**record.values, **item}, ordinal, record.values, items=items)
        keep_extra(event, extra)
        yield event


def instants_in(record: ParsedMessage, marks: Marks) -> int:
    """How many instants a line names."""
    return sum(role_of(item[marks.key], marks) is not None for item in record.items or _without_key(record, marks))


def _without_key(record: ParsedMessage, marks: Marks) -> tuple[Mapping[str, Any], ...]:
    """The instants that have no key in the line, with the key that the source assigns them."""
    named = ((key, record.values.get(terminal)) for terminal, key in marks.instants)
    return tuple({marks.key: key, marks.value: text} for key, text in named if text is not None)


def role_of(key: str, marks: Marks) -> str | None:
    """The role that a key gives its instant: start, end, queued, work, other; None if it names no instant."""
    return next((role for ending, role in marks.roles if key.endswith(ending)), None)


def stage(event: EventBuilder, context: Context) -> None:
    """Split the stage's name by the table of families, longest prefix first; otherwise guess at the first dash."""
    name = event.values.get(context.source.stage_from or "")
    if name is None:
        return
    if context.source.stage_trims and context.source.marks:
        endings = (ending for ending, _ in context.source.marks.roles if ending and name.endswith(ending))
        name = name.removesuffix(next(endings, "")) or name
    event.body["perf.stage.name"] = _name(name, context.source.stage_from)
    if not context.source.families:
        event.body["perf.stage.family"] = name
        return
    for family in context.source.families:
        parts = _split(name, family)
        if parts is not None:
            event.body["perf.stage.family"] = family.family
            event.body.update({f"perf.stage.{part}": text for part, text in parts.items()})
            return
    head, dash, rest = name.partition("-")
    event.body["perf.stage.family"] = head
    event.body["perf.stage.split"] = "guess"
    if dash and rest:
        event.body["perf.stage.variant"] = rest


def _name(name: str, where: str | None) -> str:
    """Return the name unchanged. Raises InvalidRecord if it is too long to index."""
    try:
        return text(name) or name
    except ValueError as error:
        raise InvalidRecord("value", f"{where}: {error}", where) from error


def _split(name: str, family: Family) -> dict[str, str] | None:
    if name == family.prefix:
        return {}
    head = family.prefix + family.separator
    if not family.parts or not name.startswith(head):
        return None
    texts = name[len(head) :].split(family.separator, len(family.parts) - 1)
    return {part: text_part for part, text_part in zip(family.parts, texts, strict=False) if text_part}


def instant(event: EventBuilder, context: Context) -> None:
    """Fill @timestamp, the stamp in UTC (if the line has one), the emission lag and the flags of the self-check."""
    marks = context.source.marks
    if marks is None:
        raise InvalidRecord("source", f"source {context.source.name} has no [mark]")
    key, value = event.values.get(marks.key), event.values.get(marks.value)
    if key is None and context.source.pairs:
        raise InvalidRecord("incomplete", f"it has no `{marks.key}`", None, marks.key)
    at_ms = _ms(value, context) if value else None
    times = _times(event, marks, context)
    newest = max(times, default=None)
    logged = _logged(event, context, newest)
    if at_ms is None:
        event.flags.append("value_missing")
    elif at_ms == newest and logged is not None:
        lag_ms = logged - at_ms
        event.body["perf.mark.emit_lag_s"] = lag_ms // 1000 if lag_ms % 1000 == 0 else lag_ms / 1000
    _check_elapsed(event, marks, times)
    event.body["@timestamp"] = _printed(event, logged, newest) if at_ms is None else at_ms
    event.body["perf.mark.logged"] = logged
    if key:
        event.body["perf.mark.key"] = _name(key, marks.key)
    # Without a value there is no instant: the role must keep it out of measurements [19].
    event.body["perf.mark.role"] = (role_of(key, marks) or "other") if key and at_ms is not None else "other"


def _printed(event: EventBuilder, logged: int | None, newest: int | None) -> int | None:
    """When a key without a value was printed: at the stamp, or if that is doubtful, at the line's newest instant."""
    return logged if newest is None or DOUBTFUL.isdisjoint(event.flags) else newest


def _ms(value: str, context: Context) -> int:
    """Convert a value to unix ms: a unix time, or an ISO time if the source allows it.

    An ISO time without a zone is in the intake's zone.
    """
    marks, zone = context.source.marks, context.intake.zone
    where, iso = (marks.value, marks.iso) if marks else (None, False)
    try:
        if not iso or value.replace(".", "", 1).isdigit():
            return epoch_ms(value)
        at_ms = iso_ms(value, 0)
    except TimestampError as error:
        raise InvalidRecord("value", str(error), where, TIME_WORDS if iso else EPOCH_WORDS) from error
    if iso_parts(value)[1] is not None:
        return at_ms
    if zone is None:
        raise InvalidRecord(
            "zone_unknown", f"`{value}` names no zone, and the intake declares none", where, "Z or +hh:mm"
        )
    return at_ms - zone * 1000


def _times(event: EventBuilder, marks: Marks, context: Context) -> list[int]:
    """The line's instants; the latest was taken last, so its distance to the stamp is the emission lag [5.4]."""
    values = (item.get(marks.value) for item in event.items if role_of(item[marks.key], marks))
    return [_ms(value, context) for value in values if value]


def _check_elapsed(event: EventBuilder, marks: Marks, times: Sequence[int]) -> None:
    """Check that a line's elapsed seconds agree with its start and end; flag it otherwise."""
    if marks.elapsed is None or len(times) < 2:
        return
    took_s = (times[-1] - times[0]) / 1000
    if abs(float(event.whole[marks.elapsed]) - took_s) > RESOLUTION_S:
        event.flags.append("elapsed_mismatch")
    if took_s < 0:
        event.flags.append("end_before_start")


def _logged(event: EventBuilder, context: Context, newest: int | None) -> int | None:
    """When the line was printed (unix ms); None if the line has no stamp."""
    marks, stamp = context.source.marks, context.source.stamp
    if stamp is None or marks is None:
        return None
    local, zone_text = _local(event, stamp)
    offset = _offset(event, context, local, zone_text, newest)
    logged = local - 1000 * offset
    if zone_text:
        event.body["event.timezone"] = zone_text
        if stamp.daylight and stamp.daylight.unexpected(zone_text, local):
            event.flags.append("zone_unexpected")  # the abbreviation is trusted anyway [3]
    doubt = None if newest is None else _doubt(stamp, (logged - newest) / 1000, offset, _waits(event, marks))
    if doubt is not None:
        event.flags.append(doubt)
    return logged


def _waits(event: EventBuilder, marks: Marks) -> bool:
    """Whether the newest instant is the entry into a queue: such a line is printed after the wait, however long."""
    keys = (i[marks.key] for i in event.items if i.get(marks.value) and role_of(i[marks.key], marks))
    return {role_of(key, marks) for key in keys} == {"queued"}


def _local(event: EventBuilder, stamp: Stamp) -> tuple[int, str | None]:
    """The stamp as wall-clock ms, and its zone as written."""
    read = {part: event.whole.get(terminal) for part, terminal in stamp.parts.items()}
    try:
        if stamp.iso and (text := event.whole.get(stamp.iso)):
            bare, zone = iso_parts(text)
            return iso_ms(bare, 0), zone
        return _local_of(event, read), read.get("zone")
    except TimestampError as error:
        where = stamp.iso if stamp.iso in event.whole else stamp.parts["day"]
        raise InvalidRecord("stamp", str(error), where, "time that exists") from error


def iso_parts(text: str) -> tuple[str, str | None]:
    """An ISO stamp without its zone, and the zone as written."""
    if text.endswith(("Z", "z")):
        return text[:-1], "Z"
    cut = max(text.rfind("+"), text.rfind("-", 10), text.rfind(" ", 11))
    return (text[:cut].rstrip(), text[cut:].lstrip()) if cut > 0 else (text, None)


def _local_of(event: EventBuilder, read: Mapping[str, Any]) -> int:
    month = month_number(read["month"])
    local, leap = local_ms(int(read["year"]), month, int(read["day"]), read["clock"], read.get("half"))
    if leap:
        event.flags.append("leap_second")
    if (weekday := read.get("weekday")) and not weekday_agrees(weekday, local):
        event.flags.append("weekday_mismatch")
    return local


def _offset(event: EventBuilder, context: Context, local: int, zone: str | None, newest: int | None) -> int:
    """Seconds east of UTC: as written, else from the source's table, the intake, or the line's epoch [1]."""
    stamp = context.source.stamp
    if zone and (zone == "Z" or zone[0] in "+-"):
        try:
            return offset_s(zone)
        except TimestampError as error:
            raise InvalidRecord("zone_unknown", str(error), _zone_at(event, stamp, zone), ZONE_WORDS) from error
    if zone and stamp and zone in stamp.zones:
        return stamp.zones[zone]
    if zone is None and context.intake.zone is not None:
        return context.intake.zone
    likely = likely_offset_s(local, newest) if newest is not None else None
    if likely is None:
        what = f"`{zone}` is not in the source's table of zones" if zone else "the stamp names no zone"
        where = _zone_at(event, stamp, zone)
        raise InvalidRecord("zone_unknown", f"{what}, and no epoch of the line tells it", where, ZONE_WORDS)
    event.flags.append(ZONE_UNLISTED if zone else ZONE_INFERRED)
    return likely


def _zone_at(event: EventBuilder, stamp: Stamp | None, zone: str | None) -> str | None:
    """The terminal of a zone as written, else of the time that names none."""
    if stamp is None:
        return None
    terminal = stamp.parts.get("zone" if zone else "clock")
    return stamp.iso if terminal not in event.whole else terminal


def _doubt(stamp: Stamp, lag_s: float, offset: int, waits: bool) -> str | None:
    """The flag of a stamp whose lag behind the newest value is out of bounds in zone `offset`; None if in bounds [5].

    A zone is suspect if another zone on earth, quarters of an hour away, would have had the line printed at once.
    """
    if stamp.earliest_lag_s <= lag_s and (waits or lag_s <= stamp.latest_lag_s):
        return None
    shift_s = quarters_s(lag_s, stamp.earliest_lag_s)
    if shift_s and lag_s - shift_s <= ZONE_SLACK_S and abs(offset + shift_s) <= ZONE_LIMIT_S:
        return ZONE_SUSPECT
    return CLOCK_SKEW if lag_s < stamp.earliest_lag_s else PRINTED_LATE
