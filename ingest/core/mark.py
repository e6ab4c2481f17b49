"""The compact form of a run's marks, from which alone its stages and runs are derived.

The marks of a run form a set that only grows. It is merged by mark id, and the highest version wins. This union is
commutative, associative and idempotent, so any number of workers may merge in any order with the same result. Marks
keep no provenance (host, file, offset): it describes the first copy only and must not affect derived documents.

Two facts about earlier versions of a mark are kept. The first is the years in whose index a version opened a stage: the
stage must be retracted if the mark no longer opens it. The second is that the mark was retracted: it stays in the set,
so that replaying its older version does not bring it back.

A mark has no lag if its timestamp is in doubt, whatever its document says: the timestamp failed its line's self-check
(flags clock_skew, printed_late, zone_suspect), or its zone was inferred from the value (zone_inferred, zone_unlisted),
which may be wrong by quarters of an hour.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from ingest.core.ids import digest_id
from ingest.core.timestamps import of_iso

CLOCK_SKEW, PRINTED_LATE, ZONE_SUSPECT = "clock_skew", "printed_late", "zone_suspect"
ZONE_INFERRED, ZONE_UNLISTED = "zone_inferred", "zone_unlisted"
DOUBTFUL = frozenset({CLOCK_SKEW, PRINTED_LATE, ZONE_SUSPECT, ZONE_INFERRED, ZONE_UNLISTED})
START, END, QUEUED, WORK, OTHER = "start", "end", "queued", "work", "other"


class RunKey(NamedTuple):
    """Identifies a run; a run id is unique only within its facility and source."""

    facility: str
    source: str
    run: str

    @property
    def id(self) -> str:
        """The id of its runstate document; the ids of its run documents are made from it."""
        return digest_id(self.facility.encode(), self.source.encode(), self.run.encode())


class MarkKind(NamedTuple):
    """The fields that many marks share: stage (full name and parts), key, role and workflow; empty if absent."""

    stage: str
    key: str
    role: str
    family: str = ""
    product: str = ""
    variant: str = ""
    split: str = ""
    workflow: str = ""


class RunMark(NamedTuple):
    """One instant of a run.

    Attributes:
        id, version: id and version of its document of kind marks.
        at_ms: the instant (unix ms).
        lag_ms: the emission lag, from the instant to the printing of its line; None if unknown.
        what: the fields it shares with other marks.
        retracted: the document was retracted, so the mark no longer counts.
        opened: years in whose index an earlier version opened a stage, besides the year of this version.
    """

    id: str
    version: int
    at_ms: int
    lag_ms: int | None
    what: MarkKind
    retracted: bool = False
    opened: tuple[int, ...] = ()

    @property
    def seen_ms(self) -> int:
        """The latest instant that its line proves: when it was printed, or its own instant if that is later."""
        return self.at_ms + self.lag_ms if self.lag_ms and self.lag_ms > 0 else self.at_ms

    @property
    def opens(self) -> bool:
        """Whether it may open a stage."""
        return self.what.role == START and not self.retracted

    @property
    def years(self) -> frozenset[int]:
        """All years in whose index this version or an earlier one may have opened a stage."""
        return frozenset((*self.opened, year_of(self.at_ms))) if self.opens else frozenset(self.opened)


def last_seen_ms(marks: Iterable[RunMark]) -> int:
    """Return the greatest `seen_ms` of the marks (at least one)."""
    # Unpacked at once: see core/bulk.py.
    return max([at_ms + lag_ms if lag_ms and lag_ms > 0 else at_ms for _, _, at_ms, lag_ms, _, _, _ in marks])


def year_of(ms: int) -> int:
    """Return the year of an instant in UTC, as in index names."""
    return _year_of_day(ms // 86_400_000)


@lru_cache(maxsize=4096)
def _year_of_day(day: int) -> int:
    return datetime.fromtimestamp(day * 86_400, UTC).year


def key_of(body: Mapping[str, Any]) -> RunKey | None:
    """Return the run of a document of kind marks; None if it names no run or no stage."""
    perf = body["perf"]
    run = run_of(perf)
    return RunKey(perf["facility"], perf["source"], run) if run else None


def run_of(perf: Mapping[str, Any]) -> str:
    """Return the run id from the `perf` object of a document of kind marks; empty if it names no run or no stage."""
    run = perf.get("run")
    return run["id"] if run and "name" in perf.get("stage", ()) else ""


def mark_of(doc_id: str, version: int, body: Mapping[str, Any]) -> RunMark | None:
    """Return the compact form of a document of kind marks; None if it names no run or no stage."""
    perf = body["perf"]
    stage = perf.get("stage")
    if stage is None or "name" not in stage or "run" not in perf:
        return None
    mark, text = perf["mark"], stage.get
    kind = _shared(
        stage["name"], mark.get("key", ""), mark["role"],
        text("family", ""), text("product", ""), text("variant", ""), text("split", ""), perf.get("workflow", ""),
    )  # fmt: skip
    at_ms, flags = of_iso(body["@timestamp"]), perf.get("flags")
    lag_ms = None if flags and DOUBTFUL.intersection(flags) else _lag_ms(at_ms, mark.get("emit_lag_s"))
    return RunMark(doc_id, version, at_ms, lag_ms, kind, perf.get("retracted", False))


@lru_cache(maxsize=8192)
def _shared(*texts: str) -> MarkKind:
    """Return one shared object for equal values, because it is compared and hashed often."""
    return MarkKind(*texts)


def _lag_ms(at_ms: int, lag_s: float | None) -> int | None:
    """Return the lag (ms), cut to whole seconds if the printed timestamp has only seconds.

    The decimals would be those of the instant, not of the lag.
    """
    if lag_s is None:
        return None
    lag_ms = round(lag_s * 1000)
    return int(lag_ms / 1000) * 1000 if at_ms % 1000 and (at_ms + lag_ms) % 1000 == 0 else lag_ms
