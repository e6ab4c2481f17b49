"""When a partition is taken to be stuck: no sooner than at the second look, and never because nobody reads."""

from collections import deque

from ingest.core.kafka_record import Partition
from ingest.edge.kafka.stuck import StuckDetector

A, B = Partition("t", 0), Partition("t", 1)


def test_what_stands_short_of_an_end_at_two_looks_is_stuck() -> None:
    """Not what was read on, nor what came meanwhile, nor what stands at its end."""
    watch = StuckDetector()

    assert watch.stuck({A: 5, B: 7}, {A: 9, B: 7}) == []
    assert watch.stuck({A: 6, B: 7}, {A: 9, B: 8}) == []
    assert watch.stuck({A: 9, B: 7}, {A: 9, B: 8}) == [B]
    assert watch.stuck({A: 9}, {A: 9}) == []


def test_nothing_is_stuck_while_nobody_reads() -> None:
    """A worker without room polls and takes nothing."""
    watch = StuckDetector()
    watch.stuck({A: 5}, {A: 9})
    watch.forget()

    assert watch.stuck({A: 5}, {A: 9}) == []
    assert watch.stuck({A: 5}, {A: 9}) == [A]


def test_looks_are_so_many_seconds_apart() -> None:
    """Also from the last time that nobody read."""
    times = deque([0.0, 29.0, 30.0, 30.0, 59.0, 70.0, 99.0, 100.0, 100.0])
    watch = StuckDetector(30.0, times.popleft)

    assert [watch.due(), watch.due(), watch.due()] == [False, True, False]
    watch.forget()
    assert [watch.due(), watch.due()] == [False, True]
