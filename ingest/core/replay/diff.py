"""What two readings of stored lines differ in: by field, with how many documents, and examples. Pure.

Documents are compared by their id, so that one which is moved is compared with itself; index and id count as fields
of their own. What tells of the copy only (provenance) is left out, and so is the version, which a raised revision
changes in all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.core.fields import Schema, without_provenance

EXAMPLES = 3
INDEX = "_index"
Bodies = Mapping[str, tuple[str, Mapping[str, Any]]]
"""By id: the index of a document, and its body."""


class Example(NamedTuple):
    """One line's old and new value of a field; None where a document has none."""

    old: Any
    new: Any
    line: bytes


class OnlyOne(NamedTuple):
    """A line of which one reading makes a document that the other does not; `why` the other does not, if it says so."""

    line: bytes
    doc_id: str
    why: str


@dataclass(slots=True)
class Tally:
    """How many lines, and the first examples."""

    lines: int = 0
    examples: list[Any] = field(default_factory=list)

    def add(self, example: Any) -> None:
        """One more."""
        self.lines += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass(slots=True)
class Differences:
    """What was compared (lines), and by field what differs; lines that only the old or only the new reading reads."""

    schema: Schema
    lines: int = 0
    differing: int = 0
    fields: dict[str, Tally] = field(default_factory=dict)
    only_old: Tally = field(default_factory=Tally)
    only_new: Tally = field(default_factory=Tally)

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return self.differing > 0

    def add(self, line: bytes, old: Bodies, new: Bodies, why: str = "") -> None:
        """Compare what was made of a line with what is made of it now; `why` something is not."""
        self.lines += 1
        names: dict[str, tuple[Any, Any]] = {}
        for doc_id in [each for each in old if each in new]:
            for name, values in self._compared(old[doc_id], new[doc_id]):
                names.setdefault(name, values)
        gone = [each for each in old if each not in new]
        added = [each for each in new if each not in old]
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


def by_lines(found: Mapping[str, Tally]) -> Sequence[tuple[str, Tally]]:
    """The fields, those that differ in the most lines first."""
    return sorted(found.items(), key=lambda each: (-each[1].lines, each[0]))
