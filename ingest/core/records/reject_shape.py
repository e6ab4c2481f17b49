"""The shape of a reject: short, and the same for all that broke at the same place in the same way. Pure.

One script that prints a broken line a thousand times is one shape, whatever run, stage and time its lines name. Where
the line names the script and line that printed it, that is the place; else the place is what stood before the fault.
"""

import re

from ingest.core.model import Reject

MAX_CHARACTERS = 200
MAX_BEFORE = 80
MAX_SEARCHED = 4096
READ, INDEX = "read", "index"  # who refused: perflog the message, Elasticsearch the document

_PLACE = re.compile(r"(?<![\w.-])([A-Za-z_][\w.+-]*\.[A-Za-z]\w{0,5}):([0-9]{1,9})(?=:|\s|$)")
_JSON = ("{", "[")
# A quotation that does not end goes to the end of the text: else a text of opening quotes takes quadratic time.
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
    """At most 200 characters, never empty; reason and source are not in it.

    >>> shape(Reject("tag", "`PREF` stands where TAG is expected", b"x: a.sh:69:1-2:PREF", "s", 1, 15, ("TAG",)))
    'a.sh:69: TAG expected'
    """
    fault = collapsed(reject.detail) if stage == INDEX else _fault(reject)
    place = "" if stage == INDEX else _place(reject)
    found = f"{place}: {fault}" if place else fault
    found = found.encode("utf-8", "replace").decode()
    return (found if len(found) <= MAX_CHARACTERS else f"{found[: MAX_CHARACTERS - 1]}…") or reject.reason


def collapsed(text: str) -> str:
    """A text without what differs from one of its kind to the next: quoted values, numbers, stamps, runs of blanks.

    >>> collapsed("failed to parse field [perf.run.id] in document with id 'FZlx'. Preview of field's value: '1a'")
    "failed to parse field [perf.run.id] in document with id '…'. Preview of field's value: '…'"
    """
    quoted = _QUOTED.sub(lambda found: f"{found[0][0]}…{found[0][0]}", text[:MAX_SEARCHED])
    return _BLANK.sub(" ", _NUMBER.sub("#", _STAMP.sub("#", _DAY_OR_MONTH.sub("#", quoted)))).strip()


def _fault(reject: Reject) -> str:
    """What is wrong there. Where a line was cut is chance, so that of a torn one nothing more is told."""
    if reject.reason in _WORDS:
        return _WORDS[reject.reason]
    if reject.reason == "json" or not reject.expected:
        return collapsed(reject.detail)
    *first, last = reject.expected
    return f"{', '.join(first)} or {last} expected" if first else f"{last} expected"


def _place(reject: Reject) -> str:
    """`script:line` as last named before the fault, or as first named behind it; else what stood before the fault."""
    line = _line(reject)
    if line.lstrip().startswith(_JSON):
        return ""
    end = len(line) if reject.column is None else reject.column - 1
    named = list(_PLACE.finditer(line))
    before = [found for found in named if found.start() < end]
    if named:
        script, number = (before[-1] if before else named[0]).groups()
        return f"{script}:{int(number)}"
    if reject.column is None:
        return ""
    told = collapsed(line[:end]).rstrip(" :=")
    return told if len(told) <= MAX_BEFORE else f"…{told[-MAX_BEFORE:]}"


def _line(reject: Reject) -> str:
    """The line of the message in which the fault lies, as far as it is looked at."""
    start = 0
    for _ in range(reject.line - 1):
        start = reject.original.find(b"\n", start) + 1
        if start == 0:
            return ""
    return reject.original[start:].partition(b"\n")[0][:MAX_SEARCHED].decode("utf-8", "replace")
