"""Which messages arrive of a run's lines, when, and in which form: planned before any byte is made.

So a run's truth is known at once; the bytes follow from the form (corruption.py).
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

from ingest.synthetic.workload.run_plan import Life, Mark
from ingest.synthetic.workload.truth import Shares

LATE_S = (3600, 43_200)
LATE_SHARE = 0.3  # of the lines of a late run
PLAIN, POISONED = "plain", "poisoned"
TORN = ("torn_head", "torn_key", "torn_value", "torn_tail")
GLUED = ("glued", "glued_torn_first", "glued_torn_second")
REFUSED = (
    "bad_value", "bad_tag", "bad_tag_with_pair", "time_ahead", "time_range", "bad_stamp", "other_language",
)  # fmt: skip
FOREIGN = ("shell", "stamped", "other_tag")


class Planned(NamedTuple):
    """A message to be made: when it arrives (unix ms), its form, the lines in it, a number that chooses details."""

    at_ms: int
    form: str
    life: Life
    marks: tuple[Mark, ...]
    draw: float
    repeats: bool = False

    @property
    def stored(self) -> tuple[Mark, ...]:
        """The marks of which a document will exist."""
        if self.form == "glued_torn_first":
            return self.marks[1:]
        if self.form == "glued_torn_second":
            return self.marks[:1]
        return self.marks if self.form in (PLAIN, "glued") else ()


def arrivals(rng: Random, run: Life, shares: Shares) -> list[Planned]:
    """The messages of a run in the order of their arrival, an original ahead of its repeat."""
    damage = tuple(accumulate((shares.torn, shares.glued, shares.refused, shares.poisoned)))
    added = shares.foreign + shares.repeated
    messages: list[Planned] = []
    delay_ms = 50 + int(rng.random() * 900)
    left = iter(run.marks)
    for mark in left:
        form = _form(rng, damage) if damage[-1] else PLAIN
        marks: tuple[Mark, ...] = (mark,)
        if form in GLUED:
            second = next(left, None)
            form, marks = (form, (mark, second)) if second else (PLAIN, marks)
        delay_ms += 1  # what is printed in the same second arrives in the order of printing
        at_ms = (marks[-1].logged_s + _late_s(rng, run, mark)) * 1000 + delay_ms
        messages.append(Planned(at_ms, form, run, marks, rng.random()))
        if added:
            messages += _added(rng, messages[-1], shares)
    messages.sort(key=_at)
    return messages


def _at(message: Planned) -> int:
    return message.at_ms


def _form(rng: Random, damage: Sequence[float]) -> str:
    drawn = rng.random()
    for limit, forms in zip(damage, (TORN, GLUED, REFUSED, (POISONED,)), strict=True):
        if drawn < limit:
            return rng.choice(forms)
    return PLAIN


def _late_s(rng: Random, run: Life, mark: Mark) -> int:
    """How much later than the others it comes: some lines of a late run, its last one always."""
    late = run.traits.late and (mark is run.marks[-1] or rng.random() < LATE_SHARE)
    return rng.randint(*LATE_S) if late else 0


def _added(rng: Random, message: Planned, shares: Shares) -> Iterator[Planned]:
    """Foreign messages and repeats beside a message, so many that they are the shares of all messages."""
    own = 1 - shares.foreign - shares.repeated
    for _ in range(_count(rng, shares.foreign / own)):
        at_ms = message.at_ms + int(rng.random() * 20_000)
        yield Planned(at_ms, rng.choice(FOREIGN), message.life, message.marks, rng.random())
    if message.form in (PLAIN, "glued"):
        for _ in range(_count(rng, shares.repeated / own)):
            at_ms = message.at_ms + 1 + int(rng.expovariate(1 / 600_000))
            yield message._replace(at_ms=at_ms, repeats=True)


def _count(rng: Random, mean: float) -> int:
    return int(mean) + (rng.random() < mean % 1)
