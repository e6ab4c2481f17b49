"""Decode lines of `name=value` pairs, in any order, into one event each; the source's table gives the names meaning."""

import re

from ingest.core.model import ParsedMessage
from ingest.core.sources.event import EventBuilder, InvalidRecord
from ingest.core.sources.flattened import keep_extra
from ingest.core.sources.source import Source

_ESCAPED = re.compile(r'\\(["\\])')


def event_of(record: ParsedMessage, source: Source) -> EventBuilder:
    """The event of a line: its pairs by name, of which the last of a repeated name wins.

    Names outside the source's table are kept as data.
    """
    pairs = source.pairs
    if pairs is None:
        raise InvalidRecord("source", f"source {source.name} has no [pairs]")
    values_by_name: dict[str, str] = {}
    repeated = False
    for item in record.items:
        name, bare = item[pairs.name], item.get(pairs.value)
        repeated = repeated or name in values_by_name
        values_by_name[name] = bare if bare is not None else _unquoted(item.get(pairs.quoted, ""))
    event = EventBuilder(values_by_name, 0, values_by_name, items=(values_by_name,))
    if repeated:
        event.flags.append("name_repeated")
    known = {path for read in source.reads for path in read.paths}
    if source.marks:
        known |= {source.marks.key, source.marks.value}
    keep_extra(event, {name: value for name, value in values_by_name.items() if name not in known})
    return event


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1])
