"""Converts incidents to documents of kind alerts and back; names and units as in fields.toml, missing values absent."""

from collections.abc import Mapping
from typing import Any

from ingest.core.alerts.incidents import Evidence, Incident
from ingest.core.alerts.messages import message
from ingest.core.alerts.rules import Rule
from ingest.core.alerts.slow_stage import SeriesKey, Threshold
from ingest.core.statistics import StageStatistics
from ingest.core.timestamps import iso, iso_ms


def incident_body(incident: Incident, rule: Rule) -> dict[str, Any]:
    """Convert an incident to its document."""
    whose = incident.like
    first = incident.first
    event = {"start": iso(first.start_ms)}
    if incident.closed_ms is not None:
        event["end"] = iso(incident.closed_ms)
    stage = {"name": first.stage, "family": whose.family, "product": whose.product, "variant": whose.variant}
    stage["duration_kind"] = incident.kind
    return {
        "@timestamp": event["start"],
        "event": event,
        "perf": {
            "facility": whose.facility,
            **({"workflow": whose.workflow} if whose.workflow else {}),
            "run": {"id": first.run, "uid": first.uid},
            "stage": {key: value for key, value in stage.items() if value},
            "alert": _alert(incident, rule),
        },
    }


def _alert(incident: Incident, rule: Rule) -> dict[str, Any]:
    return {
        "rule": incident.rule,
        "title": rule.title,
        "state": incident.state,
        "severity": incident.severity,
        "chronic": incident.chronic,
        "message": message(incident, rule),
        **({"closed_by": incident.closed_by} if incident.closed_by else {}),
        **({"told": incident.notified_level} if incident.notified_level else {}),
        "slow": incident.slow,
        "normal": incident.normal,
        "recent": list(incident.recent),
        "through": iso(incident.through_ms),
        **_evidence(incident.first),
        "worst": _evidence(incident.worst) | _run(incident.worst),
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    base, threshold = evidence.baseline, evidence.threshold
    return {
        "stage_id": evidence.stage_id,
        "took_s": evidence.took_s,
        "threshold_s": threshold.seconds,
        "threshold_by": threshold.by,
        "baseline": {
            "n": base.n,
            "median_s": base.median_s,
            "p95_s": base.p95_s,
            "mad_s": base.mad_s,
            "from": iso(base.first_ms),
            "to": iso(base.last_ms),
        },
    }


def _run(evidence: Evidence) -> dict[str, Any]:
    return {"stage": evidence.stage, "run": evidence.run, "uid": evidence.uid, "start": iso(evidence.start_ms)}


def incident_in(doc_id: str, body: Mapping[str, Any]) -> Incident:
    """Read the incident from a document of kind alerts."""
    perf, event = body["perf"], body["event"]
    alert, stage = perf["alert"], perf["stage"]
    named = {"stage": stage["name"], "run": perf["run"]["id"], "uid": perf["run"]["uid"], "start": event["start"]}
    text = stage.get
    return Incident(
        id=doc_id,
        rule=alert["rule"],
        like=SeriesKey(
            perf["facility"], perf.get("workflow", ""), text("family", ""), text("product", ""), text("variant", "")
        ),
        kind=stage["duration_kind"],
        first=_evidence_in(alert, named),
        worst=_evidence_in(alert["worst"], alert["worst"]),
        severity=alert["severity"],
        chronic=alert["chronic"],
        slow=alert["slow"],
        normal=alert["normal"],
        recent=tuple(alert["recent"]),
        through_ms=iso_ms(alert["through"]),
        closed_by=alert.get("closed_by", ""),
        closed_ms=iso_ms(event["end"]) if "end" in event else None,
        notified_level=alert.get("told", ""),
    )


def _evidence_in(fields: Mapping[str, Any], named: Mapping[str, Any]) -> Evidence:
    base = fields["baseline"]
    times = iso_ms(base["from"]), iso_ms(base["to"])
    return Evidence(
        stage_id=fields["stage_id"],
        stage=named["stage"],
        run=named["run"],
        uid=named["uid"],
        start_ms=iso_ms(named["start"]),
        took_s=fields["took_s"],
        baseline=StageStatistics(base["n"], base["median_s"], base["p95_s"], base["mad_s"], *times),
        threshold=Threshold(fields["threshold_s"], fields["threshold_by"]),
    )
