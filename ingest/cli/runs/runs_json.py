"""JSON output of `perflog runs` and `perflog show`, with the names that people read.

Values that were not seen are null, never 0.
"""

from typing import Any

from ingest.core.runs.completeness import OPEN_YET, Completeness
from ingest.core.runs.documents import PART_FIELDS
from ingest.core.runs.stored import StoredRun, StoredStage
from ingest.core.timestamps import iso


def run_to_json(run: StoredRun) -> dict[str, Any]:
    """Return a run without its stages."""
    longest = run.longest
    return {
        "run": run.run,
        "instance": run.instance,
        "uid": run.uid,
        "facility": run.facility,
        "source": run.source,
        "workflow": run.workflow or None,
        "state": run.state,
        "closed_by": run.closed_by,
        "begin": iso(run.start_ms),
        "end": None if run.ended_ms is None else iso(run.ended_ms),
        "last_seen": iso(run.seen_ms),
        "head_seen": run.head_seen,
        "tail_seen": run.tail_seen,
        "parallel": run.parallel,
        "stages": run.started,
        "stages_open": run.opened,
        **{name: run.parts.get(part) for part, name in PART_FIELDS},
        "start_span_s": run.span_s,
        "observed_total_s": run.total_s,
        "observed_total_kind": run.total_kind,
        "longest_stage": None if longest is None else longest._asdict(),
        "completeness": None if run.completeness is None else _completeness_to_json(run.completeness),
        "flags": list(run.flags),
    }


def _completeness_to_json(completeness: Completeness) -> dict[str, Any]:
    """Return the completeness of a run; for an open run nothing is called missing."""
    has_variant = completeness.variant is not None
    return {
        "verdict": completeness.verdict,
        "template_version": completeness.version,
        "variant": completeness.variant,
        "expected": completeness.expected if has_variant else None,
        "seen": completeness.seen if has_variant else None,
        "seen_pct": completeness.seen_pct,
        "missing_stages": None if completeness.verdict == OPEN_YET or not has_variant else list(completeness.missing),
        "unexpected_stages": list(completeness.unexpected),
        "head_seen": completeness.head_seen,
        "tail_seen": completeness.tail_seen,
    }


def stage_to_json(stage: StoredStage) -> dict[str, Any]:
    """Return a stage of a run."""
    return {
        "stage": stage.name,
        "family": stage.family,
        "product": stage.product or None,
        "variant": stage.variant or None,
        "start": iso(stage.start_ms),
        "duration_s": stage.duration_s,
        "duration_kind": stage.kind,
        "closed_by": stage.closed_by,
        "emit_lag_s": stage.lag_s,
        "attempt": stage.attempt,
        "lane": stage.lane,
        "open_for_s": stage.open_for_s,
        "id": stage.id,
    }


def whole_run_to_json(run: StoredRun, instances: int) -> dict[str, Any]:
    """Return a run with its stages, and the number of uses of its id."""
    return {
        **run_to_json(run),
        "instances": instances,
        "stages_in_order": [stage_to_json(stage) for stage in run.stages],
    }
