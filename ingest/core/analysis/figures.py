"""The key figures of a run, one table row: its waits, its span, its emission lags, the gaps between its starts.

A gap is the time from one START to the next of the same run: in a sequential run an upper bound of the stage's
duration, in a parallel run only the gap itself. A value that was not seen, or needs more stages, is None, never 0.
"""

from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ingest.core.runs.phases import DISPATCH, QUEUE
from ingest.core.runs.run import seconds
from ingest.core.runs.stored import StoredRun, StoredStage


class Lags(NamedTuple):
    """The emission lags of a run's stages, seconds.

    `closed_s` sums those of stages that are closed: by their END, by the next START or by the end of the run;
    `in_span_s` those of stages before the last START.
    """

    total_s: float | None
    closed_s: float | None
    in_span_s: float | None
    least_s: float | None
    median_s: float | None
    most_s: float | None


class GapFigures(NamedTuple):
    """The gaps of a run, seconds; `rest_s` is the least time from the printing of a START to the next START."""

    least_s: float | None
    median_s: float | None
    most_s: float | None
    rest_s: float | None
    longest: StoredStage | None


class Figures(NamedTuple):
    """The key figures of a run, seconds and percent; field names are the columns' names, new ones come last."""

    run_id: str
    lines: int
    stage_lines: int
    head_seen: int
    tail_seen: int
    queue_wait_s: float | None
    dispatch_s: float | None
    first_start: str | None
    last_start: str | None
    start_span_s: float | None
    observed_total_s: float
    sum_lag_s: float | None
    sum_lag_closed_s: float | None
    lag_share_of_span_pct: float | None
    lag_min_s: float | None
    lag_median_s: float | None
    lag_max_s: float | None
    gap_min_s: float | None
    gap_median_s: float | None
    gap_max_s: float | None
    min_log_to_next_start_s: float | None
    longest_gap_stage: str | None
    longest_gap_share_pct: float | None
    instance: int


COLUMNS = Figures._fields


def figures(run: StoredRun, first_start: str | None, last_start: str | None) -> Figures:
    """Return the row of a run with its stages; the two starts are passed as they are to be printed."""
    lags, gaps = _lags(run), _gaps(run)
    return Figures(
        run_id=run.run,
        lines=run.marks,
        stage_lines=run.started,
        head_seen=int(run.head_seen),
        tail_seen=int(run.tail_seen),
        queue_wait_s=run.parts.get(QUEUE),
        dispatch_s=run.parts.get(DISPATCH),
        first_start=first_start,
        last_start=last_start,
        start_span_s=run.span_s,
        observed_total_s=run.total_s,
        sum_lag_s=lags.total_s,
        sum_lag_closed_s=lags.closed_s,
        lag_share_of_span_pct=_percent(lags.in_span_s, run.span_s, 2),
        lag_min_s=lags.least_s,
        lag_median_s=lags.median_s,
        lag_max_s=lags.most_s,
        gap_min_s=gaps.least_s,
        gap_median_s=gaps.median_s,
        gap_max_s=gaps.most_s,
        min_log_to_next_start_s=gaps.rest_s,
        longest_gap_stage=None if gaps.longest is None else gaps.longest.name,
        longest_gap_share_pct=_percent(gaps.most_s, run.span_s, 1),
        instance=run.instance,
    )


def _lags(run: StoredRun) -> Lags:
    lags_s = _known(run.stages)
    if not lags_s:
        return Lags(None, None, None, None, None, None)
    closed_s = _sum_s(_known(stage for stage in run.stages if stage.closed_ms is not None))
    return Lags(_sum_s(lags_s), closed_s, _sum_s(_known(run.stages[:-1])), min(lags_s), median(lags_s), max(lags_s))


def _known(stages: Iterable[StoredStage]) -> list[float]:
    return [stage.lag_s for stage in stages if stage.lag_s is not None]


def _gaps(run: StoredRun) -> GapFigures:
    gaps = [(seconds(after.start_ms - stage.start_ms), stage) for stage, after in pairwise(run.stages)]
    if not gaps:
        return GapFigures(None, None, None, None, None)
    lengths_s = [gap_s for gap_s, _ in gaps]
    rests_s = [seconds(round(1000 * (gap_s - stage.lag_s))) for gap_s, stage in gaps if stage.lag_s is not None]
    most_s, longest = max(gaps, key=lambda gap: gap[0])
    return GapFigures(min(lengths_s), median(lengths_s), most_s, min(rests_s, default=None), longest)


def _sum_s(lags_s: list[float]) -> float | None:
    return seconds(round(1000 * sum(lags_s))) if lags_s else None


def _percent(part_s: float | None, whole_s: float | None, digits: int) -> float | None:
    return None if part_s is None or not whole_s else round(100 * part_s / whole_s, digits)
