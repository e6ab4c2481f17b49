"""Tunes the worker's process: garbage collector, memory allocator and thread switch interval.

Collector: loaded grammars live as long as the process, so they are frozen and never scanned. Workers create few
cycles, and scanning the marks that wait to be derived finds none, so collections are rare; this makes deriving 10 %
faster. A worker whose services are down allocates almost nothing and would never reach the threshold, so `tidy` also
collects by the clock what the clients leave behind.

Allocator: requests and responses are megabytes large and short-lived. glibc keeps one arena for every few threads, and
each stays as large as its peak: a tenth of all memory. With two arenas most of it is returned. The memory of a request
is kept for the next one: mapping it again each time costs a tenth of all processor time in page faults.

Interpreter: only one thread runs Python at a time, and a computing thread is asked to yield every 5 ms. The threads
that wait for responses can wait longer, and longer slices make deriving about 6 % faster.
"""

import ctypes
import gc
import sys

SWITCH_S = 0.02
_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1  # glibc's malloc.h
ARENAS, MAPPED_BYTES, KEPT_BYTES = 2, 8 * 1024 * 1024, 32 * 1024 * 1024


def tidy() -> None:
    """Collect the young generations; takes some milliseconds."""
    gc.collect(1)


def fit_for_work() -> None:
    """Tune this process and those forked from it; without glibc's `mallopt` the allocator keeps its defaults."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000_000, 20, 50)
    sys.setswitchinterval(SWITCH_S)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, MAPPED_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES)):
            mallopt(option, value)
