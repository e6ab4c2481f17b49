"""The set of a run's marks, compact: what stages and runs are derived from, and nothing else.

The set only grows. Union by mark id, the highest version wins: commutative, associative and idempotent, so that any
number of workers may merge in any order, and what is derived from the set does not depend on them. Nothing of
provenance is kept (host, file, offset): it tells of the first copy only and must not enter anything derived.

Two things of a mark's past must not be forgotten, and are merged as sets are: that a former version opened a stage (and
in the index of which year), since that stage has to be retracted when the mark no longer does; and that the mark itself
was retracted (it stays in the set, so that its older version, replayed, does not come back).

A stamp that failed its line's self-check (flags clock_skew, printed_late, zone_suspect), or whose zone was taken from
the value itself (zone_inferred, zone_unlisted: quarters of an hour are in doubt), is not measured from: the mark has no
lag, however its document tells it.
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
    """Whose marks belong together: a run id means something only within its facility and source."""

    facility: str
    source: str
    run: str

    @property
    def id(self) -> str:
        """The id of its runstate document; its runs' ids are made from it."""
        return digest_id(self.facility.encode(), self.source.encode(), self.run.encode())


class MarkKind(NamedTuple):
    """What many marks share: the stage (as written, and split), the key and its role, the workflow. Absent = empty."""

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
        id, version: of the document of kind marks; `at_ms` its instant (unix ms).
        lag_ms: the emission lag: from the instant to the printing of its line; None when nothing tells it.
        retracted: the document was; the mark counts no more.
        opened: years in whose index a former version opened a stage, beside the one that this version opens.
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
        """The latest instant that its line proves: its printing, or its own instant."""
        return self.at_ms + self.lag_ms if self.lag_ms and self.lag_ms > 0 else self.at_ms

    @property
    def opens(self) -> bool:
        """Whether it may open a stage."""
        return self.what.role == START and not self.retracted

    @property
    def years(self) -> frozenset[int]:
        """All years in whose index it may have opened a stage, in this version or a former one."""
        return frozenset((*self.opened, year_of(self.at_ms))) if self.opens else frozenset(self.opened)


def last_seen_ms(marks: Iterable[RunMark]) -> int:
    """The latest instant that the lines of marks (at least one) prove: the greatest `seen_ms`."""
    return max([at_ms + lag_ms if lag_ms and lag_ms > 0 else at_ms for _, _, at_ms, lag_ms, _, _, _ in marks])


def year_of(ms: int) -> int:
    """The year of an instant in UTC, as index names have it."""
    return _year_of_day(ms // 86_400_000)


@lru_cache(maxsize=4096)
def _year_of_day(day: int) -> int:
    return datetime.fromtimestamp(day * 86_400, UTC).year


def key_of(body: Mapping[str, Any]) -> RunKey | None:
    """Whose mark a document of kind marks is; None when it belongs to no run or names no stage: nothing joins it."""
    perf = body["perf"]
    run = run_of(perf)
    return RunKey(perf["facility"], perf["source"], run) if run else None


def run_of(perf: Mapping[str, Any]) -> str:
    """The run id that a document of kind marks joins, from what it says under `perf`; empty as `key_of`."""
    run = perf.get("run")
    return run["id"] if run and "name" in perf.get("stage", ()) else ""


def mark_of(doc_id: str, version: int, body: Mapping[str, Any]) -> RunMark | None:
    """The compact form of a document of kind marks; None as `key_of`."""
    perf = body["perf"]
    stage = perf.get("stage")
    if stage is None or "name" not in stage or "run" not in perf:
        return None
    mark, text = perf["mark"], stage.get
    what = _shared(
        stage["name"], mark.get("key", ""), mark["role"],
        text("family", ""), text("product", ""), text("variant", ""), text("split", ""), perf.get("workflow", ""),
    )  # fmt: skip
    at_ms, flags = of_iso(body["@timestamp"]), perf.get("flags")
    lag_ms = None if flags and DOUBTFUL.intersection(flags) else _lag_ms(at_ms, mark.get("emit_lag_s"))
    return RunMark(doc_id, version, at_ms, lag_ms, what, perf.get("retracted", False))


@lru_cache(maxsize=8192)
def _shared(*texts: str) -> MarkKind:
    """One object for all marks that share it: it is compared and hashed often."""
    return MarkKind(*texts)


def _lag_ms(at_ms: int, lag_s: float | None) -> int | None:
    """The lag, without decimals where the stamp has none: they would be the instant's, not the lag's."""
    if lag_s is None:
        return None
    lag_ms = round(lag_s * 1000)
    return int(lag_ms / 1000) * 1000 if at_ms % 1000 and (at_ms + lag_ms) % 1000 == 0 else lag_ms
