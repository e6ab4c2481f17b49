"""Splits the marks of a run id that is used repeatedly into instances (sessionisation with a gap of seven days).

After more than seven days of silence the next mark begins a new instance (als-perf.md 5.5, 15). Silence begins when a
mark's line was printed: a line with the queue time may be printed only when the wait is over, and ten days in a queue
are no silence. Instances are numbered from 1 in order of time, from the set of marks alone, without memory: a late line
may join two instances, or begin a new first one. Then all later instances are renumbered, and the numbers left over are
retracted (derive.py).

Of marks for the same instant of the same stage with the same key, only the one printed first counts (5.5, 17).
"""

from collections.abc import Iterable, Iterator, Sequence

from ingest.core.mark import END, OTHER, QUEUED, START, WORK, RunMark
from ingest.core.timestamps import MS_PER_DAY

SILENCE_MS = 7 * MS_PER_DAY
_RANK = {QUEUED: 0, WORK: 1, END: 2, START: 3, OTHER: 4}


def ordered(marks: Iterable[RunMark]) -> list[RunMark]:
    """The marks that count, in order of time, without retracted ones and repeats.

    Within a second, ends come before starts, and lines printed earlier come first.
    """
    sorted_marks = []
    for mark in marks:
        doc_id, _, at_ms, lag_ms, kind, retracted, _ = mark  # at once: see core/bulk.py
        if not retracted:
            seen_ms = at_ms + lag_ms if lag_ms and lag_ms > 0 else at_ms
            sorted_marks.append((at_ms, _RANK[kind.role], seen_ms, doc_id, mark, kind))
    sorted_marks.sort()
    first_printed: dict[tuple[str, str, int], RunMark] = {}
    for at_ms, _, _, _, mark, kind in sorted_marks:
        first_printed.setdefault((kind.stage, kind.key, at_ms), mark)
    return list(first_printed.values())


def instances(marks: Sequence[RunMark]) -> Iterator[Sequence[RunMark]]:
    """Split marks in order of time wherever the next mark is more than SILENCE_MS after the last line seen."""
    if marks and marks[-1].at_ms - marks[0].at_ms <= SILENCE_MS:
        yield marks  # nearly all runs: no silence can be longer than the run
        return
    begin, seen_ms = 0, 0
    for number, mark in enumerate(marks):
        if number and mark.at_ms - seen_ms > SILENCE_MS:
            yield marks[begin:number]
            begin = number
        seen_ms = max(seen_ms, mark.seen_ms)
    if marks:
        yield marks[begin:]
