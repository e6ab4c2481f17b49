"""Gaps: which holes of a file are certainly missing, and the documents that report them.

A hole is not yet a gap: its bytes may be on their way. Callers make sure that every record that Kafka held when the
hole was seen has been consumed since (see pipeline/derive/gap_sweeper.py). Beyond that:

* After the shipper's end manifest, nothing more is on its way, up to the size in the manifest.
* If a shipper sent its begin manifest but no end, it may still be shipping; once nothing of the file has arrived for
  `wait_ms`, it has died.
* In a file that is followed, the bytes behind the hole must have been there for `wait_ms`, since a forwarder that
  writes to several partitions at once may be late with one of them.

A gap keeps its range for good, however much of it arrives; bytes beside it that are found missing later are another
gap. All that a shipper left missing when it died is one gap: it was writing to several partitions, each of which had
got to a different position.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ingest.core.fields import Schema
from ingest.core.ids import digest_id
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
    """The holes, or parts of them, that are not recorded as gaps yet."""
    if state.scattered or len(state.gaps) >= MOST_GAPS:
        return
    recorded = [(gap.start, gap.stop) for gap in state.gaps]
    for hole in state.holes:
        for start, stop in subtract(hole.start, hole.stop, recorded):
            if stop - start > SLACK_BYTES:
                yield hole._replace(start=start, stop=stop)


def is_due(state: FileState) -> bool:
    """Whether the sweeper has to look at the state."""
    return state.pending or next(candidates(state), None) is not None


def confirmed(state: FileState, now_ms: int, wait_ms: int) -> list[tuple[MissingRange, str]]:
    """The candidates whose bytes cannot arrive any more, unless they are in Kafka, each with the evidence for it."""
    confirmed_gaps = []
    for hole in candidates(state):
        shown_by, since_ms = _evidence(state, hole)
        if since_ms is None or now_ms - since_ms >= wait_ms:
            confirmed_gaps.append((hole, shown_by))
    return confirmed_gaps


def _evidence(state: FileState, hole: MissingRange) -> tuple[str, int | None]:
    """The evidence for a gap, and the time from which on to wait `wait_ms` (unix ms); None = no need to wait."""
    if state.under_way:
        return SILENCE, state.seen_ms
    if state.ended is not None and state.size_bytes is not None and hole.stop <= state.size_bytes:
        return END, None
    return NEXT, hole.after.start_ms if hole.after else state.seen_ms


def record_gaps(state: FileState, confirmed_holes: Sequence[tuple[MissingRange, str]], noticed_ms: int) -> FileState:
    """The state with these holes recorded as gaps, at the next revision; the very same state if there are none."""
    new_gaps = [_gap(state, holes, shown_by, noticed_ms) for holes, shown_by in _grouped(confirmed_holes)][
        : MOST_GAPS - len(state.gaps)
    ]
    if not new_gaps:
        return state
    return replace(state, gaps=(*state.gaps, *new_gaps), pending=True, revision=state.revision + 1)


def _grouped(confirmed_holes: Sequence[tuple[MissingRange, str]]) -> Iterator[tuple[Sequence[MissingRange], str]]:
    """Group holes into gaps: all holes of a dead shipper together, any other by itself."""
    silent = [hole for hole, shown_by in confirmed_holes if shown_by == SILENCE]
    if silent:
        yield silent, SILENCE
    yield from (((hole,), shown_by) for hole, shown_by in confirmed_holes if shown_by != SILENCE)


def _gap(state: FileState, holes: Sequence[MissingRange], shown_by: str, noticed_ms: int) -> Gap:
    before, after = holes[0].before, holes[-1].after
    size_bytes = sum(hole.size_bytes for hole in holes)
    ended = state.ended
    lines = ended.lines if ended and ended.lines >= 0 and not state.ranges and ended.size_bytes == size_bytes else None
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


def gap_id(key: FileKey, byte_range: Range) -> str:
    """The id of a gap, made of its file and its range."""
    return digest_id(key.id.encode(), *(str(bound).encode() for bound in byte_range))


def documents(state: FileState, schema: Schema) -> list[Document]:
    """The documents of all gaps of a file."""
    index = schema.index(KIND, state.key.facility)
    return [
        Document(index, gap_id(state.key, gap[:2]), state.revision, body)
        for gap, body in zip(state.gaps, _bodies(state), strict=True)
    ]


def _bodies(state: FileState) -> Iterable[dict[str, Any]]:
    for gap in state.gaps:
        missing = 0 if gap.filled_ms is not None else missing_of(gap, state.ranges)
        fields: dict[str, Any] = {
            "state": OPEN if gap.filled_ms is None else FILLED,
            "first_byte": gap.start,
            "end_byte": gap.stop,
            "size_bytes": gap.size_bytes,
            "missing_bytes": missing,
            "shown_by": gap.shown_by,
        }
        if gap.lines is not None:
            fields["lines"] = gap.lines
        times = {
            "since": gap.since_ms,
            "until": gap.until_ms,
            "received_before": gap.before_ms,
            "received_after": gap.after_ms,
            "noticed": gap.noticed_ms,
            "filled": gap.filled_ms,
        }
        fields |= {name: iso(ms) for name, ms in times.items() if ms is not None}
        candidates_ms = (gap.since_ms, gap.until_ms, gap.before_ms, gap.after_ms, gap.noticed_ms)
        at_ms = next(ms for ms in candidates_ms if ms is not None)
        yield {"@timestamp": iso(at_ms)} | file_fields(state.key, {"gap": fields, "file": identity_of(state.key)})
