"""The watermark: how far a source's event time has come, computed from the progress of its writers.

A writer is a file that lines come from (facility, source, host, path). Its progress is the newest event time of its
lines and the newest record time; both only grow, and merge in any order. An event time after its own record's time is
capped to that and flagged: a clock that runs ahead must not advance time for every writer.

The watermark of a source is the smallest of its active writers' event times: nothing earlier is expected any more. A
writer is active if its newest record time is within an hour of the source's newest one. There is no other clock, so the
watermark follows from what is stored, and the watermark of a source that receives nothing stands still. A writer that
has ended (its shipper's end record came, and no line since) holds the watermark back no longer; if every active writer
has ended, the newest of all event times counts.

A backfill is a writer of its own, even if the same file is also followed live. It never holds the watermark back, and
sets it only if there is no live writer (a facility that ships only old files).
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ingest.core.ids import digest_id
from ingest.core.lookup import lookup
from ingest.core.timestamps import MS_PER_HOUR, iso, iso_ms

ACTIVE_MS = MS_PER_HOUR


class WriterKey(NamedTuple):
    """Identifies a writer; `host` and `path` are empty if the shipper gives none."""

    facility: str
    source: str
    host: str
    path: str
    backfill: bool

    @property
    def id(self) -> str:
        """The id of the writer's document."""
        return digest_id(*(str(part).encode() for part in self))


class WriterProgress(NamedTuple):
    """A writer's newest event time (capped) and record time (unix ms), and whether an event time was ahead.

    `ended_ms` is the time of its newest end record. 0 = none yet, for all times.
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
    """The progress of both combined."""
    if one is None:
        return other
    return WriterProgress(max(one[0], other[0]), max(one[1], other[1]), one[2] or other[2], max(one[3], other[3]))


def body_of(key: WriterKey, progress: WriterProgress) -> dict[str, Any]:
    """The document of kind writers."""
    times = {"record_time": progress.record_ms, "end_time": progress.ended_ms}
    fields: dict[str, Any] = {name: iso(ms) for name, ms in times.items() if ms}
    flags = (("ahead", progress.ahead), ("backfill", key.backfill), ("ended", progress.ended))
    fields |= {name: True for name, holds in flags if holds}
    body: dict[str, Any] = {"@timestamp": iso(progress.event_ms)} if progress.event_ms else {}
    if key.host:
        body["host"] = {"name": key.host}
    if key.path:
        body["log"] = {"file": {"path": key.path}}
    return body | {"perf": {"facility": key.facility, "source": key.source, "writer": fields}}


def writer_of(body: Mapping[str, Any]) -> tuple[WriterKey, WriterProgress]:
    """The writer in a document of kind writers, and its progress."""
    perf = body["perf"]
    fields = perf["writer"]
    host, path = lookup(body, "host.name") or "", lookup(body, "log.file.path") or ""
    key = WriterKey(perf["facility"], perf["source"], host, path, fields.get("backfill", False))
    times = (body.get("@timestamp"), fields.get("record_time"), fields.get("end_time"))
    event_ms, record_ms, ended_ms = (iso_ms(text) if text else 0 for text in times)
    return key, WriterProgress(event_ms, record_ms, fields.get("ahead", False), ended_ms)


def watermark_ms(writers: Iterable[tuple[WriterKey, WriterProgress]]) -> int | None:
    """The watermark of the source with these writers (unix ms); None if there are none."""
    started = [(key, progress) for key, progress in writers if progress.record_ms]
    considered = [progress for key, progress in started if not key.backfill] or [progress for _, progress in started]
    newest_ms = max((progress.record_ms for progress in considered), default=0)
    active = [progress for progress in considered if progress.record_ms >= newest_ms - ACTIVE_MS]
    open_ms = [progress.event_ms for progress in active if not progress.ended]
    return min(open_ms) if open_ms else max((progress.event_ms for progress in active), default=None)
