"""Derives documents from a run's state: runs, stages, and tombstones for those that no longer follow from it.

All are a function of (the set of marks, the watermark): if the marks are shuffled, repeated or split over workers, the
result is the same. Their external version is the state's revision, so that an older view never overwrites a newer one.
A stage's id is that of its opening mark, which a correction may move to another run with a state and revisions of its
own. So a stage's version begins with the revision of the source that read the mark, and the run that lost the mark
writes its tombstone with a lower version than anything that the mark's new run may write.

Tombstones follow from the set as well, so if a worker dies before writing one, the next derivation writes it. For
stages: every mark that is or ever was a START and opens no stage has a tombstone (a repeat of an instant, a retracted
mark, a mark whose newer version says something else or is in another year). For runs: so has every instance beyond the
present number, up to the highest that was ever issued.

A cache may hold the result that was written last: then only the differences are written. Without it everything is,
which also repairs what a crash left behind.

How complete a run is (completeness.py) also depends on the template of its workflow. If templates are given, settled
runs are judged; without templates their documents leave it out. A run of which anything changed is always written
as a whole, so that no judgement of an earlier set of marks remains.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from ingest.core.bulk import new_tuple
from ingest.core.fields import Schema
from ingest.core.ids import revision_of
from ingest.core.mark import RunKey, year_of
from ingest.core.runs.completeness import SETTLED, Completeness, completeness, sequence_of
from ingest.core.runs.documents import run_json, stage_json, tombstone, uid
from ingest.core.runs.run import QUIET_MS, Run, runs_of
from ingest.core.runs.stages import Stage
from ingest.core.runs.state import AT_ONCE_MS, RunState, at_watermark
from ingest.core.runs.template import Templates

RUNS, STAGES = "runs", "stages"
STATE_BITS = 44
LARGE_RUN = "large_run"
_NONE: Templates = {}


class DerivedDocument(NamedTuple):
    """A derived document, ready to be written; its version is the state's revision.

    The body is text: a batch has as many of them as lines, and dictionaries would cost more than the whole derivation.
    """

    index: str  # type: ignore[assignment]  # see core/bulk.py
    id: str
    version: int
    json: str

    @property
    def body(self) -> dict[str, Any]:
        """The document, parsed."""
        body: dict[str, Any] = orjson.loads(self.json)
        return body


class StaleStage(NamedTuple):
    """A stage that no longer follows: an instant in the year of its index (unix ms), and the revision of its mark.

    `left`: the mark was retracted, and another run may have it now.
    """

    at_ms: int
    mark_revision: int
    left: bool


class StageOfRun(NamedTuple):
    """A stage, and the instance it belongs to."""

    ordinal: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class Derived:
    """The result of deriving a state.

    Attributes:
        revision: of the state; the version of its runs, and the second part of the version of its stages.
        runs: its instances in order of time, and their documents (which suffice to compare with a later result);
            stages: by id.
        retracted_stages: by (id, year of the index).
        retracted_runs: ordinals; their tombstones have the time `anchor_ms`.
        issued: the highest instance number ever, this revision included.
        due_ms: the watermark from which on a run's state changes; None if none will.
        large: whether there are more marks than workers derive.
        watermark_ms: up to when time has passed for this state; None before the first sweep.
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
    """Derive everything from a state with at least one mark."""
    runs = runs_of(state.key, state.marks.values(), state.watermark_ms)
    issued = max(state.issued, len(runs))
    stages = {stage.mark.id: new_tuple(StageOfRun, (run.ordinal, stage)) for run in runs for stage in run.stages}
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
    """The result after one sweep at that watermark; a state that is not due by then stays as it is."""
    derived = derive(state)
    due_ms = AT_ONCE_MS if derived.large else derived.due_ms
    if watermark_ms is None or due_ms is None or due_ms > watermark_ms:
        return derived
    return derive(at_watermark(state, watermark_ms))


def _flags(large: bool) -> tuple[str, ...]:
    return (LARGE_RUN,) if large else ()


def _retracted(state: RunState, stages: Mapping[str, StageOfRun]) -> dict[tuple[str, int], StaleStage]:
    """The stages that no longer follow, in every year whose index may hold them."""
    stale = {}
    for mark in state.marks.values():
        if not mark.opened and (mark.id in stages or not mark.opens):
            continue  # nearly all marks: avoids building the set of years
        own_year = year_of(mark.at_ms)
        current = {own_year} if mark.id in stages else set()
        for year in mark.years - current:
            at_ms = mark.at_ms if year == own_year else _begin_ms(year)
            stale[mark.id, year] = StaleStage(at_ms, revision_of(mark.version), mark.retracted)
    return stale


