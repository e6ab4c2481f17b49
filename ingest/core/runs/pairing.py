"""Pairs START and END marks by stage and by the rest of their keys (als-perf.md 5.5, 11).

`XFER_END_DATE` ends `XFER_START_DATE`, never `START_DATE`. `QEND_DATE` ends the queue, as a WSTART does. The run ends
with the END of what began its work: the END of a WSTART (`WEND_DATE`), or an END of the queued stage if that stage has
no START of its own (`SUBMIT:END_DATE`).

An END belongs to the last START before it that has no END yet, and only the first END of a START counts. A further END
belongs to an attempt whose START was lost; it is counted, and ends nothing. Within a second, an END pairs with an
earlier START rather than with the one that follows; only if none is open did the stage take 0 s.

No line says which START an END was written for: if the START of a second attempt was lost and its END was not, that END
is paired with the first attempt. Nothing in the set tells the two cases apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ingest.core.mark import END, OTHER, QUEUED, START, WORK, RunMark

_WORDS = {START: "start", QUEUED: "start", WORK: "start", END: "end"}
PairingKey = tuple[str, str]


@dataclass(slots=True)
class Pairing:
    """Which END ends what.

    Attributes:
        of: id of an opening mark -> its END.
        queue: ids of the ENDs that end the queue; run: ids of those that end the run's work.
        unmatched: number of ENDs that end nothing.
    """

    of: dict[str, RunMark] = field(default_factory=dict)
    queue: set[str] = field(default_factory=set)
    run: set[str] = field(default_factory=set)
    unmatched: int = 0


@lru_cache(maxsize=4096)
def stem(key: str, role: str) -> str:
    """A key without its START or END: `XFER_END_DATE` -> `XFER__DATE`; empty if it contains neither."""
    matches = list(re.finditer(_WORDS.get(role, END), key, re.IGNORECASE))
    return key[: matches[-1].start()] + key[matches[-1].end() :] if matches else ""


def pairing_of(marks: Sequence[RunMark]) -> Pairing:
    """Pair the marks of one instance, given in order of time."""
    pairing, unmatched = Pairing(), dict[str, RunMark]()
    if not any(mark.what.role == END for mark in marks):
        return pairing
    opened: dict[PairingKey, RunMark] = {}
    waiting_ends: dict[PairingKey, RunMark] = {}
    for mark in marks:
        role = mark.what.role
        stage_key = (mark.what.stage, stem(mark.what.key, role))
        if role == END and (opener := opened.pop(stage_key, None)):
            _pair(pairing, opener, mark)
        elif role == END:
            waiting_ends[stage_key] = unmatched[mark.id] = mark
        elif role != OTHER:
            end = waiting_ends.pop(stage_key, None)
            if end is not None and end.at_ms == mark.at_ms:
                _pair(pairing, mark, unmatched.pop(end.id))
            else:
                opened[stage_key] = mark
    _end_of_run(pairing, marks, unmatched.values())
    return pairing


def _pair(pairing: Pairing, opener: RunMark, end: RunMark) -> None:
    pairing.of[opener.id] = end
    if opener.what.role == QUEUED:
        pairing.queue.add(end.id)
    elif opener.what.role == WORK:
        pairing.run.add(end.id)


def _end_of_run(pairing: Pairing, marks: Iterable[RunMark], unmatched: Iterable[RunMark]) -> None:
    """Of the unmatched ENDs, those of the queued stage end the run; the others end nothing."""
    roles: dict[str, set[str]] = {}
    for mark in marks:
        roles.setdefault(mark.what.stage, set()).add(mark.what.role)
    for end in unmatched:
        if roles[end.what.stage] & {QUEUED, WORK} and START not in roles[end.what.stage]:
            pairing.run.add(end.id)
        else:
            pairing.unmatched += 1
