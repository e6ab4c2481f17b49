"""Servers of a test that are frozen for a while: they keep their connections and answer nothing."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ingest.edge.local import state
from ingest.edge.local.stack import Running


@contextmanager
def frozen(running: Running, *names: str) -> Iterator[None]:
    """Stop these servers by SIGSTOP; they go on afterwards."""
    pids = [state.read(running.folder)[name].process.pid for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
