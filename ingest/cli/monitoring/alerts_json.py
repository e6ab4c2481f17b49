"""JSON output of `perflog alerts`."""

from typing import Any

from ingest.cli.verdicts import baseline_row, verdict_row
from ingest.core.alerts.incidents import Evidence, Incident
from ingest.core.timestamps import iso
from ingest.pipeline.alerts.evaluate import AlertsReport, RuleResult


def evaluated_row(report: AlertsReport) -> dict[str, Any]:
    """Return each rule and facility with its verdicts and incidents, and the notices that were sent."""
    notices = [notice._asdict() for notice in report.notices]
    return {"evaluated": [_one(result) for result in report.evaluated], "told": notices, "overtaken": report.overtaken}


def _one(result: RuleResult) -> dict[str, Any]:
    return {
        "rule": result.rule.id,
        "facility": result.facility,
        "since": iso(result.span.since_ms),
        "now": iso(result.span.now_ms),
        "counts": dict(result.counts),
        "stages": [verdict_row(verdict) for verdict in result.verdicts],
        "incidents": [incident_row(incident) for incident in result.incidents],
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


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "stage": evidence.stage,
        "run": evidence.run,
        "start": iso(evidence.start_ms),
        "took_s": evidence.took_s,
        "threshold_s": evidence.threshold.seconds,
        "threshold_by": evidence.threshold.by,
        "baseline": baseline_row(evidence.baseline),
    }
