"""Several workers under one roof: processes that share the partitions, started anew when one dies.

Forked, not started afresh: what the grammars folder tells is read once and shared, and a worker that was killed is back
within a tenth of a second. The parent opens no connection, so nothing of a client is ever shared. It hears signals for
all of them; when it dies, they are asked to leave.
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

from ingest.core.model import Problem
from ingest.pipeline.signals import heard
from ingest.pipeline.sink.retry import delay_s
from ingest.pipeline.worker.report import RunReport
from ingest.telemetry import name_worker

log = logging.getLogger("perflog.run")
PR_SET_PDEATHSIG = 1
UNAVAILABLE, FAULT = 69, 70
RESTART_FIRST_S, RESTART_MOST_S = 0.1, 30.0
SETTLED_S = 60.0  # a worker that ran for so long is well: its next death is a first one again
TURN_S = 0.25

Work = Callable[[int], RunReport]
"""What a worker does, by its number from 1 on."""


@dataclass(slots=True)
class _WorkerSlot:
    """A place for a worker: who has it, since when, and how often in a row it died."""

    number: int
    process: BaseProcess | None = None
    receiver: Connection | None = None
    since_s: float = 0.0
    deaths: int = 0
    not_before_s: float = 0.0
    left: bool = False


@dataclass(slots=True)
class Supervisor:
    """Workers of one machine. `run` returns the sum of their reports."""

    work: Work
    workers: int
    report: RunReport = field(default_factory=RunReport)
    _seats: list[_WorkerSlot] = field(default_factory=list)
    _stopping: bool = False
    _problem: Problem | None = None

    def run(self) -> RunReport:
        """Until every worker has left; raises the `Problem` of a worker that cannot work, once the others have left."""
        began_s = time.monotonic()
        self._seats = [_WorkerSlot(number) for number in range(1, self.workers + 1)]
        with heard(self._stop):
            while not all(seat.left for seat in self._seats):
                for seat in self._seats:
                    self._see_to(seat)
                wait([seat.process.sentinel for seat in self._seats if seat.process], TURN_S)
        if self._problem is not None:
            raise self._problem
        self.report.duration_s = time.monotonic() - began_s
        self.report.stopped = self._stopping
        return self.report

    def _see_to(self, seat: _WorkerSlot) -> None:
        if seat.process is not None and not seat.process.is_alive():
            self._ended(seat)
        if seat.process is None and not seat.left:
            if self._stopping:
                seat.left = True
            elif time.monotonic() >= seat.not_before_s:
                self._start(seat)

    def _start(self, seat: _WorkerSlot) -> None:
        context = get_context("fork")
        seat.receiver, sender = context.Pipe(duplex=False)
        seat.process = context.Process(target=_child, args=(self.work, seat.number, sender, os.getpid()))
        seat.process.start()
        sender.close()
        seat.since_s = time.monotonic()

    def _ended(self, seat: _WorkerSlot) -> None:
        """A worker left, or died: take its report, or have it started anew."""
        process, receiver = seat.process, seat.receiver
        assert process is not None and receiver is not None  # noqa: S101, PT018 - it had been started
        process.join()
        told = _told(receiver)
        seat.process = seat.receiver = None
        if isinstance(told, RunReport):
            self.report.add(told)
            seat.left = True
        elif isinstance(told, Problem) and not (told.exit_code == UNAVAILABLE and seat.deaths):
            self._problem = self._problem or told
            seat.left = True
            self._stop()
        else:
            self._died(seat, str(told or f"exit code {process.exitcode}"))

    def _died(self, seat: _WorkerSlot, why: str) -> None:
        seat.deaths = 1 if time.monotonic() - seat.since_s > SETTLED_S else seat.deaths + 1
        span_s = delay_s(seat.deaths - 1, RESTART_FIRST_S, RESTART_MOST_S, 1.0)
        seat.not_before_s = time.monotonic() + span_s
        if not self._stopping:
            log.error("Worker %d died (%s); started anew in %.1f s. Nothing is lost.", seat.number, why, span_s)

    def _stop(self) -> None:
        self._stopping = True
        for seat in self._seats:
            if seat.process is not None and seat.process.is_alive():
                seat.process.terminate()


def _told(receiver: Connection) -> object:
    """What a worker that ended has sent; None when it died before."""
    with receiver:
        try:
            return receiver.recv()
        except EOFError:
            return None


def _child(work: Work, number: int, sender: Connection, parent: int) -> None:
    """A worker's process: in a session of its own, so that a terminal's Ctrl-C reaches the parent alone."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    name_worker(number)
    try:
        sender.send(work(number))
    except Problem as problem:
        sender.send(problem)
        raise SystemExit(problem.exit_code) from None
