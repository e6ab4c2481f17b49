"""JSON output of `perflog alerts`."""

from typing import Any

from ingest.cli.verdicts import baseline_row, verdict_row
from ingest.core.alerts.incidents import Evidence, Incident
from ingest.core.timestamps import iso
from ingest.pipeline.alerts.evaluate import AlertsReport, RuleResult


def evaluated_row(report: AlertsReport) -> dict[str, Any]:
    """Return each rule and facility with its verdicts and incidents, and the notices that were sent."""
    told = [notice._asdict() for notice in report.told]
    return {"evaluated": [_one(each) for each in report.evaluated], "told": told, "overtaken": report.overtaken}


def _one(found: RuleResult) -> dict[str, Any]:
    return {
        "rule": found.rule.id,
        "facility": found.facility,
        "since": iso(found.span.since_ms),
        "now": iso(found.span.now_ms),
        "counts": dict(found.counts),
        "stages": [verdict_row(verdict) for verdict in found.verdicts],
        "incidents": [incident_row(incident) for incident in found.incidents],
    }


def incident_row(found: Incident) -> dict[str, Any]:
    """Return an incident with its evidence."""
    return {
        "id": found.id,
        "rule": found.rule,
        "state": found.state,
        "severity": found.severity,
        "chronic": found.chronic,
        **found.like._asdict(),
        "duration_kind": found.kind,
        "begin": iso(found.first.start_ms),
        "end": None if found.closed_ms is None else iso(found.closed_ms),
        "closed_by": found.closed_by or None,
        "slow": found.slow,
        "told": found.told or None,
        "first": _evidence(found.first),
        "worst": _evidence(found.worst),
    }


def _evidence(found: Evidence) -> dict[str, Any]:
    return {
        "stage": found.stage,
        "run": found.run,
        "start": iso(found.start_ms),
        "took_s": found.took_s,
        "threshold_s": found.threshold.seconds,
        "threshold_by": found.threshold.by,
        "baseline": baseline_row(found.baseline),
    }
