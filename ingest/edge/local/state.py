"""The stack's state file, which remembers what `up` started, and the lock that lets one process change it at a time."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from stat import S_ISDIR
from typing import IO

from ingest.core.model import ExitCode, Problem
from ingest.edge.local.processes import Process
from ingest.edge.local.service import Started

STATE_FILE = "stack.json"
LOCK_FILE = "stack.lock"


def read(folder: Path) -> dict[str, Started]:
    """Return the servers started in this folder and not ended by `down`, by name; they may have died since."""
    try:
        text = (folder / STATE_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        entries = [
            Started(**{**entry, "log": Path(entry["log"]), "process": Process(**entry["process"])})
            for entry in json.loads(text)["services"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(
            f"{folder / STATE_FILE} is not a state file of perflog ({error}).",
            "If no server runs from that folder, delete the file; else choose another --folder.",
            ExitCode.IO_ERROR,
        ) from error
    return {entry.name: entry for entry in entries}


def write(folder: Path, started: dict[str, Started]) -> None:
    """Replace the whole state atomically; remove the file if there is nothing to remember."""
    path = folder / STATE_FILE
    if not started:
        path.unlink(missing_ok=True)
        return
    entries = [{**asdict(server), "log": str(server.log)} for server in started.values()]
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"services": entries}, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the stack's lock: wait until nobody else starts or stops this stack."""
    path = folder / LOCK_FILE
    while True:
        with _opened(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(path, file):
                yield
                return


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:  # the previous holder of the lock has purged the folder
        return False


def _opened(path: Path) -> IO[str]:
    try:
        while True:
            with suppress(FileNotFoundError):  # the holder of the lock is purging the folder
                _make(path.parent)
                return path.open("w")
    except OSError as error:
        raise Problem(
            f"The stack's folder {path.parent} cannot be used: {error.strerror}.",
            "Choose another with --folder.",
            ExitCode.IO_ERROR,
        ) from error


def _make(folder: Path) -> None:
    """Like `mkdir(exist_ok=True)`, which fails if the folder disappears between its two checks."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not S_ISDIR(folder.lstat().st_mode) and not folder.is_dir():
            raise
