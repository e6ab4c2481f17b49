"""Records of transfers for tests of movements: a file told by Rucio, FTS and XRootD, a task by Globus and DTNs."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from ingest.core.movements.record import TransferEnd, TransferRecord

BEGIN_MS = 1_772_652_060_000
SOURCE, TARGET = TransferEnd("lbl-diskpt1.es.net"), TransferEnd("cern-diskpt1.es.net")
SOURCE_URL, TARGET_URL = "davs://lbl-diskpt1.es.net:443/als/a.h5", "davs://cern-diskpt1.es.net:443/als/a.h5"
_numbers = count(1)


def record(source: str, **fields: Any) -> TransferRecord:
    """A record of a source with these fields, its id made up unless it is given."""
    known = {"id": f"doc-{next(_numbers)}", "version": 1, "at_ms": BEGIN_MS, "tool": source, "observer": "service"}
    return TransferRecord(**{**known, "source": source, **fields})


def ended(source: str, moved_bytes: int | None, seconds: float = 20, **fields: Any) -> TransferRecord:
    """A record of a transfer that ended well after so many seconds."""
    times = {"start_ms": BEGIN_MS, "end_ms": BEGIN_MS + int(seconds * 1000), "final": True, "outcome": "success"}
    return record(source, **{"level": "file", "bytes": moved_bytes, **times, **fields})


def fts(file_id: int, **fields: Any) -> TransferRecord:
    """FTS's record of the end of one file of a job."""
    own = {"transfer_id": f"job-7/{file_id}", "parent_id": "job-7", "event": "complete"}
    ends = {"origin": SOURCE, "target": TARGET, "source_url": SOURCE_URL, "destination_url": TARGET_URL}
    return ended("fts", 10**10, **{**own, **ends, **fields})


def rucio(request_id: str = "c0ffee", **fields: Any) -> TransferRecord:
    """Rucio's record of the end of one request, that FTS moved as a file of job 7."""
    own = {"transfer_id": request_id, "external_id": "job-7", "event": "transfer-done"}
    ends = {"origin": SOURCE, "target": TARGET, "source_url": SOURCE_URL, "destination_url": TARGET_URL}
    return ended("rucio", 10**10, 25, **{**own, **ends, **fields})


def close(observer: str, server: TransferEnd, client: TransferEnd, **fields: Any) -> TransferRecord:
    """XRootD's record of a closed file: read from the server (its sender), or written to it (its receiver)."""
    ends = {"origin": server, "target": client} if observer == "sender" else {"origin": client, "target": server}
    return ended(
        "xrootd_close", 10**10, **{"level": "session", "observer": observer, "path": "/als/a.h5", **ends, **fields}
    )


def globus(task: str = "task-1", **fields: Any) -> TransferRecord:
    """Globus's record of a task that ended."""
    return ended("globus_task", 10**12, 250, **{"tool": "globus", "transfer_id": task, "level": "task", **fields})


def dtn(observer: str, number: int, moved_bytes: int, task: str | None = "task-1", **fields: Any) -> TransferRecord:
    """What the GridFTP server at one end logs of one file."""
    own = {"tool": "gridftp", "observer": observer, "parent_id": task, "path": f"/data/{number}.h5"}
    return ended("gridftp", moved_bytes, **{**own, "transfer_id": f"{observer}-{number}", **fields})


def task_of_files(files: int) -> Iterator[TransferRecord]:
    """What both DTNs log of a task of so many files of 1, 2, 3 … MB."""
    for number in range(1, files + 1):
        for observer in ("sender", "receiver"):
            yield dtn(observer, number, number * 10**6)
