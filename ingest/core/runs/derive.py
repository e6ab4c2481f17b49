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

What of a run is there (completeness.py) also follows from the template of its workflow. Whoever derives with the
templates says it of the runs that are settled; whoever derives without them leaves it out. A run of which anything
changed is written anew in any case, so that nothing stays said of a former set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from ingest.core.fields import Schema
from ingest.core.ids import index_name, revision_of
from ingest.core.mark import RunKey, year_of
from ingest.core.runs.completeness import SETTLED, Completeness, completeness, sequence_of
from ingest.core.runs.documents import run_json, stage_json, tombstone, uid
from ingest.core.runs.run import QUIET_MS, Run, runs_of
from ingest.core.runs.stages import Stage
from ingest.core.runs.state import AT_ONCE_MS, RunState, at_watermark
from ingest.core.runs.template import Templates

RUNS, STAGES = "runs", "stages"
STATE_BITS = 44
_new = tuple.__new__  # see stages.py
LARGE_RUN = "large_run"
_NONE: Templates = {}


class DerivedDocument(NamedTuple):
    """A derived document as it is written; its version is the state's revision.

    Text: a batch has as many of them as lines, and dictionaries would cost more than all of the derivation.
    """

    index: str  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    id: str
    version: int
    json: str

    @property
    def body(self) -> dict[str, Any]:
        """The document."""
        found: dict[str, Any] = orjson.loads(self.json)
        return found


class StaleStage(NamedTuple):
    """A stage that follows no longer: an instant in the year of its index (unix ms), the revision of its mark.

    `left`: the mark was retracted, and another run may have it now.
    """

    at_ms: int
    mark_revision: int
    left: bool


class StageOfRun(NamedTuple):
    """A stage and the instance it belongs to."""

    ordinal: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class Derived:
    """What a state says.

    Attributes:
        revision: of the state; the version of its runs, and the second part of that of its stages.
        runs: its instances, in order of time, and their documents (which alone are needed to compare with later);
            stages: by id.
        retracted_stages: by (id, year of the index).
        retracted_runs: ordinals; they keep the time `anchor_ms`.
        issued: the highest instance ever, this revision included.
        due_ms: the watermark from which on a state is another; None when none will be.
        large: more marks than are derived at full speed.
        watermark_ms: up to when time has passed for it; None before the first sweep.
    """

    key: RunKey
    revision: int
    runs: tuple[Run, ...]
    run_documents: tuple[str, ...]
    stages: Mapping[str, StageOfRun]
    retracted_stages: Mapping[tuple[str, int], StaleStage]
    retracted_runs: range
    anchor_ms: int
    issued: int
    due_ms: int | None
    large: bool
    watermark_ms: int | None = None


def derive(state: RunState) -> Derived:
    """Derive everything from a state (with at least one mark)."""
    runs = runs_of(state.key, state.marks.values(), state.watermark_ms)
    issued = max(state.issued, len(runs))
    stages = {stage.mark.id: _new(StageOfRun, (run.ordinal, stage)) for run in runs for stage in run.stages}
    return Derived(
        key=state.key,
        revision=state.revision,
        runs=runs,
        run_documents=tuple(run_json(run, _flags(state.large)) for run in runs),
        stages=stages,
        retracted_stages=_retracted(state, stages),
        retracted_runs=range(len(runs) + 1, issued + 1),
        anchor_ms=min([mark.at_ms for mark in state.marks.values()]),
        issued=issued,
        due_ms=min((run.due_ms for run in runs if run.due_ms is not None), default=None),
        large=state.large,
        watermark_ms=state.watermark_ms,
    )


def as_swept(state: RunState, watermark_ms: int | None) -> Derived:
    """As derived after one sweep at that watermark; a state that is not due by then stays as it is."""
    found = derive(state)
    due_ms = AT_ONCE_MS if found.large else found.due_ms
    if watermark_ms is None or due_ms is None or due_ms > watermark_ms:
        return found
    return derive(at_watermark(state, watermark_ms))


def _flags(large: bool) -> tuple[str, ...]:
    return (LARGE_RUN,) if large else ()


def _retracted(state: RunState, stages: Mapping[str, StageOfRun]) -> dict[tuple[str, int], StaleStage]:
    """Where a stage may stand that follows no longer."""
    found = {}
    for mark in state.marks.values():
        if not mark.opened and (mark.id in stages or not mark.opens):
            continue  # nearly all: spares the set of years
        own_year = year_of(mark.at_ms)
        standing = {own_year} if mark.id in stages else set()
        for year in mark.years - standing:
            at_ms = mark.at_ms if year == own_year else _begin_ms(year)
            found[mark.id, year] = StaleStage(at_ms, revision_of(mark.version), mark.retracted)
    return found


