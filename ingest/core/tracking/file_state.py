"""The state of a file: the bytes received, its manifests and its gaps. Stored in a document of kind files.

The state is changed by compare-and-swap only. A worker merges a batch's update (`merge`): ranges, the newest manifests,
the newest record time. The result depends only on the set of records, not on their order. A gap is a range of bytes
that was once found missing (`record_gaps`, called only by the sweeper). When the last bytes of a gap arrive, the worker
that brings them sets the time. How many bytes of a gap are still missing follows from the received ranges. The sweeper
writes the documents of gaps, with the state's revision as version; while a state is `pending`, some are unwritten.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ingest.core.ids import digest_id
from ingest.core.tracking.byte_ranges import (
    SLACK_BYTES,
    ByteRange,
    Instant,
    MissingRange,
    holes,
    merge_ranges,
    subtract,
)
from ingest.core.tracking.manifest import BEGIN, Manifest

MOST_RANGES = 10_000  # with more, only these are kept, and no gaps are reported
MOST_GAPS = 1000


class FileKey(NamedTuple):
    """Identifies a file; `generation`, if known, distinguishes files that had the same name one after the other."""

    facility: str
    topic: str
    host: str
    path: str
    generation: str = ""

    @property
    def id(self) -> str:
        """The id of the file's document."""
        return digest_id(*(part.encode("utf-8", "surrogatepass") for part in self))


class Gap(NamedTuple):
    """A range of bytes that was found missing, from `start` to before `stop`. Times are unix ms; None = not known.

    Attributes:
        size_bytes: how many bytes of the range were missing when the gap was found.
        noticed_ms: when it was found.
        shown_by: the evidence: `next` later bytes, `end` a manifest, `silence` a shipper that began and went silent.
        since_ms, until_ms: event time of the messages before and behind the gap.
        before_ms, after_ms: record time of these messages.
        lines: how many lines are missing.
        filled_ms: record time of the last missing bytes.
    """

    start: int
    stop: int
    size_bytes: int
    noticed_ms: int
    shown_by: str
    since_ms: int | None = None
    until_ms: int | None = None
    before_ms: int | None = None
    after_ms: int | None = None
    lines: int | None = None
    filled_ms: int | None = None


@dataclass(slots=True)
class FileUpdate:
    """What some records add to a file's state."""

    ranges: list[ByteRange] = field(default_factory=list)
    seen_ms: int = 0
    begun: Manifest | None = None
    ended: Manifest | None = None

    def add_ranges(self, ranges: Iterable[ByteRange]) -> None:
        """Add received ranges."""
        for byte_range in ranges:
            self.ranges.append(byte_range)
            self.seen_ms = max(self.seen_ms, byte_range.start_ms, byte_range.stop_ms)

    def add_manifest(self, role: str, manifest: Manifest) -> None:
        """Add a manifest."""
        self.seen_ms = max(self.seen_ms, manifest.record_ms)
        if role == BEGIN:
            self.begun = newer(self.begun, manifest)
        else:
            self.ended = newer(self.ended, manifest)

    def join(self, other: "FileUpdate") -> None:
        """Add everything from another update."""
        self.ranges += other.ranges
        self.seen_ms = max(self.seen_ms, other.seen_ms)
        self.begun, self.ended = newer(self.begun, other.begun), newer(self.ended, other.ended)


def newer(one: Manifest | None, other: Manifest | None) -> Manifest | None:
    """The manifest with the later record time; None if there is none."""
    return max((manifest for manifest in (one, other) if manifest), default=None)


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file.

    Attributes:
        ranges: the received ranges, merged.
        seen_ms: the newest record time.
        size_bytes: the largest size in a manifest; None without one.
        begun, ended: the newest manifest of a beginning and of an end.
        scattered: there are more ranges than are kept: no gaps are reported until the file is whole.
        revision: counts the changes; 0: never written.
        pending: some documents of gaps are not written yet.
    """

    key: FileKey
    ranges: tuple[ByteRange, ...] = ()
    seen_ms: int = 0
    size_bytes: int | None = None
    begun: Manifest | None = None
    ended: Manifest | None = None
    scattered: bool = False
    gaps: tuple[Gap, ...] = ()
    revision: int = 0
    pending: bool = False

    @property
    def under_way(self) -> bool:
        """Whether a shipper began and has not sent its end manifest."""
        return self.begun is not None and (self.ended is None or self.ended.record_ms < self.begun.record_ms)

    @property
    def holes(self) -> Iterator[MissingRange]:
        """The missing ranges between the received ones, and up to the file's size if it is known."""
        return holes(self.ranges, self.size_bytes)

    @property
    def whole(self) -> bool:
        """Whether nothing is known to be missing."""
        return next(self.holes, None) is None

    @property
    def missing_bytes(self) -> int:
        """How many bytes are known to be missing."""
        return sum(hole.size_bytes for hole in self.holes)

    @property
    def received_bytes(self) -> int:
        """How many bytes were received; a missing newline at the very end is not counted."""
        return sum(min(byte_range.stop, self._end) - min(byte_range.start, self._end) for byte_range in self.ranges)

    @property
    def _end(self) -> int:
        """The offset behind the last byte."""
        received_end = self.ranges[-1].stop if self.ranges else 0
        size_bytes = self.size_bytes
        return size_bytes if size_bytes is not None and received_end - size_bytes <= SLACK_BYTES else received_end


def merge(state: FileState, update: FileUpdate) -> FileState:
    """The state with an update merged in, at the next revision; the very same state if the update adds nothing."""
    ranges = merge_ranges([*state.ranges, *update.ranges]) if update.ranges else state.ranges
    begun, ended = newer(state.begun, update.begun), newer(state.ended, update.ended)
    sizes = [state.size_bytes, *(manifest.size_bytes for manifest in (update.begun, update.ended) if manifest)]
    merged = replace(
        state,
        ranges=ranges[:MOST_RANGES],
        seen_ms=max(state.seen_ms, update.seen_ms),
        size_bytes=max((size for size in sizes if size is not None), default=None),
        begun=begun,
        ended=ended,
    )
    merged = replace(merged, scattered=len(ranges) > MOST_RANGES or (state.scattered and not merged.whole))
    if merged.gaps and merged.ranges != state.ranges:
        merged = _filled(state, merged, update.seen_ms)
    return state if merged == state else replace(merged, revision=state.revision + 1)


def _filled(before: FileState, after: FileState, seen_ms: int) -> FileState:
    """Set the time of gaps that are filled now; mark the state as pending if the documents of gaps change."""
    gaps, pending = [], after.pending
    for gap in after.gaps:
        missing = missing_of(gap, after.ranges)
        pending = pending or missing != missing_of(gap, before.ranges)
        gaps.append(gap._replace(filled_ms=seen_ms) if gap.filled_ms is None and not missing else gap)
    return replace(after, gaps=tuple(gaps), pending=pending)


def missing_of(gap: Gap, ranges: Sequence[ByteRange]) -> int:
    """How many bytes of a gap are still missing; a rest no longer than SLACK_BYTES does not count."""
    parts = subtract(gap.start, gap.stop, ((byte_range.start, byte_range.stop) for byte_range in ranges))
    return sum(stop - start for start, stop in parts if stop - start > SLACK_BYTES)


def instant_ms(instant: Instant | None) -> int | None:
    """The time of an instant; None without one."""
    return instant.ms if instant else None
