"""A source: its folder under grammars/, read and checked. The folder is the registry; nothing is registered elsewhere.

    grammars/<name>/source.toml    identity, revision, names -> fields, zones, gate
                    grammar.lark   for `reader = "grammar"`
                    samples.*      what it reads;  samples.json  what that becomes;  rejects.*  what it refuses

Reads files below the folder it is given and touches nothing else. Everything wrong is a `Problem` (78) at loading.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.core.bounds import BLOCKS, ELEMENTS, PAIRS
from ingest.core.clock import ClockError, offset_s
from ingest.core.convert import CONVERSIONS
from ingest.core.daylight import Daylight, daylight
from ingest.core.fields import Schema
from ingest.core.model import Problem
from ingest.core.parse import GrammarReader, JsonReader, Reader
from ingest.core.regular import NotRegular

IDENTITY_WORDS = {"facility", "bytes", "ordinal", "captured"}
_KEYS = {
    "describe",
    "revision", "summary", "kind", "reader", "framing", "repeat", "identity", "max_bytes",
    "gate", "stamp", "mark", "stage", "read", "flag", "call", "select", "rank", "zone", "needs", "repair", "pairs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Read:
    """One row of a source's table: the first of `paths` that is there, converted, becomes `field`; for `only` types.

    With `join`, all of `paths` together do, joined by it.
    """

    field: str
    paths: tuple[str, ...]
    conversion: str
    only: tuple[str, ...] = ()
    join: str | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """Terminal `path` with any text but `unless` is worth flag `name`; or that the document lacks field `lacks` is."""

    name: str
    path: str = ""
    unless: str = ""
    lacks: str | None = None

    def worth(self, values: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
        """Whether what was read, or what became of it, is worth the flag."""
        if self.lacks is not None:
            return self.lacks not in body
        return bool(values.get(self.path, self.unless) != self.unless)


@dataclass(frozen=True, slots=True)
class Gate:
    """What tells a damaged line of ours from somebody else's line.

    Attributes:
        keeps: bytes that only our lines hold: never ignored.
        head: the expression of the part after which a line that ends is torn; without it, only `keeps` tells.
        tag: the terminal of the tag; literal: its text.
        seam: what a line begins with; further on in a line it shows that two were glued.
        foreign: a line that begins with a stamp in another language.
        echoed: bytes that only a shell's echo of a command of ours holds: ignored, though `keeps` stand in it.
    """

    keeps: tuple[bytes, ...]
    head: re.Pattern[str] | None = None
    tag: str | None = None
    literal: str = ""
    seam: re.Pattern[str] | None = None
    foreign: re.Pattern[str] | None = None
    echoed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """How the printed time is made up of terminals, and the self-check's bounds in seconds."""

    parts: Mapping[str, str]
    zones: Mapping[str, int]
    iso: str | None = None
    rule: str | None = None
    earliest_lag_s: int = -2
    latest_lag_s: int = 900
    daylight: Daylight | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """How a line names its instants.

    Attributes:
        key, value: the terminals (or names of pairs) of an instant's key and value.
        roles: what the key's ending says, longest ending first.
        instants: (terminal, key) where a terminal is an instant by its place; its text then stands as the value.
        elapsed: the terminal that says in seconds what lies between the first instant and the last.
        iso: values may be ISO 8601 date-times, not only unix times.
    """

    key: str
    value: str
    roles: tuple[tuple[str, str], ...]
    instants: tuple[tuple[str, str], ...] = ()
    elapsed: str | None = None
    iso: bool = False


@dataclass(frozen=True, slots=True)
class Pairs:
    """The items of a record are pairs of one event: the terminals of name, bare value and quoted value."""

    name: str
    value: str
    quoted: str


@dataclass(frozen=True, slots=True)
class Family:
    """A stage family: names that begin with `prefix`; `parts` follow, each behind a `separator`."""

    prefix: str
    family: str
    separator: str = "-"
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """All that is known of one format; of each row of `needs` one path must be there, else it is another shape."""

    name: str
    folder: Path
    revision: int
    summary: str
    kind: str
    reader: Reader
    framing: str
    identity: tuple[str, ...]
    max_bytes: int
    reads: tuple[Read, ...]
    flags: tuple[Flag, ...] = ()
    calls: tuple[tuple[str, tuple[str, ...]], ...] = ()
    select: tuple[str, ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    rank_field: str | None = None
    ranks: Mapping[str, int] = field(default_factory=dict)
    gate: Gate | None = None
    stamp: Stamp | None = None
    marks: Marks | None = None
    pairs: Pairs | None = None
    stage_from: str | None = None
    stage_trims: bool = False
    families: tuple[Family, ...] = ()
    describe: Mapping[str, str] = field(default_factory=dict)

    @property
    def repeats(self) -> str:
        """What a message of it may hold many of: `elements` of an array, `pairs` of a line, or `blocks` of a text."""
        if isinstance(self.reader, JsonReader):
            return ELEMENTS
        return PAIRS if self.marks or self.pairs else BLOCKS

    def prove(self) -> None:
        """Build all that is otherwise built when it is first needed; `Problem` (78) when its grammar is not LALR."""
        if isinstance(self.reader, GrammarReader):
            self.reader.prove()


def load_sources(folder: Path, schema: Schema) -> dict[str, Source]:
    """Every folder with a source.toml, by name."""
    found = {path.parent.name: load_source(path.parent, schema) for path in sorted(folder.glob("*/source.toml"))}
    if not found:
        raise Problem(f"No source found under {folder}.", "A source is a folder with a source.toml.", 78)
    return found


def load_source(folder: Path, schema: Schema) -> Source:
    """Read and check one folder."""
    try:
        tree = tomllib.loads((folder / "source.toml").read_text(encoding="utf-8"))
        return _source(folder, tree, schema)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ClockError, NotRegular, re.error) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise Problem(f"Source {folder.name}: source.toml cannot be used: {what}.", "", 78) from error


