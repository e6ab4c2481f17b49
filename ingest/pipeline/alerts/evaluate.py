"""Evaluates alert rules once: stored stages -> verdicts -> incidents, each written and notified once.

An incident is written first, then notified, and marked as notified last. After a crash in between it is notified again;
none stays silent. Concurrent evaluations compute the same incidents: only the one that writes an incident notifies.
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
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.alerts import Alerts
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.documents import CurrentDocument
from ingest.edge.elasticsearch.runs import RunIndex
from ingest.edge.ports import Notice, Notifier
from ingest.pipeline.preflight import demand_template

ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What to evaluate.

    Attributes:
        facilities: empty = all that have stored runs.
        since_ms: unix ms; 0 or less: relative to now. None = as the rule says.
        now_ms: None = the newest line of the facility's runs.
    """

    facilities: tuple[str, ...] = ()
    since_ms: int | None = None
    now_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule on one facility: the verdicts of its time span, and the incidents that fire or were touched by it."""

    rule: Rule
    facility: str
    span: TimeSpan
    verdicts: Sequence[Verdict]
    incidents: Sequence[Incident]

    @property
    def counts(self) -> Counter[str]:
        """Verdict -> number of stages."""
        return Counter(verdict.verdict for verdict in self.verdicts)


@dataclass(slots=True)
class AlertsReport:
    """The results for each rule and facility, the notices sent, and how often another evaluation was faster."""

    evaluated: list[RuleResult] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    overtaken: int = 0


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules from a file; `Problem` (78) says what is wrong with it."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path}: {error}.", "perflog needs its alarm rules.", ExitCode.CONFIG) from error
    return read_rules(tree, path)


def evaluate(
    settings: Settings, schema: Schema, rules: Iterable[Rule], request: EvaluateRequest, notifier: Notifier
) -> AlertsReport:
    """Evaluate every rule on every facility, and notify what is new.

    `Problem`: 69 when Elasticsearch does not answer, 78 when it has no template for alerts of this schema.
    """
    demand_template(settings, schema, ALERTS)
    with session(settings.elasticsearch) as connected:
        return _Evaluation(RunIndex(connected), Alerts(connected), schema, notifier).run(rules, request)


def _since_ms(rule: Rule, request: EvaluateRequest, now_ms: int) -> int:
    since_ms = -rule.look_back_ms if request.since_ms is None else request.since_ms
    return since_ms if since_ms > 0 else now_ms + since_ms


class _Evaluation:
    """One evaluation of the rules."""

    def __init__(self, runs: RunIndex, alerts: Alerts, schema: Schema, notifier: Notifier) -> None:
        self._runs, self._alerts, self._schema, self._notifier = runs, alerts, schema, notifier
        self._report = AlertsReport()

    def run(self, rules: Iterable[Rule], request: EvaluateRequest) -> AlertsReport:
        self._runs.refresh()
        self._alerts.refresh()
        newest_ms = self._runs.newest_line_ms()
        facilities = request.facilities or tuple(sorted(newest_ms))
        for rule in rules:
            for facility in facilities:
                now_ms = newest_ms.get(facility) if request.now_ms is None else request.now_ms
                if now_ms is not None:
                    self._evaluate_rule(rule, facility, TimeSpan(_since_ms(rule, request, now_ms), now_ms))
        return self._report

    def _evaluate_rule(self, rule: Rule, facility: str, span: TimeSpan) -> None:
        stages = self._runs.stages_between(facility, reach_ms(rule, span), span.now_ms + 1)
        rule_verdicts = verdicts(rule, stages, span)
        documents = {document.id: document for document in self._alerts.reaching(facility, rule.id, span.since_ms)}
        stored_incidents = [incident_in(document.id, document.body) for document in documents.values()]
        current = [
            self._write_and_notify(incident, rule, documents)
            for incident in incidents(rule, rule_verdicts, stored_incidents, span)
        ]
        own_incidents = with_incidents(rule, (verdict for verdict in rule_verdicts if not verdict.context), current)
        self._report.evaluated.append(RuleResult(rule, facility, span, own_incidents, current))

    def _write_and_notify(self, incident: Incident, rule: Rule, documents: Mapping[str, CurrentDocument]) -> Incident:
        """Write the incident if it is new or changed, then notify if its state changed."""
        before = documents.get(incident.id)
        body = incident_body(incident, rule)
        written = before if before is not None and before.body == body else self._write(incident, body, before)
        transition_kind = transition(incident)
        if written is None:
            self._report.overtaken += 1
            return incident
        if not transition_kind:
            return incident
        notice = Notice(incident.id, transition_kind, incident.severity, message(incident, rule), rule.meaning)
        self._notifier.tell(notice)
        self._report.notices.append(notice)
        notified = mark_notified(incident)
        self._alerts.change(written, incident_body(notified, rule))
        return notified

    def _write(
        self, incident: Incident, body: dict[str, object], before: CurrentDocument | None
    ) -> CurrentDocument | None:
        if before is not None:
            return self._alerts.change(before, body)
        index = self._schema.index(ALERTS, incident.like.facility, incident.first.start_ms)
        return self._alerts.create(index, incident.id, body)
