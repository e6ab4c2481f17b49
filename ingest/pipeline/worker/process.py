"""What the process of a worker is set to: how it collects, allocates and shares the processor. Touches the process.

Collector: what was read from the grammars stays, so it is not walked over. Few cycles are made, and walking over marks
that wait to be derived from finds none of them: seldom is enough, and a tenth faster when stages are derived. But a
worker whose services are away allocates next to nothing, so what their clients leave behind is looked for by the clock.

Allocator: requests and answers are megabytes that live for a moment; glibc keeps an arena for every few threads, each
as large as it ever was: a tenth of all memory. With two arenas most is given back. What a request needs is kept for
the next one: mapped anew for each, its pages cost a tenth of all processor time.

Interpreter: one thread at a time runs Python, and one that computes is asked to yield every 5 ms. The threads that wait
for answers can wait longer, and computing in longer pieces is some 6 % faster when stages are derived.
"""

import ctypes
import gc
import sys

SWITCH_S = 0.02
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # glibc's malloc.h
ARENAS, MAPPED_BYTES, KEPT_BYTES = 2, 8 * 1024 * 1024, 32 * 1024 * 1024


def tidy() -> None:
    """Collect what is new; some milliseconds."""
    gc.collect(1)


def fit_for_work() -> None:
    """Set this process, and those forked from it. Where the C library is another one, its allocator stays as it is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 50)
    sys.setswitchinterval(SWITCH_S)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, MAPPED_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES)):
            mallopt(option, value)
