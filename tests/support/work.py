"""Count work, so that a test of speed asserts a number of steps and reads no clock.

The work of Python code is the lines that it executes, a line in a loop once each time: the same number on each machine,
at each load. Work inside C, such as a search in a long string, adds nothing: `regex_steps` counts regular expressions.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

LINEAR = (
    2.5  # the most by which work may grow when its input doubles: 2, and some for what comes with a new power of two
)


def executed_lines(do: Callable[[], object]) -> int:
    """The lines that a call executes in this thread, those of its callees and generators included."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        do()
    finally:
        sys.settrace(before)
    return count


def function_calls(do: Callable[[], object]) -> int:
    """The functions that a call calls in this thread, those of Python and those of C."""
    count = 0

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count


def assert_linear(work: Callable[[int], int], size: int) -> None:
    """The work at twice the size is at most 2.5 times that at the size."""
    small, large = work(size), work(2 * size)

    assert small > 0, "nothing was counted"
    assert large <= LINEAR * small, f"{small} steps at {size}, {large} at {2 * size}"
