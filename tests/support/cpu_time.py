"""How much of the processor something takes, asked so that the answer is the code's and not the machine's.

Others work on the machine, and some machines are thirds of one: what is too slow by its nature is so at every try.
"""

import gc
import time
from collections.abc import Callable

TRIES = 5


def cpu_s(do: Callable[[], object]) -> float:
    """Seconds of this thread alone, without the collector, which looks through all that the session holds."""
    gc.disable()
    try:
        began_s = time.thread_time()
        do()
        return time.thread_time() - began_s
    finally:
        gc.enable()


def within(limit_s: float, do: Callable[[], object]) -> bool:
    """Whether it takes less than that, at one of some tries."""
    return any(cpu_s(do) < limit_s for _ in range(TRIES))


def grows_less(factor: float, small: Callable[[], object], large: Callable[[], object], least_s: float = 0.0) -> bool:
    """Whether the large one takes less than `factor` times the small one, or than `least_s`, at one of some tries."""
    return any(cpu_s(large) < factor * max(cpu_s(small), least_s) for _ in range(TRIES))
