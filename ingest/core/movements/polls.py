"""How the bytes of an active task grew: what its polls told, in at most 64 of them, whatever order they came in.

A poll is a version of the task's record that a later one replaces; the state of the transfer keeps what it told. Polls
are thinned to the first of each slot of time, and slots double until 64 are enough, so that the same polls leave the
same state however they were split and merged. When bytes last grew is kept exactly, beside them.
"""

from collections.abc import Iterable
from typing import NamedTuple

MOST_POLLS = 64
SLOT_MS = 60_000


class Poll(NamedTuple):
    """What one poll told: when (unix ms), bytes that had moved, faults so far."""

    at_ms: int
    bytes: int
    faults: int


class Growth(NamedTuple):
    """The polls of a transfer.

    Attributes:
        polls: the first of each slot, by time.
        slot_ms: the length of a slot.
        most_bytes, grew_ms: the most bytes told, and the first poll that told so many; None without a poll.
        last: the newest poll.
    """

    polls: tuple[Poll, ...] = ()
    slot_ms: int = SLOT_MS
    most_bytes: int = 0
    grew_ms: int | None = None
    last: Poll | None = None

    def merged(self, other: "Growth") -> "Growth":
        """Return the growth of all polls of both; the order of merging changes nothing."""
        polls, slot_ms = _thinned((*self.polls, *other.polls), max(self.slot_ms, other.slot_ms))
        most_bytes, grew_ms = min(self._growth(), other._growth(), key=_furthest)
        last = max((last for last in (self.last, other.last) if last is not None), default=None)
        return Growth(polls, slot_ms, most_bytes, grew_ms, last)

    def _growth(self) -> tuple[int, int | None]:
        return self.most_bytes, self.grew_ms

    @property
    def is_stalled(self) -> bool:
        """Whether faults grew since bytes last did: the service keeps trying, and nothing moves."""
        if self.last is None or self.grew_ms is None or self.last.at_ms <= self.grew_ms:
            return False
        at_growth = [poll.faults for poll in self.polls if poll.at_ms <= self.grew_ms]
        return bool(at_growth) and self.last.faults > max(at_growth)


def _furthest(growth: tuple[int, int | None]) -> tuple[bool, int, int]:
    """Order growths: a known one first, then the one of more bytes, then the earlier."""
    most_bytes, grew_ms = growth
    return grew_ms is None, -most_bytes, grew_ms or 0


def growth_of(polls: Iterable[Poll]) -> Growth:
    """Return the growth of these polls."""
    growth = Growth()
    for poll in polls:
        growth = growth.merged(Growth((poll,), SLOT_MS, poll.bytes, poll.at_ms, poll))
    return growth


def _thinned(polls: Iterable[Poll], slot_ms: int) -> tuple[tuple[Poll, ...], int]:
    ordered = sorted(set(polls))
    while True:
        first_of_slot: dict[int, Poll] = {}
        for poll in ordered:
            first_of_slot.setdefault(poll.at_ms // slot_ms, poll)
        if len(first_of_slot) <= MOST_POLLS:
            return tuple(first_of_slot.values()), slot_ms
        slot_ms *= 2
