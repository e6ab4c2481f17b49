"""Processes that outlive us: started in their own session, identified by pid *and* start time, reliably ended.

A pid alone names whichever process has it now; with the boot id and the start time it names one process forever.
Uses /proc and signals, nothing else.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TERM_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 10.0
_POLL_S = 0.05
_DEFAULT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `started` is the machine's boot id and the start in clock ticks since boot, from /proc."""

    pid: int
    started: str


def spawn(command: Sequence[str], log: Path) -> Process:
    """Start a program that survives this one and its terminal; its stdout and stderr are appended to `log`."""
    appended = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        list(command),
        os.environ,  # passed on unchanged; nothing is read from it
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), appended, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=_DEFAULT_SIGNALS,
    )
    return Process(pid, _started(pid) or "gone")


def alive(process: Process) -> bool:
    """Whether exactly this process still runs; a zombie or another process with its pid does not count."""
    _reap(process.pid)
    return _started(process.pid) == process.started


def end(
    processes: Iterable[Process], tell: Callable[[str], None] = lambda _: None, term_timeout_s: float = TERM_TIMEOUT_S
) -> None:
    """End exactly these processes: SIGTERM to all, wait, SIGKILL to those that remain. Skips those already gone."""
    waiting = [process for process in processes if _signal(process, signal.SIGTERM)]
    waiting = _wait(waiting, term_timeout_s)
    for process in waiting:
        tell(f"Process {process.pid} does not stop after {term_timeout_s:.0f} s and is killed")
        _signal(process, signal.SIGKILL)
    _wait(waiting, KILL_TIMEOUT_S)


def memory_bytes(process: Process) -> int | None:
    """Return the resident memory, or None if the process is gone."""
    try:
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") if alive(process) else None


def memory_available_bytes() -> int:
    """Return the memory that the kernel estimates to be usable without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/meminfo names no MemAvailable")


def _signal(process: Process, number: signal.Signals) -> bool:
    if not alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def _wait(processes: list[Process], timeout_s: float) -> list[Process]:
    """Return those that are still alive after the timeout."""
    until = time.monotonic() + timeout_s
    while (left := [process for process in processes if alive(process)]) and time.monotonic() < until:
        time.sleep(_POLL_S)
    return left


def _started(pid: int) -> str | None:
    """Return boot id and start time of the process with this pid; None if there is none or it is a zombie."""
    try:
        # The program's name is in brackets and may contain any character, brackets and blanks included.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, threads, start_ticks = fields[0], int(fields[17]), fields[19]
    # The first thread may be dead while others still hold the ports: the process ends with its last thread.
    return None if state in "ZX" and threads <= 1 else f"{boot}/{start_ticks}"


def _reap(pid: int) -> None:
    """Reap an ended child, which otherwise stays a zombie; other processes are left alone."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
