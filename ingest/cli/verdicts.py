"""Verdicts on stages and their baselines, as JSON."""

from typing import Any

from ingest.core.alerts.slow_stage import Verdict
from ingest.core.statistics import StageStatistics
from ingest.core.timestamps import iso


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict on a stage, with its numbers."""
    stage, threshold = verdict.stage, verdict.threshold
    return {
        "verdict": verdict.verdict,
        "severity": verdict.severity or None,
        "stage": stage.name,
        "run": stage.run,
        "start": iso(stage.start_ms),
        "duration_s": stage.duration_s,
        "duration_kind": stage.kind,
        "n": verdict.n,
        "baseline": None if verdict.baseline is None else baseline_to_json(verdict.baseline),
        "threshold_s": None if threshold is None else threshold.seconds,
        "threshold_by": None if threshold is None else threshold.by,
    }


def baseline_to_json(baseline: StageStatistics) -> dict[str, Any]:
    """Return the statistics of comparable stages, with their period."""
    return baseline_numbers_to_json(baseline) | {
        "from": iso(baseline.first_ms),
        "to": iso(baseline.last_ms),
    }


def baseline_numbers_to_json(baseline: StageStatistics) -> dict[str, Any]:
    """Return the number of comparable stages, and the statistics of their durations."""
    values = baseline._asdict()
    return {name: values[name] for name in ("n", "median_s", "p95_s", "mad_s")}
