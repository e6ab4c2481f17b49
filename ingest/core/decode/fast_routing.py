"""Choose the path of each line: the fast path of its origin if there is one, otherwise the slow path.

An origin is a host, a path, and whether it reports offsets. It gets a fast path only if no wrapper or prefix has to be
removed, if the intake's first source has plain lines, and once it has sent enough lines: otherwise a thousand files of
a few lines each would all be learnt for nothing.
"""

from dataclasses import replace

from ingest.core.cache import Cache
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import FastPath, Read, RecordContext, Write, fast_path
from ingest.core.decode.fast_template import FastPathCaches
from ingest.core.model import Provenance

LINES_BEFORE = 64  # of an origin take the slow path before its fast path is built
ORIGINS = 4096


class OriginRoute:
    """The state of one origin: how many lines it has sent, and its fast path once there were enough."""

    __slots__ = ("_context", "_fast_path", "_lines", "_write", "read")

    def __init__(self) -> None:
        self._lines = 0
        self._context: RecordContext | None = None
        self._fast_path: FastPath | None = None
        self._write: Write | None = None
        self.read: Read | None = None

    def more(self, lines: int) -> bool:
        """Count lines; return True if they cross the threshold at which the fast path is built."""
        before, self._lines = self._lines, self._lines + lines
        return before < LINES_BEFORE <= self._lines

    def make(self, path: FastPath | None) -> None:
        """Set the fast path, if there is one."""
        self._fast_path = path
        self.read = path.reader() if path else None

    def write(self, context: RecordContext) -> Write:
        """Return the writer for a record context; build a new one if the context has changed."""
        assert self._fast_path is not None  # noqa: S101 - only a reader of this fast path gets here
        if self._write is None or self._context != context:
            self._write, self._context = self._fast_path.writer(context), context
        return self._write


RouteKey = tuple[str | None, str | None, bool, bool]
"""Host, path, whether there is no offset, and `bare` as in `Message`."""


class OriginRoutes:
    """The routes of one decoder, by origin."""

    def __init__(self, decoder: Decoder) -> None:
        """Start without any known origin."""
        self.decoder = decoder
        self._routes: Cache[RouteKey, OriginRoute] = Cache(lambda _: OriginRoute(), ORIGINS)
        self._caches = FastPathCaches()

    def route(self, origin: Provenance, lines: int, bare: bool = False) -> OriginRoute:
        """Return the route for `lines` more lines of an origin; `bare` as in `Message`.

        Only whether the origin's offset is None matters, not its value.
        """
        route = self._routes[origin.host, origin.path, origin.offset_bytes is None, bare]
        if route.more(lines) and (bare or self.decoder.is_plain):
            route.make(
                fast_path(self.decoder, self.decoder.first, replace(origin, kafka=None, captured_ms=None), self._caches)
            )
        return route
