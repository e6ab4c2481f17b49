"""The invented path between the two ends: how loaded it is at an instant, and which route it takes.

Functions of (seed, time). The random numbers are the standard library's: they need not be secret.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from math import cos, pi
from random import Random

PACIFIC = timezone(timedelta(hours=-8))
"""Pacific Standard Time all the year: a made-up day need not know daylight saving."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Some minutes of congestion; `severity` runs from 0 to 1."""

    start: datetime
    end: datetime
    severity: float


@dataclass(frozen=True, slots=True)
class PathConditions:
    """What the path is like during the window: its congestion, and when it moves to the longer route."""

    episodes: tuple[Episode, ...]
    route_change: datetime

    def congestion(self, when: datetime) -> float:
        """Severity of the congestion at an instant, 0 (none) to 1."""
        return max((episode.severity for episode in self.episodes if episode.start <= when < episode.end), default=0.0)

    def load(self, when: datetime) -> float:
        """Share of the path that others use, 0 to 1: busiest at 14 h local time, emptiest at 2 h."""
        local = when.astimezone(PACIFIC)
        rhythm = 0.5 - 0.5 * cos(2 * pi * (local.hour + local.minute / 60 - 2) / 24)
        return min(1.0, 0.6 * rhythm + 0.6 * self.congestion(when))

    def rerouted(self, when: datetime) -> bool:
        """Whether the longer route is in use."""
        return when >= self.route_change


def generator(*parts: object) -> Random:
    """Return random numbers that depend on the parts only, so that each document can be made without the others."""
    return Random("/".join(str(part) for part in parts))  # noqa: S311 - made-up measurements, no secrets


def path_conditions(start: datetime, hours: float, seed: int) -> PathConditions:
    """Return the path's day: an episode of 4 to 25 minutes in every four hours, one route change in the middle."""
    rng = generator("weather", seed, start.astimezone(UTC).isoformat())
    episodes = []
    for _ in range(max(1, round(hours / 4))):
        begin = start + timedelta(hours=rng.uniform(0, hours))
        episodes.append(Episode(begin, begin + timedelta(minutes=rng.uniform(4, 25)), rng.uniform(0.3, 1.0)))
    return PathConditions(tuple(episodes), start + timedelta(hours=hours * rng.uniform(0.4, 0.7)))
