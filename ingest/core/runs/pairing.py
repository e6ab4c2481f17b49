"""Ends and what they end: START and END pair by stage and by what else their keys say (als-perf.md 5.5, 11).

`XFER_END_DATE` ends `XFER_START_DATE`, never `START_DATE`. `QEND_DATE` ends the queue, as a WSTART does. The run ends
with what its work began with: the END of a WSTART (`WEND_DATE`), or an END of the stage that was queued, where that
stage has no START of its own (`SUBMIT:END_DATE`).

An END belongs to the last START before it that has none yet, and only the first END of a START counts: a further one
is that of an attempt whose START was lost; it is counted, and ends nothing. In the same second an END goes to a START
before it rather than to the one that follows; only if none is open has the stage taken 0 s.

Which START an END was written for, no line says: where the START of a second attempt was lost and its END was not, that
END goes to the first attempt. Nothing in the set tells the two apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ingest.core.mark import END, OTHER, QUEUED, START, WORK, RunMark

_WORDS = {START: "start", QUEUED: "start", WORK: "start", END: "end"}
Place = tuple[str, str]


@dataclass(slots=True)
class Pairing:
    """What ends what.

    Attributes:
        of: id of an opening mark -> its END.
        queue: ids of the ENDs that end the queue; run: ids of those that end the run's work.
        unmatched: how many ENDs end nothing.
    """

    of: dict[str, RunMark] = field(default_factory=dict)
    queue: set[str] = field(default_factory=set)
    run: set[str] = field(default_factory=set)
    unmatched: int = 0


@lru_cache(maxsize=4096)
def stem(key: str, role: str) -> str:
    """What a key says beside START or END: `XFER_END_DATE` -> `XFER__DATE`; empty where it names neither."""
    found = list(re.finditer(_WORDS.get(role, END), key, re.IGNORECASE))
    return key[: found[-1].start()] + key[found[-1].end() :] if found else ""


def pairing_of(marks: Sequence[RunMark]) -> Pairing:
    """Pair the marks of one instance, in order of time."""
    found, unmatched = Pairing(), dict[str, RunMark]()
    if not any(mark.what.role == END for mark in marks):
        return found
    opened: dict[Place, RunMark] = {}
    held: dict[Place, RunMark] = {}
    for mark in marks:
        role = mark.what.role
        place = (mark.what.stage, stem(mark.what.key, role))
        if role == END and (opener := opened.pop(place, None)):
            _pair(found, opener, mark)
        elif role == END:
            held[place] = unmatched[mark.id] = mark
        elif role != OTHER:
            end = held.pop(place, None)
            if end is not None and end.at_ms == mark.at_ms:
                _pair(found, mark, unmatched.pop(end.id))
            else:
                opened[place] = mark
    _end_of_run(found, marks, unmatched.values())
    return found


def _pair(found: Pairing, opener: RunMark, end: RunMark) -> None:
    found.of[opener.id] = end
    if opener.what.role == QUEUED:
        found.queue.add(end.id)
    elif opener.what.role == WORK:
        found.run.add(end.id)


def _end_of_run(found: Pairing, marks: Iterable[RunMark], unmatched: Iterable[RunMark]) -> None:
    """Of the ENDs that are left, those of the stage that was queued end the run; the others end nothing."""
    roles: dict[str, set[str]] = {}
    for mark in marks:
        roles.setdefault(mark.what.stage, set()).add(mark.what.role)
    for end in unmatched:
        if roles[end.what.stage] & {QUEUED, WORK} and START not in roles[end.what.stage]:
            found.run.add(end.id)
        else:
            found.unmatched += 1
