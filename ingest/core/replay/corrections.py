"""A stored line that is read again: which of the documents made of it before no longer follow from it. Pure.

A record that `replay` sends names its line's former documents. Nobody but the record tells of them: once a document
was overwritten, the run that it belonged to is forgotten everywhere else, so a worker that dies in between finds all
that it has to take back in the record, which it reads again.

Of all documents with one id, wherever they stand and whatever run they name, the one of the highest version counts;
the others are retracted with that very version. So it does not matter who reads the record: an older worker's reading
loses against what it is told of, and nothing depends on the order. Of equal versions the former one counts: the same
revision changes nothing. What a line does not yield any more is retracted by a higher revision only.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.core.ids import at_revision, revision_of
from ingest.core.lookup import lookup
from ingest.core.mark import OTHER, MarkKind, RunKey, RunMark
from ingest.core.replay.stored_line import DocumentVersion
from ingest.core.timestamps import iso

KINDS = ("marks", "network")
CORRECTED, TO_INDEX, TO_RUN, TO_TIME, GONE = "corrected", "to_index", "to_run", "to_time", "gone"
_INDEX = re.compile(r"perf-(" + "|".join(KINDS) + r")-([a-z0-9_]{1,64})-[0-9]{4}\.[0-9]{2}")
_NOTHING = MarkKind("", "", OTHER)
_KEPT = ("event.original", "event.original_b64", "event.created", "event.ingested", "host", "log", "provenance")


class Retraction(NamedTuple):
    """A former document to be overwritten with a tombstone; `replaced`: a newer one of this id has the bytes."""

    former: DocumentVersion
    version: int
    replaced: bool


@dataclass(slots=True)
class Reconciled:
    """What a line's reading means for its former documents, and they for it.

    Attributes:
        there: which of what is made stands there already, as it is or in a higher version.
        lost: which of what is made does not count: position -> the version that stands against it.
        retractions: former documents that do not count any more.
        forgotten: marks that leave a run: into whose set they go.
        changes: (CORRECTED, TO_INDEX, TO_RUN, TO_TIME or GONE, the former document, the one that is made now).
        added: how many documents are made that there were none of.
    """

    there: set[int] = field(default_factory=set)
    lost: dict[int, int] = field(default_factory=dict)
    retractions: list[Retraction] = field(default_factory=list)
    forgotten: list[tuple[RunKey, RunMark]] = field(default_factory=list)
    changes: list[tuple[str, DocumentVersion, DocumentVersion | None]] = field(default_factory=list)
    added: int = 0

    @property
    def is_correction(self) -> bool:
        """Whether anything is corrected."""
        return bool(self.changes)


def reconcile(
    made: Sequence[DocumentVersion], formers: Sequence[DocumentVersion], facility: str, revisions: Mapping[str, int]
) -> Reconciled:
    """Hold what is made of a line now against what was made of it; `revisions` by source, of those that may read it."""
    found = Reconciled(added=len({each.id for each in made} - {former.id for former in formers}))
    numbers = {each.id: n for n, each in enumerate(made)}
    for former in formers:
        named = _INDEX.fullmatch(former.index)
        if named is None or named[2] != facility:
            continue
        number = numbers.get(former.id)
        if number is None:
            _gone(former, facility, revisions.get(former.source, 0), found)
        elif made[number].version > former.version:
            _corrected(former, made[number], facility, found)
        else:
            _stays(former, number, made[number], facility, found)
    return found


def _gone(former: DocumentVersion, facility: str, revision: int, found: Reconciled) -> None:
    if revision <= revision_of(former.version):
        return
    version = at_revision(former.version, revision)
    found.changes.append((GONE, former, None))
    found.retractions.append(Retraction(former, version, replaced=False))
    _forget(former.key(facility), former.id, version, former.at_ms, found)


def _corrected(former: DocumentVersion, made: DocumentVersion, facility: str, found: Reconciled) -> None:
    found.changes.append((CORRECTED, former, made))
    if made.at_ms != former.at_ms:
        found.changes.append((TO_TIME, former, made))
    if made.index != former.index:
        found.changes.append((TO_INDEX, former, made))
        found.retractions.append(Retraction(former, made.version, replaced=True))
    if made.key(facility) != former.key(facility):
        found.changes.append((TO_RUN, former, made))
        _forget(former.key(facility), former.id, made.version, former.at_ms, found)


def _stays(former: DocumentVersion, number: int, made: DocumentVersion, facility: str, found: Reconciled) -> None:
    same = made.index == former.index
    if same:
        found.there.add(number)
    if former.version > made.version:
        found.lost[number] = former.version
        if made.key(facility) != former.key(facility):
            _forget(made.key(facility), made.id, former.version, made.at_ms, found)
    elif not same or made.key(facility) != former.key(facility):
        found.lost[number] = former.version


def _forget(key: RunKey | None, doc_id: str, version: int, at_ms: int, found: Reconciled) -> None:
    if key is not None:
        found.forgotten.append((key, RunMark(doc_id, version, at_ms, None, _NOTHING, True)))


def left_run(key: RunKey, mark: RunMark, version: int, now: RunKey | None) -> RunMark | None:
    """What a run's set has to hear of its mark, whose document stands there in this version and is a mark of `now`.

    `now` None: it was retracted, or joins no run. None when all is well. A document that another record overwrote in
    place (a shipped one, that knew nothing of it) leaves such a mark behind.
    """
    if mark.retracted or version <= mark.version or now == key:
        return None
    return RunMark(mark.id, version, mark.at_ms, None, _NOTHING, True)


def tombstone(former: DocumentVersion, facility: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What overwrites a former document: of what it said only when it was, and who said it.

    It keeps the bytes of its `body` and where they came from, if one is given: a line of which no document is left can
    still be read again.
    """
    perf = {"facility": facility, "source": former.source, "retracted": True}
    found: dict[str, Any] = {"@timestamp": iso(former.at_ms), "perf": perf}
    for name in _KEPT:
        value = lookup(body, name) if body else None
        if value is not None:
            *parents, leaf = name.split(".")
            level = found
            for parent in parents:
                level = level.setdefault(parent, {})
            level[leaf] = value
    return found


def bytes_of(body: Mapping[str, Any]) -> tuple[Any, Any]:
    """What tells the bytes of a document's line: equal ones are of the same line."""
    return lookup(body, "event.original"), lookup(body, "event.original_b64")
