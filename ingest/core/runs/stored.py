"""Runs and stages as they are stored: the documents that documents.py writes, read again. What is absent stays None."""

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
        id: of the document, that of its opening mark.
        run, uid, instance: the run id, the id of the run's document, which use of the run id.
        duration_s: what it says depends on `kind`; None when nothing is known.
        lag_s: its emission lag; None when the stamp failed its self-check.
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
        """When its END, or what the run did next, closed it; None while nothing has."""
        if self.duration_s is None or self.kind not in {EXACT, UPPER}:
            return None
        return self.start_ms + round(self.duration_s * MS_PER_S)

    @property
    def until_ms(self) -> int:
        """Up to when it is known to have run."""
        return self.start_ms + round((self.duration_s or 0) * MS_PER_S)


class Longest(NamedTuple):
    """The longest stage of a run whose duration is exact or an upper bound."""

    name: str
    duration_s: float
    kind: str


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A document of kind runs: one instance of a run id. Times are unix ms, durations seconds; None = not seen.

    Attributes:
        uid: the id of the document.
        ended_ms: the run's own end; seen_ms: when its last line was printed.
        parts: kind of part (phases.py) -> seconds, of those there are; they add up to total_s.
        span_s: from the first START to the last.
        total_kind: exact, or lower where head or tail was not seen.
        started, opened: how many stages there are, and how many of them nothing has closed.
        completeness: what of it is there, by the template of its workflow; None while it was not judged.
        stages: in order of their start, where they were asked for too.
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
        """Which of its ends are missing: by its template, where it was judged by one; else by what it printed."""
        seen = {"head": self.head_seen, "tail": self.tail_seen}
        if self.completeness is not None and self.completeness.verdict in {COMPLETE, INCOMPLETE}:
            seen = {"head": self.completeness.head_seen is not False, "tail": self.completeness.tail_seen is not False}
        return tuple(end for end, is_seen in seen.items() if not is_seen)

    @property
    def total_counts(self) -> bool:
        """Whether its total may be compared with others': it is complete. The durations of its stages count anyway."""
        return self.completeness is not None and self.completeness.verdict == COMPLETE

    @property
    def last_ms(self) -> int:
        """The last instant that its stages, or its own end, tell of."""
        instants = [stage.start_ms if stage.closed_ms is None else stage.closed_ms for stage in self.stages]
        return max([self.start_ms, *instants, *([self.ended_ms] if self.ended_ms is not None else [])])

    @property
    def named(self) -> str:
        """The run id, and which use of it where it is not the first."""
        return self.run if self.instance == 1 else f"{self.run} ({self.instance})"


def stage_from(doc_id: str, body: Mapping[str, Any]) -> StoredStage:
    """The stage in a document of kind stages that is not retracted."""
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
    """The run in a document of kind runs that is not retracted; without its stages."""
    perf, event = body["perf"], body["event"]
    run = perf["run"]
    told = run.get
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
        parallel=told("parallel", False),
        marks=run["marks"],
        ends_unmatched=told("ends_unmatched", 0),
        parts={part: run[name] for part, name in PART_FIELDS if name in run},
        span_s=told("start_span_s"),
        total_s=run["observed_total_s"],
        total_kind=run["observed_total_kind"],
        started=run["stages"],
        opened=run["stages_open"],
        longest=_longest(run),
        flags=tuple(perf.get("flags", ())),
        completeness=completeness_in(run["completeness"]) if "completeness" in run else None,
    )


def with_stages(runs: Iterable[StoredRun], stages: Iterable[StoredStage]) -> list[StoredRun]:
    """The runs in the order of their first instants, each with its stages in the order of their start."""
    found: dict[str, list[StoredStage]] = {}
    for stage in stages:
        found.setdefault(stage.uid, []).append(stage)
    whole = [replace(run, stages=_in_order(found.get(run.uid, ()))) for run in runs]
    return sorted(whole, key=lambda run: (run.start_ms, run.facility, run.run, run.instance))


def _in_order(stages: Sequence[StoredStage]) -> tuple[StoredStage, ...]:
    """As instances.py orders marks: of two that start in one second, the one printed first."""
    return tuple(sorted(stages, key=lambda stage: (stage.start_ms, max(stage.lag_s or 0, 0), stage.id)))


def _longest(run: Mapping[str, Any]) -> Longest | None:
    if "longest_stage" not in run:
        return None
    return Longest(run["longest_stage"], run["longest_stage_s"], run["longest_stage_kind"])
