"""How much a round of deriving takes: what is done in some seconds at the last one's pace, by a clock of the test."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.batch.indexer import IndexedBatch
from ingest.pipeline.worker.backlog import MOST, PATIENCE_S, PLENTY, ROUND_S, Batch, DeriveBacklog, record_count
from tests.support.clock import Clock

BATCH = 5000


def batch(records: int = BATCH) -> Batch:
    """One that was answered."""
    return (), IndexedBatch([OutcomeCounts(records=records)])


def round_of(backlog: DeriveBacklog, clock: Clock, records_a_second: float) -> int:
    """Play a round at that pace; the records that it took."""
    records = sum(map(record_count, backlog.begin()))
    clock.s += records / records_a_second
    backlog.ended()
    return records


@given(pace=st.floats(50, 200_000), batches=st.lists(st.integers(1, BATCH), min_size=2, max_size=40))
def test_no_round_but_the_first_takes_longer_than_some_seconds(pace: float, batches: list[int]) -> None:
    """Unless a single batch does; on a machine that is quick enough a round takes all that waits."""
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


def test_a_slow_round_leaves_the_next_one_a_share_and_a_quick_one_gives_it_all() -> None:
    """At 1,000 records a second two batches of the twelve that wait: all at once would be a minute without a commit."""
    clock = Clock()
    backlog = DeriveBacklog(clock)
    backlog.add(batch())
    round_of(backlog, clock, 1_000)
    for _ in range(MOST // BATCH):
        backlog.add(batch())

    assert round_of(backlog, clock, 1_000) == 2 * BATCH
    assert round_of(backlog, clock, 20_000) == 2 * BATCH
    assert round_of(backlog, clock, 20_000) == MOST // BATCH * BATCH - 4 * BATCH
    assert backlog.empty


def test_a_round_waits_for_more_only_while_more_comes_and_not_long() -> None:
    """So that a run's lines come together; where a round takes less than that, for no more than it takes."""
    clock = Clock()
    backlog = DeriveBacklog(clock)
    assert not backlog.due(more_under_way=False)
    backlog.add(batch())
    assert backlog.due(more_under_way=False)
    assert not backlog.due(more_under_way=True)
    clock.s += PATIENCE_S
    assert backlog.due(more_under_way=True)
    backlog.add(batch(PLENTY))
    clock.s -= PATIENCE_S
    assert backlog.due(more_under_way=True)
    backlog.begin()
    clock.s += 100 * ROUND_S
    backlog.ended()
    backlog.add(batch())
    assert backlog.due(more_under_way=True)
