"""A source, as declared by its source.toml."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.core.bounds import BLOCKS, ELEMENTS, PAIRS
from ingest.core.lookup import lookup
from ingest.core.sources.daylight import Daylight
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import JsonReader, Reader


@dataclass(frozen=True, slots=True)
class Read:
    """A row of a source's table: `field` is set from the first of `paths` that is present, converted; for `only` types.

    With `join`, the values of all `paths` are joined by it.
    """

    field: str
    paths: tuple[str, ...]
    conversion: str
    only: tuple[str, ...] = ()
    join: str | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """Sets flag `name` if terminal `path` has any text but `unless`, or if the document lacks field `lacks`."""

    name: str
    path: str = ""
    unless: str = ""
    lacks: str | None = None

    def worth(self, values: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
        """Whether the values read, or the body built from them, set the flag."""
        if self.lacks is not None:
            return self.lacks not in body
        return bool(values.get(self.path, self.unless) != self.unless)


@dataclass(frozen=True, slots=True)
class Ignore:
    """A record that is none of perflog's, counted as ignored under `shape`.

    Attributes:
        path, matches: the value at `path` is a text that matches as a whole; or, without `path`, every name of the
    record does.
        requires: paths that the record must have too.
        begins: the bytes with which a message begins that no reader needs to read.
    """

    shape: str
    path: str | None = None
    matches: re.Pattern[str] | None = None
    requires: tuple[str, ...] = ()
    begins: bytes | None = None

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether a record of these values is ignored."""
        if self.matches is None:
            return False
        if self.path is None:
            return bool(values) and all(self.matches.fullmatch(name) for name in values)
        value = lookup(values, self.path)
        return (
            isinstance(value, str)
            and self.matches.fullmatch(value) is not None
            and all(lookup(values, path) is not None for path in self.requires)
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """Tells a damaged line of the source from a line of another program.

    Attributes:
        words, keeps: words that only the source's lines contain: a line with one is never ignored. Where a word begins
    or ends with a letter or a digit, no letter, digit or `_` may adjoin it: `PERF` is not in `PERFECT`, `_DATE=` is
    in `END_DATE=`. The beginning of another line, glued to it, may.
        head: the expression of the header; a line that ends after it is torn. Without it, only `keeps` decides.
        tag: the terminal of the tag; literal: its text.
        seam: the beginning of a line; if it matches inside a line, two lines were glued.
        foreign: a line that begins with a stamp in another language.
        echoed: bytes that only a shell's echo of a command contains: such a line is ignored even if it contains
    `keeps`.
        others: bytes that mark the line of another program of a similar format: such a line is always ignored.
    """

    keeps: re.Pattern[bytes]
    words: tuple[str, ...]
    head: re.Pattern[str] | None = None
    tag: str | None = None
    literal: str = ""
    seam: re.Pattern[str] | None = None
    foreign: re.Pattern[str] | None = None
    echoed: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()


def whole_words(words: Sequence[str], seam: re.Pattern[str] | None) -> re.Pattern[bytes]:
    """The expression of any of these words, as `Gate.keeps` says.

    Each begins with the word's plain text: a search that begins with a look-behind is many times slower.
    """
    next_line = f"(?={seam.pattern})" if seam else "(?!)"
    return re.compile("|".join(_whole_word(word, next_line) for word in words).encode() or b"(?!)")


def _whole_word(word: str, next_line: str) -> str:
    begins = rf"(?<![0-9A-Za-z_]{re.escape(word)})" if word[:1].isalnum() else ""
    ends = rf"(?:(?![0-9A-Za-z_])|{next_line})" if word[-1:].isalnum() else ""
    return re.escape(word) + begins + ends


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which terminals make up the printed time, and the bounds of the self-check in seconds."""

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
        roles: ending of a key -> role, longest ending first.
        instants: (terminal, key) if a terminal itself is an instant; its text is then the value.
        elapsed: the terminal with the seconds between the first instant and the last.
        iso: values may be ISO 8601 date-times as well as unix times.
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
    """A stage family: names that begin with `prefix`; `parts` follow, each after a `separator`."""

    prefix: str
    family: str
    separator: str = "-"
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """The definition of one format; each row of `needs` must have one path present, otherwise the shape is another.

    `list_name`: an object whose member of this name is an array is a page of records, each of which is a message.
    A record may lack the parts of its identity that end in `?`.
    """

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
    ignores: tuple[Ignore, ...] = ()
    list_name: str | None = None
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
        """The unit that a message may repeat: `elements` of an array, `pairs` of a line, or `blocks` of a text."""
        if isinstance(self.reader, JsonReader):
            return ELEMENTS
        return PAIRS if self.marks or self.pairs else BLOCKS

    def prove(self) -> None:
        """Build everything that is otherwise built on first use; raise `Problem` (78) if its grammar is not LALR."""
        if isinstance(self.reader, GrammarReader):
            self.reader.prove()
