"""Templates of plain lines, learnt from the slow path, and the caches around them.

A template is a document's JSON and the end of the action before it, cut at the leaves that differ from line to line.
A full cache is emptied and starts empty again, so memory stays bounded whatever the lines contain.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

import orjson

from ingest.core.bulk import index_tail
from ingest.core.cache import Cache
from ingest.core.lookup import lookup
from ingest.core.mark import RunMark, mark_of
from ingest.core.model import Document
from ingest.core.timestamps import TimestampError, iso

TEMPLATES = 8192  # of all origins together, some 5 KB each
RUN = "perf.run.id"


class FixedTexts(NamedTuple):
    """What stands between the slots of a line's action: the text before each slot, and the text after the last."""

    to_line: str
    to_created: str
    to_ingested: str
    to_offset: str
    to_kafka: str
    to_run: str
    to_lag: str
    to_logged: str
    to_instant: str
    end: str


# The leaves that differ from line to line, each with the name of the text before it, in the order of a document's JSON.
SLOTS = {
    "to_line": "event.original",
    "to_created": "event.created",
    "to_ingested": "event.ingested",
    "to_offset": "log.offset",
    "to_kafka": "provenance.kafka",
    "to_run": RUN,
    "to_lag": "perf.mark.emit_lag_s",
    "to_logged": "perf.mark.logged",
    "to_instant": "@timestamp",
}
OPTIONAL = ("log.offset",)
NUMBERS = ("log.offset", "perf.mark.emit_lag_s")  # leaves without quotes


class LineTemplate(NamedTuple):
    """What all plain lines of one script:line, stage, key and zone share: their fields, and the text between SLOTS.

    `first` is the mark of the line that the template was learnt from: runs derive from it whatever all lines share.
    """

    fields: Mapping[str, Any]
    version: int
    texts: FixedTexts
    first: RunMark | None = None

    def fill(  # noqa: PLR0913, PLR0917 - an argument for each slot: a tuple of them costs more than the text
        self,
        head: str,
        doc_id: str,
        line: str,
        created: str,
        ingested: str,
        offset: str,
        partition: str,
        number: int,
        run: str,
        lag_s: float,
        logged: str,
        instant: str,
    ) -> str:
        """Return the text of a line's action; `head` is the text before its id."""
        # One f-string of local names is the fastest of all that were measured.
        to_line, to_created, to_ingested, to_offset, to_kafka, to_run, to_lag, to_logged, to_instant, end = self.texts
        return (
            f"{head}{doc_id}{to_line}{line}{to_created}{created}{to_ingested}{ingested}{to_offset}{offset}"
            f"{to_kafka}{partition}{number}{to_run}{run}{to_lag}{lag_s}{to_logged}{logged}{to_instant}{instant}{end}"
        )


ZonedTime = tuple[int, str | None]
"""A time (unix ms), and the zone in which it was printed."""

TemplateKey = tuple[int, str | None, str, str]
"""The number of the origin, the zone, the text before the run, and the text from there to the value."""


class FastPathCaches:
    """The caches that all origins of a decoder share, which bounds memory once: stamps, times and templates."""

    __slots__ = ("clocks", "dates", "isos", "origins", "stamps", "templates")

    def __init__(self) -> None:
        self.stamps: Cache[str, ZonedTime] = Cache()  # by the stamp: when it was printed
        self.dates: Cache[tuple[str, str], ZonedTime] = Cache()  # by the stamp without its clock: its midnight
        self.clocks = Cache(_clock_ms)
        self.isos = Cache(iso)
        self.templates: Cache[TemplateKey, LineTemplate] = Cache(limit=TEMPLATES)
        self.origins = count()


def line_template(document: Document) -> LineTemplate | None:
    """Cut the document's JSON at its varying leaves; None if its layout is not as expected."""
    tree = orjson.loads(orjson.dumps(document.body))
    for slot, name in SLOTS.items():
        *parents, leaf = name.split(".")
        level = lookup(tree, ".".join(parents)) if parents else tree
        if isinstance(level, dict) and leaf in level:
            level[leaf] = _marker(slot)
        elif name not in OPTIONAL:
            return None
    return _cut(document, orjson.dumps(tree).decode())


def _marker(slot: str) -> str:
    return f"@@{slot}@@"


def _cut(document: Document, text: str) -> LineTemplate | None:
    texts, rest = {}, text
    for slot, name in SLOTS.items():
        before, marker, behind = rest.partition(f'"{_marker(slot)}"')
        if not marker and name not in OPTIONAL:
            return None
        quote = "" if name in NUMBERS else '"'
        texts[slot] = before + quote if marker else ""
        rest = quote + behind if marker else rest
    # A text that contains the marker itself, or characters to escape, is not plain.
    if "@@" in "".join(texts.values()) + rest or "\\" in text or not text.isascii():
        return None
    texts["to_line"] = index_tail(document.version) + texts["to_line"]
    first = mark_of(document.id, document.version, document.body)
    return LineTemplate(document.body, document.version, FixedTexts(**texts, end=f"{rest}\n"), first)


def _clock_ms(text: str) -> int:
    """`21:39:37` -> milliseconds since midnight; a time that does not exist raises, so the slow path handles it."""
    hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:])
    if hour > 23 or minute > 59 or second > 59:
        raise TimestampError(text)
    return (hour * 3600 + minute * 60 + second) * 1000
