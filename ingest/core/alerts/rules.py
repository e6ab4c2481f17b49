"""Reads alarm rules: dashboards/alarms/rules.toml -> checked rules. slow_stage.py evaluates them.

Every number that a verdict depends on is in that file; an error in it is a `Problem` (78) that names the key.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ingest.core.runs.stages import BY_END, BY_RUN_END, BY_START, EXACT, UPPER
from ingest.core.timestamps import MS_PER_DAY, MS_PER_HOUR
from ingest.core.toml_checks import Checks

SLOW_STAGE = "slow_stage"
FORMS = (SLOW_STAGE,)
_ID = re.compile(r"[A-Z][A-Z0-9]{0,15}")
_PARTS = ("baseline", "slow", "critical", "chronic")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BaselineRule:
    """The stages to compare with: at most `most` within `days` before, and at least `least`."""

    most: int
    days: float
    least: int


@dataclass(frozen=True, slots=True)
class SlowRule:
    """A stage is slow if it exceeds all of times_p95 x P95, median + mads x MAD, and median + over_median_s."""

    times_p95: float
    mads: float
    over_median_s: float


@dataclass(frozen=True, slots=True)
class CriticalRule:
    """A slow stage is critical if it exceeds times_p95 x P95 and is at least over_p95_s above P95."""

    times_p95: float
    over_p95_s: float


@dataclass(frozen=True, slots=True)
class ChronicRule:
    """Chronic means `slow` of the last `of_last` stages; it is over after `clears_after` normal ones in a row."""

    slow: int
    of_last: int
    clears_after: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of form slow_stage: see the comment at the top of rules.toml."""

    id: str
    title: str
    form: str
    look_back_h: float
    durations: tuple[str, ...]
    closed_by: tuple[str, ...]
    baseline: BaselineRule
    slow: SlowRule
    critical: CriticalRule
    chronic: ChronicRule
    silent_days: float
    meaning: str

    @property
    def look_back_ms(self) -> int:
        """How long before now the judged stages may have been closed."""
        return round(self.look_back_h * MS_PER_HOUR)

    @property
    def baseline_ms(self) -> int:
        """How far a baseline reaches back."""
        return round(self.baseline.days * MS_PER_DAY)

    @property
    def silent_ms(self) -> int:
        """How long without a stage until an incident is closed."""
        return round(self.silent_days * MS_PER_DAY)


def read_rules(tree: Mapping[str, Any], where: Path) -> tuple[Rule, ...]:
    """Read the rules of a decoded file, in file order."""
    checks = Checks(where)
    checks.refuse_unknown(tree, ("rule",), "")
    rules = [_rule(raw, checks, number) for number, raw in enumerate(checks.listed_tables(tree, "rule"), 1)]
    checks.demand(rules, "rule", "is missing: the file declares no rule")
    checks.refuse_double([rule.id for rule in rules], "rule.id")
    return tuple(rules)


@dataclass(frozen=True, slots=True)
class _Head:
    """The keys in a rule's own table."""

    id: str
    title: str
    form: str
    look_back_h: float
    durations: tuple[str, ...]
    closed_by: tuple[str, ...]
    silent_days: float
    meaning: str


def _rule(raw: dict[str, Any], checks: Checks, number: int) -> Rule:
    label = f"rule[{raw.get('id', number)}]"
    plain = {key: value for key, value in raw.items() if key not in _PARTS}
    head = checks.read(_Head, plain, label)

    def part(cls: Callable[..., T], name: str) -> T:
        checks.demand(name in raw, f"{label}.{name}", "is missing")
        checks.demand(isinstance(raw[name], dict), f"{label}.{name}", "must be a table")
        return checks.read(cls, raw[name], f"{label}.{name}")

    rule = Rule(
        **{name: getattr(head, name) for name in _Head.__slots__},
        baseline=part(BaselineRule, "baseline"),
        slow=part(SlowRule, "slow"),
        critical=part(CriticalRule, "critical"),
        chronic=part(ChronicRule, "chronic"),
    )
    _check(rule, checks, label)
    return rule


def _check(rule: Rule, checks: Checks, label: str) -> None:
    checks.demand(_ID.fullmatch(rule.id), f"{label}.id", "takes up to 16 capital letters and digits, a letter first")
    checks.demand(rule.form in FORMS, f"{label}.form", f"must be one of {', '.join(FORMS)}")
    for name, allowed in (("durations", (EXACT, UPPER)), ("closed_by", (BY_END, BY_START, BY_RUN_END))):
        given = getattr(rule, name)
        checks.demand(
            given and set(given) <= set(allowed), f"{label}.{name}", f"must name some of {', '.join(allowed)}"
        )
    positive = {
        "look_back_h": rule.look_back_h,
        "silent_days": rule.silent_days,
        "baseline.days": rule.baseline.days,
        "slow.times_p95": rule.slow.times_p95,
        "critical.times_p95": rule.critical.times_p95,
    }
    for name, number in positive.items():
        checks.demand(number > 0, f"{label}.{name}", "must be above 0")
    for name, number in (("slow.mads", rule.slow.mads), ("slow.over_median_s", rule.slow.over_median_s)):
        checks.demand(number >= 0, f"{label}.{name}", "must not be below 0")
    checks.demand(rule.critical.over_p95_s >= 0, f"{label}.critical.over_p95_s", "must not be below 0")
    sizes, chronic = rule.baseline, rule.chronic
    checks.demand(2 <= sizes.least <= sizes.most, f"{label}.baseline.least", "must lie from 2 to baseline.most")
    checks.demand(1 <= chronic.slow <= chronic.of_last, f"{label}.chronic.slow", "must lie from 1 to chronic.of_last")
    checks.demand(chronic.clears_after >= 1, f"{label}.chronic.clears_after", "must be 1 or more")
