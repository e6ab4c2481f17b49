"""Compares a replayed line with the documents made of it before, and finds those it no longer produces.

A record that `replay` sends lists its line's earlier documents. Only the record has this list: once a document is
overwritten, nothing else remembers the run it belonged to. If a worker dies in between, the record is consumed again,
and still says everything that has to be retracted.

Of all documents with one id, in any index and with any run, the one with the highest version counts; the others are
retracted with that same version. So it does not matter which worker reads the record, or in which order: if an older
worker reads it, its documents lose against the listed ones. If versions are equal the earlier document counts, since
the same revision changes nothing. A document that the line no longer produces is retracted only by a higher revision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.core.ids import FACT_KINDS, at_revision, parse_index, revision_of
from ingest.core.lookup import lookup
from ingest.core.mark import OTHER, MarkKind, RunKey, RunMark
from ingest.core.replay.stored_line import DocumentVersion
from ingest.core.timestamps import iso

CORRECTED, TO_INDEX, TO_RUN, TO_TIME, GONE = "corrected", "to_index", "to_run", "to_time", "gone"
_NOTHING = MarkKind("", "", OTHER)
_ORIGIN_FIELDS = (
    "event.original",
    "event.original_b64",
    "event.created",
    "event.ingested",
    "host",
    "log",
    "provenance",
)


class Retraction(NamedTuple):
    """An earlier document to overwrite with a tombstone; `replaced`: a newer document with this id holds the bytes."""

    old: DocumentVersion
    version: int
    replaced: bool


@dataclass(slots=True)
class Reconciled:
    """The result of comparing a line's new documents with its earlier ones.

    Attributes:
        already_stored: positions of new documents that are stored already, in this or a higher version.
        outdated: new documents that do not count: position -> the version of the earlier document that wins.
        retractions: earlier documents that no longer count.
        left_runs: marks to remove from a run's set, with the run.
        changes: (CORRECTED, TO_INDEX, TO_RUN, TO_TIME or GONE, the earlier document, the new one).
        added: how many new documents had no earlier one.
    """

    already_stored: set[int] = field(default_factory=set)
    outdated: dict[int, int] = field(default_factory=dict)
    retractions: list[Retraction] = field(default_factory=list)
    left_runs: list[tuple[RunKey, RunMark]] = field(default_factory=list)
    changes: list[tuple[str, DocumentVersion, DocumentVersion | None]] = field(default_factory=list)
    added: int = 0

    @property
    def is_correction(self) -> bool:
        """Whether any document changed."""
        return bool(self.changes)


def reconcile(
    made: Sequence[DocumentVersion], previous: Sequence[DocumentVersion], facility: str, revisions: Mapping[str, int]
) -> Reconciled:
    """Compare a line's new documents with its earlier ones; `revisions` by source, for the sources that may read it."""
    result = Reconciled(added=len({document.id for document in made} - {old.id for old in previous}))
    positions = {document.id: n for n, document in enumerate(made)}
    for old in previous:
        if not _is_fact(old.index, facility):
            continue
        position = positions.get(old.id)
        if position is None:
            _add_gone(old, facility, revisions.get(old.source, 0), result)
        elif made[position].version > old.version:
            _add_correction(old, made[position], facility, result)
        else:
            _add_unchanged(old, position, made[position], facility, result)
    return result


def _is_fact(index: str, facility: str) -> bool:
    """Whether an index holds facts of the facility, of whatever period: a record's list of documents may name any."""
    try:
        name = parse_index(index)
    except ValueError:
        return False
    return name.kind in FACT_KINDS and name.facility == facility


def _add_gone(old: DocumentVersion, facility: str, revision: int, result: Reconciled) -> None:
    if revision <= revision_of(old.version):
        return
    version = at_revision(old.version, revision)
    result.changes.append((GONE, old, None))
    result.retractions.append(Retraction(old, version, replaced=False))
    _leave_run(old.key(facility), old.id, version, old.at_ms, result)


def _add_correction(old: DocumentVersion, made: DocumentVersion, facility: str, result: Reconciled) -> None:
    result.changes.append((CORRECTED, old, made))
    if made.at_ms != old.at_ms:
        result.changes.append((TO_TIME, old, made))
    if made.index != old.index:
        result.changes.append((TO_INDEX, old, made))
        result.retractions.append(Retraction(old, made.version, replaced=True))
    if made.key(facility) != old.key(facility):
        result.changes.append((TO_RUN, old, made))
        _leave_run(old.key(facility), old.id, made.version, old.at_ms, result)


def _add_unchanged(
    old: DocumentVersion, position: int, made: DocumentVersion, facility: str, result: Reconciled
) -> None:
    same_index = made.index == old.index
    if same_index:
        result.already_stored.add(position)
    if old.version > made.version:
        result.outdated[position] = old.version
        if made.key(facility) != old.key(facility):
            _leave_run(made.key(facility), made.id, old.version, made.at_ms, result)
    elif not same_index or made.key(facility) != old.key(facility):
        result.outdated[position] = old.version


def _leave_run(key: RunKey | None, doc_id: str, version: int, at_ms: int, result: Reconciled) -> None:
    if key is not None:
        result.left_runs.append((key, RunMark(doc_id, version, at_ms, None, _NOTHING, True)))


def left_run(key: RunKey, mark: RunMark, version: int, now: RunKey | None) -> RunMark | None:
    """The removal of a mark from a run's set; None if the mark is still valid.

    `version` and `now` are the version and the run of the stored document; `now` is None if it was retracted or joins
    no run. A mark is left behind when another record overwrites its document in place: a newly shipped line, which does
    not know of the earlier run.
    """
    if mark.retracted or version <= mark.version or now == key:
        return None
    return RunMark(mark.id, version, mark.at_ms, None, _NOTHING, True)


def tombstone(old: DocumentVersion, facility: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body that overwrites an earlier document: its time and source only.

    If `body` is given, the tombstone keeps the line's bytes and origin from it, so that a line without any document
    left can still be replayed.
    """
    perf = {"facility": facility, "source": old.source, "retracted": True}
    fields: dict[str, Any] = {"@timestamp": iso(old.at_ms), "perf": perf}
    for name in _ORIGIN_FIELDS:
        value = lookup(body, name) if body else None
        if value is not None:
            *parents, leaf = name.split(".")
            level = fields
            for parent in parents:
                level = level.setdefault(parent, {})
            level[leaf] = value
    return fields
