"""Folds verdicts into incidents: from the first slow stage of a series to the normal stage that ends it.

An incident's id is derived from its rule and its first slow stage, so every evaluation, whenever and wherever it runs,
finds the same incident. An incident stores up to which stage it has judged (`through_ms`): stages judged before do not
count twice, and a later evaluation that sees less of the past continues from there.

While an incident fires, stages are also compared with the baseline from before it began. Otherwise its own slow stages
would soon raise the baseline, and it would seem over although nothing has changed. This applies for as long as a
baseline reaches back; after that the slow duration counts as usual.

    over       after one normal stage; a chronic incident (many of its last stages were slow) after several in a row
    withdrawn  the stage that began it is no longer slow, or is gone, because a late line corrected it
    silent     no comparable stage came for a long time
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ingest.core.alerts.rules import Rule
from ingest.core.alerts.slow_stage import (
    CRITICAL,
    OK,
    SLOW,
    SeriesKey,
    Threshold,
    TimeSpan,
    Verdict,
    series_key,
    severity_of,
)
from ingest.core.ids import digest_id
from ingest.core.runs.stored import MS_PER_S
from ingest.core.statistics import StageStatistics

FIRING, CLOSED = "firing", "closed"
OVER, WITHDRAWN, SILENT = "over", "withdrawn", "silent"
FIRED, WORSE, CHRONIC = "fired", "worse", "chronic"


class Evidence(NamedTuple):
    """The numbers of a slow stage: its duration, and the baseline and threshold from the stages before it."""

    stage_id: str
    stage: str
    run: str
    uid: str
    start_ms: int
    took_s: float
    baseline: StageStatistics
    threshold: Threshold

    @property
    def at_ms(self) -> int:
        """When the stage was closed."""
        return self.start_ms + round(self.took_s * MS_PER_S)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident of a rule. Times are unix ms.

    Attributes:
        like, kind: the series of stages that it is about.
        first: evidence of the stage that began it; worst: of the longest stage.
        severity: the worst so far; chronic: whether it ever was.
        slow: number of slow stages; normal: number of normal stages in a row since the last slow one.
        recent: for each of the last few stages whether it was slow, newest last.
        through_ms: when the newest judged stage was closed.
        closed_by: over, withdrawn or silent; empty while it fires. closed_ms: when.
        notified_level: the level that people were last notified of, or closed; empty if they were not notified yet.
    """

    id: str
    rule: str
    like: SeriesKey
    kind: str
    first: Evidence
    worst: Evidence
    severity: str
    chronic: bool
    slow: int
    normal: int
    recent: tuple[bool, ...]
    through_ms: int
    closed_by: str = ""
    closed_ms: int | None = None
    notified_level: str = ""

    @property
    def state(self) -> str:
        """Firing or closed."""
        return CLOSED if self.closed_by else FIRING

    @property
    def level(self) -> str:
        """How bad it is, in a word or two; it never decreases."""
        return f"{self.severity} {CHRONIC}" if self.chronic else self.severity


def incidents(rule: Rule, verdicts: Sequence[Verdict], stored: Sequence[Incident], span: TimeSpan) -> list[Incident]:
    """Return all incidents, known ones updated and new ones, ordered by when they began.

    `verdicts` are those of the span (slow_stage.py); `known` are all incidents of this rule that fire, or that have
    judged
    a stage of the span.
    """
    verdict_by_stage = {verdict.stage.id: verdict.verdict for verdict in verdicts}
    stored = [_checked(incident, verdict_by_stage, span) for incident in stored]
    by_id = {incident.id: incident for incident in stored}
    judged = [verdict for verdict in verdicts if verdict.verdict in {OK, SLOW}]
    for key, of_one in groupby(sorted(judged, key=_series), key=_series):  # stable: in time order
        same_series = [incident for incident in stored if (incident.like, incident.kind) == key]
        by_id |= _folded(rule, list(of_one), same_series)
    settled = (_silenced(rule, incident, span.now_ms) for incident in by_id.values())
    return sorted(settled, key=lambda incident: (incident.first.at_ms, incident.id))


def _series(verdict: Verdict) -> tuple[SeriesKey, str]:
    return series_key(verdict.stage), verdict.stage.kind


def incident_id(rule: str, stage_id: str) -> str:
    """Return the id of the incident that a stage begins."""
    return digest_id(rule.encode(), stage_id.encode())


def transition(incident: Incident) -> str:
    """Return the transition to notify people of: fired, worse (now critical or chronic), closed, or "" for none."""
    if not incident.notified_level:
        return FIRED
    if incident.closed_by:
        return "" if incident.notified_level == CLOSED else CLOSED
    return "" if incident.notified_level == incident.level else WORSE


def mark_notified(incident: Incident) -> Incident:
    """Return the incident with its present state marked as notified."""
    return replace(incident, notified_level=CLOSED if incident.closed_by else incident.level)


