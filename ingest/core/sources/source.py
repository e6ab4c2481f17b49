"""A source, as its source.toml declares it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.core.bounds import BLOCKS, ELEMENTS, PAIRS
from ingest.core.sources.daylight import Daylight
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import JsonReader, Reader


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
