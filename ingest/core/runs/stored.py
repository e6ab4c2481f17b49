"""Stored runs and stages: parses the documents that documents.py writes. Absent fields are None."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ingest.core.lookup import lookup
from ingest.core.runs.completeness import COMPLETE, INCOMPLETE, Completeness, completeness_in
from ingest.core.runs.documents import PART_FIELDS
from ingest.core.runs.stages import EXACT, UPPER
from ingest.core.timestamps import iso_ms

MS_PER_S = 1000


class StoredStage(NamedTuple):
    """A document of kind stages: an attempt at a stage. Durations are seconds, as written.

    Attributes:
        id: of the document, which is that of its opening mark.
        run, uid, instance: the run id, the id of the run's document, and the number of the instance.
        duration_s: its meaning depends on `kind`; None if nothing is known.
        lag_s: its emission lag; None if the stamp failed its self-check.
        open_for_s: how long it has been open at the watermark: not a duration.
    """

    id: str
    facility: str
    source: str
    workflow: str
    run: str
    uid: str
    instance: int
    name: str
    family: str
    product: str
    variant: str
    start_ms: int
    duration_s: float | None
    kind: str
    closed_by: str
    lag_s: float | None
    attempt: int
    lane: int
    open_for_s: float | None

    @property
    def closed_ms(self) -> int | None:
        """When its END, or what the run did next, closed it; None while it is open."""
        if self.duration_s is None or self.kind not in {EXACT, UPPER}:
            return None
        return self.start_ms + round(self.duration_s * MS_PER_S)

    @property
    def until_ms(self) -> int:
        """The time up to which it is known to have run."""
        return self.start_ms + round((self.duration_s or 0) * MS_PER_S)


class Longest(NamedTuple):
    """The longest stage of a run, among those with an exact or upper-bound duration."""

    name: str
    duration_s: float
    kind: str


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A document of kind runs: one instance of a run id. Times are unix ms, durations seconds; None = not seen.

    Attributes:
        uid: the id of the document.
        ended_ms: the run's own end; seen_ms: when its last line was printed.
        parts: kind of phase (phases.py) -> seconds, for those that occur; they add up to total_s.
        span_s: from the first START to the last.
        total_kind: exact; or lower if head or tail was not seen.
        started, opened: number of stages, and of those still open.
        completeness: how complete it is by its workflow's template; None if it was not judged.
        stages: in order of their start, if they were requested.
    """

    uid: str
    facility: str
    source: str
    workflow: str
    run: str
    instance: int
    state: str
    closed_by: str
    start_ms: int
    ended_ms: int | None
    seen_ms: int
    head_seen: bool
    tail_seen: bool
    parallel: bool
    marks: int
    ends_unmatched: int
    parts: Mapping[str, float]
    span_s: float | None
    total_s: float
    total_kind: str
    started: int
    opened: int
    longest: Longest | None
    flags: tuple[str, ...] = ()
    completeness: Completeness | None = None
    stages: tuple[StoredStage, ...] = ()

    @property
    def not_seen(self) -> tuple[str, ...]:
        """Which of head and tail are missing: by its template if it was judged by one, otherwise by its lines."""
        seen = {"head": self.head_seen, "tail": self.tail_seen}
        if self.completeness is not None and self.completeness.verdict in {COMPLETE, INCOMPLETE}:
            seen = {"head": self.completeness.head_seen is not False, "tail": self.completeness.tail_seen is not False}
        return tuple(end for end, is_seen in seen.items() if not is_seen)

    @property
    def last_ms(self) -> int:
        """The last instant that its stages or its own end give."""
        instants = [stage.start_ms if stage.closed_ms is None else stage.closed_ms for stage in self.stages]
        return max([self.start_ms, *instants, *([self.ended_ms] if self.ended_ms is not None else [])])

    @property
    def named(self) -> str:
        """The run id, with the instance if it is not the first."""
        return self.run if self.instance == 1 else f"{self.run} ({self.instance})"


def stage_from(doc_id: str, body: Mapping[str, Any]) -> StoredStage:
    """Parse a document of kind stages that is not retracted."""
    perf = body["perf"]
    run, stage = perf["run"], perf["stage"]
    return StoredStage(
        id=doc_id,
        facility=perf["facility"],
        source=perf["source"],
        workflow=perf.get("workflow", ""),
        run=run["id"],
        uid=run["uid"],
        instance=run["instance"],
        name=stage["name"],
        family=stage["family"],
        product=stage.get("product", ""),
        variant=stage.get("variant", ""),
        start_ms=iso_ms(body["event"]["start"]),
        duration_s=stage.get("duration_s"),
        kind=stage["duration_kind"],
        closed_by=stage["closed_by"],
        lag_s=lookup(perf, "mark.emit_lag_s"),
        attempt=stage["attempt"],
        lane=stage["lane"],
        open_for_s=stage.get("open_for_s"),
    )


def run_from(body: Mapping[str, Any]) -> StoredRun:
    """Parse a document of kind runs that is not retracted; without its stages."""
    perf, event = body["perf"], body["event"]
    run = perf["run"]
    optional = run.get
    return StoredRun(
        uid=run["uid"],
        facility=perf["facility"],
        source=perf["source"],
        workflow=perf.get("workflow", ""),
        run=run["id"],
        instance=run["instance"],
        state=run["state"],
        closed_by=run["closed_by"],
        start_ms=iso_ms(event["start"]),
        ended_ms=iso_ms(event["end"]) if "end" in event else None,
        seen_ms=iso_ms(run["last_seen"]),
        head_seen=run["head_seen"],
        tail_seen=run["tail_seen"],
        parallel=optional("parallel", False),
        marks=run["marks"],
        ends_unmatched=optional("ends_unmatched", 0),
        parts={part: run[name] for part, name in PART_FIELDS if name in run},
        span_s=optional("start_span_s"),
        total_s=run["observed_total_s"],
        total_kind=run["observed_total_kind"],
        started=run["stages"],
        opened=run["stages_open"],
        longest=_longest(run),
        flags=tuple(perf.get("flags", ())),
        completeness=completeness_in(run["completeness"]) if "completeness" in run else None,
    )


def with_stages(runs: Iterable[StoredRun], stages: Iterable[StoredStage]) -> list[StoredRun]:
    """The runs in order of their first instants, each with its stages in order of start."""
    stages_of_run: dict[str, list[StoredStage]] = {}
    for stage in stages:
        stages_of_run.setdefault(stage.uid, []).append(stage)
    complete_runs = [replace(run, stages=_in_order(stages_of_run.get(run.uid, ()))) for run in runs]
    return sorted(complete_runs, key=lambda run: (run.start_ms, run.facility, run.run, run.instance))


def _in_order(stages: Sequence[StoredStage]) -> tuple[StoredStage, ...]:
    """Sort as instances.py sorts marks: of two stages that start in one second, the one printed first."""
    return tuple(sorted(stages, key=lambda stage: (stage.start_ms, max(stage.lag_s or 0, 0), stage.id)))


def _longest(run: Mapping[str, Any]) -> Longest | None:
    if "longest_stage" not in run:
        return None
    return Longest(run["longest_stage"], run["longest_stage_s"], run["longest_stage_kind"])