def _begin_ms(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)


def documents(
    found: Derived, schema: Schema, former: Derived | None = None, templates: Templates = _NONE
) -> Iterator[DerivedDocument]:
    """The documents to write: all, or with a `former` result that was written those that differ. Stages come first.

    Stages before runs: whoever sees a run of a revision can trust that its stages are there. With `templates` the runs
    that can be judged are, and are written whatever was written before.
    """
    place = _Place(found, {kind: schema.kinds[kind].period for kind in (RUNS, STAGES)})
    before = former.stages if former else {}
    changed = [(doc_id, placed) for doc_id, placed in found.stages.items() if before.get(doc_id) != placed]
    yield from _stages(found, place, former, changed)
    yield from _runs(found, place, _standing(former, changed), _judged(found, templates) if templates else {})
    yield from _gone_runs(found, place, former)


class _Place:
    """Makes documents of texts: index, id, version."""

    def __init__(self, found: Derived, periods: Mapping[str, str]) -> None:
        self._facility, self._revision, self._periods = found.key.facility, found.revision, periods

    def run(self, doc_id: str, at_ms: int, json: str) -> DerivedDocument:
        return DerivedDocument(self._index(RUNS, at_ms), doc_id, self._revision, json)

    def stage(self, doc_id: str, at_ms: int, mark_revision: int, json: str, left: bool = False) -> DerivedDocument:
        version = (mark_revision << STATE_BITS) + (0 if left else self._revision)
        return _new(DerivedDocument, (self._index(STAGES, at_ms), doc_id, version, json))

    def _index(self, kind: str, at_ms: int) -> str:
        return index_name(kind, self._facility, self._periods[kind], at_ms)


Changed = Sequence[tuple[str, StageOfRun]]
"""Stages that are written anew, by id."""


def _stages(found: Derived, place: _Place, former: Derived | None, changed: Changed) -> Iterator[DerivedDocument]:
    for doc_id, (ordinal, stage) in changed:
        json = stage_json(found.key, ordinal, stage)
        yield place.stage(doc_id, stage.mark.at_ms, revision_of(stage.mark.version), json)
    gone = former.retracted_stages if former else {}
    for (doc_id, year), each in found.retracted_stages.items():
        if gone.get((doc_id, year)) != each:
            json = tombstone(found.key, each.at_ms)
            yield place.stage(doc_id, each.at_ms, each.mark_revision, json, each.left)


def _runs(
    found: Derived, place: _Place, standing: Mapping[int, str], judged: Mapping[int, str]
) -> Iterator[DerivedDocument]:
    """`standing`: documents that hold if they are equal; `judged`: what is written in any case; both by ordinal."""
    for ordinal, json in enumerate(found.run_documents, 1):
        if ordinal in judged or standing.get(ordinal) != json:
            yield place.run(uid(found.key, ordinal), found.anchor_ms, judged.get(ordinal, json))


def _standing(former: Derived | None, changed: Changed) -> dict[int, str]:
    """Documents of runs no stage of which changed: with a stage goes what was said of the run's completeness."""
    touched = {placed.ordinal for _, placed in changed}
    runs = enumerate(former.run_documents, 1) if former else ()
    return {ordinal: json for ordinal, json in runs if ordinal not in touched}


def _gone_runs(found: Derived, place: _Place, former: Derived | None) -> Iterator[DerivedDocument]:
    moved = former is not None and former.anchor_ms != found.anchor_ms
    for ordinal in found.retracted_runs:
        if former is None or ordinal not in former.retracted_runs or moved:
            yield place.run(uid(found.key, ordinal), found.anchor_ms, tombstone(found.key, found.anchor_ms))


def _judged(found: Derived, templates: Templates) -> dict[int, str]:
    """The documents of the runs that can be judged, by ordinal."""
    judgements = ((run, judged_by(found, run, templates)) for run in found.runs)
    return {run.ordinal: run_json(run, _flags(found.large), judged) for run, judged in judgements if judged}


def judged_by(found: Derived, run: Run, templates: Templates) -> Completeness | None:
    """What of one of its runs is there; None while lines may still be on their way, and where there is no template."""
    stored = templates.get(run.workflow)
    silent_ms = -1 if found.watermark_ms is None else found.watermark_ms - run.seen_ms
    if stored is None or run.state not in SETTLED or silent_ms <= QUIET_MS:
        return None
    return completeness(sequence_of(run), stored, silent_ms)
