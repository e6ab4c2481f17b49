"""What `up` remembers for `down`: one file, replaced as a whole, changed by one at a time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.core.model import Problem
from ingest.edge.local import state
from ingest.edge.local.processes import Process
from ingest.edge.local.service import Started
from tests.support.waiting import DEADLINE_S

_KAFKA = Started("kafka", "4.4.0", 19092, "127.0.0.1:19092", Path("/x/kafka.log"), Process(7, "boot/123"))


def test_a_written_state_is_read_back(tmp_path: Path) -> None:
    """Every part of it: `down` relies on the start time."""
    state.write(tmp_path, {"kafka": _KAFKA})

    assert state.read(tmp_path) == {"kafka": _KAFKA}


def test_nothing_started_leaves_no_file(tmp_path: Path) -> None:
    """Neither before the first start nor after the last."""
    state.write(tmp_path, {"kafka": _KAFKA})
    state.write(tmp_path, {})

    assert state.read(tmp_path) == {}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"services": [{"name": "kafka"}]}', '{"services": [1]}'])
def test_a_file_that_is_not_ours_is_named(tmp_path: Path, text: str) -> None:
    """Guessing which processes to end is out of the question."""
    (tmp_path / state.STATE_FILE).write_text(text)

    with pytest.raises(Problem, match="is not a state file of perflog"):
        state.read(tmp_path)


def test_one_at_a_time(tmp_path: Path) -> None:
    """A second one waits until the first has finished."""
    entered = threading.Event()

    def second() -> None:
        with state.locked(tmp_path):
            entered.set()

    waiting = threading.Thread(target=second)
    with state.locked(tmp_path):
        waiting.start()
        assert not entered.wait(0.2)
    waiting.join(timeout=DEADLINE_S)

    assert entered.is_set()


def purged(folder: Path) -> None:
    """What `down --purge` does last, with the lock in hand."""
    (folder / state.LOCK_FILE).unlink()
    with suppress(OSError):  # another made it anew
        folder.rmdir()


def test_who_waited_while_the_folder_was_purged_locks_the_new_one(tmp_path: Path) -> None:
    """The lock of a deleted file would keep nobody out."""
    folder, entered = tmp_path / "stack", threading.Event()

    def second() -> None:
        with state.locked(folder):
            entered.set()
            assert (folder / state.LOCK_FILE).exists()

    waiting = threading.Thread(target=second)
    with state.locked(folder):
        waiting.start()
        purged(folder)
    waiting.join(timeout=DEADLINE_S)

    assert entered.is_set()
    assert (folder / state.LOCK_FILE).exists()


def test_a_folder_that_comes_and_goes_lets_one_in_at_a_time(tmp_path: Path) -> None:
    """It may go between any two looks of one that waits."""
    folder, alone, rounds = tmp_path / "stack", threading.Lock(), 300

    def coming_and_going() -> int:
        for _ in range(rounds):
            with state.locked(folder):
                assert alone.acquire(blocking=False), "two are in"
                time.sleep(0)
                alone.release()
                purged(folder)
        return rounds

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(coming_and_going) for _ in range(4)]

    assert [future.result() for future in done] == [rounds] * 4


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()

    with pytest.raises(Problem, match="--folder"), state.locked(tmp_path / "file"):
        pass
