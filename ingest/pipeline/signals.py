"""Handles SIGTERM and SIGINT: the first asks the process to end in a bounded time, a second one ends it at once.

A handler may interrupt any line of the main thread, which may hold a lock. So it only notes the request, raises
`KeyboardInterrupt`, or ends the process.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import NoReturn, TypeVar

from ingest.core.model import ExitCode

T = TypeVar("T")
SIGNALS = (signal.SIGTERM, signal.SIGINT)
AGAIN_S = 1.0  # systemd and launchers repeat the first signal at once: an earlier one is not a person's second
CLOSE_S = 5.0  # for a command to close its connections
CHECK_S = 0.2
AT_ONCE = "perflog: ended at once by a second signal; nothing was committed that was not answered"
_received: list[int] = []


class OutOfTime(Exception):
    """The work did not end in time after the stop request; its thread is left behind."""


class Stop:
    """A request to stop.

    Attributes:
        why: what asked, e.g. SIGTERM; None as long as nothing has.
        at_once: called when a second signal ends the process at once; may only do what a signal handler may.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start without a request; `now_s` is the clock."""
        self._now_s = now_s
        self._since_s = 0.0
        self.why: str | None = None
        self.at_once: Callable[[], None] = lambda: None

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""
        return self.why is not None

    def request(self, why: str) -> None:
        """Request a stop; only the first request counts."""
        if self.why is None:
            self._since_s, self.why = self._now_s(), why

    def left_s(self, most_s: float) -> float:
        """Return how much is left of `most_s` seconds since the request; all of them before it."""
        return most_s - (self._now_s() - self._since_s) if self.requested else most_s


@contextmanager
def stop_on_signals(stop: Stop, second_ends: bool = True) -> Iterator[Stop]:
    """Request a stop on the first signal; restore the previous handlers on leaving.

    With `second_ends`, a second signal, at least `AGAIN_S` after the first, ends the process at once (130).
    """

    def on_signal(number: int, _: FrameType | None) -> None:
        _received.append(number)
        if second_ends and stop.left_s(AGAIN_S) <= 0:
            stop.at_once()
            _end(AT_ONCE)
        stop.request(signal.Signals(number).name)

    with _handled(SIGNALS, on_signal):
        yield stop


@contextmanager
def interrupt_on_signals(close_s: float | None = CLOSE_S, numbers: Sequence[int] = SIGNALS) -> Iterator[None]:
    """Raise `KeyboardInterrupt` on the first signal.

    The process ends (130) if the command has not closed its connections within `close_s`, or on a second signal.
    """
    clock = Stop()

    def on_signal(number: int, _: FrameType | None) -> None:
        _received.append(number)
        if clock.left_s(AGAIN_S) <= 0:
            _end(AT_ONCE)
        if clock.requested:
            return
        clock.request(signal.Signals(number).name)
        if close_s is not None:
            signal.signal(signal.SIGALRM, lambda *_: _end("perflog: stopped; a connection could not be closed"))
            signal.setitimer(signal.ITIMER_REAL, close_s)
        raise KeyboardInterrupt

    # A shell starts a command in the background with SIGINT ignored, and nohup with SIGHUP.
    with _handled([number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN], on_signal):
        yield


@contextmanager
def _handled(numbers: Sequence[int], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Install a handler; only the main thread can, elsewhere nothing is handled."""
    if current_thread() is not main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler_before in previous.items():
            signal.signal(number, handler_before)


def run_stoppable(
    work: Callable[[], T], stop: Stop, most_s: Callable[[], float], on_stop: Callable[[], None] = lambda: None
) -> T:
    """Run `work` on a thread of its own and return its result, or raise its error.

    Calls `on_stop` when a stop is requested. If the work has not ended `most_s()` seconds after the request, raises
    `OutOfTime` and leaves the thread behind: a request that is not answered cannot be taken back.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    Thread(target=run, name="perflog-work", daemon=True).start()
    is_stopping = False
    while not wait([result], CHECK_S).done:
        if stop.requested and not is_stopping:
            is_stopping = True
            on_stop()
        if is_stopping and stop.left_s(most_s()) <= 0:
            raise OutOfTime
    return result.result()


def was_interrupted() -> bool:
    """Whether this process has received SIGTERM or SIGINT."""
    return bool(_received)


def leave(code: int) -> NoReturn:
    """End the process; after a signal without waiting for threads, which may wait for an answer that does not come."""
    if not _received:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _end(sentence: str) -> NoReturn:
    """End the process from a handler."""
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
    os._exit(ExitCode.INTERRUPTED)
