"""Words for people: the meaning of a terminal, the rule that filled a field, the reason a line was ignored."""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.core.fields import Field
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.source import Gate, Source

LONGEST = 60
BEFORE_SOURCES = {"prefix", "encoding"}  # reasons of rejects that come before any source reads the message
OUTSIDE = {
    "event.original": "the message as received",
    "event.original_b64": "the message as received",
    "event.created": "when Kafka got it",
    "event.ingested": "when it was indexed",
    "host.name": "from the forwarder",
    "log.file.path": "from the forwarder",
    "log.offset": "from the forwarder",
    "provenance.kafka": "from Kafka",
    "perf.facility": "from the intake",
    "perf.workflow": "from the intake",
    "perf.source": "the source that read it",
    "source.site": "from the settings: sites",
    "destination.site": "from the settings: sites",
}


def terminal_words(source: Source, name: str, examples: Mapping[str, str]) -> str:
    """Describe a terminal: by source.toml, else by an example from the samples, else by its expression."""
    if not isinstance(source.reader, GrammarReader):
        return name
    whole = next((n for n in (name, f"_{name}") if n in source.reader.terminals), None)
    if whole is None:
        return name
    if whole in source.describe:
        return source.describe[whole]
    pattern = source.reader.terminals[whole]
    example = examples.get(whole)
    if example is not None and example.strip():
        return f"{_lower(name)}, e.g. `{example.strip()[:LONGEST]}`"
    return "blank" if example else f"{_lower(name)}: /{pattern[:LONGEST]}/"


def _lower(name: str) -> str:
    return name.lower().replace("_", " ").strip()


def rule_of(source: Source, field: Field, value: Any, parts: Sequence[str]) -> tuple[str, str]:
    """The origin of a field's value, with words: `outside` the message, `read` by a row of the table, or `derived`."""
    if field.name in OUTSIDE:
        return "outside", OUTSIDE[field.name]
    for read in source.reads:
        if read.field == field.name:
            path = next((path for path in read.paths if path in parts), " or ".join(read.paths))
            return "read", f"{path} as {read.conversion}"
    return "derived", _derived(source, field, value)


def _derived(source: Source, field: Field, value: Any) -> str:
    """The family's prefix, the key's ending, or the meaning of the field itself."""
    if field.name == "perf.stage.family":
        family = next((one for one in source.families if one.family == value), None)
        if family:
            parts = f", then after each `{family.separator}`: {', '.join(family.parts)}" if family.parts else ""
            return f"`{family.prefix}` is the longest prefix in the source's table that fits{parts}"
    if field.name == "perf.mark.role" and source.marks:
        ending = next((one for one, role in source.marks.roles if role == value), None)
        return f"a key that ends in {ending}" if ending else field.doc
    return field.doc.partition(";")[0] if field.name == "@timestamp" else field.doc


def ignored_because(source: Source, shape: str) -> str:
    """Why a line belongs to another program."""
    gate = source.gate
    if shape == "blank":
        return "it is empty"
    if gate is None:
        return "this source does not read lines of its kind"
    words = [f"the word `{word}`" if word.isalnum() else f"`{word}`" for word in gate.words]
    missing = f"no {words[0].removeprefix('the ')}" if len(words) == 1 else f"neither {' nor '.join(words)}"
    if shape == "too_long":
        return f"longer than {source.max_bytes:,} bytes, and it holds {missing}"
    if shape.startswith("tag:"):
        return f"the header of our lines, then the tag `{shape[4:]}`, not {_tag(gate)}: another kind of line"
    if shape == "stamped":
        return f"the header of our lines, followed by neither {_tag(gate)} nor a similar word"
    return f"it does not begin like our lines, and contains {missing}"


def missing_words(source: Source, reason: str) -> tuple[str, ...]:
    """The terminals or paths that would supply the missing part of a message (reasons no_time and identity)."""
    fields = {"no_time": ("@timestamp",), "identity": source.identity}.get(reason, ())
    return tuple(" or ".join(read.paths) for read in source.reads if read.field in fields)


def _tag(gate: Gate) -> str:
    return f"`{gate.literal}`"
