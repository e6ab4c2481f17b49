"""A run's state -> the documents that say what it tells: runs, stages, and tombstones for what it tells no longer.

All are a function of (the set of marks, the watermark): shuffled, repeated or split over workers, the set is the same.
Their external version is the state's revision, so that an older view never overwrites a newer one. A stage's id is that
of its opening mark, which a correction may move to another run, with a state and revisions of its own: so a stage's
version begins with the revision of the source that the mark was read by, and the run that lost the mark writes its
tombstone below all that the run which has it now may write.

What no longer follows from the set follows from the set as well, so a crash before a tombstone is written heals with
the next derivation: a stage's id is that of its opening mark, so every mark that is or ever was a START and opens no
stage is a tombstone (a repeat of an instant, a retracted mark, one whose newer version says something else or stands in
another year); and so is every instance beyond the present number, up to the highest that was ever issued.

A cache may hold what was derived and written last: then only what differs is written. Without it all is, which heals.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ingest.core.fields import Schema
from ingest.core.ids import index_name, revision_of
from ingest.core.model import Document
from ingest.core.rundocs import run_body, stage_body, tombstone, uid
from ingest.core.runmarks import RunKey, year_of
from ingest.core.runs import Run, runs_of
from ingest.core.runstate import RunState
from ingest.core.stages import Stage

RUNS, STAGES = "runs", "stages"
STATE_BITS = 44
LARGE_RUN = "large_run"


class Gone(NamedTuple):
    """A stage that follows no longer: an instant in the year of its index (unix ms), the revision of its mark.

    `left`: the mark was retracted, and another run may have it now.
    """

    at_ms: int
    mark_revision: int
    left: bool


class Placed(NamedTuple):
    """A stage and the instance it belongs to."""

    ordinal: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class Derived:
    """What a state says.

    Attributes:
        revision: of the state; the version of its runs, and the second part of that of its stages.
        runs: its instances, in order of time; stages: by id.
        retracted_stages: by (id, year of the index).
        retracted_runs: ordinals; they keep the time `anchor_ms`.
        issued: the highest instance ever, this revision included.
        due_ms: the watermark from which on a state is another; None when none will be.
        large: more marks than are derived at full speed.
    """

    key: RunKey
    revision: int
    runs: tuple[Run, ...]
    stages: Mapping[str, Placed]
    retracted_stages: Mapping[tuple[str, int], Gone]
    retracted_runs: range
    anchor_ms: int
    issued: int
    due_ms: int | None
    large: bool


def derived(state: RunState) -> Derived:
    """Derive everything from a state (with at least one mark)."""
    runs = runs_of(state.key, state.marks.values(), state.watermark_ms)
    issued = max(state.issued, len(runs))
    stages = {stage.mark.id: Placed(run.ordinal, stage) for run in runs for stage in run.stages}
    return Derived(
        key=state.key,
        revision=state.revision,
        runs=runs,
        stages=stages,
        retracted_stages=_retracted(state, stages),
        retracted_runs=range(len(runs) + 1, issued + 1),
        anchor_ms=min(mark.at_ms for mark in state.marks.values()),
        issued=issued,
        due_ms=min((run.due_ms for run in runs if run.due_ms is not None), default=None),
        large=state.large,
    )


def _retracted(state: RunState, stages: Mapping[str, Placed]) -> dict[tuple[str, int], Gone]:
    """Where a stage may stand that follows no longer."""
    found = {}
    for mark in state.marks.values():
        if mark.id in stages and not mark.opened:
            continue  # nearly all: spares the set of years
        own_year = year_of(mark.at_ms)
        standing = {own_year} if mark.id in stages else set()
        for year in mark.years - standing:
            at_ms = mark.at_ms if year == own_year else _begin_ms(year)
            found[mark.id, year] = Gone(at_ms, revision_of(mark.version), mark.retracted)
    return found


def _begin_ms(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)


def documents(found: Derived, schema: Schema, former: Derived | None = None) -> Iterator[Document]:
    """The documents to write: all, or with a `former` result that was written those that differ. Stages come first.

    Stages before runs: whoever sees a run of a revision can trust that its stages are there.
    """
    place = _Place(found, {kind: schema.kinds[kind].period for kind in (RUNS, STAGES)})
    yield from _stages(found, place, former)
    yield from _runs(found, place, former)


class _Place:
    """Makes documents of bodies: index, id, version."""

    def __init__(self, found: Derived, periods: Mapping[str, str]) -> None:
        self._facility, self._revision, self._periods = found.key.facility, found.revision, periods

    def run(self, doc_id: str, at_ms: int, body: dict[str, Any]) -> Document:
        return Document(self._index(RUNS, at_ms), doc_id, self._revision, body)

    def stage(self, doc_id: str, at_ms: int, mark_revision: int, body: dict[str, Any], left: bool = False) -> Document:
        version = (mark_revision << STATE_BITS) + (0 if left else self._revision)
        return Document(self._index(STAGES, at_ms), doc_id, version, body)

    def _index(self, kind: str, at_ms: int) -> str:
        return index_name(kind, self._facility, self._periods[kind], at_ms)


def _stages(found: Derived, place: _Place, former: Derived | None) -> Iterator[Document]:
    before = former.stages if former else {}
    for doc_id, placed in found.stages.items():
        if before.get(doc_id) != placed:
            body = stage_body(found.runs[placed.ordinal - 1], placed.stage)
            yield place.stage(doc_id, placed.stage.start_ms, revision_of(placed.stage.mark.version), body)
    gone = former.retracted_stages if former else {}
    for (doc_id, year), each in found.retracted_stages.items():
        if gone.get((doc_id, year)) != each:
            body = tombstone(found.key, each.at_ms)
            yield place.stage(doc_id, each.at_ms, each.mark_revision, body, each.left)


def _runs(found: Derived, place: _Place, former: Derived | None) -> Iterator[Document]:
    before = _run_bodies(former) if former else {}
    for ordinal, body in _run_bodies(found).items():
        if before.get(ordinal) != body:
            yield place.run(uid(found.key, ordinal), found.anchor_ms, body)
    for ordinal in found.retracted_runs:
        if former is None or ordinal not in former.retracted_runs or former.anchor_ms != found.anchor_ms:
            body = tombstone(found.key, found.anchor_ms)
            yield place.run(uid(found.key, ordinal), found.anchor_ms, body)


def _run_bodies(found: Derived) -> dict[int, dict[str, Any]]:
    flags = (LARGE_RUN,) if found.large else ()
    return {run.ordinal: run_body(run, flags) for run in found.runs}
