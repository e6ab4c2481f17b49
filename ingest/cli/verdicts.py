"""Verdicts on stages and their baselines, as JSON."""

from typing import Any

from ingest.core.alerts.slow_stage import Verdict
from ingest.core.statistics import StageStatistics
from ingest.core.timestamps import iso


def verdict_row(found: Verdict) -> dict[str, Any]:
    """Return the verdict on a stage, with its numbers."""
    stage, threshold = found.stage, found.threshold
    return {
        "verdict": found.verdict,
        "severity": found.severity or None,
        "stage": stage.name,
        "run": stage.run,
        "start": iso(stage.start_ms),
        "duration_s": stage.duration_s,
        "duration_kind": stage.kind,
        "n": found.n,
        "baseline": None if found.baseline is None else baseline_row(found.baseline),
        "threshold_s": None if threshold is None else threshold.seconds,
        "threshold_by": None if threshold is None else threshold.by,
    }


def baseline_row(found: StageStatistics) -> dict[str, Any]:
    """Return the statistics of comparable stages, with their period."""
    return baseline_numbers(found) | {
        "from": iso(found.first_ms),
        "to": iso(found.last_ms),
    }


def baseline_numbers(found: StageStatistics) -> dict[str, Any]:
    """Return the number of comparable stages, and the statistics of their durations."""
    values = found._asdict()
    return {name: values[name] for name in ("n", "median_s", "p95_s", "mad_s")}
