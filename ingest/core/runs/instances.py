"""A run id that is used again: the set of its marks -> the instances, in order of time.

After more than seven days of silence the next mark begins a new instance (als-perf.md 5.5, 15). Silence begins when a
mark's line was printed: the line that tells when a run was queued may be printed when the wait is over, and ten days
in a queue are no silence. Instances are numbered from 1 in order of time, by the set alone, so that nothing is
remembered: a late line between two instances may join them, one before all others may begin a new first one; then all
later ones count on from there, and the numbers that are left over are retracted (derive.py).

Of marks that tell the same instant of the same stage by the same key, one counts: the earliest printed one (5.5, 17).
"""

from collections.abc import Iterable, Iterator, Sequence

from ingest.core.mark import END, OTHER, QUEUED, START, WORK, RunMark
from ingest.core.timestamps import MS_PER_DAY

SILENCE_MS = 7 * MS_PER_DAY
_RANK = {QUEUED: 0, WORK: 1, END: 2, START: 3, OTHER: 4}


def ordered(marks: Iterable[RunMark]) -> list[RunMark]:
    """The marks that count, in order of time: without retracted ones and without repeats.

    In the same second what ends comes before what starts, and who printed first comes first.
    """
    rows = []
    for mark in marks:
        doc_id, _, at_ms, lag_ms, what, retracted, _ = mark
        if not retracted:
            seen_ms = at_ms + lag_ms if lag_ms and lag_ms > 0 else at_ms
            rows.append((at_ms, _RANK[what.role], seen_ms, doc_id, mark, what))
    rows.sort()
    found: dict[tuple[str, str, int], RunMark] = {}
    for at_ms, _, _, _, mark, what in rows:
        found.setdefault((what.stage, what.key, at_ms), mark)
    return list(found.values())


def instances(marks: Sequence[RunMark]) -> Iterator[Sequence[RunMark]]:
    """Marks in order of time, cut wherever more than SILENCE_MS lie between what was seen and the next mark."""
    if marks and marks[-1].at_ms - marks[0].at_ms <= SILENCE_MS:
        yield marks  # nearly all: no silence is longer than the whole
        return
    begin, seen_ms = 0, 0
    for number, mark in enumerate(marks):
        if number and mark.at_ms - seen_ms > SILENCE_MS:
            yield marks[begin:number]
            begin = number
        seen_ms = max(seen_ms, mark.seen_ms)
    if marks:
        yield marks[begin:]
