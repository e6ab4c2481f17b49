"""Derive one movement from the records that told it: which bytes count, between which ends, when, and how it ended.

A movement is a function of its records and polls: the same set gives the same movement, in whatever order it came.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from ingest.core.ids import digest_id
from ingest.core.movements.matching import UnitGroup
from ingest.core.movements.polls import Growth
from ingest.core.movements.record import WAITS, TransferEnd, TransferRecord
from ingest.core.movements.units import TASK, UnitKey

MOST_RECORDS = 1000
NO_POLLS = Growth()
T = TypeVar("T")
MS_PER_S = 1000
SUCCESS, FAILURE, UNKNOWN = "success", "failure", "unknown"
WITNESSES = (
    "globus", "globus_task", "globus_event", "fts", "rucio", "xrootd_tpc", "gridftp", "gridftp_ng", "xrootd_cache",
    "xrootd_close",
)  # fmt: skip
"""Sources by how much they know of a whole transfer, the best first; it orders records that tell the same."""


class MovementBytes(NamedTuple):
    """The bytes of a movement: `record` is the document that tells the whole; None where they are a sum over files."""

    bytes: int | None
    record: str | None
    observer: str | None
    files: int | None


class Movement(NamedTuple):
    """One movement of bytes; times are unix ms, what no record tells is None.

    Attributes:
        id: the document's id; key: what other facilities that told it have in common with this one.
        records: ids of the records that told it (the first 1,000 by time); record_count: how many there are.
        join: `id` where its record names the run.
        grew_ms: when its bytes last grew, as far as polls or its end tell.
    """

    id: str
    key: str
    level: str
    records: tuple[str, ...]
    record_count: int
    sources: tuple[str, ...]
    counted: MovementBytes
    size_bytes: int | None
    outcome: str
    final: bool
    error: str | None
    start_ms: int | None
    end_ms: int | None
    queued_ms: int | None
    waits: tuple[tuple[str, float], ...]
    faults: int | None
    origin: TransferEnd
    target: TransferEnd
    run: str | None
    stage: str | None
    label: str | None
    dataset: str | None
    probe: bool
    synthetic: bool
    stalled: bool
    grew_ms: int | None
    ambiguous: tuple[UnitKey, ...] = ()

    @property
    def rate_bps(self) -> float | None:
        """Bytes × 8 / (end − start); None without both instants, or within one millisecond."""
        if self.counted.bytes is None or self.start_ms is None or self.end_ms is None or self.end_ms <= self.start_ms:
            return None
        return self.counted.bytes * 8 * MS_PER_S / (self.end_ms - self.start_ms)


def movement_of(group: UnitGroup, growth: Growth = NO_POLLS) -> Movement:
    """Derive the movement of a group of units that belong together."""
    records = sorted((record for unit in group.units for record in unit.records), key=_witness)
    whole = _whole(records)
    key = min((unit.key for unit in group.units), key=key_order)
    outcome, error = _outcome(records, whole)
    start_ms, end_ms = _span(records, whole)
    counted = _counted(records, whole)
    by_time = sorted(records, key=lambda record: (record.at_ms, record.id))
    return Movement(
        id=digest_id(*(part.encode() for part in key)),
        key=":".join(key),
        level=key.level,
        records=tuple(record.id for record in by_time[:MOST_RECORDS]),
        record_count=len(records),
        sources=tuple(sorted({record.source for record in records})),
        counted=counted,
        size_bytes=_first(record.size_bytes for record in records),
        outcome=outcome,
        final=outcome != UNKNOWN or any(record.final for record in records if record is whole),
        error=error,
        start_ms=start_ms,
        end_ms=end_ms,
        queued_ms=min((record.queued_ms for record in records if record.queued_ms is not None), default=None),
        waits=_waits(records),
        faults=max((record.faults for record in records if record.faults is not None), default=None),
        origin=_end([record.origin for record in records]),
        target=_end([record.target for record in records]),
        run=_first(record.run for record in records),
        stage=_first(record.stage for record in records),
        label=_first(record.label for record in records),
        dataset=_first(record.dataset for record in records),
        probe=any(record.probe for record in records),
        synthetic=any(record.synthetic for record in records),
        stalled=outcome == UNKNOWN and growth.is_stalled,
        grew_ms=end_ms if outcome == SUCCESS else growth.grew_ms,
        ambiguous=group.ambiguous,
    )


def _witness(record: TransferRecord) -> tuple[int, int, bool, int, str]:
    """Order records: the whole before parts, the better witness first, what has ended first, then by time."""
    order = WITNESSES.index(record.source) if record.source in WITNESSES else len(WITNESSES)
    return (record.level != TASK), order, not record.final, -(record.end_ms or record.at_ms), record.id


def key_order(key: UnitKey) -> tuple[bool, int, UnitKey]:
    """Order the units of a movement: tasks first, then the better witness; the first one's key is the movement's."""
    order = WITNESSES.index(key.source) if key.source in WITNESSES else len(WITNESSES)
    return key.level != TASK, order, key


def _whole(records: Sequence[TransferRecord]) -> TransferRecord | None:
    """The record that tells the whole and has ended, by the best witness; None if only files of it were told."""
    if any(record.level == TASK for record in records):
        return next((record for record in records if record.level == TASK and record.final), None)
    if any(record.parent_id and record.tool == "gridftp" for record in records):
        return None
    ended = [record for record in records if record.final and record.bytes is not None]
    return ended[0] if ended and not any(record.level == "part" for record in ended) else None


def _counted(records: Sequence[TransferRecord], whole: TransferRecord | None) -> MovementBytes:
    """The bytes of the whole; else the sum over the records of one observer, the one that tells of most bytes.

    Every record is one attempt at one file or part, so that their sum counts each attempt once. Both ends of a transfer
    log the same bytes: only one of them is added.
    """
    if whole is not None and whole.bytes is not None:
        return MovementBytes(whole.bytes, whole.id, whole.observer, whole.files)
    sums: dict[tuple[str, str], int] = {}
    files: dict[tuple[str, str], set[str]] = {}
    for record in records:
        if record.bytes is not None and record.level != TASK:
            observer = (record.source, record.observer or "")
            sums[observer] = sums.get(observer, 0) + record.bytes
            files.setdefault(observer, set()).add(record.path or record.id)
    if not sums:
        active = next((record for record in records if record.bytes is not None), None)
        return MovementBytes(active and active.bytes, active and active.id, active and active.observer, None)
    best = max(sums, key=lambda observer: (sums[observer], observer))
    return MovementBytes(sums[best], None, best[1] or None, len(files[best]))


def _outcome(records: Sequence[TransferRecord], whole: TransferRecord | None) -> tuple[str, str | None]:
    """Outcome and reason of the whole; without it success where every ended file succeeded.

    A file is tried again after a failure: of its attempts the last counts.
    """
    if whole is not None:
        return whole.outcome, whole.error if whole.outcome == FAILURE else None
    if any(record.level == TASK for record in records):
        return UNKNOWN, None
    last: dict[str, TransferRecord] = {}
    for record in sorted(records, key=lambda record: (record.end_ms or record.at_ms, record.id)):
        if record.final:
            last[record.path or record.id] = record
    failed = next((record for record in last.values() if record.outcome == FAILURE), None)
    if failed is not None:
        return FAILURE, failed.error
    return (SUCCESS if last else UNKNOWN), None


def _span(records: Sequence[TransferRecord], whole: TransferRecord | None) -> tuple[int | None, int | None]:
    """Start and end of the whole where it tells both; else from the first start to the last end, if no task goes on."""
    if whole is not None and whole.start_ms is not None and whole.end_ms is not None:
        return whole.start_ms, whole.end_ms
    starts = [record.start_ms for record in records if record.start_ms is not None]
    ends = [record.end_ms for record in records if record.end_ms is not None]
    goes_on = whole is None and any(record.level == TASK for record in records)
    return min(starts, default=None), None if goes_on else max(ends, default=None)


def _waits(records: Sequence[TransferRecord]) -> tuple[tuple[str, float], ...]:
    """Each phase as the best witness tells it; the wait from being queued to the start where two records tell them."""
    waits = {name: _first(dict(record.waits).get(name) for record in records) for name in WAITS}
    return tuple((name, value) for name, value in waits.items() if value is not None)


def _end(ends: Sequence[TransferEnd]) -> TransferEnd:
    """One end of all records: each part as the best witness that knows it tells it."""
    return TransferEnd(
        _first(end.domain for end in ends), _first(end.ip for end in ends), _first(end.site for end in ends)
    )


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)
