"""The wall clock of this machine, read in one place; the core is given times."""

import time


def now_ms() -> int:
    """Return the wall clock (unix ms)."""
    return time.time_ns() // 1_000_000
