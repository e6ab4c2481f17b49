"""The size of a derive round: what some seconds allow at the pace of the last round, by a clock of the test."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.batch.indexer import IndexedBatch
from ingest.pipeline.worker.backlog import ENOUGH, MAX_RECORDS, MAX_WAIT_S, ROUND_S, Batch, DeriveBacklog, record_count
from tests.support.clock import Clock

BATCH = 5000


def batch(records: int = BATCH) -> Batch:
    """An indexed batch."""
    return (), IndexedBatch([OutcomeCounts(records=records)])


def round_of(backlog: DeriveBacklog, clock: Clock, records_a_second: float) -> int:
    """Run a round at that pace; return the number of its records."""
    records = sum(map(record_count, backlog.begin()))
    clock.s += records / records_a_second
    backlog.ended()
    return records


@given(pace=st.floats(50, 200_000), batches=st.lists(st.integers(1, BATCH), min_size=2, max_size=40))
def test_only_the_first_round_may_take_longer_than_some_seconds(pace: float, batches: list[int]) -> None:
    """Unless a single batch does; on a fast machine a round takes all batches that wait."""
    clock = Clock()
    backlog = DeriveBacklog(clock)
    backlog.add(batch())
    round_of(backlog, clock, pace)
    for records in batches:
        backlog.add(batch(records))
    left = sum(batches)
    while not backlog.empty:
        records = round_of(backlog, clock, pace)
        left -= records
        assert records <= max(pace * ROUND_S * 1.001, BATCH)
        assert backlog.records == left
        assert left == 0 or records + BATCH > pace * ROUND_S * 0.999


def test_a_slow_round_limits_the_next_one_and_a_fast_one_does_not() -> None:
    """At 1,000 records a second, two of twelve batches: all of them would be a minute without a commit."""
    clock = Clock()
    backlog = DeriveBacklog(clock)
    backlog.add(batch())
    round_of(backlog, clock, 1_000)
    for _ in range(MAX_RECORDS // BATCH):
        backlog.add(batch())

    assert round_of(backlog, clock, 1_000) == 2 * BATCH
    assert round_of(backlog, clock, 20_000) == 2 * BATCH
    assert round_of(backlog, clock, 20_000) == MAX_RECORDS // BATCH * BATCH - 4 * BATCH
    assert backlog.empty


def test_a_round_waits_briefly_while_batches_are_in_flight() -> None:
    """So that the lines of a run are derived together; much waiting, a small limit or two seconds end the wait."""
    clock = Clock()
    backlog = DeriveBacklog(clock)
    assert not backlog.due(batches_in_flight=False)
    backlog.add(batch())
    assert backlog.due(batches_in_flight=False)
    assert not backlog.due(batches_in_flight=True)
    clock.s += MAX_WAIT_S
    assert backlog.due(batches_in_flight=True)
    backlog.add(batch(ENOUGH))
    clock.s -= MAX_WAIT_S
    assert backlog.due(batches_in_flight=True)
    backlog.begin()
    clock.s += 100 * ROUND_S
    backlog.ended()
    backlog.add(batch())
    assert backlog.due(batches_in_flight=True)
