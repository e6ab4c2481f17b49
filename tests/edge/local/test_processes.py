"""Processes are known again by pid and start time, and ended surely; tried on real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.edge.local import processes
from ingest.edge.local.processes import Process

_STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    """A program that runs until it is ended."""
    process = processes.spawn(["/bin/sh", "-c", "exec sleep 60"], tmp_path / "log")
    yield process
    processes.end([process])


def test_a_spawned_process_lives_in_a_session_of_its_own(sleeper: Process) -> None:
    """So that the Ctrl-C of the shell that started it does not reach it."""
    assert processes.alive(sleeper)
    assert os.getsid(sleeper.pid) == sleeper.pid


def test_a_spawned_process_outlives_who_spawned_it(tmp_path: Path) -> None:
    """A stack stays up when the command that started it has returned."""
    script = (
        "import sys; from pathlib import Path; from ingest.edge.local import processes;"
        "p = processes.spawn(['/bin/sleep', '60'], Path(sys.argv[1])); print(p.pid, p.started)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    completed = subprocess.run(command, capture_output=True, text=True, check=True)
    pid, started = completed.stdout.split()
    orphan = Process(int(pid), started)

    assert processes.alive(orphan)
    processes.end([orphan])
    assert not processes.alive(orphan)


def test_both_outputs_go_to_the_log(tmp_path: Path) -> None:
    """The log has the last words of a server, from stdout and from stderr."""
    process = processes.spawn(["/bin/sh", "-c", "echo out; echo err >&2"], tmp_path / "log")
    os.waitpid(process.pid, 0)

    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_a_recycled_pid_is_neither_alive_nor_ended(sleeper: Process) -> None:
    """The pid is the same, the start time is not: somebody else's process, which must live on."""
    recycled = Process(sleeper.pid, sleeper.started + "0")

    processes.end([recycled])

    assert not processes.alive(recycled)
    assert processes.memory_bytes(recycled) is None
    assert processes.alive(sleeper)


def test_a_process_that_ended_by_itself_is_not_alive(tmp_path: Path) -> None:
    """Not even while it is a zombie of ours."""
    process = processes.spawn(["/bin/sh", "-c", "exit 3"], tmp_path / "log")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not processes.alive(process)


def test_a_process_whose_first_thread_ended_is_alive(tmp_path: Path) -> None:
    """The kernel calls it a zombie, while another thread still holds its ports."""
    script = (
        "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start();"
        "print('ready', flush=True); ctypes.CDLL(None).pthread_exit(None)"
    )
    log = tmp_path / "log"
    process = processes.spawn([sys.executable, "-c", script], log)
    stat = Path(f"/proc/{process.pid}/stat")
    try:
        while stat.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.05)
        assert processes.alive(process)
    finally:
        processes.end([process])
    assert not processes.alive(process)


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """It is killed after the patience is over, and that is reported."""
    log, messages = tmp_path / "log", list[str]()
    process = processes.spawn(["/bin/sh", "-c", _STUBBORN], log)
    while "ready" not in log.read_text():
        assert processes.alive(process)

    processes.end([process], messages.append, term_timeout_s=0.3)

    assert not processes.alive(process)
    assert messages == [f"Process {process.pid} does not stop after 0 s and is killed"]


def test_a_program_gets_signals_that_its_parent_ignores(tmp_path: Path) -> None:
    """A parent started with nohup ignores SIGHUP; the server must not inherit that of SIGINT, SIGTERM and SIGHUP."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        process = processes.spawn(["/bin/sleep", "60"], tmp_path / "log")
    finally:
        signal.signal(signal.SIGTERM, before)
    messages = list[str]()

    processes.end([process], messages.append, term_timeout_s=5)

    assert not messages


def test_memory_is_that_of_the_process(sleeper: Process) -> None:
    """A sleeping program takes more than nothing and less than a JVM."""
    resident_bytes = processes.memory_bytes(sleeper)

    assert resident_bytes is not None
    assert 0 < resident_bytes < 64 * 1024 * 1024


def test_available_memory_is_a_part_of_the_whole() -> None:
    """Read from the kernel, in bytes."""
    whole_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert 0 < processes.memory_available_bytes() <= whole_bytes
