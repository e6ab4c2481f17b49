"""What SIGTERM and Ctrl-C do: a bounded time to stop, one sentence, an exit code; a second signal ends at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Event

import pytest

from ingest.pipeline import signals
from ingest.pipeline.signals import AGAIN_S, OutOfTime, Stop, run_stoppable, stop_on_signals
from tests.support.clock import Clock
from tests.support.waiting import DEADLINE_S
from tests.support.world import ROOT

BLOCKED_S = 600


def test_a_stop_counts_from_its_first_request() -> None:
    """Before it all of the time is left; a second request changes neither the time nor the reason."""
    clock = Clock()
    stop = Stop(clock)
    clock.s += 100
    assert (stop.requested, stop.left_s(10)) == (False, 10)

    stop.request("SIGTERM")
    clock.s += 4
    stop.request("SIGINT")

    assert (stop.why, stop.left_s(10)) == ("SIGTERM", 6)


def test_work_returns_its_result_or_raises_its_error() -> None:
    """As if it had been called."""
    assert run_stoppable(lambda: 7, Stop(), lambda: 1.0) == 7
    with pytest.raises(ZeroDivisionError):
        run_stoppable(lambda: 1 // 0, Stop(), lambda: 1.0)


def test_work_that_ends_after_the_request_returns_its_result() -> None:
    """It learns of the request by `on_stop`, once."""
    asked, calls = Event(), []

    def on_stop() -> None:
        calls.append(1)
        asked.set()

    stop = Stop()
    stop.request("SIGTERM")

    assert run_stoppable(lambda: asked.wait(DEADLINE_S), stop, lambda: DEADLINE_S, on_stop)
    assert calls == [1]


def test_work_that_does_not_end_is_left_behind_when_the_time_is_over() -> None:
    """Not before, by the clock; the time that it may take may change meanwhile."""
    clock, most_s, ended = Clock(), [0.0], Event()
    stop = Stop(clock)
    looks: list[float] = []

    def most() -> float:
        looks.append(clock.s)
        clock.s += 1
        return most_s[0]

    def on_stop() -> None:
        most_s[0] = 5.0

    stop.request("SIGTERM")
    with pytest.raises(OutOfTime):
        run_stoppable(lambda: ended.wait(DEADLINE_S), stop, most, on_stop)

    assert len(looks) == 5
    ended.set()


@pytest.mark.parametrize(("after_s", "ends"), [(AGAIN_S / 2, False), (AGAIN_S, True)], ids=["repeated", "second"])
def test_only_a_later_signal_is_a_second_one(monkeypatch: pytest.MonkeyPatch, after_s: float, ends: bool) -> None:
    """Systemd signals each process of a service, and its supervisor does so too: that is one request, not two."""
    ended: list[str] = []
    monkeypatch.setattr(signals, "_received", [])
    monkeypatch.setattr(signals, "_end", ended.append)
    clock = Clock()
    with stop_on_signals(Stop(clock)) as stop:
        stop.at_once = lambda: ended.append("at once")
        signal.raise_signal(signal.SIGTERM)
        clock.s += after_s
        signal.raise_signal(signal.SIGTERM)

    assert stop.why == "SIGTERM"
    assert ended == (["at once", signals.AT_ONCE] if ends else [])


def test_a_worker_of_a_supervisor_leaves_the_second_signal_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor kills it."""
    ended: list[str] = []
    monkeypatch.setattr(signals, "_received", [])
    monkeypatch.setattr(signals, "_end", ended.append)
    clock = Clock()
    with stop_on_signals(Stop(clock), second_ends=False):
        signal.raise_signal(signal.SIGTERM)
        clock.s += 60
        signal.raise_signal(signal.SIGTERM)

    assert ended == []


HEAD = f"""
import click, signal, sys, time
from concurrent.futures import ThreadPoolExecutor
from ingest.cli import main as entry
from ingest.pipeline import signals

def block():
    print("ready", flush=True)
    time.sleep({BLOCKED_S})
"""
TAIL = """
entry.LazyGroup.get_command = lambda *_: click.Command("wait", callback=command)
sys.argv = ["perflog", "wait"]
entry.main()
"""
COMMANDS = {
    "waiting": "command = block",
    "waiting with a thread in a request": f"""
def command():
    ThreadPoolExecutor(1).submit(time.sleep, {BLOCKED_S})
    block()
""",
    "ending in another error": """
def command():
    try:
        block()
    finally:
        raise ValueError("closed twice")
""",
}
STUCK = f"""
def command():
    with signals.interrupt_on_signals(close_s=0.2):
        try:
            block()
        finally:
            time.sleep({BLOCKED_S})
"""


def signalled(body: str, number: signal.Signals, again: Callable[[int], None] = lambda _: None) -> tuple[int, str]:
    """Run a command of this body and send a signal once it waits; return exit code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + body + TAIL],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509  (tests may run in the background)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    again(process.pid)
    _, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("body", COMMANDS.values(), ids=COMMANDS)
def test_every_command_ends_with_one_sentence(body: str, number: signal.Signals) -> None:
    """Exit code 130, no traceback; no thread is waited for."""
    code, err = signalled(body, number)

    assert (code, err.strip()) == (130, "perflog: stopped")


def test_a_command_whose_connection_does_not_close_ends_all_the_same() -> None:
    """The sentence says so."""
    code, err = signalled(STUCK, signal.SIGTERM)

    assert (code, err.strip()) == (130, "perflog: stopped; a connection could not be closed")
