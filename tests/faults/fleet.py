"""Worker processes of a test: started, watched, hurt, and all gone within a bound."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock

from tests.faults import command
from tests.support.waiting import eventually
from tests.support.world import ROOT

KILL_BOUND_S = 10.0
TAIL = 3000
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_PRELOADED = ["pytest", "ingest.cli.pipeline.run", "tests.faults.command"]
# The fork server reports an exit code once, and a start reads those of all other processes. If two lanes read at the
# same time, one gets the code and the other gets 255.
_EXIT_CODE_LOCK = Lock()


@dataclass
class Worker:
    """One `perflog run` (with --workers its children are the workers)."""

    number: int
    process: "BaseProcess | subprocess.Popen[bytes]"
    log: Path
    out: Path
    meant: int = 0  # the exit code that it must end with

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll()
        with _EXIT_CODE_LOCK:
            return self.process.exitcode

    @property
    def children(self) -> list[int]:
        """Process ids of those that it started."""
        with suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    @property
    def stderr_text(self) -> str:
        """Its output on stderr."""
        return self.log.read_text() if self.log.exists() else ""

    @property
    def peak_bytes(self) -> int:
        """The most memory that it ever had resident; 0 once it is gone."""
        with suppress(OSError):
            match = _PEAK.search(Path(f"/proc/{self.pid}/status").read_text())
            return int(match[1]) * 1024 if match else 0
        return 0

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def killed(self) -> None:
        """SIGKILL to it and to those that it started, and it is gone."""
        self.meant = -signal.SIGKILL
        self.kill()
        self.ended(KILL_BOUND_S)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        for pid in (self.pid, *self.children) if self.code is None else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ended(self, bound_s: float) -> int:
        """Its exit code, waited for; the test fails when it hangs."""
        description = f"worker {self.number} ends; it said:\n{self.stderr_text[-TAIL:]}"
        eventually(lambda: self.code is not None, description, bound_s)
        code = self.code
        assert code is not None
        return code


@dataclass
class Fleet:
    """All workers of a test."""

    folder: Path
    workers: list[Worker] = field(default_factory=list)

    def start(self, settings: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Worker:
        """`perflog --config … ARGUMENTS`; with an environment of its own by exec, else forked, which is sooner."""
        number = len(self.workers)
        config = self.folder / f"worker-{number}.toml"
        config.write_text(settings.replace("{number}", str(number)))
        log, out = config.with_suffix(".log"), config.with_suffix(".out")
        words = ("--config", str(config), *arguments)
        process = (
            _forked(words, self.folder, log, out) if environment is None else _executed(words, log, out, environment)
        )
        self.workers.append(Worker(number, process, log, out))
        return self.workers[-1]

    @property
    def alive(self) -> list[Worker]:
        """Those that run."""
        return [worker for worker in self.workers if worker.code is None]

    def close(self) -> None:
        """Nobody outlives the test."""
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.ended(KILL_BOUND_S)


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _forked(arguments: tuple[str, ...], folder: Path, log: Path, out: Path) -> BaseProcess:
    process = _context().Process(target=command.run, args=(arguments, folder, log, out))
    with _EXIT_CODE_LOCK:
        process.start()
    return process


def _executed(
    arguments: tuple[str, ...], log: Path, out: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    with log.open("ab") as errors, out.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ingest", *arguments],
            cwd=log.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
