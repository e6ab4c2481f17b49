"""Finds the slow stages in a set of runs, by the rule that alarms use, and the usual durations in that set.

Each stage is compared with earlier comparable stages of the same set (slow_stage.py): the first few of every kind are
`insufficient`, which is not ok. Usual durations are computed over the whole set, with the same statistics.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.core.alerts.rules import Rule
from ingest.core.alerts.slow_stage import SLOW, SeriesKey, TimeSpan, Verdict, counts, series_key, verdicts
from ingest.core.runs.stored import StoredRun, StoredStage
from ingest.core.statistics import StageStatistics, baseline_of
from ingest.core.timestamps import LATEST_MS

ALL_TIME = TimeSpan(0, LATEST_MS)


class Usual(NamedTuple):
    """Statistics of all stages of a name and kind of duration, the longest stage, and the number of slow ones."""

    name: str
    kind: str
    baseline: StageStatistics
    longest: StoredStage
    slow: int


@dataclass(frozen=True, slots=True)
class Outliers:
    """A rule applied to the stages of some runs.

    Attributes:
        counts: verdict -> number of stages.
        slow: the slow stages, the largest excess over its threshold first.
        usual: every stage and kind with enough stages for a baseline, the longest median first.
    """

    rule: Rule
    counts: Counter[str]
    slow: Sequence[Verdict]
    usual: Sequence[Usual]


def outliers(rule: Rule, runs: Iterable[StoredRun]) -> Outliers:
    """Compare all stages of these runs with one another, one kind after the other to keep few verdicts in memory."""
    by_series: dict[SeriesKey, list[StoredStage]] = {}
    for run in runs:
        for stage in run.stages:
            by_series.setdefault(series_key(stage), []).append(stage)
    numbers: Counter[str] = Counter()
    slow: list[Verdict] = []
    usual: list[Usual] = []
    for stages in by_series.values():
        series_verdicts = verdicts(rule, stages, ALL_TIME)
        numbers.update(verdict.verdict for verdict in series_verdicts)
        slow_stages = [verdict for verdict in series_verdicts if verdict.verdict == SLOW]
        slow += slow_stages
        usual += _usual(rule, stages, slow_stages)
    slow.sort(key=lambda verdict: (-excess_s(verdict), verdict.stage.start_ms, verdict.stage.id))
    return Outliers(rule, numbers, slow, sorted(usual, key=lambda one: (-one.baseline.median_s, one.name, one.kind)))


def excess_s(verdict: Verdict) -> float:
    """Return the seconds by which a slow stage exceeds its threshold."""
    return (verdict.stage.duration_s or 0) - (verdict.threshold.seconds if verdict.threshold else 0)


def _usual(rule: Rule, stages: Iterable[StoredStage], slow: Iterable[Verdict]) -> Iterator[Usual]:
    """Yield the statistics of comparable stages, by kind of duration."""
    series: dict[str, list[StoredStage]] = {}
    for stage in stages:
        if counts(rule, stage):
            series.setdefault(stage.kind, []).append(stage)
    slow_by_kind = Counter(verdict.stage.kind for verdict in slow)
    for kind, comparable in series.items():
        if len(comparable) >= rule.baseline.least:
            first_ms, last_ms = min(s.start_ms for s in comparable), max(s.start_ms for s in comparable)
            baseline = baseline_of([stage.duration_s or 0 for stage in comparable], first_ms, last_ms)
            longest = max(comparable, key=lambda stage: stage.duration_s or 0)
            yield Usual(longest.name, kind, baseline, longest, slow_by_kind[kind])
