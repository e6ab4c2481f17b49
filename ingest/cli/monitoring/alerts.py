"""`perflog alerts`: evaluates the alarm rules on stored stages and lists the incidents."""

from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.monitoring.alerts_json import evaluation_to_json, incident_to_json
from ingest.cli.monitoring.alerts_text import show_evaluation, show_incidents
from ingest.cli.options import parse_moment, parse_period, with_options
from ingest.config.load import load_settings
from ingest.config.paths import RULES_FILE, data_folder
from ingest.core.alerts.documents import incident_in
from ingest.core.alerts.incidents import CLOSED, FIRING
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Problem
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.alerts import AlertQuery, Alerts
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.query import MOST
from ingest.edge.notify import LogNotifier
from ingest.pipeline.alerts.evaluate import EvaluateRequest, evaluate, load_rules
from ingest.telemetry import log_to_stderr

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
_facility = click.option("--facility", "facilities", multiple=True, help="Only this facility; repeatable.")
_rules = click.option(
    "--rules", "rules_path", type=click.Path(path_type=Path, dir_okay=False), help="Read the rules from this file."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsRunOptions:
    """Which stages `perflog alerts run` judges, as of when, and by which rules; `each_stage`: show every verdict."""

    once: bool
    facilities: tuple[str, ...]
    now: str | None
    since: str | None
    each_stage: bool
    rules_path: Path | None
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsListOptions:
    """Which incidents `perflog alerts list` lists, and how many at most."""

    facilities: tuple[str, ...]
    rule_ids: tuple[str, ...]
    states: tuple[str, ...]
    since: str | None
    until: str | None
    limit: int
    as_json: bool


@click.group("alerts")
def command() -> None:
    """Alarms: stages slower than usual, reported once, with the numbers.

    The rules are data: dashboards/alarms/rules.toml. Each incident is a document in `perf-alerts-*`.
    """


@command.command()
@click.option("--once", is_flag=True, help="Evaluate once and exit; there is no continuous service yet.")
@_facility
@click.option("--now", help="Judge as of this time (ISO 8601).  [default: the newest line of the facility's runs]")
@click.option(
    "--since", help="Judge stages closed since then: ISO 8601, or 7d before --now.  [default: as the rule says]"
)
@click.option("--stages", "each_stage", is_flag=True, help="Show the verdict on every stage, not only their numbers.")
@_rules
@_json
@with_options(AlertsRunOptions)
def run(settings_path: Path | None, options: AlertsRunOptions) -> None:
    """Judge the stored stages; store and log each incident that is new, worse or over.

    Evaluating again repeats no notice. A stage with too few comparable stages before it is `insufficient`, never ok.
    """
    log_to_stderr()
    if not options.once:
        raise Problem(
            "`perflog alerts run` can only evaluate once so far.",
            "Add --once, and start it from a timer.",
            ExitCode.USAGE,
        )
    settings = load_settings(settings_path)
    rules = load_rules(options.rules_path or data_folder("dashboards") / RULES_FILE)
    schema = load_schema(settings.grammars / "fields.toml")
    now = parse_moment("--now", options.now, now_ms())
    since = parse_moment("--since", options.since, 0)
    report = evaluate(settings, schema, rules, EvaluateRequest(options.facilities, since, now), LogNotifier())
    if options.as_json:
        echo_json(evaluation_to_json(report))
    else:
        show_evaluation(report, options.each_stage, open_console())


@command.command("list")
@_facility
@click.option("--rule", "rule_ids", multiple=True, help="Only incidents of this rule; repeatable.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([FIRING, CLOSED]), help="Only in this state; repeatable."
)
@click.option("--since", help="Only incidents that began since then: 2h, 7d, or ISO 8601.")
@click.option("--until", help="Only incidents that began before then, in the same form.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="At most this many.")
@_json
@with_options(AlertsListOptions)
def list_(settings_path: Path | None, options: AlertsListOptions) -> None:
    """List incidents with their numbers, the newest first."""
    settings = load_settings(settings_path)
    since_ms, until_ms = parse_period(options.since, options.until, now_ms())
    query = AlertQuery(options.facilities, options.rule_ids, options.states, since_ms, until_ms)
    with session(settings.elasticsearch) as connected:
        alerts = Alerts(connected)
        alerts.refresh()
        documents, matching = alerts.newest(query, options.limit), alerts.count(query)
    incidents = [
        (incident_in(document.id, document.body), document.body["perf"]["alert"]["message"]) for document in documents
    ]
    if options.as_json:
        listed = [incident_to_json(incident) | {"message": text} for incident, text in incidents]
        echo_json({"incidents": listed, "matching": matching})
    else:
        show_incidents(incidents, matching, open_console())
