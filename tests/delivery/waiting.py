"""Waiting for what must come about, and no longer than is right."""

import time
from collections.abc import Callable

DEADLINE_S = 30.0


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds; fail if it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
