"""Templates of plain lines, learnt from the slow path, and the caches around them.

A template is a document's JSON, cut at the leaves that differ from line to line. A full cache is emptied and starts
empty again, so memory stays bounded whatever the lines contain.
"""

from collections.abc import Mapping
from itertools import count
from typing import Any, NamedTuple

import orjson

from ingest.core.cache import Cache
from ingest.core.lookup import lookup
from ingest.core.mark import RunMark, mark_of
from ingest.core.model import Document
from ingest.core.timestamps import ClockError, iso

TEMPLATES = 8192  # of all origins together, some 5 KB each
RUN = "perf.run.id"
# The leaves that differ from line to line, in the order in which a document's JSON holds them.
SLOTS = (
    "event.original", "event.created", "event.ingested", "log.offset", "provenance.kafka",
    RUN, "perf.mark.emit_lag_s", "perf.mark.logged", "@timestamp",
)  # fmt: skip
OPTIONAL = ("log.offset",)
QUOTED = {name for name in SLOTS if name not in {"log.offset", "perf.mark.emit_lag_s"}}


class LineTemplate(NamedTuple):
    """What all plain lines of one script:line, stage, key and zone share: their fields, and the JSON between SLOTS.

    `first` is the mark of the line that the template was learnt from: runs derive from it whatever all lines share.
    """

    fields: Mapping[str, Any]
    version: int
    pieces: tuple[str, ...]
    first: RunMark | None = None


ZonedTime = tuple[int, str | None]
"""A time (unix ms), and the zone in which it was printed."""

TemplateKey = tuple[int, str | None, str, str]
"""The number of the origin, the zone, the text before the run, and the text from there to the value."""


class FastPathCaches:
    """The caches that all origins of a decoder share, which bounds memory once: stamps, times and templates."""

    __slots__ = ("clocks", "dates", "isos", "origins", "plains", "stamps")

    def __init__(self) -> None:
        self.stamps: Cache[str, ZonedTime] = Cache()  # by the stamp: when it was printed
        self.dates: Cache[tuple[str, str], ZonedTime] = Cache()  # by the stamp without its clock: its midnight
        self.clocks = Cache(_clock_ms)
        self.isos = Cache(iso)
        self.plains: Cache[TemplateKey, LineTemplate] = Cache(limit=TEMPLATES)
        self.origins = count()


def line_template(document: Document) -> LineTemplate | None:
    """Cut the document's JSON at its varying leaves; None if its layout is not as expected."""
    tree = orjson.loads(orjson.dumps(document.body))
    for number, name in enumerate(SLOTS):
        *parents, leaf = name.split(".")
        level = lookup(tree, ".".join(parents)) if parents else tree
        if isinstance(level, dict) and leaf in level:
            level[leaf] = f"@@{number}@@"
        elif name not in OPTIONAL:
            return None
    return _cut(document, orjson.dumps(tree).decode())


def _cut(document: Document, text: str) -> LineTemplate | None:
    pieces, rest = [], text
    for number, name in enumerate(SLOTS):
        before, marker, behind = rest.partition(f'"@@{number}@@"')
        if not marker and name not in OPTIONAL:
            return None
        quote = '"' if name in QUOTED else ""
        pieces.append(before + quote if marker else "")
        rest = quote + behind if marker else rest
    # A text that contains the marker itself, or characters to escape, is not plain.
    if "@@" in "".join(pieces) + rest or "\\" in text or not text.isascii():
        return None
    first = mark_of(document.id, document.version, document.body)
    return LineTemplate(document.body, document.version, (*pieces, rest), first)


def _clock_ms(text: str) -> int:
    """`21:39:37` -> milliseconds since midnight; a time that does not exist raises, so the slow path handles it."""
    hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:])
    if hour > 23 or minute > 59 or second > 59:
        raise ClockError(text)
    return (hour * 3600 + minute * 60 + second) * 1000
