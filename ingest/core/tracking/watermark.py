"""Up to when a source has spoken: the watermark, from what each of its writers was heard to say. Pure.

A writer is a file that lines come from (facility, source, host, path). What was heard of it is the newest instant of
its lines and the newest record time; both only grow, and merge in any order. An instant that lies ahead of its own
record's time is capped to that and flagged: a clock that runs ahead must not let time pass for everybody.

The watermark of a source is the smallest of its active writers' newest instants: before it, nothing more is expected.
Active is who was heard within an hour of the newest record of the source; there is no other clock, so the watermark
follows from what is stored, and a source of which nothing arrives stands still: nobody knows what happens there. Who
has ended (its shipper's end record came, and no line since) holds nobody back; where everybody has, the newest instant
of all counts.

A backfill is a writer of its own, also of a file that is followed live: it holds nobody back, and tells the time only
where nothing else does (a facility that ships nothing but old files).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ingest.core.ids import digest_id
from ingest.core.lookup import lookup
from ingest.core.timestamps import MS_PER_HOUR, iso, iso_ms

ACTIVE_MS = MS_PER_HOUR


class WriterKey(NamedTuple):
    """Which writer; `host` and `path` are empty where the shipper names none."""

    facility: str
    source: str
    host: str
    path: str
    backfill: bool

    @property
    def id(self) -> str:
        """The id of its document."""
        return digest_id(*(str(part).encode() for part in self))


class WriterProgress(NamedTuple):
    """What a writer said: its newest instant (capped) and record time (unix ms); whether an instant ran ahead.

    `ended_ms` is the time of its newest end record. A time of 0: nothing of the kind came yet.
    """

    event_ms: int = 0
    record_ms: int = 0
    ahead: bool = False
    ended_ms: int = 0

    @property
    def ended(self) -> bool:
        """Whether the end record came, and no line since."""
        return self.ended_ms > 0 and self.ended_ms >= self.record_ms


def merged(one: WriterProgress | None, other: WriterProgress) -> WriterProgress:
    """What was heard in both."""
    if one is None:
        return other
    return WriterProgress(max(one[0], other[0]), max(one[1], other[1]), one[2] or other[2], max(one[3], other[3]))


def body_of(key: WriterKey, heard: WriterProgress) -> dict[str, Any]:
    """The document of kind writers."""
    times = {"record_time": heard.record_ms, "end_time": heard.ended_ms}
    told: dict[str, Any] = {name: iso(ms) for name, ms in times.items() if ms}
    said = (("ahead", heard.ahead), ("backfill", key.backfill), ("ended", heard.ended))
    told |= {name: True for name, holds in said if holds}
    body: dict[str, Any] = {"@timestamp": iso(heard.event_ms)} if heard.event_ms else {}
    if key.host:
        body["host"] = {"name": key.host}
    if key.path:
        body["log"] = {"file": {"path": key.path}}
    return body | {"perf": {"facility": key.facility, "source": key.source, "writer": told}}


def writer_of(body: Mapping[str, Any]) -> tuple[WriterKey, WriterProgress]:
    """The writer in a document of kind writers, and what was heard of it."""
    perf = body["perf"]
    told = perf["writer"]
    host, path = lookup(body, "host.name") or "", lookup(body, "log.file.path") or ""
    key = WriterKey(perf["facility"], perf["source"], host, path, told.get("backfill", False))
    said = (body.get("@timestamp"), told.get("record_time"), told.get("end_time"))
    event_ms, record_ms, ended_ms = (iso_ms(text) if text else 0 for text in said)
    return key, WriterProgress(event_ms, record_ms, told.get("ahead", False), ended_ms)


def watermark_ms(writers: Iterable[tuple[WriterKey, WriterProgress]]) -> int | None:
    """The watermark of the source whose writers these are (unix ms); None when there are none."""
    everyone = [(key, heard) for key, heard in writers if heard.record_ms]
    said = [heard for key, heard in everyone if not key.backfill] or [heard for _, heard in everyone]
    newest_ms = max((heard.record_ms for heard in said), default=0)
    active = [heard for heard in said if heard.record_ms >= newest_ms - ACTIVE_MS]
    speaking = [heard.event_ms for heard in active if not heard.ended]
    return min(speaking) if speaking else max((heard.event_ms for heard in active), default=None)
