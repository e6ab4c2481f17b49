"""Was a stage slow? Each stage judged by those like it that came before it: the form slow_stage of a rule. Pure.

    ok            it counts, and took no longer than the rule allows
    slow          it took longer; warning or critical
    insufficient  fewer like it came before than the rule demands: nothing can be said, which is not ok
    none          there is a baseline, and nothing to compare: its duration is no bound that counts, or not closed

Whether a stage is slow depends on what began before it and was closed by then only: neither on itself nor on what came
later, nor on when it is asked. A stage that closed behind `now` is not there yet.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ingest.core.alerts.rules import Rule
from ingest.core.runs.stored import StoredStage
from ingest.core.statistics import StageStatistics, baseline_of

OK, SLOW, INSUFFICIENT, NOTHING = "ok", "slow", "insufficient", "none"
WARNING, CRITICAL = "warning", "critical"
BY_P95, BY_MADS, BY_SECONDS = "times_p95", "mads", "over_median_s"


class SeriesKey(NamedTuple):
    """What makes stages comparable."""

    facility: str
    workflow: str
    family: str
    product: str
    variant: str


class Threshold(NamedTuple):
    """What is slow beyond so many seconds, and which of the rule's three bounds is the highest."""

    seconds: float
    by: str


class Verdict(NamedTuple):
    """What is said of a stage.

    Attributes:
        n: how many were there to compare it with.
        baseline, threshold: None when they were too few.
        severity: warning or critical when slow, else empty.
        context: closed before the span; it only tells what the last few were.
    """

    stage: StoredStage
    verdict: str
    n: int
    baseline: StageStatistics | None = None
    threshold: Threshold | None = None
    severity: str = ""
    context: bool = False

    @property
    def at_ms(self) -> int:
        """When it could be said: when the stage was closed; of an open one when it began."""
        return _until_ms(self.stage)


class TimeSpan(NamedTuple):
    """What is looked at: stages closed (or open, and begun) from `since_ms` on, up to `now_ms` (unix ms)."""

    since_ms: int
    now_ms: int


def verdicts(rule: Rule, stages: Iterable[StoredStage], span: TimeSpan) -> list[Verdict]:
    """What the rule says of each stage of the span, and of the few before them that say what is chronic.

    In order of their closing: that is when it can be said. `stages` reach back to `reach_ms`.
    """
    there = sorted((s for s in stages if _until_ms(s) <= span.now_ms), key=lambda stage: (stage.start_ms, stage.id))
    series = _series(rule, there)
    judged = [stage for stage in there if _until_ms(stage) >= span.since_ms]
    found = [_verdict(rule, stage, series) for stage in judged]
    for before in _context(rule, judged, series, span.since_ms):
        found.append(_verdict(rule, before, series)._replace(context=True))
    return sorted(found, key=lambda verdict: (verdict.at_ms, verdict.stage.start_ms, verdict.stage.id))


def reach_ms(rule: Rule, span: TimeSpan) -> int:
    """How far back stages are needed: a baseline before the few that came before the span."""
    return span.since_ms - 2 * rule.baseline_ms


def series_key(stage: StoredStage) -> SeriesKey:
    """What it may be compared with."""
    return SeriesKey(stage.facility, stage.workflow, stage.family, stage.product, stage.variant)


def counts(rule: Rule, stage: StoredStage) -> bool:
    """Whether its duration can be compared: of a kind that the rule compares, and start and close were seen.

    What else is missing of its run does not matter: head, tail and other stages spoil the run's total only.
    """
    return stage.duration_s is not None and stage.kind in rule.durations and stage.closed_by in rule.closed_by


def threshold_of(rule: Rule, baseline: StageStatistics) -> Threshold:
    """The highest of the rule's three bounds."""
    bounds_s = {
        BY_P95: rule.slow.times_p95 * baseline.p95_s,
        BY_MADS: baseline.median_s + rule.slow.mads * baseline.mad_s,
        BY_SECONDS: baseline.median_s + rule.slow.over_median_s,
    }
    by = max(bounds_s, key=lambda name: bounds_s[name])
    return Threshold(bounds_s[by], by)


def severity_of(rule: Rule, took_s: float, baseline: StageStatistics) -> str:
    """How bad something slow is."""
    beyond = took_s > rule.critical.times_p95 * baseline.p95_s
    return CRITICAL if beyond and took_s - baseline.p95_s >= rule.critical.over_p95_s else WARNING


class _Closed(NamedTuple):
    """Those that count of one series, in order of their start."""

    starts_ms: list[int]
    stages: list[StoredStage]


Series = Mapping[tuple[SeriesKey, str], _Closed]


def _series(rule: Rule, stages: Iterable[StoredStage]) -> Series:
    found: dict[tuple[SeriesKey, str], _Closed] = {}
    for stage in stages:
        if counts(rule, stage):
            closed = found.setdefault((series_key(stage), stage.kind), _Closed([], []))
            closed.starts_ms.append(stage.start_ms)
            closed.stages.append(stage)
    return found


def _context(rule: Rule, judged: Iterable[StoredStage], series: Series, since_ms: int) -> Iterator[StoredStage]:
    """Of each series that is judged the last few that were closed before the span, no older than a baseline."""
    most = rule.chronic.of_last - 1
    for key in {(series_key(stage), stage.kind) for stage in judged if counts(rule, stage)}:
        oldest_ms = since_ms - rule.baseline_ms
        before = [stage for stage in series[key].stages if oldest_ms <= _until_ms(stage) < since_ms]
        before.sort(key=lambda stage: (_until_ms(stage), stage.start_ms, stage.id))
        yield from before[len(before) - most :] if most < len(before) else before


def _verdict(rule: Rule, stage: StoredStage, series: Series) -> Verdict:
    if not counts(rule, stage):
        n = max(len(_before(rule, stage, series.get((series_key(stage), kind)))) for kind in rule.durations)
        return Verdict(stage, NOTHING if n >= rule.baseline.least else INSUFFICIENT, n)
    before = _before(rule, stage, series.get((series_key(stage), stage.kind)))
    if len(before) < rule.baseline.least:
        return Verdict(stage, INSUFFICIENT, len(before))
    baseline = baseline_of([each.duration_s or 0 for each in before], before[0].start_ms, before[-1].start_ms)
    threshold = threshold_of(rule, baseline)
    took_s = stage.duration_s or 0
    if took_s <= threshold.seconds:
        return Verdict(stage, OK, len(before), baseline, threshold)
    return Verdict(stage, SLOW, len(before), baseline, threshold, severity_of(rule, took_s, baseline))


def _before(rule: Rule, stage: StoredStage, closed: _Closed | None) -> list[StoredStage]:
    """The last of its series that began before it and were closed when it was, in order; it is never among them."""
    if closed is None:
        return []
    first = bisect_left(closed.starts_ms, stage.start_ms - rule.baseline_ms)
    behind = bisect_left(closed.starts_ms, stage.start_ms)
    found = list(_newest(closed.stages[first:behind], _until_ms(stage), rule.baseline.most))
    return found[::-1]


def _newest(stages: Sequence[StoredStage], until_ms: int, most: int) -> Iterator[StoredStage]:
    taken = 0
    for stage in reversed(stages):
        if taken == most:
            return
        if _until_ms(stage) <= until_ms:
            taken += 1
            yield stage


def _until_ms(stage: StoredStage) -> int:
    """When it was closed; while it is open, when it began."""
    return stage.start_ms if stage.closed_ms is None else stage.closed_ms