def _source(folder: Path, tree: dict[str, Any], schema: Schema) -> Source:
    _check_words(folder.name, tree, schema)
    if not any(path.name.startswith("samples.") for path in sample_files(folder)):
        raise Problem(f"Source {folder.name} has no samples.", "Put lines it must read into samples.log.", 78)
    reader = _reader(folder, tree)
    gate = tree.get("gate")
    stamp = tree.get("stamp")
    mark = tree.get("mark")
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
        identity=tuple(tree["identity"]),
        max_bytes=tree["max_bytes"],
        reads=tuple(_read(row) for row in tree.get("read", ())),
        flags=tuple(_flag(row) for row in tree.get("flag", ())),
        calls=tuple((row["function"], tuple(row.get("only", ()))) for row in tree.get("call", ())),
        select=tuple(tree.get("select", {}).get("by", ())),
        needs=tuple(tuple(paths) for paths in tree.get("needs", ())),
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
    """The files that show what a source reads (samples.*) and refuses (rejects.*); not samples.json, their outcome."""
    found = sorted([*folder.glob("samples.*"), *folder.glob("rejects.*")])
    return [path for path in found if path.name != "samples.json"]


def _check_words(name: str, tree: dict[str, Any], schema: Schema) -> None:
    def refuse(what: str) -> None:
        raise Problem(f"Source {name}: {what}.", "See grammars/als_perf/source.toml for the form.", 78)

    for key in tree.keys() - _KEYS:
        refuse(f"source.toml has an unknown key `{key}`")
    if tree["kind"] not in schema.kinds:
        refuse(f"`{tree['kind']}` is no kind of document in fields.toml")
    if tree["framing"] not in {"line", "message"}:
        refuse("framing is `line` or `message`")
    if not 1 <= tree["revision"] < 4096:
        refuse("revision is a number from 1 to 4095")
    fields = schema.of(tree["kind"])
    named = [row["field"] for row in tree.get("read", ())]
    named += [word for word in tree["identity"] if word not in IDENTITY_WORDS]
    for field_name in named:
        if field_name not in fields:
            refuse(f"field `{field_name}` is not one of {tree['kind']} in fields.toml")
    for row in tree.get("read", ()):
        if row["as"] not in CONVERSIONS:
            refuse(f"`{row['as']}` is no conversion (there are {', '.join(sorted(CONVERSIONS))})")


def _reader(folder: Path, tree: dict[str, Any]) -> Reader:
    if tree["reader"] == "json":
        return JsonReader(repair=tree.get("repair", False))
    if tree["reader"] == "grammar":
        text = (folder / "grammar.lark").read_text(encoding="utf-8")
        return _compiled(text, folder.name, tree.get("repeat"))
    raise Problem(f"Source {folder.name}: reader is `grammar` or `json`, not `{tree['reader']}`.", "", 78)


@lru_cache(maxsize=64)
def _compiled(text: str, name: str, repeat: str | None) -> GrammarReader:
    """Once for each text: nothing in a reader changes, and compiling is most of what loading costs."""
    return GrammarReader(text, name, repeat)


def _read(row: dict[str, Any]) -> Read:
    return Read(row["field"], tuple(row["from"]), row["as"], tuple(row.get("only", ())), row.get("join"))


def _describe(table: dict[str, str], reader: Reader) -> dict[str, str]:
    """Terminal -> words for people; of a terminal that the grammar does not have there is nothing to say."""
    terminals = reader.terminals if isinstance(reader, GrammarReader) else {}
    unknown = [name for name in table if name not in terminals]
    if unknown:
        raise TypeError(f"[describe] names `{unknown[0]}`, which is no terminal of its grammar")
    return dict(table)


def _gate(row: dict[str, Any], reader: Reader) -> Gate:
    if not isinstance(reader, GrammarReader):
        raise TypeError("a gate needs a grammar")
    tag, torn_after, glued_at, foreign = (row.get(key) for key in ("tag", "torn_after", "glued_at", "foreign"))
    return Gate(
        keeps=tuple(word.encode() for word in row["keeps"]),
        head=reader.head(torn_after) if torn_after else None,
        tag=tag,
        literal=reader.terminals[tag] if tag else "",
        seam=reader.head(glued_at) if glued_at else None,
        foreign=re.compile(foreign) if foreign else None,
        echoed=tuple(word.encode() for word in row.get("echoed", ())),
    )


def _flag(row: dict[str, Any]) -> Flag:
    return Flag(row["name"], lacks=row["lacks"]) if "lacks" in row else Flag(row["name"], row["from"], row["unless"])


def _stamp(row: dict[str, Any]) -> Stamp:
    zones = {abbreviation: offset_s(text) for abbreviation, text in row["zones"].items()}
    seasons = daylight(row["daylight"]) if "daylight" in row else None
    rule, iso = row.get("rule"), row.get("iso")
    return Stamp(row["parts"], zones, iso, rule, row["earliest_lag_s"], row["latest_lag_s"], seasons)


def _marks(row: dict[str, Any]) -> Marks:
    roles = sorted(row["roles"].items(), key=lambda item: -len(item[0]))
    instants = tuple((each["from"], each["key"]) for each in row.get("instants", ()))
    return Marks(row["key"], row["value"], tuple(roles), instants, row.get("elapsed"), row.get("iso", False))
