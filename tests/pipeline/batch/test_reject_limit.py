"""A worker stops when so many records are rejected that perflog itself is probably wrong."""

from collections import Counter

import pytest

from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.batch.reject_limit import RejectLimit, TooManyRejects
from tests.support.world import World


def counted(records: int, rejected: int, ignored: int = 0) -> OutcomeCounts:
    """The counts of a partition batch."""
    outcomes = Counter(rejected=rejected, ignored=ignored, stored=records - rejected - ignored)
    return OutcomeCounts(records=records, outcomes=outcomes)


def test_too_many_rejects_in_a_row_stop_and_a_good_record_starts_the_count_again() -> None:
    """Counted over partition batches; a batch with any good record ends the row."""
    limit = RejectLimit(in_a_row=10, share=1.0, window_records=10_000)
    limit.judge([counted(4, 4), counted(5, 5)])
    limit.judge([counted(3, 2)])
    limit.judge([counted(9, 9)])

    with pytest.raises(TooManyRejects, match="10 records in a row"):
        limit.judge([counted(1, 1)])


def test_too_large_a_share_of_a_full_window_stops() -> None:
    """Six of ten are too many at one half, once ten were seen; older records do not count."""
    limit = RejectLimit(in_a_row=1000, share=0.5, window_records=10)
    limit.judge([counted(9, 6)])
    with pytest.raises(TooManyRejects, match="6 of the last 10"):
        limit.judge([counted(1, 0)])

    patient = RejectLimit(in_a_row=1000, share=0.5, window_records=10)
    for _ in range(50):
        patient.judge([counted(10, 5)])
    patient.judge([counted(1, 0), counted(1, 1)] * 3)


def test_a_tenth_of_bad_records_never_stops_a_worker() -> None:
    """Whatever the sizes of the batches."""
    limit = RejectLimit(in_a_row=1000, share=0.5, window_records=10_000)
    for size in (10, 100, 2000, 30, 5000) * 20:
        limit.judge([counted(size, size // 10)])


def test_ignored_lines_do_not_end_a_row_of_rejects() -> None:
    """Neither in a batch of their own nor among rejects; a good record does."""
    limit = RejectLimit(in_a_row=10, share=1.0, window_records=10_000)
    limit.judge([counted(6, 2, ignored=3), counted(5, 5), counted(100, 0, ignored=100), counted(9, 4, ignored=5)])

    with pytest.raises(TooManyRejects, match="10 records in a row"):
        limit.judge([counted(50, 1, ignored=49)])


def test_ignored_lines_do_not_fill_a_row_of_rejects() -> None:
    """However many there are."""
    limit = RejectLimit(in_a_row=10, share=1.0, window_records=10)
    limit.judge([counted(1000, 9, ignored=991)])
    limit.judge([counted(1000, 0, ignored=1000)])


def test_ignored_lines_are_no_part_of_the_share() -> None:
    """A log of which 99 % is somebody else's stops when half of the rest is rejected, and not before enough is seen."""
    limit = RejectLimit(in_a_row=1000, share=0.5, window_records=10)
    limit.judge([counted(900, 6, ignored=891)])
    with pytest.raises(TooManyRejects, match="6 of the last 10"):
        limit.judge([counted(100, 0, ignored=99)])


def test_ignored_lines_use_no_memory_of_the_limit() -> None:
    """A batch of nothing else leaves no entry, since no entry would ever leave."""
    limit = RejectLimit(in_a_row=1000, share=0.5, window_records=10)
    for _ in range(100):
        limit.judge([counted(5, 0, ignored=5)])

    assert not limit._window


@pytest.mark.stack
def test_a_worker_stops_before_it_fills_the_dead_letters(world: World, sample_lines: list[bytes]) -> None:
    """Exit code 65 with the remedy; the last rejects are not committed; --accept-rejects writes them all."""
    world.bulk_documents = 200
    world.set_up(partitions=1)
    bad = [line[:-10] + b"%d" % n for n, line in enumerate(sample_lines * 60)]
    world.ship(world.written("good.log", sample_lines), world.written("bad.log", bad))

    result = world.perflog("run")

    assert result.returncode == 65, result.stderr
    assert "in a row were refused" in result.stderr
    assert "--accept-rejects" in result.stderr
    (committed,) = world.committed().values()
    assert committed <= 35 + 1000 + 3 * 200, "the limit, and the batches in flight"
    assert world.ledger_sums()["records"] == committed
    again = world.perflog("run", "--drain", "--accept-rejects")
    assert again.returncode == 0, again.stderr
    assert world.ledger_sums()["rejected"] == len(bad) == len(world.documents("rejects"))
    assert world.facts() == world.expected(sample_lines)
