"""A run and its stages as documents: names and units as in fields.toml, and what is missing is absent."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ingest.core.clock import iso
from ingest.core.completeness import Completeness, completeness_fields
from ingest.core.parts import BETWEEN, DISPATCH, LEAD, QUEUE, STAGE, TAIL
from ingest.core.runmarks import RunKey, What
from ingest.core.runs import Run, seconds
from ingest.core.stages import EXACT, LOWER, Stage

NS_PER_MS = 1_000_000
PART_FIELDS = (
    (QUEUE, "queue_wait_s"), (DISPATCH, "dispatch_s"), (LEAD, "lead_s"),
    (STAGE, "staged_s"), (BETWEEN, "between_s"), (TAIL, "tail_s"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def uid(key: RunKey, ordinal: int) -> str:
    """The id of a run's document: of its run id, and the instance."""
    return f"{key.id}.{ordinal}"


def stage_body(run: Run, stage: Stage) -> dict[str, Any]:
    """The document of a stage. Its end and its ECS duration are there only when its END is."""
    mark, start = stage.mark, iso(stage.start_ms)
    event: dict[str, Any] = {"start": start}
    if stage.kind == EXACT and stage.closed_ms is not None and stage.duration_ms is not None:
        event["end"] = iso(stage.closed_ms)
        event["duration"] = stage.duration_ms * NS_PER_MS
    told = dict(_named(mark.what))
    if stage.duration_ms is not None:
        told["duration_s"] = seconds(stage.duration_ms)
    told["duration_kind"] = stage.kind
    told["closed_by"] = stage.closed_by
    told["attempt"] = stage.attempt
    told["lane"] = stage.lane
    if stage.open_for_ms is not None:
        told["open_for_s"] = seconds(stage.open_for_ms)
    lag = {} if mark.lag_ms is None else {"emit_lag_s": seconds(mark.lag_ms)}
    perf = _perf(run.key, mark.what.workflow)
    perf["run"] = {"id": run.key.run, "uid": uid(run.key, run.ordinal), "instance": run.ordinal}
    perf["stage"] = told
    perf["mark"] = {"key": mark.what.key, **lag}
    return {"@timestamp": start, "event": event, "perf": perf}


@lru_cache(maxsize=8192)
def _named(what: What) -> dict[str, Any]:
    """What a stage's document says of its name; to be copied."""
    parts = ("family", "product", "variant", "split")
    return {"name": what.stage, **{part: text for part in parts if (text := getattr(what, part))}}


def run_body(run: Run, flags: Iterable[str] = (), judged: Completeness | None = None) -> dict[str, Any]:
    """The document of a run; `judged`: what of it is there, where that can be said."""
    event = {"start": iso(run.first_ms)}
    if run.ended_ms is not None:
        event["end"] = iso(run.ended_ms)
    perf = _perf(run.key, run.workflow)
    if found := sorted(flags):
        perf["flags"] = found
    perf["run"] = {
        "id": run.key.run,
        "uid": uid(run.key, run.ordinal),
        "instance": run.ordinal,
        "state": run.state,
        "closed_by": run.closed_by,
        "last_seen": iso(run.seen_ms),
        "head_seen": run.head_seen,
        "tail_seen": run.tail_seen,
        "marks": run.marks,
        "stages": len(run.stages),
        "stages_open": sum(stage.is_open for stage in run.stages),
        **({"parallel": True} if run.parallel else {}),
        **({"ends_unmatched": run.ends_unmatched} if run.ends_unmatched else {}),
        **_times(run),
        **_longest(run),
        **({"completeness": completeness_fields(judged)} if judged else {}),
    }
    return {"@timestamp": event["start"], "event": event, "perf": perf}


def tombstone(key: RunKey, at_ms: int) -> dict[str, Any]:
    """What overwrites a document that no longer follows from the facts."""
    perf = _perf(key, "")
    perf["run"] = {"id": key.run}
    perf["retracted"] = True
    return {"@timestamp": iso(at_ms), "perf": perf}


def _perf(key: RunKey, workflow: str) -> dict[str, Any]:
    perf: dict[str, Any] = {"facility": key.facility, "source": key.source}
    if workflow:
        perf["workflow"] = workflow
    return perf


def _times(run: Run) -> dict[str, Any]:
    found = {name: run.part_ms(kind) for kind, name in PART_FIELDS}
    found["start_span_s"] = run.start_span_ms
    found["observed_total_s"] = run.observed_ms
    times: dict[str, Any] = {name: seconds(ms) for name, ms in found.items() if ms is not None}
    times["observed_total_kind"] = EXACT if run.head_seen and run.tail_seen else LOWER
    return times


def _longest(run: Run) -> dict[str, Any]:
    stage = run.longest
    if stage is None or stage.duration_ms is None:
        return {}
    return {
        "longest_stage": stage.mark.what.stage,
        "longest_stage_s": seconds(stage.duration_ms),
        "longest_stage_kind": stage.kind,
        "longest_stage_closed_by": stage.closed_by,
    }
