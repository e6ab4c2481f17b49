"""Which way a line takes: the short one of its origin where there is one, else the general one. Pure.

Only where no wrapper has to come off and the first source has plain lines; and for an origin (host, path, whether it
tells offsets) only once it has sent some, so that a thousand files of a few lines each are not all learnt for nothing.
"""

from dataclasses import replace

from ingest.core.cache import Cache
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import FastPath, Read, RecordContext, Write, fast_path
from ingest.core.decode.fast_template import FastPathCaches
from ingest.core.model import Provenance

LINES_BEFORE = 64  # of an origin go the general way before its short way is made
ORIGINS = 4096


class OriginRoute:
    """What is known of one origin: how many lines it sent, and the short way once it has sent enough."""

    __slots__ = ("_lines", "_place", "_quick", "_write", "read")

    def __init__(self) -> None:
        self._lines = 0
        self._place: RecordContext | None = None
        self._quick: FastPath | None = None
        self._write: Write | None = None
        self.read: Read | None = None

    def more(self, lines: int) -> bool:
        """Count lines; whether these are the ones at which the short way is to be made."""
        before, self._lines = self._lines, self._lines + lines
        return before < LINES_BEFORE <= self._lines

    def make(self, found: FastPath | None) -> None:
        """Take the short way, where there is one."""
        self._quick = found
        self.read = found.reader() if found else None

    def write(self, place: RecordContext) -> Write:
        """The writer for a place; made anew when the place is another one."""
        assert self._quick is not None  # noqa: S101 - who has read with it has it
        if self._write is None or self._place != place:
            self._write, self._place = self._quick.writer(place), place
        return self._write


class OriginRoutes:
    """The ways of one flow."""

    def __init__(self, flow: Decoder) -> None:
        """None of them is known yet."""
        self.flow = flow
        self._ways = Cache(lambda _: OriginRoute(), ORIGINS)
        self._kept = FastPathCaches()

    def way(self, origin: Provenance, lines: int, bare: bool = False) -> OriginRoute:
        """The way of so many lines of an origin, whose offset says whether there are any; `bare` as in `Message`."""
        way: OriginRoute = self._ways[origin.host, origin.path, origin.offset_bytes is None, bare]
        if way.more(lines) and (bare or self.flow.unwrapped):
            way.make(fast_path(self.flow, self.flow.first, replace(origin, kafka=None, captured_ms=None), self._kept))
        return way
