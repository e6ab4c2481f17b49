"""Turns the first SIGTERM or SIGINT into a request to finish; a second one takes its usual effect."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first signal; restore the previous handlers on leaving."""

    def on_signal(number: int, _: FrameType | None) -> None:
        signal.signal(number, previous[signal.Signals(number)])
        stop()

    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
