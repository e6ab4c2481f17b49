"""Units: the largest things whose records share an id: a Globus task with all that its servers log, else one file.

A unit is the smallest candidate for a movement; matching.py joins units that several tools told of one movement.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ingest.core.movements.record import TransferRecord

TASK, FILE = "task", "file"
GLOBUS, GRIDFTP = "globus", "gridftp"


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


def task_id(record: TransferRecord) -> str | None:
    """The task of Globus that a record belongs to: its own, or the one that GridFTP's servers log with a file.

    A job of FTS or a rule of Rucio is no unit: nothing tells when all of it has moved.
    """
    task = record.transfer_id if record.tool == GLOBUS else record.parent_id if record.tool == GRIDFTP else None
    return task.lower() if task else None


def unit_key(record: TransferRecord) -> UnitKey:
    """The unit of a record, as the record alone tells it.

    The lines of GridFTP's "ng" log share process and file; only the last of them may name the task.
    """
    if record.session is not None:
        return UnitKey(FILE, record.source, f"{record.session}:{record.path or ''}")
    task = task_id(record)
    return UnitKey(TASK, GLOBUS, task) if task else UnitKey(FILE, record.source, record.transfer_id or record.id)


def units_of(records: Iterable[TransferRecord]) -> list[Unit]:
    """Group records into units; of two versions of one fact the newer counts. The order of the records is nothing.

    A file of which any record names its task belongs to the unit of that task.
    """
    newest: dict[str, TransferRecord] = {}
    for record in records:
        before = newest.get(record.id)
        if before is None or record.version > before.version:
            newest[record.id] = record
    by_file: dict[UnitKey, list[TransferRecord]] = {}
    for record in newest.values():
        by_file.setdefault(unit_key(record), []).append(record)
    by_key: dict[UnitKey, list[TransferRecord]] = {}
    for key, of_file in by_file.items():
        task = min((task for record in of_file if (task := task_id(record))), default=None)
        by_key.setdefault(UnitKey(TASK, GLOBUS, task) if task else key, []).extend(of_file)
    return [Unit(key, tuple(sorted(by_key[key], key=_by_time))) for key in sorted(by_key)]


def _by_time(record: TransferRecord) -> tuple[int, str]:
    return record.at_ms, record.id
