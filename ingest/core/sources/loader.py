"""Load and check a source: its folder under grammars/. The folder is the registry; there is no other registration.

    grammars/<name>/source.toml    identity, revision, names -> fields, zones, gate
                    grammar.lark   for `reader = "grammar"`
                    samples.*      input it reads;  samples.json  the result;  rejects.*  input it rejects

Reads only files in that folder. Every fault is a `Problem` (78) at loading.
"""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.core.fields import Schema
from ingest.core.model import ExitCode, Problem
from ingest.core.sources.convert import CONVERSIONS
from ingest.core.sources.daylight import daylight
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import JsonReader, Reader
from ingest.core.sources.regular import NotRegular
from ingest.core.sources.source import Family, Flag, Gate, Ignore, Marks, Pairs, Read, Source, Stamp, whole_words
from ingest.core.timestamps import TimestampError, offset_s

IDENTITY_WORDS = {"facility", "bytes", "ordinal", "captured", "words"}
_KEYS = {
    "describe",
    "revision", "summary", "kind", "reader", "framing", "repeat", "identity", "max_bytes",
    "gate", "stamp", "mark", "stage", "read", "flag", "call", "select", "rank", "zone", "needs", "repair", "pairs",
    "ignore", "list",
}  # fmt: skip


def load_sources(folder: Path, schema: Schema) -> dict[str, Source]:
    """Load every folder that has a source.toml, by name."""
    sources = {path.parent.name: load_source(path.parent, schema) for path in sorted(folder.glob("*/source.toml"))}
    if not sources:
        raise Problem(f"No source found under {folder}.", "A source is a folder with a source.toml.", ExitCode.CONFIG)
    return sources


def load_source(folder: Path, schema: Schema) -> Source:
    """Read and check one source folder."""
    try:
        tree = tomllib.loads((folder / "source.toml").read_text(encoding="utf-8"))
        return _source(folder, tree, schema)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, TimestampError, NotRegular, re.error) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise Problem(f"Source {folder.name}: source.toml cannot be used: {what}.", "", ExitCode.CONFIG) from error


def _source(folder: Path, tree: dict[str, Any], schema: Schema) -> Source:
    _check_words(folder.name, tree, schema)
    if not any(path.name.startswith("samples.") for path in sample_files(folder)):
        raise Problem(
            f"Source {folder.name} has no samples.", "Put lines it must read into samples.log.", ExitCode.CONFIG
        )
    reader = _reader(folder, tree)
    gate, stamp, mark = (tree.get(name) for name in ("gate", "stamp", "mark"))
    stage = tree.get("stage", {})
    families = (Family(**{**f, "parts": tuple(f.get("parts", ()))}) for f in stage.get("families", ()))
    rank = tree.get("rank", {})
    return Source(
        name=folder.name,
        folder=folder,
        revision=tree["revision"],
        summary=tree["summary"],
        kind=tree["kind"],
        reader=reader,
        framing=tree["framing"],
        list_name=tree.get("list"),
        identity=tuple(tree["identity"]),
        max_bytes=tree["max_bytes"],
        reads=tuple(_read(table) for table in tree.get("read", ())),
        flags=tuple(_flag(table) for table in tree.get("flag", ())),
        calls=tuple((table["function"], tuple(table.get("only", ()))) for table in tree.get("call", ())),
        select=tuple(tree.get("select", {}).get("by", ())),
        needs=tuple(tuple(paths) for paths in tree.get("needs", ())),
        ignores=tuple(_ignore(table) for table in tree.get("ignore", ())),
        rank_field=rank.get("field"),
        ranks=rank.get("ranks", {}),
        gate=_gate(gate, reader) if gate else None,
        stamp=_stamp(stamp) if stamp else None,
        marks=_marks(mark) if mark else None,
        pairs=Pairs(**tree["pairs"]) if "pairs" in tree else None,
        stage_from=stage.get("from"),
        stage_trims=stage.get("without_ending", False),
        families=tuple(sorted(families, key=lambda family: -len(family.prefix))),
        describe=_describe(tree.get("describe", {}), reader),
    )


def sample_files(folder: Path) -> list[Path]:
    """The files of input that a source reads (samples.*) and rejects (rejects.*); not samples.json, the results."""
    files = sorted([*folder.glob("samples.*"), *folder.glob("rejects.*")])
    return [path for path in files if path.name != "samples.json"]


