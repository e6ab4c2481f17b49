"""Statistics of weighted samples: percentiles, mean and spread, computed on (value, count) without expanding them.

Percentiles are computed as in perfSONAR's own archive (NIST handbook, interpolation at q/100 * (N + 1)), so both show
the same number for the same result.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import floor, sqrt
from statistics import median
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distinct values in ascending order, each with its number of occurrences (at least 1).

    Attributes:
        values: distinct values, ascending; may be negative.
        counts: occurrences of each.
        ranks: running sum of counts.
    """

    values: tuple[float, ...]
    counts: tuple[int, ...]
    ranks: tuple[int, ...]

    @property
    def total(self) -> int:
        """Number of samples."""
        return self.ranks[-1]

    @property
    def mean(self) -> float:
        """Arithmetic mean."""
        return sum(value * count for value, count in zip(self.values, self.counts, strict=True)) / self.total

    @property
    def stddev(self) -> float:
        """Population standard deviation."""
        mean = self.mean
        squares = sum(count * (value - mean) ** 2 for value, count in zip(self.values, self.counts, strict=True))
        return sqrt(squares / self.total)

    def percentile(self, percent: float) -> float:
        """Return the value below which this percentage of the samples lies, interpolated between neighbours (NIST)."""
        position = percent / 100 * (self.total + 1)
        rank = floor(position)
        if rank < 1:
            return self.values[0]
        if rank >= self.total:
            return self.values[-1]
        below, above = self._at(rank), self._at(rank + 1)
        return below + (position - rank) * (above - below)

    def _at(self, rank: int) -> float:
        """Return the sample with this rank, counted from 1."""
        return self.values[bisect_left(self.ranks, rank)]


def histogram(samples: Iterable[tuple[float, int]]) -> Histogram | None:
    """Build a histogram from (value, count) pairs in any order, equal values merged; None if nothing was counted."""
    merged: Counter[float] = Counter()
    for value, count in samples:
        merged[value] += count
    counted = sorted((value, count) for value, count in merged.items() if count > 0)
    if not counted:
        return None
    values, counts = zip(*counted, strict=True)
    return Histogram(values, counts, tuple(accumulate(counts)))


MAD_SCALE = 1.4826  # makes the MAD of normal data its standard deviation


class StageStatistics(NamedTuple):
    """Durations of comparable stages: number; median, P95 (NIST) and scaled MAD in seconds; period (unix ms)."""

    n: int
    median_s: float
    p95_s: float
    mad_s: float
    first_ms: int
    last_ms: int


def baseline_of(took_s: Sequence[float], first_ms: int, last_ms: int) -> StageStatistics:
    """Return the statistics of some durations (at least one)."""
    middle_s = median(took_s)
    spread_s = MAD_SCALE * median(abs(duration_s - middle_s) for duration_s in took_s)
    durations = histogram((duration_s, 1) for duration_s in took_s)
    assert durations is not None  # noqa: S101 - at least one
    return StageStatistics(len(took_s), middle_s, durations.percentile(95), spread_s, first_ms, last_ms)
