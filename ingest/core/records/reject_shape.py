"""Computes the shape of a reject: a short text shared by all rejects with the same fault at the same place.

A script that prints a broken line a thousand times makes one shape, whatever run, stage and time its lines name. If the
line names the script and line that printed it, that is the place; otherwise the place is the text before the fault.
"""

import re

from ingest.core.model import Reject

MAX_CHARACTERS = 200
MAX_BEFORE = 80
MAX_SEARCHED = 4096
READ, INDEX = "read", "index"  # what rejected it: perflog (the message) or Elasticsearch (the document)

_SCRIPT_LINE = re.compile(r"(?<![\w.-])([A-Za-z_][\w.+-]*\.[A-Za-z]\w{0,5}):([0-9]{1,9})(?=:|\s|$)")
_JSON = ("{", "[")
# An unclosed quotation extends to the end of the text: otherwise a text of opening quotes takes quadratic time.
_QUOTED = re.compile(r"(?<!\w)`.*?(?:`(?!\w)|\Z)|(?<!\w)'.*?(?:'(?!\w)|\Z)|\"[^\"]*(?:\"|\Z)", re.DOTALL)
_DAY_OR_MONTH = re.compile(
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b", re.IGNORECASE
)
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]+(?:Z|[+-][0-9]{2}:?[0-9]{2})?")
_NUMBER = re.compile(
    r"\b(?=[0-9a-f-]{0,40}[0-9])[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|[0-9]+(?:[-.,:/][0-9]+)*", re.IGNORECASE
)
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_WORDS = {
    "torn": "the line ends too early",
    "stamp_locale": "a stamp in another language",
    "too_long": "too long",
    "time_ahead": "a time that lies ahead",
    "time_range": "a time before 2000",
    "time_too_old": "too old a time",
}


def shape(reject: Reject, stage: str = READ) -> str:
    """Return the shape, at most 200 characters and never empty; reason and source are not part of it.

    >>> shape(Reject("tag", "`PREF` stands where TAG is expected", b"x: a.sh:69:1-2:PREF", "s", 1, 15, ("TAG",)))
    'a.sh:69: TAG expected'
    """
    fault = collapsed(reject.detail) if stage == INDEX else _fault(reject)
    position = "" if stage == INDEX else _position(reject)
    text = f"{position}: {fault}" if position else fault
    text = text.encode("utf-8", "replace").decode()
    return (text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…") or reject.reason


def collapsed(text: str) -> str:
    """Return a text without the parts that vary: quoted values, numbers, timestamps and runs of blanks.

    >>> collapsed("failed to parse field [perf.run.id] in document with id 'FZlx'. Preview of field's value: '1a'")
    "failed to parse field [perf.run.id] in document with id '…'. Preview of field's value: '…'"
    """
    quoted = _QUOTED.sub(lambda match: f"{match[0][0]}…{match[0][0]}", text[:MAX_SEARCHED])
    return _BLANK.sub(" ", _NUMBER.sub("#", _STAMP.sub("#", _DAY_OR_MONTH.sub("#", quoted)))).strip()


def _fault(reject: Reject) -> str:
    """Name the fault. Where a torn line was cut is chance, so its shape says only that it is torn."""
    if reject.reason in _WORDS:
        return _WORDS[reject.reason]
    if reject.reason == "json" or not reject.expected:
        return collapsed(reject.detail)
    *first, last = reject.expected
    return f"{', '.join(first)} or {last} expected" if first else f"{last} expected"


def _position(reject: Reject) -> str:
    """Return the last `script:line` before the fault, else the first one after it, else the text before the fault."""
    line = _line(reject)
    if line.lstrip().startswith(_JSON):
        return ""
    end = len(line) if reject.column is None else reject.column - 1
    named = list(_SCRIPT_LINE.finditer(line))
    before = [match for match in named if match.start() < end]
    if named:
        script, number = (before[-1] if before else named[0]).groups()
        return f"{script}:{int(number)}"
    if reject.column is None:
        return ""
    text_before = collapsed(line[:end]).rstrip(" :=")
    return text_before if len(text_before) <= MAX_BEFORE else f"…{text_before[-MAX_BEFORE:]}"


def _line(reject: Reject) -> str:
    """Return the line of the message that has the fault, up to `MAX_SEARCHED` bytes."""
    start = 0
    for _ in range(reject.line - 1):
        start = reject.original.find(b"\n", start) + 1
        if start == 0:
            return ""
    return reject.original[start:].partition(b"\n")[0][:MAX_SEARCHED].decode("utf-8", "replace")