def _check_words(name: str, tree: dict[str, Any], schema: Schema) -> None:
    def refuse(what: str) -> None:
        raise Problem(f"Source {name}: {what}.", "See grammars/als_perf/source.toml for the form.", ExitCode.CONFIG)

    for key in tree.keys() - _KEYS:
        refuse(f"source.toml has an unknown key `{key}`")
    if tree["kind"] not in schema.kinds:
        refuse(f"`{tree['kind']}` is not a kind of document in fields.toml")
    if tree["framing"] not in {"line", "message"}:
        refuse("framing must be `line` or `message`")
    if not 1 <= tree["revision"] < 4096:
        refuse("revision must be a number from 1 to 4095")
    fields = schema.of(tree["kind"])
    named = [table["field"] for table in tree.get("read", ())]
    named += [word.removesuffix("?") for word in tree["identity"] if word not in IDENTITY_WORDS]
    for field_name in named:
        if field_name not in fields:
            refuse(f"field `{field_name}` is not one of {tree['kind']} in fields.toml")
    for table in tree.get("read", ()):
        if table["as"] not in CONVERSIONS:
            refuse(f"`{table['as']}` is not a conversion (available: {', '.join(sorted(CONVERSIONS))})")


def _reader(folder: Path, tree: dict[str, Any]) -> Reader:
    if tree["reader"] == "json":
        return JsonReader(repair=tree.get("repair", False))
    if "list" in tree:
        raise TypeError('`list` names a member of a JSON object: it needs `reader = "json"`')
    if tree["reader"] == "grammar":
        text = (folder / "grammar.lark").read_text(encoding="utf-8")
        return _compiled(text, folder.name, tree.get("repeat"))
    raise Problem(
        f"Source {folder.name}: reader must be `grammar` or `json`, not `{tree['reader']}`.", "", ExitCode.CONFIG
    )


@lru_cache(maxsize=64)
def _compiled(text: str, name: str, repeat: str | None) -> GrammarReader:
    """Compile each grammar text once: readers are immutable, and compiling is most of the cost of loading."""
    return GrammarReader(text, name, repeat)


def _read(table: dict[str, Any]) -> Read:
    return Read(table["field"], tuple(table["from"]), table["as"], tuple(table.get("only", ())), table.get("join"))


def _describe(table: dict[str, str], reader: Reader) -> dict[str, str]:
    """The wording of terminals for people. Raises TypeError for a terminal that the grammar does not have."""
    terminals = reader.terminals if isinstance(reader, GrammarReader) else {}
    unknown = [name for name in table if name not in terminals]
    if unknown:
        raise TypeError(f"[describe] names `{unknown[0]}`, which is not a terminal of its grammar")
    return dict(table)


def _gate(table: dict[str, Any], reader: Reader) -> Gate:
    if not isinstance(reader, GrammarReader):
        raise TypeError("a gate needs a grammar")
    tag, torn_after, glued_at, foreign = (table.get(key) for key in ("tag", "torn_after", "glued_at", "foreign"))
    seam = reader.head(glued_at) if glued_at else None
    # The tag's expression, if it is no plain text, is that of a word in `keeps`.
    text = reader.terminals[tag] if tag else ""
    literal = next((word.strip() for word in table["keeps"] if tag and re.fullmatch(text, word.strip())), text)
    return Gate(
        keeps=whole_words(table["keeps"], seam),
        words=tuple(table["keeps"]),
        head=reader.head(torn_after) if torn_after else None,
        tag=tag,
        literal=literal,
        seam=seam,
        foreign=re.compile(foreign) if foreign else None,
        echoed=tuple(word.encode() for word in table.get("echoed", ())),
        others=tuple(word.encode() for word in table.get("others", ())),
    )


def _flag(table: dict[str, Any]) -> Flag:
    return (
        Flag(table["name"], lacks=table["lacks"])
        if "lacks" in table
        else Flag(table["name"], table["from"], table["unless"])
    )


def _ignore(table: dict[str, Any]) -> Ignore:
    """By how a message begins, by a value (and `requires`: paths that are there too), or by all names of the record."""
    if "begins" in table:
        return Ignore(table["shape"], begins=table["begins"].encode())
    pattern = re.compile(table["matches"], re.IGNORECASE | re.DOTALL)
    return Ignore(table["shape"], table.get("from"), pattern, tuple(table.get("requires", ())))


def _stamp(table: dict[str, Any]) -> Stamp:
    zones = {abbreviation: offset_s(text) for abbreviation, text in table["zones"].items()}
    seasons = daylight(table["daylight"]) if "daylight" in table else None
    rule, iso = table.get("rule"), table.get("iso")
    return Stamp(table["parts"], zones, iso, rule, table["earliest_lag_s"], table["latest_lag_s"], seasons)


def _marks(table: dict[str, Any]) -> Marks:
    roles = sorted(table["roles"].items(), key=lambda item: -len(item[0]))
    instants = tuple((instant["from"], instant["key"]) for instant in table.get("instants", ()))
    return Marks(table["key"], table["value"], tuple(roles), instants, table.get("elapsed"), table.get("iso", False))