def with_incidents(rule: Rule, verdicts: Iterable[Verdict], incidents: Iterable[Incident]) -> list[Verdict]:
    """Adjust verdicts to the incidents: a stage slower than the baseline from before its incident counts as slow."""
    by_series: dict[tuple[SeriesKey, str], list[Incident]] = {}
    for incident in incidents:
        by_series.setdefault((incident.like, incident.kind), []).append(incident)

    def stated(verdict: Verdict) -> Verdict:
        if verdict.verdict != OK:
            return verdict
        for incident in by_series.get(_series(verdict), ()):
            within = incident.first.at_ms < verdict.at_ms <= incident.through_ms
            if within and _slow_still(rule, incident, verdict):
                first, took_s = incident.first, verdict.stage.duration_s or 0
                severity = severity_of(rule, took_s, first.baseline)
                return Verdict(verdict.stage, SLOW, first.baseline.n, first.baseline, first.threshold, severity)
        return verdict

    return [stated(verdict) for verdict in verdicts]


def _folded(rule: Rule, verdicts: Sequence[Verdict], stored: Sequence[Incident]) -> dict[str, Incident]:
    """Return the incidents of one series by id, new ones included."""
    by_id = {incident.id: incident for incident in stored}
    fresh = [verdict for verdict in verdicts if not verdict.context]
    current = next((one for one in stored if not one.closed_by and one.through_ms < fresh[0].at_ms), None)
    recent = tuple(v.verdict == SLOW for v in verdicts if v.context) if current is None else current.recent
    for verdict in fresh:
        is_slow = verdict.verdict == SLOW or (current is not None and _slow_still(rule, current, verdict))
        recent = (*recent, is_slow)[-rule.chronic.of_last :]
        covering = _covering(by_id.values(), verdict)
        if covering is not None:
            if current is not None and current.id != covering.id:  # late stages that precede a known incident
                by_id[current.id] = replace(current, closed_by=OVER, closed_ms=covering.first.at_ms)
            current, recent = (None, recent) if covering.closed_by else (covering, covering.recent)
        elif current is not None:
            further = by_id[current.id] = _with(rule, current, verdict, recent)
            current = None if further.closed_by else further
        elif verdict.verdict == SLOW:
            current = _begun(rule, verdict, recent)
            by_id[current.id] = current
    return by_id


def _slow_still(rule: Rule, incident: Incident, verdict: Verdict) -> bool:
    """Whether the stage is slow by the baseline from before the incident."""
    frozen = verdict.at_ms - incident.first.at_ms <= rule.baseline_ms
    return frozen and (verdict.stage.duration_s or 0) > incident.first.threshold.seconds


def _covering(stored: Iterable[Incident], verdict: Verdict) -> Incident | None:
    """Return the incident that has already judged the stage."""
    return next((one for one in stored if one.first.at_ms <= verdict.at_ms <= one.through_ms), None)


def _checked(incident: Incident, verdict_by_stage: Mapping[str, str], span: TimeSpan) -> Incident:
    """Withdraw an incident whose only slow stage lies in the span but is no longer slow."""
    in_span = span.since_ms <= incident.first.at_ms <= span.now_ms
    if incident.closed_by or incident.slow > 1 or not in_span or verdict_by_stage.get(incident.first.stage_id) == SLOW:
        return incident
    return replace(incident, closed_by=WITHDRAWN, closed_ms=incident.through_ms)


def _begun(rule: Rule, verdict: Verdict, recent: tuple[bool, ...]) -> Incident:
    evidence = _evidence(verdict)
    return Incident(
        id=incident_id(rule.id, verdict.stage.id),
        rule=rule.id,
        like=series_key(verdict.stage),
        kind=verdict.stage.kind,
        first=evidence,
        worst=evidence,
        severity=verdict.severity,
        chronic=_is_chronic(rule, recent),
        slow=1,
        normal=0,
        recent=recent,
        through_ms=verdict.at_ms,
    )


def _with(rule: Rule, incident: Incident, verdict: Verdict, recent: tuple[bool, ...]) -> Incident:
    """Add a stage to an incident, and close it if this was the last normal stage it needs."""
    chronic = incident.chronic or _is_chronic(rule, recent)
    further = replace(incident, chronic=chronic, recent=recent, through_ms=verdict.at_ms)
    if recent[-1]:
        evidence = _evidence(verdict)
        worst = max(incident.worst, evidence, key=attrgetter("took_s"))
        now = severity_of(rule, evidence.took_s, incident.first.baseline)
        severity = CRITICAL if CRITICAL in {incident.severity, verdict.severity, now} else incident.severity
        return replace(further, worst=worst, severity=severity, slow=incident.slow + 1, normal=0)
    normal = incident.normal + 1
    if normal < (rule.chronic.clears_after if chronic else 1):
        return replace(further, normal=normal)
    return replace(further, normal=normal, closed_by=OVER, closed_ms=verdict.at_ms)


def _silenced(rule: Rule, incident: Incident, now_ms: int) -> Incident:
    if incident.closed_by or now_ms - incident.through_ms <= rule.silent_ms:
        return incident
    return replace(incident, closed_by=SILENT, closed_ms=incident.through_ms + rule.silent_ms)


def _is_chronic(rule: Rule, recent: Sequence[bool]) -> bool:
    return sum(recent) >= rule.chronic.slow


def _evidence(verdict: Verdict) -> Evidence:
    stage = verdict.stage
    assert verdict.baseline is not None  # noqa: S101 - a stage is slow by its baseline
    assert verdict.threshold is not None  # noqa: S101
    return Evidence(
        stage.id, stage.name, stage.run, stage.uid, stage.start_ms,
        stage.duration_s or 0, verdict.baseline, verdict.threshold,
    )  # fmt: skip
