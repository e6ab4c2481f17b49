"""Several lines in one: writers that append to one file lose a newline, or one another's beginnings (ambiguity 23).

A line is parted wherever a further stamp begins. Alone a line may end without a value; among lines that tore one
another it was torn itself, so nothing is made of it. Pure; what the parts become is the flow's business.
"""

import re
from collections.abc import Callable, Iterator

from ingest.core.model import ParsedMessage
from ingest.core.sources.source import Source


def seams(data: bytes, seam: re.Pattern[str], torn: Callable[[bytes], bool]) -> list[int]:
    """The bytes at which further lines begin in a message; none when nothing inside it looks like a line's beginning.

    Behind a blank a stamp counts only if the message begins with one too, or with a torn one (`torn` asks the grammar):
    `ri Feb 5 …` and a stamp behind a syslog head are one damaged line each, not two. Lines with a newline between
    them are not glued: whoever shipped them as one message framed it wrongly.
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
    """Whether a line that reads lacks the value it was to end with."""
    value = source.pairs.value if source.pairs else source.marks.value if source.marks else None
    if value is None or (source.marks and source.marks.instants):
        return False
    last = record.items[-1] if record.items else {}
    return not last.get(value) and not (source.pairs and last.get(source.pairs.quoted))
