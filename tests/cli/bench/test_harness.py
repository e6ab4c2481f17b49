"""A measurement in a process of its own: its result comes back, and an interrupted one leaves no process behind."""

import multiprocessing
import os
import signal
from threading import Event

import pytest

from ingest.cli.bench.harness import in_own_process
from ingest.pipeline import signals
from ingest.pipeline.signals import interrupt_on_signals
from tests.support.waiting import DEADLINE_S


def test_the_result_comes_back() -> None:
    """From another process."""
    assert in_own_process(os.getpid) != os.getpid()


def test_an_interrupted_measurement_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on for minutes, and the command would wait for it."""
    monkeypatch.setattr(signals, "_received", [])

    def measure() -> None:
        # Python drops an exception of a handler that runs while the parent is still within its own fork.
        Event().wait(1.0)
        os.kill(os.getppid(), signal.SIGTERM)
        Event().wait(2 * DEADLINE_S)

    with interrupt_on_signals(close_s=None), pytest.raises(KeyboardInterrupt):
        in_own_process(measure)

    assert multiprocessing.active_children() == []
