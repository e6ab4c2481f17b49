"""Builds ids, versions and index names, so that each fact is stored once, however often it is read.

The rules are the design's promise 3. What identifies the facts of a source is declared in its source.toml.
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
MAX_NAME = 1024  # characters; longer keywords are not indexed
DIGEST_LETTERS = 22


def is_facility(name: str) -> bool:
    """Whether a name is valid for a facility: lower-case letters, digits and `_`, so index names can be split again."""
    return _FACILITY.fullmatch(name) is not None


def digest_id(*parts: bytes) -> str:
    """A 128-bit digest of the parts, each preceded by its length so that no two splits collide; 22 URL-safe letters."""
    return letters(begun(*parts).digest())


def begun(*parts: bytes) -> blake2b:
    """Start the digest of `digest_id` with the first parts, to be continued by the caller."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest


def letters(digest: bytes) -> str:
    """Encode 16 bytes as 22 URL-safe letters."""
    return b2a_base64(digest, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def fitting(name: str) -> str:
    """Return a name short enough to index; a longer one is cut and ends in a digest, so that no two names merge."""
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - DIGEST_LETTERS - 1]}…{digest_id(name.encode('utf-8', 'replace'))}"


def plain_id(text: str) -> str:
    """Return an id from outside (a run's UUID, a session id) in lower case; ValueError if it cannot serve as one."""
    text = text.strip().lower()
    if not text or len(text) > MAX_PLAIN_ID or not all(c.isascii() and (c.isalnum() or c in "-_.:") for c in text):
        raise ValueError(f"`{text[:60]}` cannot identify a result")
    return text


def version(rank: int, update_time_s: int, revision: int) -> int:
    """Build an external version: a later state wins, then a later update, then a higher revision of the source.

    Fits a signed 64-bit integer for rank < 128, update times before the year 500,000 and revisions < 4096.
    """
    return (rank << (REVISION_BITS + UPDATE_BITS)) + (update_time_s << REVISION_BITS) + revision


def revision_of(version_: int) -> int:
    """Return the revision of the source that made a document of this version."""
    return version_ & (1 << REVISION_BITS) - 1


def at_revision(version_: int, revision: int) -> int:
    """Return the version with the same state and update at another revision of the source."""
    return version_ - revision_of(version_) + revision


@lru_cache(maxsize=1024)
def _period(kind: str, facility: str, period: str, day: int) -> str:
    if period == "none":
        return f"perf-{kind}-{facility}"
    at = datetime.fromtimestamp(day * 86_400, UTC)
    return f"perf-{kind}-{facility}-{at:%Y.%m}" if period == "month" else f"perf-{kind}-{facility}-{at:%Y}"


def index_name(kind: str, facility: str, period: str, at_ms: int) -> str:
    """Return `perf-<kind>-<facility>[-<period>]`; the period (`month`, `year`, `none`) is that of `at_ms` in UTC."""
    return _period(kind, facility, period, at_ms // 86_400_000)
