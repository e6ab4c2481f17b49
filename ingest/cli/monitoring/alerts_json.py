"""JSON output of `perflog alerts`."""

from typing import Any

from ingest.cli.verdicts import baseline_to_json, verdict_to_json
from ingest.core.alerts.incidents import Evidence, Incident
from ingest.core.timestamps import iso
from ingest.pipeline.alerts.evaluate import AlertsReport, RuleResult


def evaluation_to_json(report: AlertsReport) -> dict[str, Any]:
    """Return each rule and facility with its verdicts and incidents, and the notices that were sent."""
    notices = [notice._asdict() for notice in report.notices]
    return {
        "evaluated": [_result_to_json(result) for result in report.evaluated],
        "told": notices,
        "overtaken": report.overtaken,
    }


def _result_to_json(result: RuleResult) -> dict[str, Any]:
    return {
        "rule": result.rule.id,
        "facility": result.facility,
        "since": iso(result.span.since_ms),
        "now": iso(result.span.now_ms),
        "counts": dict(result.counts),
        "stages": [verdict_to_json(verdict) for verdict in result.verdicts],
        "incidents": [incident_to_json(incident) for incident in result.incidents],
    }


def incident_to_json(incident: Incident) -> dict[str, Any]:
    """Return an incident with its evidence."""
    return {
        "id": incident.id,
        "rule": incident.rule,
        "state": incident.state,
        "severity": incident.severity,
        "chronic": incident.chronic,
        **incident.like._asdict(),
        "duration_kind": incident.kind,
        "begin": iso(incident.first.start_ms),
        "end": None if incident.closed_ms is None else iso(incident.closed_ms),
        "closed_by": incident.closed_by or None,
        "slow": incident.slow,
        "told": incident.notified_level or None,
        "first": _evidence_to_json(incident.first),
        "worst": _evidence_to_json(incident.worst),
    }


def _evidence_to_json(evidence: Evidence) -> dict[str, Any]:
    return {
        "stage": evidence.stage,
        "run": evidence.run,
        "start": iso(evidence.start_ms),
        "took_s": evidence.took_s,
        "threshold_s": evidence.threshold.seconds,
        "threshold_by": evidence.threshold.by,
        "baseline": baseline_to_json(evidence.baseline),
    }
