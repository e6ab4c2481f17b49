"""Wait for a condition, up to a deadline."""

import time
from collections.abc import Callable

DEADLINE_S = 120.0  # for a machine that other processes keep busy
POLL_S = 0.05


def eventually(
    condition: Callable[[], object],
    description: str = "it comes about",
    bound_s: float = DEADLINE_S,
    details: Callable[[], str] = str,
) -> None:
    """Wait until the condition holds; after the bound the test fails with the description and the details."""
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {bound_s:.0f} s: {description}; {details()}"
        time.sleep(POLL_S)
