"""Alarm rules as data: what ships is what the reference says, and what is wrong in a file is named."""

from pathlib import Path
from typing import Any

import pytest

from ingest.core.alerts.rules import read_rules
from ingest.core.model import Problem
from tests.support.incidents import RULES, shipped_rule, tree


def test_the_first_alarm_is_that_of_the_reference() -> None:
    """A1: > max(1.25 x P95, median + 5 MADs, median + 60 s) of the last 50 in 28 d, n >= 8; critical, chronic."""
    rule = shipped_rule()

    assert (rule.id, rule.title) == ("A1", "stage slow")
    assert (rule.slow.times_p95, rule.slow.mads, rule.slow.over_median_s) == (1.25, 5, 60)
    assert (rule.baseline.most, rule.baseline.days, rule.baseline.least) == (50, 28, 8)
    assert (rule.critical.times_p95, rule.critical.over_p95_s) == (2, 300)
    assert (rule.chronic.slow, rule.chronic.of_last, rule.chronic.clears_after) == (3, 5, 5)
    assert (rule.durations, rule.closed_by) == (("exact", "upper"), ("end", "next_start"))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The shipped file with one key set, or with None removed."""
    changed_tree = tree()
    *parents, leaf = path.split(".")
    level = changed_tree["rule"][0]
    for parent in parents:
        level = level[parent]
    if value is None:
        del level[leaf]
    else:
        level[leaf] = value
    return changed_tree


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("colour", "red", "unknown key `rule[A1].colour`"),
        ("slow.time_p95", 2, "Did you mean `times_p95`"),
        ("slow.mads", None, "`rule[A1].slow.mads` is missing"),
        ("baseline", None, "`rule[A1].baseline` is missing"),
        ("baseline", 5, "`rule[A1].baseline` must be a table"),
        ("baseline.least", 1, "must lie from 2"),
        ("baseline.least", 51, "must lie from 2 to baseline.most"),
        ("baseline.days", 0, "must be above 0"),
        ("slow.times_p95", float("nan"), "must be above 0"),
        ("slow.over_median_s", -1, "must not be below 0"),
        ("baseline.most", "fifty", "must be of type int"),
        ("chronic.slow", 6, "must lie from 1 to chronic.of_last"),
        ("chronic.clears_after", 0, "must be 1 or more"),
        ("durations", ["lower"], "must name some of exact, upper"),
        ("durations", [], "must name some of exact, upper"),
        ("closed_by", ["timeout"], "must name some of end, next_start, run_end"),
        ("form", "slow_network", "must be one of slow_stage"),
        ("id", "a/1", "capital letters"),
        ("look_back_h", 0, "must be above 0"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any, words: str) -> None:
    """78, the file, the key, and what would be right."""
    with pytest.raises(Problem) as caught:
        read_rules(changed(path, value), Path("rules.toml"))
    assert caught.value.exit_code == 78
    assert words in str(caught.value)
    assert "rules.toml" in str(caught.value)


def test_an_id_stands_once_and_a_file_is_not_empty() -> None:
    """Ids name incidents; a file without rules would be an alarm that is never raised."""
    twice = tree()
    twice["rule"] *= 2
    for rules, words in ((twice, "stands twice"), ({}, "declares no rule"), ({"rules": []}, "unknown key `rules`")):
        with pytest.raises(Problem, match=words):
            read_rules(rules, RULES)
