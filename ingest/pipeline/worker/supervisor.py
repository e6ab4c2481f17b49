"""Runs several worker processes that share the partitions, and restarts a worker that dies.

Workers are forked from a parent that has read the grammars folder once, so a killed worker is back within a tenth of a
second. The parent opens no connection, so workers never share a client's socket. It handles signals for all workers;
if the parent dies, the kernel sends each worker SIGTERM.
"""

import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ingest.core.model import ExitCode, Problem
from ingest.pipeline.signals import Stop, leave, stop_on_signals
from ingest.pipeline.sink.retry import delay_s
from ingest.pipeline.worker.report import RunReport
from ingest.telemetry import name_worker

log = logging.getLogger("perflog.run")
PR_SET_PDEATHSIG = 1
RESTART_FIRST_S, RESTART_MOST_S = 0.1, 30.0
SETTLED_S = 60.0  # after running this long, a worker's next death counts as its first
CHECK_S = 0.25
KILL_S = 1.5  # after `drain_s`; by then a worker that can still end has ended

Work = Callable[[int, Stop], RunReport]
"""Runs one worker until stopped; takes its number, from 1."""


@dataclass(slots=True)
class _WorkerSlot:
    """One worker's slot: its process, its start time, and its number of deaths in a row."""

    number: int
    process: BaseProcess | None = None
    receiver: Connection | None = None
    since_s: float = 0.0
    deaths: int = 0
    not_before_s: float = 0.0
    left: bool = False


@dataclass(slots=True)
class Supervisor:
    """Supervises the workers of one machine; `run` returns the sum of their reports.

    After a stop request each worker may take `drain_s` to finish; one that does not end is killed, which loses nothing.
    """

    work: Work
    workers: int
    drain_s: float
    stop: Stop
    report: RunReport = field(default_factory=RunReport)
    _slots: list[_WorkerSlot] = field(default_factory=list)
    _stopping: bool = False
    _killed: bool = False
    _problem: Problem | None = None

    def run(self) -> RunReport:
        """Run until every worker has left; if one raised a `Problem`, stop the others and then raise it."""
        began_s = time.monotonic()
        self._slots = [_WorkerSlot(number) for number in range(1, self.workers + 1)]
        self.stop.at_once = self._kill
        while not all(slot.left for slot in self._slots):
            if self.stop.requested and not self._stopping:
                self._begin_stopping()
            if not self._killed and self.stop.left_s(self.drain_s + KILL_S) <= 0:
                self._kill_late()
            for slot in self._slots:
                self._check_slot(slot)
            wait([slot.process.sentinel for slot in self._slots if slot.process], CHECK_S)
        if self._problem is not None:
            raise self._problem
        self.report.duration_s = time.monotonic() - began_s
        self.report.stopped = self._stopping
        return self.report

    def _check_slot(self, slot: _WorkerSlot) -> None:
        if slot.process is not None and not slot.process.is_alive():
            self._ended(slot)
        if slot.process is None and not slot.left:
            if self._stopping:
                slot.left = True
            elif time.monotonic() >= slot.not_before_s:
                self._start(slot)

    def _start(self, slot: _WorkerSlot) -> None:
        context = get_context("fork")
        slot.receiver, sender = context.Pipe(duplex=False)
        slot.process = context.Process(target=_child, args=(self.work, slot.number, sender, os.getpid()))
        slot.process.start()
        sender.close()
        slot.since_s = time.monotonic()

    def _ended(self, slot: _WorkerSlot) -> None:
        """Handle a worker that left or died: add its report, or schedule a restart."""
        process, receiver = slot.process, slot.receiver
        assert process is not None and receiver is not None  # noqa: S101, PT018 - the worker was started
        process.join()
        result = _received(receiver)
        slot.process = slot.receiver = None
        if isinstance(result, RunReport):
            self.report.add(result)
            slot.left = True
        elif isinstance(result, Problem) and not (result.exit_code == ExitCode.UNAVAILABLE and slot.deaths):
            self._problem = self._problem or result
            slot.left = True
            self.stop.request(f"the problem of worker {slot.number}")
        else:
            self._died(slot, str(result or f"exit code {process.exitcode}"))

    def _died(self, slot: _WorkerSlot, why: str) -> None:
        slot.deaths = 1 if time.monotonic() - slot.since_s > SETTLED_S else slot.deaths + 1
        wait_s = delay_s(slot.deaths - 1, RESTART_FIRST_S, RESTART_MOST_S, 1.0)
        slot.not_before_s = time.monotonic() + wait_s
        if not self._stopping:
            log.error("Worker %d died (%s); restarting in %.1f s. Nothing is lost.", slot.number, why, wait_s)

    def _begin_stopping(self) -> None:
        self._stopping = True
        alive = self._alive()
        log.info("%s: stopping %d workers; each may take %.0f s to finish.", self.stop.why, len(alive), self.drain_s)
        for process in alive:
            process.terminate()

    def _kill_late(self) -> None:
        self._killed = True
        if alive := self._alive():
            log.warning(
                "Killed %d workers that did not end: what they had in flight will be read again; nothing is lost.",
                len(alive),
            )
        self._kill()

    def _kill(self) -> None:
        for process in self._alive():
            process.kill()

    def _alive(self) -> list[BaseProcess]:
        return [slot.process for slot in self._slots if slot.process is not None and slot.process.is_alive()]


def _received(receiver: Connection) -> object:
    """Return what the worker sent before it ended; None if it died first."""
    with receiver:
        try:
            return receiver.recv()
        except EOFError:
            return None


def _child(work: Work, number: int, sender: Connection, parent: int) -> None:
    """Run a worker's process in its own session, so that Ctrl-C in the terminal reaches only the parent.

    The parent decides when it ends at once: systemd sends each process a SIGTERM of its own beside the parent's.
    """
    code = int(ExitCode.DONE)
    with stop_on_signals(Stop(), second_ends=False) as stop:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return
        name_worker(number)
        try:
            sender.send(work(number, stop))
        except Problem as problem:
            sender.send(problem)
            code = problem.exit_code
        leave(code)
