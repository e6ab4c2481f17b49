"""What runs are made of: their stages in order, the script that prints each, and how long they take. Data and draws.

The scripts, line numbers, stages and lags are the ALS sample's; medians are near what it shows.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from random import Random

DAY_S = 86_400.0
BUSIEST_S = 22 * 3600.0  # 14 h at the ALS, as seconds of a UTC day
SWING = 0.75  # of the mean rate, up by day and down by night
TAIL_SHARE = 0.02
LONGEST_S = 6 * 3600
LEAST_REST_S = 10  # no start of the sample follows the line before it any sooner
END_LINES_ON = 9  # an END is printed so many lines below its START


@dataclass(frozen=True, slots=True)
class ModelStep:
    """A stage, its script and the line of its echo, `gap` as printed before PERF, and the median of what it takes."""

    stage: str
    script: str
    line: int
    median_s: float
    gap: str = ":PERF:"

    @property
    def slow_echo(self) -> bool:
        """Whether its script prints seconds after it took the time."""
        return self.stage.startswith("SUBMIT_GAL-gal")


def _gal(variant: str) -> tuple[ModelStep, ...]:
    medians_s = {"gal": 27, "jpgs": 190, "render": 240}
    return tuple(ModelStep(f"SUBMIT_GAL-{p}-{variant}", "submitSuperGalJob.sh", 91, s) for p, s in medians_s.items())


def _post(variant: str) -> tuple[ModelStep, ...]:
    return tuple(ModelStep(f"SUBMIT_POST_GAL-{p}-{variant}", "submitPostGalJob.sh", 69, 18) for p in ("jpgs", "render"))


def _h5(variant: str, median_s: float) -> ModelStep:
    return ModelStep(f"SUBMIT_H5-{variant}", "submitH5PackJob.sh", 84, median_s)


def _ring(variant: str) -> ModelStep:
    return ModelStep(f"SUBMIT_RINGREM_{variant}", "submitRingRemJobs.sh", 108, 430)


QUEUED = ModelStep("SUBMIT", "rabbitSubmitBL832Jobs.sh", 1143, 0)
WORK = ModelStep("SUBMIT", "rabbitSubmitBL832Jobs.sh", 1144, 0)
FAST = (
    ModelStep("SUBMIT_FAST_TOMOPY", "submitFastTomoPyJob.sh", 65, 11, ": PERF:"),
    *_gal("raw"),
    ModelStep("SUBMIT_NORM", "submitNormJobs.sh", 32, 187, ": PERF:"),
    ModelStep("SUBMIT_ROT", "submitRotJob.sh", 65, 49),
    *_gal("fast-tomopy"),
    *_post("raw"),
    ModelStep("SUBMIT_SINO", "submitSinoJobs.sh", 104, 160),
)
WHOLE = (
    *FAST,
    *_gal("norm"),
    *_post("norm"),
    _h5("sino", 26),
    _h5("gridrec", 19),
    _ring("gridrec"),
    _ring("imgrec"),
    *_gal("sino"),
    *_gal("gridrec"),
    *_post("sino"),
    *_post("gridrec"),
    _h5("rc-gridrec", 469),
    *_gal("rc-gridrec"),
    *_post("rc-gridrec"),
)
RECIPES = (FAST, WHOLE, WHOLE[len(FAST) :])


def busy(at_s: float) -> float:
    """How busy the hour is, from 0 by night to 1 in the afternoon."""
    return 0.5 + 0.5 * cos(2 * pi * (at_s - BUSIEST_S) / DAY_S)


def begins_s(start_s: float, span_s: float, share: float) -> float:
    """When the run begins before which that share of the span's work has begun (unix s): more by day than by night."""

    def done(at_s: float) -> float:
        return at_s + SWING * DAY_S / (2 * pi) * sin(2 * pi * (at_s - BUSIEST_S) / DAY_S)

    low, high = start_s, start_s + span_s
    first = done(low)
    goal = first + share * (done(high) - first)
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if done(middle) < goal else (low, middle)
    return low


def took_s(rng: Random, median_s: float, at_s: float) -> int:
    """A duration: most near the median, longer when many work, a few very much longer; whole seconds."""
    duration_s = median_s * rng.lognormvariate(0.0, 0.4) * (1 + 0.6 * busy(at_s))
    if rng.random() < TAIL_SHARE:
        duration_s *= (1.0 - rng.random()) ** -0.8
    return int(min(duration_s, LONGEST_S))


def steady_s(rng: Random, median_s: float) -> int:
    """A duration that is like all others: a tenth more or less than the median."""
    return round(median_s * (0.9 + 0.2 * rng.random()))


def lag_s(rng: Random, step: ModelStep) -> int:
    """From taking the time to printing it: 0 to 2 s, for some scripts a dozen."""
    if step.slow_echo and rng.random() < 0.6:
        return rng.randint(7, 14)
    return _LAGS[int(rng.random() * len(_LAGS))]


_LAGS = (0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3)
