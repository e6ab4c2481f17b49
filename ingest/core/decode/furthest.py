"""Of several sources that made no document of a message: the outcome of the one that came furthest.

A source with a gate says itself what is another program's line. A source without one rejects whatever it cannot read:
where it read nothing of a single line, that line is not its own, and does not count beside sources that know better.
A message of several lines was framed for a source, so it is never ignored in this way.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ingest.core.decode.rejects import stripped
from ingest.core.lookup import lookup
from ingest.core.model import Outcomes, ParsedMessage, Reject
from ingest.core.sources.readers import JsonReader
from ingest.core.sources.source import Source

SHAPE, JSON = "shape", "json"
PASSED = 1_000  # more than the rows of `needs` of any source: its shape was right
_OPENS = re.compile(rb'[{}\]"]|\[[ \t\r\n]*+[{\["\]]')
_HOLDS = (b'{"', b'{\\"', b'":')
_MOST_BYTES = 65_536  # of a damaged message, searched for its keys
_PARTS = re.compile(rb'"(?P<key>(?>[^"\\]+|\\.)*+)"?+(?P<colon>\s*+:)?+|(?P<open>[{\[])|(?P<close>[}\]])', re.DOTALL)

SourceOutcomes = tuple[Source, Outcomes]
Rank = tuple[bool, bool, int, int, int, int]


def furthest(outcomes_by_source: Sequence[SourceOutcomes], raw: bytes) -> Outcomes:
    """The outcome of the source that came furthest, the first of equals.

    Rejects of JSON sources of which none knows a single key, and those of sources that read nothing of several lines,
    become one that blames none of them.
    """
    counted = by_progress(outcomes_by_source, raw)
    if len(counted) == 1:
        return counted[0][1]
    source, best = counted[0]
    _, begun, needed, _, _, known = rank_of(source, best, raw)
    if not best.rejects or needed or known:
        return best
    alike = [one.rejects[0] for other, one in counted if one.rejects and _is_json(other) == _is_json(source)]
    if _is_json(source) and len(alike) > 1 and len({(r.reason, r.line, r.column) for r in alike}) == 1:
        return Outcomes(rejects=(_of_no_source(alike),))
    if begun or b"\n" not in raw or _is_json(source):
        return best
    return Outcomes(rejects=(Reject("syntax", "no source reads its beginning", best.rejects[0].original),))


def by_progress(outcomes_by_source: Sequence[SourceOutcomes], raw: bytes) -> list[SourceOutcomes]:
    """The sources whose outcomes count, that which came furthest first."""
    own = [one for one in outcomes_by_source if has_begun(one[0], one[1], raw)]
    counted = own if own and b"\n" not in raw else outcomes_by_source
    return (
        sorted(counted, key=lambda one: rank_of(one[0], one[1], raw), reverse=True)
        if len(counted) > 1
        else list(counted)
    )


def has_begun(source: Source, outcomes: Outcomes, raw: bytes) -> bool:
    """Whether a source read anything of the message, or has a gate and so decides itself what is not its own."""
    if source.gate or not outcomes.rejects:
        return True
    if _is_json(source):
        return _OPENS.match(raw) is not None or any(sign in raw for sign in _HOLDS)
    return any((reject.line, reject.column) != (1, 1 + stripped(reject.original, raw)) for reject in outcomes.rejects)


def rank_of(source: Source, outcomes: Outcomes, raw: bytes) -> Rank:
    """Rank how far a source read a message: rejects before ignored, then by needed keys, line, column, known keys."""
    if not outcomes.rejects:
        return (False, False, 0, 0, 0, 0)
    needed, known = _keys(source, outcomes.rejects[0], raw) if _is_json(source) else (0, 0)
    begun = has_begun(source, outcomes, raw)
    line, column = max(
        (reject.line, 0 if reject.reason == SHAPE else reject.column or 10**6) for reject in outcomes.rejects
    )
    return (True, begun, needed, line if begun or not _is_json(source) else 0, column, known)


def _is_json(source: Source) -> bool:
    return isinstance(source.reader, JsonReader)


def _keys(source: Source, reject: Reject, raw: bytes) -> tuple[int, int]:
    """How many rows of `needs` have a key in the message, and how many of the other keys that its table reads."""
    if reject.reason not in {SHAPE, JSON}:
        return PASSED, 0
    record = source.reader.read(raw)
    values = _values(record) if isinstance(record, ParsedMessage) else _damaged_keys(raw)
    needed = sum(any(lookup(values, path) is not None for path in paths) for paths in source.needs)
    known = {path.partition(".")[0] for read in source.reads for path in read.paths}
    return needed, sum(key in known for key in values)


def _values(record: ParsedMessage) -> Mapping[str, Any]:
    return record.values or next(iter(record.items), {})


def _damaged_keys(raw: bytes) -> dict[str, bool]:
    """The keys at the top of a JSON object that cannot be parsed; none if the message does not begin with one."""
    keys: dict[str, bool] = {}
    depth = 0
    for part in _PARTS.finditer(raw[:_MOST_BYTES]) if raw.startswith((b"{", b"[")) else ():
        if part["open"]:
            depth += 1 if part["open"] == b"{" or depth else 0
        elif part["close"]:
            depth -= 1
        elif depth == 1 and part["colon"]:
            keys[part["key"].decode("utf-8", "replace")] = True
    return keys


def _of_no_source(shapes: Sequence[Reject]) -> Reject:
    """The reject of JSON, or of what should be, that has none of the keys of any source."""
    first = shapes[0]
    if first.reason != SHAPE:
        return replace(first, source=None)
    lacks = "; ".join(f"{reject.source} needs {' and '.join(reject.expected)}" for reject in shapes)
    expected = tuple(dict.fromkeys(key for reject in shapes for key in reject.expected))
    detail = f"JSON of another shape than any source reads: {lacks}"
    return replace(first, detail=detail, source=None, expected=expected)
