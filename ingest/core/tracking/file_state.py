"""What is kept of a file: the bytes that were received of it, what its manifests say, its gaps. Of kind files. Pure.

It is written by compare-and-swap only. A worker merges what a batch tells (`grown`): pieces, the newest manifests, the
newest record time; all of that is a function of the set of records, whatever their order. A gap is a range of bytes
that was found missing once (`declared`, by the sweeper only); a worker that brings the last of it says when. What is
still missing of it follows from the pieces. The documents of gaps are the sweeper's, with the state's revision as
version: a state that is `owing` has some that were not written yet.
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

MOST_PIECES = 10_000  # of a file in more than that, too little is known to tell what is missing
MOST_GAPS = 1000


class FileKey(NamedTuple):
    """Which file; `generation` tells files apart that had the same name one after the other, where that is known."""

    facility: str
    topic: str
    host: str
    path: str
    generation: str = ""

    @property
    def id(self) -> str:
        """The id of its document."""
        return digest_id(*(part.encode("utf-8", "surrogatepass") for part in self))


class Gap(NamedTuple):
    """Where bytes were found missing: from `start` up to before `stop`. Times in unix ms, None where not known.

    Attributes:
        size_bytes: how many were missing in there when it was found.
        noticed_ms: when it was found.
        shown_by: `next` later bytes, `end` a manifest, `silence` a shipper that began and said no more.
        since_ms, until_ms: when what stands before and behind it happened.
        before_ms, after_ms: when Kafka got that.
        lines: how many; None where not known.
        filled_ms: when Kafka got the last of it.
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
    """What some records tell of a file."""

    pieces: list[ByteRange] = field(default_factory=list)
    seen_ms: int = 0
    begun: Manifest | None = None
    ended: Manifest | None = None

    def hear(self, pieces: Iterable[ByteRange]) -> None:
        """Messages of it."""
        for piece in pieces:
            self.pieces.append(piece)
            self.seen_ms = max(self.seen_ms, piece.start_ms, piece.stop_ms)

    def say(self, role: str, manifest: Manifest) -> None:
        """A manifest of it."""
        self.seen_ms = max(self.seen_ms, manifest.record_ms)
        if role == BEGIN:
            self.begun = newer(self.begun, manifest)
        else:
            self.ended = newer(self.ended, manifest)

    def join(self, other: "FileUpdate") -> None:
        """All that another one tells."""
        self.pieces += other.pieces
        self.seen_ms = max(self.seen_ms, other.seen_ms)
        self.begun, self.ended = newer(self.begun, other.begun), newer(self.ended, other.ended)


def newer(one: Manifest | None, other: Manifest | None) -> Manifest | None:
    """The one that Kafka got last; None when there is none."""
    return max((each for each in (one, other) if each), default=None)


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of a file.

    Attributes:
        pieces: what was received, united.
        seen_ms: the newest record time.
        size_bytes: how large it is, as the manifests say: the largest; None without one.
        begun, ended: the newest manifest at a beginning and at an end.
        scattered: it came in more pieces than are kept: nothing is said of what is missing until it is whole.
        revision: counts its changes; 0: never written.
        owing: documents of gaps that were not written yet.
    """

    key: FileKey
    pieces: tuple[ByteRange, ...] = ()
    seen_ms: int = 0
    size_bytes: int | None = None
    begun: Manifest | None = None
    ended: Manifest | None = None
    scattered: bool = False
    gaps: tuple[Gap, ...] = ()
    revision: int = 0
    owing: bool = False

    @property
    def under_way(self) -> bool:
        """Whether a shipper began and has not said its end."""
        return self.begun is not None and (self.ended is None or self.ended.record_ms < self.begun.record_ms)

    @property
    def holes(self) -> Iterator[MissingRange]:
        """What is missing between what was received, and up to the size where it is known."""
        return holes(self.pieces, self.size_bytes)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing, as far as is known."""
        return next(self.holes, None) is None

    @property
    def missing_bytes(self) -> int:
        """How many bytes are missing, as far as is known."""
        return sum(hole.size_bytes for hole in self.holes)

    @property
    def received_bytes(self) -> int:
        """How many bytes were received; a last line without a newline counts none."""
        return sum(min(piece.stop, self._end) - min(piece.start, self._end) for piece in self.pieces)

    @property
    def _end(self) -> int:
        """What lies behind the last byte."""
        reached = self.pieces[-1].stop if self.pieces else 0
        told = self.size_bytes
        return told if told is not None and reached - told <= SLACK_BYTES else reached


def merge(state: FileState, news: FileUpdate) -> FileState:
    """The state with what is told, at the next revision; the very same state when that is nothing new."""
    pieces = merge_ranges([*state.pieces, *news.pieces]) if news.pieces else state.pieces
    begun, ended = newer(state.begun, news.begun), newer(state.ended, news.ended)
    sizes = [state.size_bytes, *(each.size_bytes for each in (news.begun, news.ended) if each)]
    found = replace(
        state,
        pieces=pieces[:MOST_PIECES],
        seen_ms=max(state.seen_ms, news.seen_ms),
        size_bytes=max((size for size in sizes if size is not None), default=None),
        begun=begun,
        ended=ended,
    )
    found = replace(found, scattered=len(pieces) > MOST_PIECES or (state.scattered and not found.whole))
    if found.gaps and found.pieces != state.pieces:
        found = _filled(state, found, news.seen_ms)
    return state if found == state else replace(found, revision=state.revision + 1)


def _filled(before: FileState, after: FileState, seen_ms: int) -> FileState:
    """With the gaps of which the last came; the documents of those that changed are to be written."""
    gaps, owing = [], after.owing
    for gap in after.gaps:
        left = missing_of(gap, after.pieces)
        owing = owing or left != missing_of(gap, before.pieces)
        gaps.append(gap._replace(filled_ms=seen_ms) if gap.filled_ms is None and not left else gap)
    return replace(after, gaps=tuple(gaps), owing=owing)


def missing_of(gap: Gap, pieces: Sequence[ByteRange]) -> int:
    """How many bytes of a gap are still missing; what is no more than the slack is not."""
    parts = subtract(gap.start, gap.stop, ((piece.start, piece.stop) for piece in pieces))
    return sum(stop - start for start, stop in parts if stop - start > SLACK_BYTES)


def instant_ms(instant: Instant | None) -> int | None:
    """When it happened, where there is one."""
    return instant.ms if instant else None
