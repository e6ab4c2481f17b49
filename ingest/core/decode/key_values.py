"""Lines of `name=value` pairs in any order: one event each. Which names mean what is the source's table's business."""

import re

from ingest.core.model import ParsedMessage
from ingest.core.sources.event import EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.source import Source

_ESCAPED = re.compile(r'\\(["\\])')


def event_of(record: ParsedMessage, source: Source) -> EventBuilder:
    """The event: its pairs by name, the last of a repeated name; names of no row of the table are kept as data."""
    pairs = source.pairs
    if pairs is None:
        raise InvalidRecord("source", f"source {source.name} has no [pairs]")
    found: dict[str, str] = {}
    repeated = False
    for item in record.items:
        name, bare = item[pairs.name], item.get(pairs.value)
        repeated = repeated or name in found
        found[name] = bare if bare is not None else _unquoted(item.get(pairs.quoted, ""))
    made = EventBuilder(found, 0, found, items=(found,))
    if repeated:
        made.flags.append("name_repeated")
    known = {path for read in source.reads for path in read.paths}
    if source.marks:
        known |= {source.marks.key, source.marks.value}
    keep_extra(made, {name: value for name, value in found.items() if name not in known})
    return made


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1])
