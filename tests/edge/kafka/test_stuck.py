"""A partition counts as stuck at the second check at the earliest, and never because its reader pauses."""

from collections import deque

from ingest.core.kafka_record import Partition
from ingest.edge.kafka.stuck import StuckDetector

A, B = Partition("t", 0), Partition("t", 1)


def test_a_partition_at_the_same_offset_below_an_end_at_two_checks_is_stuck() -> None:
    """Not one that was read on, nor one whose records are new, nor one that is read to its end."""
    detector = StuckDetector()

    assert detector.stuck({A: 5, B: 7}, {A: 9, B: 7}) == []
    assert detector.stuck({A: 6, B: 7}, {A: 9, B: 8}) == []
    assert detector.stuck({A: 9, B: 7}, {A: 9, B: 8}) == [B]
    assert detector.stuck({A: 9}, {A: 9}) == []


def test_nothing_is_stuck_while_the_reader_pauses() -> None:
    """A worker without room polls and takes no records."""
    detector = StuckDetector()
    detector.stuck({A: 5}, {A: 9})
    detector.forget()

    assert detector.stuck({A: 5}, {A: 9}) == []
    assert detector.stuck({A: 5}, {A: 9}) == [A]


def test_checks_are_some_seconds_apart() -> None:
    """Also from the last pause."""
    times = deque([0.0, 29.0, 30.0, 30.0, 59.0, 70.0, 99.0, 100.0, 100.0])
    detector = StuckDetector(30.0, times.popleft)

    assert [detector.due(), detector.due(), detector.due()] == [False, True, False]
    detector.forget()
    assert [detector.due(), detector.due()] == [False, True]
