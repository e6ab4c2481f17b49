"""Units: the largest things whose records share an id: a Globus task with all that its servers log, else one file.

A unit is the smallest candidate for a movement; matching.py joins units that several tools told of one movement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ingest.core.movements.record import TransferRecord

TASK, FILE = "task", "file"
GLOBUS = "globus"


class UnitKey(NamedTuple):
    """What the records of a unit share: `task` and the task's id, or `file`, the source and the transfer's id."""

    level: str
    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The newest version of every record of a unit, by time and id."""

    key: UnitKey
    records: tuple[TransferRecord, ...]

    @property
    def sources(self) -> set[tuple[str, str | None, str | None]]:
        """Source, level and observer of its records: two units that share one are two movements."""
        return {(record.source, record.level, record.observer) for record in self.records}


def unit_key(record: TransferRecord) -> UnitKey:
    """The unit of a record.

    GridFTP's servers log the task that a file belongs to, so their lines belong to the unit of that task. A job of FTS
    or a rule of Rucio is no unit: nothing tells when all of it has moved.
    """
    if record.tool == GLOBUS and record.transfer_id:
        return UnitKey(TASK, GLOBUS, record.transfer_id.lower())
    if record.tool == "gridftp" and record.parent_id:
        return UnitKey(TASK, GLOBUS, record.parent_id.lower())
    return UnitKey(FILE, record.source, record.transfer_id or record.id)


def units_of(records: Iterable[TransferRecord]) -> list[Unit]:
    """Group records into units; of two versions of one fact the newer counts. The order of the records is nothing."""
    newest: dict[str, TransferRecord] = {}
    for record in records:
        before = newest.get(record.id)
        if before is None or record.version > before.version:
            newest[record.id] = record
    by_key: dict[UnitKey, list[TransferRecord]] = {}
    for record in newest.values():
        by_key.setdefault(unit_key(record), []).append(record)
    return [_unit(key, by_key) for key in sorted(by_key)]


def _unit(key: UnitKey, by_key: Mapping[UnitKey, list[TransferRecord]]) -> Unit:
    return Unit(key, tuple(sorted(by_key[key], key=lambda record: (record.at_ms, record.id))))
