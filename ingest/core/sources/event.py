"""One document in the making, what surrounds it, and the refusal that ends it. A leaf beside model.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.core.model import Intake, Message
from ingest.core.sources.source import Source
from ingest.core.timestamps import LATEST_MS

CAPTURED = "time_captured"


class InvalidRecord(Exception):
    """The record reads but cannot become a document: a reason of README's table, words, and the terminal or path."""

    def __init__(self, reason: str, detail: str, where: str | None = None, expected: str | None = None) -> None:
        """Keep the parts apart: the flow turns `where` into a column; `expected` says what would have done there."""
        super().__init__(detail)
        self.expected = expected
        self.reason = reason
        self.detail = detail
        self.where = where


@dataclass(frozen=True, slots=True)
class Context:
    """What surrounds a turn: its source, its intake, the message it came in, and host -> site from the settings."""

    source: Source
    intake: Intake
    message: Message
    sites: Mapping[str, str]


@dataclass(slots=True)
class EventBuilder:
    """One document in the making.

    Attributes:
        values: what was read, the record's and the item's own together.
        ordinal: which item of the record it is, from 0.
        whole: what was read of the record apart from its items.
        body: field name -> value; dates in unix ms.
        flags: becomes perf.flags.
        rank: later states of the same fact replace earlier ones.
        items: all items of the record, for what concerns them together.
    """

    values: Mapping[str, Any]
    ordinal: int
    whole: Mapping[str, Any]
    body: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    rank: int = 0
    items: tuple[Mapping[str, Any], ...] = ()


def at_capture(turn: EventBuilder, context: Context) -> None:
    """A record that carries no time of its own happened when its shipper took it, and says so by its flag."""
    captured_ms = context.message.provenance.captured_ms
    if captured_ms is None or not 0 <= captured_ms < LATEST_MS:
        raise InvalidRecord(
            "identity", "it carries no time, and its shipper names no capture time", None, "capture time"
        )
    turn.body["@timestamp"] = captured_ms
    turn.flags.append(CAPTURED)
