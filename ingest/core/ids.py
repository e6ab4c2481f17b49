"""Identity, version and index name: the three that make a fact arrive once, wherever and however often it is read.

The rules are the design's promise 3; what makes up the identity of a source's facts is declared in its source.toml.
"""

import re
from binascii import b2a_base64
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

_FACILITY = re.compile(r"[a-z0-9_]{1,64}")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
REVISION_BITS = 12
UPDATE_BITS = 44
MAX_PLAIN_ID = 128
MAX_NAME = 1024  # characters of what an index searches for
DIGEST_LETTERS = 22


def is_facility(name: str) -> bool:
    """Whether it can name a facility: lower-case letters, digits and `_`, so that index names can be taken apart."""
    return _FACILITY.fullmatch(name) is not None


def digest_id(*parts: bytes) -> str:
    """A 128-bit digest of the parts, each preceded by its length so that no two splits collide; 22 URL-safe letters."""
    return letters(begun(*parts).digest())


def begun(*parts: bytes) -> blake2b:
    """The digest of the parts so far, to be continued: see `digest_id`."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest


def letters(digest: bytes) -> str:
    """16 bytes as 22 URL-safe letters."""
    return b2a_base64(digest, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def fitting(name: str) -> str:
    """A name as an index takes it: of a longer one its beginning and a digest of the whole, so that no two merge."""
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - DIGEST_LETTERS - 1]}…{digest_id(name.encode('utf-8', 'replace'))}"


def plain_id(text: str) -> str:
    """An id that the world gave (a run's UUID, a session id), in lower case; ValueError if it cannot serve as one."""
    text = text.strip().lower()
    if not text or len(text) > MAX_PLAIN_ID or not all(c.isascii() and (c.isalnum() or c in "-_.:") for c in text):
        raise ValueError(f"`{text[:60]}` cannot identify a result")
    return text


def version(rank: int, update_time_s: int, revision: int) -> int:
    """External version: later states win, then later updates, then later revisions of the source that parsed it.

    Fits a signed 64-bit integer for rank < 128, update times before the year 500,000 and revisions < 4096.
    """
    return (rank << (REVISION_BITS + UPDATE_BITS)) + (update_time_s << REVISION_BITS) + revision


def revision_of(version_: int) -> int:
    """The revision of the source that a document of this version was parsed by."""
    return version_ & (1 << REVISION_BITS) - 1


def at_revision(version_: int, revision: int) -> int:
    """The same state and update as another revision of the source parses them."""
    return version_ - revision_of(version_) + revision


@lru_cache(maxsize=1024)
def _period(kind: str, facility: str, period: str, day: int) -> str:
    if period == "none":
        return f"perf-{kind}-{facility}"
    at = datetime.fromtimestamp(day * 86_400, UTC)
    return f"perf-{kind}-{facility}-{at:%Y.%m}" if period == "month" else f"perf-{kind}-{facility}-{at:%Y}"


def index_name(kind: str, facility: str, period: str, at_ms: int) -> str:
    """`perf-<kind>-<facility>[-<period>]`, the period (`month`, `year`, `none`) taken from `at_ms` in UTC."""
    return _period(kind, facility, period, at_ms // 86_400_000)
