"""What a movement says: bytes once, outcome, span, waits; of records in any order, with and without the whole's own."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.movements.matching import matched
from ingest.core.movements.movement import Movement, movement_of
from ingest.core.movements.polls import Growth, Poll, growth_of
from ingest.core.movements.record import TransferRecord
from ingest.core.movements.units import units_of
from tests.support.transfer_records import (
    BEGIN_MS,
    SOURCE,
    TARGET,
    close,
    dtn,
    ended,
    fts,
    globus,
    record,
    rucio,
    task_of_files,
)

FILES = 100
SUM_BYTES = sum(range(1, FILES + 1)) * 10**6


def only_movement(*records: TransferRecord, growth: Growth = Growth()) -> Movement:  # noqa: B008 - it is immutable
    """The one movement of these records."""
    (group,) = matched(units_of(records))
    return movement_of(group, growth)


def test_a_task_told_by_itself_and_by_both_ends_counts_its_bytes_once() -> None:
    """201 records: the task's own number, not the sum of its files, nor twice that."""
    movement = only_movement(globus(), *task_of_files(FILES))

    assert (movement.record_count, len(movement.records)) == (201, 201)
    assert movement.counted.bytes == 10**12
    assert movement.level == "task"
    assert movement.rate_bps == 10**12 * 8 / 250


def test_without_the_task_s_record_the_files_of_one_observer_are_added() -> None:
    """200 records: one movement, the bytes of a hundred files."""
    movement = only_movement(*task_of_files(FILES))

    assert movement.counted.bytes == SUM_BYTES
    assert movement.counted.files == FILES
    assert movement.counted.observer in {"sender", "receiver"}
    assert (movement.level, movement.outcome) == ("task", "success")


def test_where_one_end_lost_records_the_other_end_s_sum_counts() -> None:
    """A log that was rotated away is no reason to say that less moved."""
    records = [r for r in task_of_files(FILES) if not (r.observer == "sender" and r.bytes and r.bytes > 50 * 10**6)]
    assert only_movement(*records).counted == (SUM_BYTES, None, "receiver", FILES)


def test_attempts_and_parts_of_a_file_are_added_once_each() -> None:
    """A failed attempt that moved 3 of 10, then two parts of 5: 13 moved, of one file."""
    records = [
        dtn("sender", 1, 3, transfer_id="try-1", outcome="failure", end_ms=BEGIN_MS + 1000),
        dtn("sender", 1, 5, transfer_id="part-1", level="part"),
        dtn("sender", 1, 5, transfer_id="part-2", level="part"),
    ]
    movement = only_movement(*records)

    assert movement.counted == (13, None, "sender", 1)
    assert movement.outcome == "success"  # the last attempt counts


def test_six_records_of_one_file_are_one_movement_of_its_bytes() -> None:
    """Rucio, FTS's state and end, and the servers at both ends."""
    state = record(
        "fts", transfer_id="job-7/901", parent_id="job-7", event="state", state="FINISHED", level="file", final=True,
        outcome="success", source_url=fts(1).source_url, destination_url=fts(1).destination_url,
    )  # fmt: skip
    records = [rucio(), fts(901), state, close("sender", SOURCE, TARGET), close("receiver", TARGET, SOURCE)]
    movement = only_movement(*records)

    assert (movement.record_count, movement.counted.bytes) == (5, 10**10)
    assert movement.counted.record == records[1].id
    assert (movement.start_ms, movement.end_ms) == (BEGIN_MS, BEGIN_MS + 20_000)
    assert movement.sources == ("fts", "rucio", "xrootd_close")


def test_an_active_task_is_unknown_and_its_bytes_are_so_far() -> None:
    """ACTIVE is no outcome; what its files say does not end it. A stall is told by its polls."""
    active = record(
        "globus_task", tool="globus", transfer_id="task-1", level="task", bytes=5_000, state="ACTIVE", faults=17
    )
    stalled = growth_of([Poll(0, 5_000, 3), Poll(60_000, 5_000, 17)])
    movement = only_movement(active, dtn("sender", 1, 10), growth=stalled)

    assert (movement.outcome, movement.final, movement.end_ms) == ("unknown", False, None)
    assert (movement.faults, movement.stalled, movement.grew_ms) == (17, True, 0)
    assert only_movement(active).counted.bytes == 5_000


def test_a_failure_keeps_its_reason_and_what_moved() -> None:
    """Never the size of the file."""
    failed = fts(902, outcome="failure", error="CHECKSUM", bytes=2 * 10**9, size_bytes=10**10)
    movement = only_movement(failed)

    assert (movement.outcome, movement.error) == ("failure", "CHECKSUM")
    assert (movement.counted.bytes, movement.size_bytes) == (2 * 10**9, 10**10)


def test_waits_are_those_of_the_service_that_waited() -> None:
    """Rucio's wait for FTS, FTS's own; the first that was asked for."""
    movement = only_movement(
        rucio(queued_ms=BEGIN_MS - 120_000, waits=(("request_wait_s", 60.0), ("queue_wait_s", 57.0))),
        fts(901, waits=(("queue_wait_s", 57.1), ("checksum_s", 2.0))),
    )

    assert dict(movement.waits) == {"request_wait_s": 60.0, "queue_wait_s": 57.1, "checksum_s": 2.0}
    assert movement.queued_ms == BEGIN_MS - 120_000


def test_the_id_of_a_movement_does_not_change_when_a_lesser_witness_joins() -> None:
    """FTS first, Rucio later: the same document, and the same key for another facility that was told it."""
    assert only_movement(fts(901)).id == only_movement(fts(901), rucio()).id
    assert only_movement(fts(901)).key == "file:fts:job-7/901"
    assert (
        only_movement(globus()).id
        == only_movement(globus(), *task_of_files(3)).id
        == only_movement(*task_of_files(3)).id
    )


@pytest.mark.parametrize("moved_bytes", [None, 0])
def test_unknown_bytes_are_not_zero(moved_bytes: int | None) -> None:
    """A rate needs bytes; of nothing that moved it is 0."""
    movement = only_movement(ended("xrootd_close", moved_bytes, level="session"))
    assert movement.counted.bytes == moved_bytes
    assert movement.rate_bps == (None if moved_bytes is None else 0)


@given(
    records=st.lists(st.sampled_from([globus(), fts(901), rucio(), *task_of_files(4)]), min_size=1), rng=st.randoms()
)
def test_a_movement_is_a_function_of_its_set_of_records(records: list[TransferRecord], rng: Random) -> None:
    """Shuffled and repeated they say the same."""
    shuffled = [*records, *records]
    rng.shuffle(shuffled)
    assert [movement_of(g) for g in matched(units_of(shuffled))] == [movement_of(g) for g in matched(units_of(records))]
