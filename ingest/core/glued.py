"""Two lines in one: writers that append to a shared file lose a newline, or one another's beginnings (ambiguity 23).

A line is split once, where a second stamp begins. Pure; what the halves become is the flow's business.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from ingest.core.model import Provenance


def halves(data: bytes, seam: re.Pattern[str], torn: Callable[[bytes], bool]) -> tuple[bytes, bytes] | None:
    """The two halves of a message, byte for byte; None when nothing inside it looks like the beginning of a line.

    Behind a blank a stamp counts only if the message begins with one too, or with a torn one (`torn` asks the grammar):
    `ri Feb 5 …` and a stamp behind a syslog head are one damaged line each, not two. Lines with a newline between
    them are not glued: whoever shipped them as one message framed it wrongly.
    """
    if b"\n" in data.strip():
        return None
    text = data.decode("utf-8", "surrogateescape")
    first = seam.match(text, len(text) - len(text.lstrip()))
    for number, found in enumerate(seam.finditer(text, first.end() if first else 1)):
        at = found.start()
        before = text[:at].encode("utf-8", "surrogateescape")
        if first or not text[at - 1].isspace() or (number == 0 and torn(before)):
            return before, text[at:].encode("utf-8", "surrogateescape")
    return None


def moved(provenance: Provenance, size_bytes: int) -> Provenance:
    """Where the second half came from: so many bytes further on in the same file."""
    at = provenance.offset_bytes
    return provenance if at is None else replace(provenance, offset_bytes=at + size_bytes)
