"""Waiting for what must come about, and no longer than is right."""

import time
from collections.abc import Callable

DEADLINE_S = 120.0  # of a machine of which others have the most
POLL_S = 0.05


def eventually(
    trackers: Callable[[], object],
    what: str = "it comes about",
    bound_s: float = DEADLINE_S,
    told: Callable[[], str] = str,
) -> None:
    """Wait until it holds; the test fails with `what`, and what is `told` then, if it does not in time."""
    deadline = time.monotonic() + bound_s
    while not trackers():
        assert time.monotonic() < deadline, f"not within {bound_s:.0f} s: {what}; {told()}"
        time.sleep(POLL_S)