def _begin_ms(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)


def documents(
    derived: Derived, schema: Schema, old: Derived | None = None, templates: Templates = _NONE
) -> Iterator[DerivedDocument]:
    """The documents to write, stages first: all, or only the differences from an earlier result that was written.

    Stages come before runs, so that a reader who sees a run of a revision finds its stages too. With `templates` the
    runs that can be judged are judged, and are always written.
    """
    builder = _DocumentBuilder(derived, schema)
    previous_stages = old.stages if old else {}
    changed = [
        (doc_id, stage_of_run)
        for doc_id, stage_of_run in derived.stages.items()
        if previous_stages.get(doc_id) != stage_of_run
    ]
    yield from _stages(derived, builder, old, changed)
    yield from _runs(derived, builder, _unchanged_runs(old, changed), _judged(derived, templates) if templates else {})
    yield from _gone_runs(derived, builder, old)


class _DocumentBuilder:
    """Makes documents of texts: sets index, id and version."""

    def __init__(self, derived: Derived, schema: Schema) -> None:
        self._facility, self._revision, self._index = derived.key.facility, derived.revision, schema.index

    def run(self, doc_id: str, at_ms: int, json: str) -> DerivedDocument:
        return DerivedDocument(self._index(RUNS, self._facility, at_ms), doc_id, self._revision, json)

    def stage(self, doc_id: str, at_ms: int, mark_revision: int, json: str, left: bool = False) -> DerivedDocument:
        version = (mark_revision << STATE_BITS) + (0 if left else self._revision)
        return new_tuple(DerivedDocument, (self._index(STAGES, self._facility, at_ms), doc_id, version, json))


Changed = Sequence[tuple[str, StageOfRun]]
"""Stages to write, with their ids."""


def _stages(
    derived: Derived, builder: _DocumentBuilder, old: Derived | None, changed: Changed
) -> Iterator[DerivedDocument]:
    for doc_id, (ordinal, stage) in changed:
        json = stage_json(derived.key, ordinal, stage)
        yield builder.stage(doc_id, stage.mark.at_ms, revision_of(stage.mark.version), json)
    previous_retractions = old.retracted_stages if old else {}
    for (doc_id, year), stale in derived.retracted_stages.items():
        if previous_retractions.get((doc_id, year)) != stale:
            json = tombstone(derived.key, stale.at_ms)
            yield builder.stage(doc_id, stale.at_ms, stale.mark_revision, json, stale.left)


def _runs(
    derived: Derived, builder: _DocumentBuilder, unchanged: Mapping[int, str], judged: Mapping[int, str]
) -> Iterator[DerivedDocument]:
    """`unchanged`: documents that need not be written if equal; `judged`: documents always written; both by ordinal."""
    for ordinal, json in enumerate(derived.run_documents, 1):
        if ordinal in judged or unchanged.get(ordinal) != json:
            yield builder.run(uid(derived.key, ordinal), derived.anchor_ms, judged.get(ordinal, json))


def _unchanged_runs(old: Derived | None, changed: Changed) -> dict[int, str]:
    """The earlier documents of runs without a changed stage: if a stage changes, the run's judgement is void."""
    changed_ordinals = {stage_of_run.ordinal for _, stage_of_run in changed}
    runs = enumerate(old.run_documents, 1) if old else ()
    return {ordinal: json for ordinal, json in runs if ordinal not in changed_ordinals}


def _gone_runs(derived: Derived, builder: _DocumentBuilder, old: Derived | None) -> Iterator[DerivedDocument]:
    moved = old is not None and old.anchor_ms != derived.anchor_ms
    for ordinal in derived.retracted_runs:
        if old is None or ordinal not in old.retracted_runs or moved:
            yield builder.run(uid(derived.key, ordinal), derived.anchor_ms, tombstone(derived.key, derived.anchor_ms))


def _judged(derived: Derived, templates: Templates) -> dict[int, str]:
    """The documents of the runs that can be judged, by ordinal."""
    judgements = ((run, judged_by(derived, run, templates)) for run in derived.runs)
    return {run.ordinal: run_json(run, _flags(derived.large), judged) for run, judged in judgements if judged}


def judged_by(derived: Derived, run: Run, templates: Templates) -> Completeness | None:
    """Judge one run; None while lines may still be on their way, or if there is no template."""
    stored = templates.get(run.workflow)
    silent_ms = -1 if derived.watermark_ms is None else derived.watermark_ms - run.seen_ms
    if stored is None or run.state not in SETTLED or silent_ms <= QUIET_MS:
        return None
    return completeness(sequence_of(run), stored, silent_ms)
