"""Compares two readings of stored lines by field: how many lines differ in each field, with examples.

Documents are compared by id, so that a moved document is compared with itself; its index counts as a field. Fields
that describe only the copy (provenance) are ignored, and so is the version, which a raised revision changes everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.core.fields import Schema, without_provenance

EXAMPLES = 3
INDEX = "_index"
Bodies = Mapping[str, tuple[str, Mapping[str, Any]]]
"""Document id -> (index, body)."""


class Example(NamedTuple):
    """A line's old and new value of a field; None if a document does not have the field."""

    old: Any
    new: Any
    line: bytes


class OnlyOne(NamedTuple):
    """A line that only one reading turns into a document; `why` the other one does not, if it says so."""

    line: bytes
    doc_id: str
    why: str


@dataclass(slots=True)
class Tally:
    """A number of lines, and the first examples."""

    lines: int = 0
    examples: list[Any] = field(default_factory=list)

    def add(self, example: Any) -> None:
        """Count one more line."""
        self.lines += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass(slots=True)
class Differences:
    """How many lines were compared, what differs by field, and the lines that only one of the readings reads."""

    schema: Schema
    lines: int = 0
    differing: int = 0
    fields: dict[str, Tally] = field(default_factory=dict)
    only_old: Tally = field(default_factory=Tally)
    only_new: Tally = field(default_factory=Tally)

    @property
    def any(self) -> bool:
        """Whether any line differs."""
        return self.differing > 0

    def add(self, line: bytes, old: Bodies, new: Bodies, why: str = "") -> None:
        """Compare a line's old documents with its new ones; `why`: the reason if a document is missing."""
        self.lines += 1
        names: dict[str, tuple[Any, Any]] = {}
        for doc_id in [doc_id for doc_id in old if doc_id in new]:
            for name, values in self._compared(old[doc_id], new[doc_id]):
                names.setdefault(name, values)
        gone = [doc_id for doc_id in old if doc_id not in new]
        added = [doc_id for doc_id in new if doc_id not in old]
        for name, (before, after) in names.items():
            self.fields.setdefault(name, Tally()).add(Example(before, after, line))
        if gone:
            self.only_old.add(OnlyOne(line, gone[0], why))
        if added:
            self.only_new.add(OnlyOne(line, added[0], ""))
        self.differing += bool(names or gone or added)

    def _compared(
        self, old: tuple[str, Mapping[str, Any]], new: tuple[str, Mapping[str, Any]]
    ) -> Iterator[tuple[str, tuple[Any, Any]]]:
        if old[0] != new[0]:
            yield INDEX, (old[0], new[0])
        if old[1] == new[1]:
            return
        before, after = (dict(_leaves(without_provenance(body, self.schema))) for _, body in (old, new))
        for name in {**before, **after}:
            if before.get(name) != after.get(name):
                yield name, (before.get(name), after.get(name))


def _leaves(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in body.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def by_lines(tallies: Mapping[str, Tally]) -> Sequence[tuple[str, Tally]]:
    """The fields, sorted by the number of lines that differ, most first."""
    return sorted(tallies.items(), key=lambda field_tally: (-field_tally[1].lines, field_tally[0]))
