"""Helpers of tests of alarms: the rule that ships, stages from a few numbers, and an evaluation as the loop does it."""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ingest.core.alerts.incidents import Incident, incidents
from ingest.core.alerts.rules import Rule, read_rules
from ingest.core.alerts.slow_stage import TimeSpan, Verdict, verdicts
from ingest.core.runs.stored import StoredStage

RULES = Path(__file__).parents[2] / "dashboards" / "alarms" / "rules.toml"
BEGIN_MS = 1_454_737_177_000
HOUR_S = 3600
DAY_S = 86_400


def tree() -> dict[str, Any]:
    """The file that ships, decoded."""
    return tomllib.loads(RULES.read_text())


def shipped_rule() -> Rule:
    """A1 as it ships."""
    (rule,) = read_rules(tree(), RULES)
    return rule


def stage(at_s: float, took_s: float | None, name: str = "GAL", **chosen: Any) -> StoredStage:
    """A stage `at_s` seconds after the beginning; without a duration it is open."""
    kind, closed_by = ("upper", "next_start") if took_s is not None else ("lower", "open")
    fields: dict[str, Any] = {
        "id": f"{name}@{at_s}/{chosen.get('kind', '')}{chosen.get('workflow', '')}",
        "facility": "als", "source": "als_perf", "workflow": "w", "run": f"r{at_s}", "uid": f"u{at_s}", "instance": 1,
        "name": f"SUBMIT_{name}", "family": name, "product": "", "variant": "",
        "start_ms": BEGIN_MS + round(at_s * 1000), "duration_s": 2 if took_s is None else took_s,
        "kind": kind, "closed_by": closed_by, "lag_s": 2, "attempt": 1, "lane": 1, "open_for_s": None,
    }  # fmt: skip
    return StoredStage(**(fields | chosen))


def hourly(took_s: Iterable[float], name: str = "GAL", **chosen: Any) -> list[StoredStage]:
    """A stage each hour."""
    return [stage(n * HOUR_S, took, name, **chosen) for n, took in enumerate(took_s)]


def at_ms(at_s: float) -> int:
    """An instant."""
    return BEGIN_MS + round(at_s * 1000)


def judged(stages: Sequence[StoredStage], rule: Rule | None = None) -> list[Verdict]:
    """The verdict of each, long after; in order of their start."""
    stage_verdicts = verdicts(rule or shipped_rule(), stages, TimeSpan(0, at_ms(400 * DAY_S)))
    return sorted(stage_verdicts, key=lambda verdict: verdict.stage.start_ms)


def evaluated(stages: Sequence[StoredStage], previous: Sequence[Incident], span: TimeSpan) -> list[Incident]:
    """The incidents after one evaluation; `previous` are those before it."""
    rule = shipped_rule()
    return incidents(rule, verdicts(rule, stages, span), previous, span)
