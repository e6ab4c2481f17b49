"""Split several lines glued into one message: concurrent writers to a file lose a newline or overwrite a line's start.

This is ambiguity 23 of the reference. A message is split wherever another stamp begins. A line on its own may end
without a value; a glued line without one was torn, so no document is made of it. The decoder decodes the parts.
"""

import re
from collections.abc import Callable, Iterator

from ingest.core.model import ParsedMessage
from ingest.core.sources.source import Source


def seams(data: bytes, seam: re.Pattern[str], torn: Callable[[bytes], bool]) -> list[int]:
    """The byte positions at which further lines begin in a message; empty if nothing inside it looks like a line start.

    After whitespace a stamp counts only if the message itself begins with a stamp, whole or torn (`torn` asks the
    grammar): `ri Feb 5 …`, or a stamp after a syslog header, is one damaged line, not two. Lines with a newline between
    them are not glued: their shipper framed them wrongly.
    """
    if b"\n" in data.strip():
        return []
    return list(_seams(data.decode("utf-8", "surrogateescape"), seam, torn))


def _seams(text: str, seam: re.Pattern[str], torn: Callable[[bytes], bool]) -> Iterator[int]:
    first = seam.match(text, len(text) - len(text.lstrip()))
    begun, byte, done = first is not None, 0, 0
    for number, stamp in enumerate(seam.finditer(text, first.end() if first else 1)):
        at = stamp.start()
        byte += len(_bytes(text[done:at]))
        done = at
        if begun or not text[at - 1].isspace() or (number == 0 and torn(_bytes(text[:at]))):
            begun = True
            yield byte


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def ends_early(record: ParsedMessage, source: Source) -> bool:
    """Whether a parsed line lacks the value it should end with."""
    value = source.pairs.value if source.pairs else source.marks.value if source.marks else None
    if value is None or (source.marks and source.marks.instants):
        return False
    last = record.items[-1] if record.items else {}
    return not last.get(value) and not (source.pairs and last.get(source.pairs.quoted))
