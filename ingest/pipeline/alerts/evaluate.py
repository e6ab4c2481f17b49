"""Alarms evaluated once: stored stages -> verdicts -> incidents, each written and told once.

An incident is written first and told then; that it was told is written last. A crash in between tells it again, and
nothing is left untold. Who evaluates at the same time makes the same incidents: of two, one writes each and tells it.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.config.settings import Settings
from ingest.core.alerts.documents import incident_body, incident_in
from ingest.core.alerts.incidents import Incident, incidents, mark_notified, transition, with_incidents
from ingest.core.alerts.messages import message
from ingest.core.alerts.rules import Rule, read_rules
from ingest.core.alerts.slow_stage import TimeSpan, Verdict, reach_ms, verdicts
from ingest.core.fields import Schema
from ingest.core.ids import index_name
from ingest.core.model import Problem
from ingest.edge.elasticsearch.alerts import Alerts
from ingest.edge.elasticsearch.client import client, raising_problems
from ingest.edge.elasticsearch.documents import CurrentDocument
from ingest.edge.elasticsearch.runs import RunIndex
from ingest.edge.ports import Notice, Notifier
from ingest.pipeline.preflight import demand_template

ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What is to be evaluated.

    Attributes:
        facilities: none = all of which runs are stored.
        since_ms: unix ms, or 0 or less: so long before now. None = as the rule says.
        now_ms: None = the newest line of the facility's runs.
    """

    facilities: tuple[str, ...] = ()
    since_ms: int | None = None
    now_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule on one facility: the verdicts of its span, and the incidents that fire or were touched by it."""

    rule: Rule
    facility: str
    span: TimeSpan
    verdicts: Sequence[Verdict]
    incidents: Sequence[Incident]

    @property
    def counts(self) -> Counter[str]:
        """Verdict -> how many stages."""
        return Counter(verdict.verdict for verdict in self.verdicts)


@dataclass(slots=True)
class AlertsReport:
    """What came of an evaluation: each rule and facility; what was told, and how often somebody else was faster."""

    evaluated: list[RuleResult] = field(default_factory=list)
    told: list[Notice] = field(default_factory=list)
    overtaken: int = 0


def load_rules(path: Path) -> tuple[Rule, ...]:
    """The rules in a file; `Problem` (78) says what is wrong with it."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path}: {error}.", "perflog needs its alarm rules.", 78) from error
    return read_rules(tree, path)


def evaluate(
    settings: Settings, schema: Schema, rules: Iterable[Rule], asked: EvaluateRequest, notifier: Notifier
) -> AlertsReport:
    """Evaluate every rule on every facility, and tell what is new.

    `Problem`: 69 when Elasticsearch does not answer, 78 when it has no template for alerts of this schema.
    """
    demand_template(settings, schema, ALERTS)
    connected = client(settings.elasticsearch)
    with raising_problems(settings.elasticsearch):
        try:
            round_ = _Round(RunIndex(connected), Alerts(connected), schema.kinds[ALERTS].period, notifier)
            return round_.whole(rules, asked)
        finally:
            connected.close()


def _since_ms(rule: Rule, asked: EvaluateRequest, now_ms: int) -> int:
    since_ms = -rule.look_back_ms if asked.since_ms is None else asked.since_ms
    return since_ms if since_ms > 0 else now_ms + since_ms


class _Round:
    """One evaluation."""

    def __init__(self, runs: RunIndex, alerts: Alerts, period: str, notifier: Notifier) -> None:
        self._runs, self._alerts, self._period, self._notifier = runs, alerts, period, notifier
        self._report = AlertsReport()

    def whole(self, rules: Iterable[Rule], asked: EvaluateRequest) -> AlertsReport:
        self._runs.refresh()
        self._alerts.refresh()
        newest_ms = self._runs.newest_line_ms()
        facilities = asked.facilities or tuple(sorted(newest_ms))
        for rule in rules:
            for facility in facilities:
                now_ms = newest_ms.get(facility) if asked.now_ms is None else asked.now_ms
                if now_ms is not None:
                    self._one(rule, facility, TimeSpan(_since_ms(rule, asked, now_ms), now_ms))
        return self._report

    def _one(self, rule: Rule, facility: str, span: TimeSpan) -> None:
        stages = self._runs.stages_between(facility, reach_ms(rule, span), span.now_ms + 1)
        found = verdicts(rule, stages, span)
        kept = {each.id: each for each in self._alerts.reaching(facility, rule.id, span.since_ms)}
        known = [incident_in(each.id, each.body) for each in kept.values()]
        now = [self._written(incident, rule, kept) for incident in incidents(rule, found, known, span)]
        own = with_incidents(rule, (verdict for verdict in found if not verdict.context), now)
        self._report.evaluated.append(RuleResult(rule, facility, span, own, now))

    def _written(self, incident: Incident, rule: Rule, kept: Mapping[str, CurrentDocument]) -> Incident:
        """Written if it is new or changed, then told if that is news."""
        before = kept.get(incident.id)
        body = incident_body(incident, rule)
        at = before if before is not None and before.body == body else self._write(incident, body, before)
        what = transition(incident)
        if at is None:
            self._report.overtaken += 1
            return incident
        if not what:
            return incident
        notice = Notice(incident.id, what, incident.severity, message(incident, rule), rule.meaning)
        self._notifier.tell(notice)
        self._report.told.append(notice)
        told = mark_notified(incident)
        self._alerts.change(at, incident_body(told, rule))
        return told

    def _write(
        self, incident: Incident, body: dict[str, object], before: CurrentDocument | None
    ) -> CurrentDocument | None:
        if before is not None:
            return self._alerts.change(before, body)
        index = index_name(ALERTS, incident.like.facility, self._period, incident.first.start_ms)
        return self._alerts.create(index, incident.id, body)
