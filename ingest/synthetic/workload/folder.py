"""A workload written into a folder: files as hosts have them, and the truth beside them. Touches that folder only.

OUT/<facility>/<host>/<file>.log   its lines, in the order of arrival
OUT/<facility>/results.jsonl       its perfSONAR results
OUT/truth.jsonl                    a line a message: where it stands, what must become of it
OUT/runs.jsonl                     a line a run: what it really did, what can be known of it
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ingest.core.model import ExitCode, Problem
from ingest.synthetic.workload.generator import Made, Workload, as_json, run_as_json, runs_truth

BUFFER_BYTES = 64 * 1024


class OutputFiles:
    """Where each message stands, once all before it were written: the file's name in the folder, and the offset."""

    def __init__(self) -> None:
        """Every file begins empty."""
        self._ends_bytes: Counter[str] = Counter()

    def next_position(self, made: Made) -> tuple[str, int]:
        """The file and the offset of the next message of that file."""
        name = PurePosixPath(made.path).name
        file = f"{made.facility}/{made.host}/{name}" if made.kind == "line" else f"{made.facility}/{name}"
        offset_bytes = self._ends_bytes[file]
        self._ends_bytes[file] += len(made.data) + 1
        return file, offset_bytes


class Folder:
    """An open folder, message by message."""

    def __init__(self, path: Path, opened: ExitStack) -> None:
        """Files are opened as they are needed; `opened` closes them."""
        self._path = path
        self._opened = opened
        self._files: dict[str, BinaryIO] = {}

    def write(self, made: Made, file: str, offset_bytes: int) -> None:
        """The message into its file, its truth beside it."""
        self._file(file).write(made.data + b"\n")
        self._file("truth.jsonl").write(as_json(made, file, offset_bytes))

    def write_runs(self, workload: Workload) -> int:
        """The truth of all runs; how many they are."""
        file = self._file("runs.jsonl")
        return sum(file.write(run_as_json(run)) > 0 for run in runs_truth(workload))

    def _file(self, name: str) -> BinaryIO:
        file = self._files.get(name)
        if file is None:
            path = self._path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self._files[name] = self._opened.enter_context(path.open("xb", buffering=BUFFER_BYTES))
        return file


@contextmanager
def folder(path: Path) -> Iterator[Folder]:
    """A new or empty folder. `Problem`: 64 something is in it already, 74 it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise Problem(f"{path} is not empty.", "Name a folder that is, or that is not there yet.", ExitCode.USAGE)
        with ExitStack() as opened:
            yield Folder(path, opened)
    except OSError as error:
        raise Problem(
            f"{path} cannot be written: {error.strerror}.", "Name another folder.", ExitCode.IO_ERROR
        ) from error
