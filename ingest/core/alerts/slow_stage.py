"""Judges whether a stage was slow by comparing it with earlier comparable stages (rule form slow_stage).

    ok            it is comparable, and took no longer than the rule allows
    slow          it took longer; warning or critical
    insufficient  fewer comparable stages came before than the rule demands: no verdict is possible, which is not ok
    none          there is a baseline, but the stage is open or its duration is not of a kind that the rule compares

A verdict depends only on stages that began before this one and were closed when it was: not on the stage itself, not on
later stages, and not on when the rule is evaluated. A stage that closes after `now` does not exist yet.
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
    """The properties that stages must share to be comparable."""

    facility: str
    workflow: str
    family: str
    product: str
    variant: str


class Threshold(NamedTuple):
    """The duration in seconds above which a stage is slow, and the rule's bound that set it (the highest of three)."""

    seconds: float
    by: str


class Verdict(NamedTuple):
    """The verdict on a stage.

    Attributes:
        n: number of stages to compare it with.
        baseline, threshold: None if there were too few.
        severity: warning or critical if slow, else empty.
        context: whether it was closed before the span; it only says which of the last few stages were slow.
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
        """When the verdict was possible: when the stage was closed, or for an open stage when it began."""
        return _until_ms(self.stage)


class TimeSpan(NamedTuple):
    """A time span: stages closed (or, if open, begun) from `since_ms` up to `now_ms` (unix ms)."""

    since_ms: int
    now_ms: int


def verdicts(rule: Rule, stages: Iterable[StoredStage], span: TimeSpan) -> list[Verdict]:
    """Judge each stage of the span, and the few before it that decide what is chronic.

    In order of closing, which is when a verdict becomes possible. `stages` must reach back to `reach_ms`.
    """
    existing = sorted((s for s in stages if _until_ms(s) <= span.now_ms), key=lambda stage: (stage.start_ms, stage.id))
    series = _series(rule, existing)
    judged = [stage for stage in existing if _until_ms(stage) >= span.since_ms]
    results = [_verdict(rule, stage, series) for stage in judged]
    for before in _context(rule, judged, series, span.since_ms):
        results.append(_verdict(rule, before, series)._replace(context=True))
    return sorted(results, key=lambda verdict: (verdict.at_ms, verdict.stage.start_ms, verdict.stage.id))


def reach_ms(rule: Rule, span: TimeSpan) -> int:
    """Return the start of the stages needed: a baseline before the few stages that precede the span."""
    return span.since_ms - 2 * rule.baseline_ms


def series_key(stage: StoredStage) -> SeriesKey:
    """Return the series that a stage may be compared with."""
    return SeriesKey(stage.facility, stage.workflow, stage.family, stage.product, stage.variant)


def counts(rule: Rule, stage: StoredStage) -> bool:
    """Whether a stage is comparable: its duration is of a kind the rule compares, its start and close were seen.

    Other lines missing from its run do not matter: a missing head, tail or other stage affects only the run's total.
    """
    return stage.duration_s is not None and stage.kind in rule.durations and stage.closed_by in rule.closed_by


def threshold_of(rule: Rule, baseline: StageStatistics) -> Threshold:
    """Return the highest of the rule's three bounds."""
    bounds_s = {
        BY_P95: rule.slow.times_p95 * baseline.p95_s,
        BY_MADS: baseline.median_s + rule.slow.mads * baseline.mad_s,
        BY_SECONDS: baseline.median_s + rule.slow.over_median_s,
    }
    by = max(bounds_s, key=lambda name: bounds_s[name])
    return Threshold(bounds_s[by], by)


def severity_of(rule: Rule, took_s: float, baseline: StageStatistics) -> str:
    """Return the severity of a slow stage."""
    beyond = took_s > rule.critical.times_p95 * baseline.p95_s
    return CRITICAL if beyond and took_s - baseline.p95_s >= rule.critical.over_p95_s else WARNING


class _Closed(NamedTuple):
    """The comparable stages of one series, in order of start."""

    starts_ms: list[int]
    stages: list[StoredStage]


Series = Mapping[tuple[SeriesKey, str], _Closed]


def _series(rule: Rule, stages: Iterable[StoredStage]) -> Series:
    series: dict[tuple[SeriesKey, str], _Closed] = {}
    for stage in stages:
        if counts(rule, stage):
            closed = series.setdefault((series_key(stage), stage.kind), _Closed([], []))
            closed.starts_ms.append(stage.start_ms)
            closed.stages.append(stage)
    return series


def _context(rule: Rule, judged: Iterable[StoredStage], series: Series, since_ms: int) -> Iterator[StoredStage]:
    """Yield, for each judged series, its last few stages closed before the span, no older than a baseline."""
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
    baseline = baseline_of([earlier.duration_s or 0 for earlier in before], before[0].start_ms, before[-1].start_ms)
    threshold = threshold_of(rule, baseline)
    took_s = stage.duration_s or 0
    if took_s <= threshold.seconds:
        return Verdict(stage, OK, len(before), baseline, threshold)
    return Verdict(stage, SLOW, len(before), baseline, threshold, severity_of(rule, took_s, baseline))


def _before(rule: Rule, stage: StoredStage, closed: _Closed | None) -> list[StoredStage]:
    """Return the stages of its series that began before it and were closed when it was, in order, at most `most`."""
    if closed is None:
        return []
    first = bisect_left(closed.starts_ms, stage.start_ms - rule.baseline_ms)
    behind = bisect_left(closed.starts_ms, stage.start_ms)
    newest_first = list(_newest(closed.stages[first:behind], _until_ms(stage), rule.baseline.most))
    return newest_first[::-1]


def _newest(stages: Sequence[StoredStage], until_ms: int, most: int) -> Iterator[StoredStage]:
    taken = 0
    for stage in reversed(stages):
        if taken == most:
            return
        if _until_ms(stage) <= until_ms:
            taken += 1
            yield stage


def _until_ms(stage: StoredStage) -> int:
    """Return when the stage was closed, or for an open stage when it began."""
    return stage.start_ms if stage.closed_ms is None else stage.closed_ms
