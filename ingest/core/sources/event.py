"""A document under construction, its context, and the error that rejects its record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.core.model import Intake, Message
from ingest.core.sources.source import Source
from ingest.core.timestamps import LATEST_MS

CAPTURED = "time_captured"


class InvalidRecord(Exception):
    """The record parses but cannot become a document: a reason of grammars/README.md, a detail, a terminal or path."""

    def __init__(self, reason: str, detail: str, where: str | None = None, expected: str | None = None) -> None:
        """Keep the parts separate: the decoder turns `where` into a column; `expected` names what is valid there."""
        super().__init__(detail)
        self.expected = expected
        self.reason = reason
        self.detail = detail
        self.where = where


@dataclass(frozen=True, slots=True)
class Context:
    """The context of an event: its source, its intake, its message, and host -> site from the settings."""

    source: Source
    intake: Intake
    message: Message
    sites: Mapping[str, str]


@dataclass(slots=True)
class EventBuilder:
    """One document under construction.

    Attributes:
        values: values as read, the record's and the item's own together.
        ordinal: index of the item in the record, from 0.
        whole: values of the record outside its items.
        body: field name -> value; dates in unix ms.
        flags: becomes perf.flags.
        rank: later states of the same fact replace earlier ones.
        update_s: of two records of the same state, the one with the later update (unix s) replaces the other.
        words: what the record says beside its identity's fields, where only that tells two records apart.
        items: all items of the record, for checks across them.
    """

    values: Mapping[str, Any]
    ordinal: int
    whole: Mapping[str, Any]
    body: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    rank: int = 0
    update_s: int = 0
    words: str = ""
    items: tuple[Mapping[str, Any], ...] = ()


def at_capture(event: EventBuilder, context: Context) -> None:
    """Use the shipper's capture time for a record without a time of its own, and flag it."""
    captured_ms = context.message.provenance.captured_ms
    if captured_ms is None or not 0 <= captured_ms < LATEST_MS:
        raise InvalidRecord("identity", "it has no time, and its shipper sent no capture time", None, "capture time")
    event.body["@timestamp"] = captured_ms
    event.flags.append(CAPTURED)
