"""Describe the sources as rows, for `perflog sources` and the table of grammars/README.md; reads only samples.json."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.core.authoring.lineage import lineage
from ingest.core.authoring.nearest import sample_texts
from ingest.core.authoring.samples import accepted
from ingest.core.authoring.wording import OUTSIDE
from ingest.core.fields import Field, Schema
from ingest.core.lookup import lookup
from ingest.core.model import ExitCode, Intake, Message, ParsedMessage, Problem
from ingest.core.sources.event import Context
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.source import Source
from ingest.core.timestamps import iso_ms

MOST_TRACED = 100
BEGIN = "<!-- made by `perflog sources --markdown`: do not edit here -->"
END = "<!-- end of what is made -->"


@dataclass(frozen=True, slots=True)
class SourceField:
    """A field that a source fills, and the terminals or paths it comes from; none if a function derives it."""

    field: Field
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """The description of a source, for people.

    Attributes:
        one: what a document of its kind stands for.
        reading: how messages are parsed: compiled, by Lark (and why), as JSON.
        identity: what makes two documents the same, in words.
        samples: messages in its samples; documents, rejects, ignored: their outcomes.
        fields: those in its samples and its table, in the order of fields.toml.
    """

    name: str
    summary: str
    kind: str
    one: str
    reading: str
    slow_because: str
    framing: str
    identity: str
    revision: int
    max_bytes: int
    outcomes: Mapping[str, int]
    fields: tuple[SourceField, ...]
    flags: Mapping[str, str]


def entry_of(source: Source, schema: Schema, in_detail: bool = False) -> Entry:
    """Describe a source; `in_detail` also finds the terminals or paths of its derived fields (takes up to seconds)."""
    header = accepted(source)
    rows = [row for file in header["files"].values() for row in file]
    bodies = [row["document"] for row in rows if row["outcome"] == "document"]
    slow = source.reader.why_slow if isinstance(source.reader, GrammarReader) else ""
    grammar = "grammar, read by Lark" if slow else "grammar, compiled"
    return Entry(
        name=source.name,
        summary=source.summary,
        kind=source.kind,
        one=schema.kinds[source.kind].one,
        reading=grammar if isinstance(source.reader, GrammarReader) else "JSON paths",
        slow_because=slow,
        framing="a line" if source.framing == "line" else "a message",
        identity=" + ".join(_IDENTITY.get(word, word.removesuffix("?")) for word in source.identity),
        revision=source.revision,
        max_bytes=source.max_bytes,
        outcomes={word: sum(row["outcome"] == word for row in rows) for word in ("document", "reject", "ignored")},
        fields=_filled(source, schema, bodies, traced(source, header) if in_detail else {}),
        flags=_flags(source, schema, bodies),
    )


_IDENTITY = {
    "bytes": "its bytes",
    "ordinal": "which pair of it",
    "captured": "when it was captured",
    "words": "its words",
}


def traced(source: Source, header: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Field -> the terminals or paths it is made of in the samples, found by changing them one by one."""
    parts_of: dict[str, dict[str, None]] = {}
    intake = Intake("sources", "sources", header["facility"], (source.name,))
    for text in sample_texts(source)[:MOST_TRACED]:
        record = source.reader.read(text.encode())
        if isinstance(record, ParsedMessage):
            context = Context(source, intake, Message(record.raw, iso_ms(header["received"])), {})
            for part, fed in lineage(record, context).items():
                for _, name in fed.fields:
                    parts_of.setdefault(name, {})[part.name] = None
    return {name: tuple(parts) for name, parts in parts_of.items()}


def _filled(
    source: Source, schema: Schema, bodies: Sequence[Mapping[str, Any]], traced: Mapping[str, tuple[str, ...]]
) -> tuple[SourceField, ...]:
    table = {read.field: read.paths for read in source.reads}
    return tuple(
        SourceField(field, table.get(name, ()) or traced.get(name, ()))
        for name, field in schema.of(source.kind).items()
        if name not in OUTSIDE and (name in table or any(lookup(body, name) is not None for body in bodies))
    )


def _flags(source: Source, schema: Schema, bodies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    seen = {flag for body in bodies for flag in body["perf"].get("flags", ())} | {flag.name for flag in source.flags}
    return {name: schema.flags.get(name, "") for name in sorted(seen)}


def markdown(entries: Iterable[Entry]) -> str:
    """The table of sources in grammars/README.md."""
    lines = ["| source | reads | a document is | the same again by | samples |", "|---|---|---|---|---|"]
    for entry in entries:
        samples = ", ".join(f"{count} {_word(word, count)}" for word, count in entry.outcomes.items() if count)
        cells = (f"`{entry.name}`", entry.summary, entry.one, entry.identity, samples)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _word(word: str, count: int) -> str:
    return {"document": "documents", "reject": "rejects", "ignored": "ignored"}[word] if count != 1 else word


def between(text: str, table: str) -> str:
    """Replace the table between a text's markers; raise `Problem` (65) if it has no markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Problem(
            "The markers of the table of sources are missing.",
            f"The table belongs between `{BEGIN}` and `{END}`.",
            ExitCode.BAD_DATA,
        )
    return f"{before}{BEGIN}\n{table}{END}{after}"


def write_between(path: Path, table: str) -> None:
    """Write the table into a file, between its markers."""
    path.write_text(between(path.read_text(encoding="utf-8"), table), encoding="utf-8")
