"""Builds ids, versions and index names, so that each fact is stored once, however often it is read.

The rules are the design's promise 3. What identifies the facts of a source is declared in its source.toml.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from ingest.core.timestamps import MS_PER_DAY

_FACILITY = re.compile(r"[a-z0-9_]{1,64}")
_KIND = re.compile(r"[a-z]{1,32}")
_INDEX = re.compile(rf"perf-({_KIND.pattern})-({_FACILITY.pattern})(?:-([0-9]{{4}}(?:\.[0-9]{{2}})?))?")
_PLAIN_ID = re.compile(r"[a-z0-9_.:-]+")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
FACT_KINDS = (
    "marks",
    "network",
    "transfers",
)  # what sources make of messages
REVISION_BITS = 12
UPDATE_BITS = 44
LATEST_UPDATE_S = (1 << UPDATE_BITS) - 1
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
    if len(text) > MAX_PLAIN_ID or _PLAIN_ID.fullmatch(text) is None:
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


def update_s_of(version_: int) -> int:
    """Return the update time (unix s) in a version; 0 if its facts are not updated."""
    return version_ >> REVISION_BITS & LATEST_UPDATE_S


def at_revision(version_: int, revision: int) -> int:
    """Return the version with the same state and update at another revision of the source."""
    return version_ - revision_of(version_) + revision


def is_kind(name: str) -> bool:
    """Whether a name is valid for a kind of document: lower-case letters, so that no pattern covers two kinds."""
    return _KIND.fullmatch(name) is not None


def template_name(kind: str) -> str:
    """Return the name of the index template of a kind; `*` for all kinds."""
    return f"perf-{kind}"


def kind_of_template(name: str) -> str:
    """Return the kind whose index template has this name."""
    return name.removeprefix("perf-")


def index_pattern(kind: str, facilities: Sequence[str] = ()) -> str:
    """Return the indices that a search of a kind asks for: those of the given facilities, or of all if none is given.

    The pattern covers the index without a period and those of every period. So a search also reaches the documents that
    were written before the period of a kind changed. `*` for all kinds.
    """
    return ",".join(f"perf-{kind}-{name},perf-{kind}-{name}-*" for name in facilities) or f"perf-{kind}-*"


def index_patterns(kinds: Iterable[str], facilities: Sequence[str] = ()) -> str:
    """Return the indices that a search of several kinds asks for."""
    return ",".join(index_pattern(kind, facilities) for kind in kinds)


class IndexName(NamedTuple):
    """The parts of an index name; `period` is `2016`, `2016.02` or empty."""

    kind: str
    facility: str
    period: str


@lru_cache(maxsize=1024)
def parse_index(name: str) -> IndexName:
    """Take the name of one of our indices apart; ValueError for any other name."""
    parts = _INDEX.fullmatch(name)
    if parts is None:
        raise ValueError(f"`{name[:100]}` is no index of perflog")
    return IndexName(parts[1], parts[2], parts[3] or "")


@lru_cache(maxsize=1024)
def index_name(kind: str, facility: str, period: str, day: int) -> str:
    """Return `perf-<kind>-<facility>[-<period>]`; the period (`month`, `year`, `none`) is that of a day since 1970.

    `Schema.index` is what makes names: it knows the period of each kind.
    """
    if period == "none":
        return f"perf-{kind}-{facility}"
    at = datetime.fromtimestamp(day * MS_PER_DAY // 1000, UTC)
    return f"perf-{kind}-{facility}-{at:%Y.%m}" if period == "month" else f"perf-{kind}-{facility}-{at:%Y}"
