"""Gaps: what of a file's holes is surely missing, and the documents that tell it. Pure.

A hole is no gap yet: its bytes may be on their way. Whoever asks here has made sure that every record which Kafka held
when the hole was seen was read since (see pipeline/derive/gap_sweeper.py). Beyond that:

* Behind a shipper's end, and up to the size that it told, nothing is on its way any more.
* While a shipper that said its beginning has not said its end, it may be at it; once nothing was heard of the file for
  `patience_ms`, it has died.
* In a file that is followed, what comes behind the hole must have been there for `patience_ms`, for a forwarder that
  writes to several partitions at once may be late with one of them.

A gap keeps its range for good, however much of it arrives; what is found missing later beside it is another gap. All
that a shipper left missing when it died is one: it was writing to several partitions, of which each stood elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ingest.core.fields import Schema
from ingest.core.ids import digest_id, index_name
from ingest.core.model import Document
from ingest.core.timestamps import iso
from ingest.core.tracking.byte_ranges import SLACK_BYTES, MissingRange, subtract
from ingest.core.tracking.file_document import file_fields, identity_of
from ingest.core.tracking.file_state import MOST_GAPS, FileKey, FileState, Gap, instant_ms, missing_of

KIND = "gaps"
OPEN, FILLED = "open", "filled"
NEXT, END, SILENCE = "next", "end", "silence"
Range = tuple[int, int]


def candidates(state: FileState) -> Iterator[MissingRange]:
    """The holes, or parts of them, that are no gaps yet."""
    if state.scattered or len(state.gaps) >= MOST_GAPS:
        return
    known = [(gap.start, gap.stop) for gap in state.gaps]
    for hole in state.holes:
        for start, stop in subtract(hole.start, hole.stop, known):
            if stop - start > SLACK_BYTES:
                yield hole._replace(start=start, stop=stop)


def is_due(state: FileState) -> bool:
    """Whether the sweeper has something to do with it."""
    return state.owing or next(candidates(state), None) is not None


def confirmed(state: FileState, now_ms: int, patience_ms: int) -> list[tuple[MissingRange, str]]:
    """The suspects of which nothing can be on its way but in Kafka, each with what shows it."""
    found = []
    for hole in candidates(state):
        shown_by, since_ms = _shown(state, hole)
        if since_ms is None or now_ms - since_ms >= patience_ms:
            found.append((hole, shown_by))
    return found


def _shown(state: FileState, hole: MissingRange) -> tuple[str, int | None]:
    """What shows that it is one, and from when on that needs patience (unix ms); None where it needs none."""
    if state.under_way:
        return SILENCE, state.seen_ms
    if state.ended is not None and state.size_bytes is not None and hole.stop <= state.size_bytes:
        return END, None
    return NEXT, hole.after.start_ms if hole.after else state.seen_ms


def record_gaps(state: FileState, found: Sequence[tuple[MissingRange, str]], noticed_ms: int) -> FileState:
    """The state with these holes as gaps, at the next revision; the very same state when there are none."""
    new = [_gap(state, holes, shown_by, noticed_ms) for holes, shown_by in _as_one(found)][
        : MOST_GAPS - len(state.gaps)
    ]
    if not new:
        return state
    return replace(state, gaps=(*state.gaps, *new), owing=True, revision=state.revision + 1)


def _as_one(found: Sequence[tuple[MissingRange, str]]) -> Iterator[tuple[Sequence[MissingRange], str]]:
    """Holes by gap: those of a shipper that died together, others each for itself."""
    left = [hole for hole, shown_by in found if shown_by == SILENCE]
    if left:
        yield left, SILENCE
    yield from (((hole,), shown_by) for hole, shown_by in found if shown_by != SILENCE)


def _gap(state: FileState, holes: Sequence[MissingRange], shown_by: str, noticed_ms: int) -> Gap:
    before, after = holes[0].before, holes[-1].after
    size_bytes = sum(hole.size_bytes for hole in holes)
    told = state.ended
    lines = told.lines if told and told.lines >= 0 and not state.pieces and told.size_bytes == size_bytes else None
    return Gap(
        holes[0].start,
        holes[-1].stop,
        size_bytes,
        noticed_ms,
        shown_by,
        instant_ms(before.last) if before else None,
        instant_ms(after.first) if after else None,
        before.stop_ms if before else None,
        after.start_ms if after else None,
        lines,
    )


def gap_id(key: FileKey, place: Range) -> str:
    """The id of a gap: of its file and its range."""
    return digest_id(key.id.encode(), *(str(each).encode() for each in place))


def documents(state: FileState, schema: Schema) -> list[Document]:
    """The documents of all gaps of a file."""
    index = index_name(KIND, state.key.facility, schema.kinds[KIND].period, 0)
    return [
        Document(index, gap_id(state.key, gap[:2]), state.revision, body)
        for gap, body in zip(state.gaps, _bodies(state), strict=True)
    ]


def _bodies(state: FileState) -> Iterable[dict[str, Any]]:
    for gap in state.gaps:
        left = 0 if gap.filled_ms is not None else missing_of(gap, state.pieces)
        told: dict[str, Any] = {
            "state": OPEN if gap.filled_ms is None else FILLED,
            "first_byte": gap.start,
            "end_byte": gap.stop,
            "size_bytes": gap.size_bytes,
            "missing_bytes": left,
            "shown_by": gap.shown_by,
        }
        if gap.lines is not None:
            told["lines"] = gap.lines
        times = {
            "since": gap.since_ms,
            "until": gap.until_ms,
            "received_before": gap.before_ms,
            "received_after": gap.after_ms,
            "noticed": gap.noticed_ms,
            "filled": gap.filled_ms,
        }
        told |= {name: iso(ms) for name, ms in times.items() if ms is not None}
        known = (gap.since_ms, gap.until_ms, gap.before_ms, gap.after_ms, gap.noticed_ms)
        at_ms = next(ms for ms in known if ms is not None)
        yield {"@timestamp": iso(at_ms)} | file_fields(state.key, {"gap": told, "file": identity_of(state.key)})
