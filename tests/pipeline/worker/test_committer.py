"""Commits that fail are repeated by the retry policy, unchanged, while the loop goes on. No servers."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.config.paths import data_folder
from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import CREATED, ItemResult
from ingest.core.fields import load_schema
from ingest.core.kafka_record import Partition
from ingest.core.model import ExitCode, Intake, Problem
from ingest.core.records.outcomes import OutcomeCounts
from ingest.edge.errors import Fenced, Unavailable
from ingest.pipeline.sink.retry import RetryPolicy
from ingest.pipeline.worker.committer import Committer
from ingest.pipeline.worker.ledger import WorkerIdentity
from ingest.pipeline.worker.offsets import CommittableRange, OffsetTracker
from ingest.pipeline.worker.threads import WorkerThreads
from tests.support.clock import Clock

AT = Partition("t", 0)
FIELDS = data_folder("grammars") / "fields.toml"
INTAKE = Intake("lines", "t", "als", ("als_perf",))


class Group:
    """A consumer that fails to commit as often as the test says."""

    def __init__(self) -> None:
        """Start without errors."""
        self.errors: list[Exception] = []
        self.calls = 0
        self.committed: list[int] = []

    def commit(self, offsets: dict[Partition, int]) -> None:
        """Raise the next error, or note the offset."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.committed.append(offsets[AT])


class Ledger:
    """A writer that answers every ledger document with `result`."""

    result = CREATED

    def write(self, actions: list[BulkAction]) -> list[ItemResult]:
        """As `BulkWriter.write`."""
        return [self.result] * len(actions)


@pytest.fixture
def clock() -> Clock:
    """The clock of the retries."""
    return Clock()


@pytest.fixture
def committer(clock: Clock) -> Iterator[Committer]:
    """A committer whose threads write to a ledger in memory."""
    context: Any = SimpleNamespace(
        retry_policy=RetryPolicy(0.1, 0.1), writer=Ledger(), schema=load_schema(FIELDS), now_ms=lambda: 0
    )
    threads = WorkerThreads(context, 1)
    consumer: Any = Group()
    backoff = RetryPolicy(1.0, 4.0).backoff(clock)
    yield Committer(consumer, threads, {"t": INTAKE}, WorkerIdentity("g", "h:1"), 0.0, _backoff=backoff)
    threads.shut_down()


def settle(tracker: OffsetTracker, next_offset: int) -> None:
    """Settle the offsets up to this one."""
    tracker.track(next_offset, 0).count = OutcomeCounts(records=1)


def step(committer: Committer, tracker: OffsetTracker) -> list[CommittableRange]:
    """Advance the committer once its ledger write is done."""
    if committer._ledger_write is not None:
        committer._ledger_write.exception(10)
    return committer.step({AT: tracker}, at_once=True)


def test_a_range_is_written_to_the_ledger_then_committed(committer: Committer) -> None:
    """Two steps; afterwards the next range starts at the committed offset."""
    tracker = OffsetTracker(AT, 1, 0)
    settle(tracker, 10)

    assert step(committer, tracker) == []
    (confirmed,) = step(committer, tracker)

    assert (confirmed.first_offset, confirmed.next_offset) == (0, 10)
    assert tracker.first_offset == 10
    assert committer.idle


def test_a_failed_commit_waits_for_the_backoff_and_commits_the_same_range(committer: Committer, clock: Clock) -> None:
    """Twice Kafka is away; no call is made before its time, and what settles meanwhile goes into the next range."""
    tracker = OffsetTracker(AT, 1, 0)
    group: Any = committer.consumer
    group.errors = [Unavailable("away"), Unavailable("still away")]
    settle(tracker, 10)
    step(committer, tracker)

    for calls in (1, 2):
        assert step(committer, tracker) == []
        assert step(committer, tracker) == []
        assert group.calls == calls
        settle(tracker, 10 + calls)
        clock.s += 4.0
    (confirmed,) = step(committer, tracker)

    assert (confirmed.next_offset, group.committed) == (10, [10])
    assert not committer.shut_out
    step(committer, tracker)
    (confirmed,) = step(committer, tracker)
    assert (confirmed.first_offset, confirmed.next_offset) == (10, 12)


def test_a_range_whose_partition_was_lost_is_not_committed(committer: Committer, clock: Clock) -> None:
    """The group refused the commit; after the rebalance the partition belongs to another assignment."""
    tracker = OffsetTracker(AT, 1, 0)
    group: Any = committer.consumer
    group.errors = [Fenced("rebalance")]
    settle(tracker, 10)
    step(committer, tracker)
    step(committer, tracker)
    assert committer.shut_out

    clock.s += 4.0
    assert step(committer, OffsetTracker(AT, 2, 0)) == []

    assert (group.committed, committer.shut_out, committer.idle) == ([], False, True)


def test_a_partition_with_a_higher_epoch_is_fenced(committer: Committer) -> None:
    """Another worker wrote the ledger with a higher epoch: its partition is started again, nothing is committed."""
    tracker = OffsetTracker(AT, 1, 0)
    committer.threads.context.writer.result = ItemResult(409)  # type: ignore[attr-defined]
    settle(tracker, 10)
    step(committer, tracker)

    assert step(committer, tracker) == []

    assert committer.fenced == {AT}
    assert committer.consumer.committed == []  # type: ignore[comparison-overlap]


def test_a_ledger_that_elasticsearch_rejects_is_a_problem(committer: Committer) -> None:
    """Exit code 78: nothing is committed before `perflog setup`."""
    tracker = OffsetTracker(AT, 1, 0)
    committer.threads.context.writer.result = ItemResult(400, error="document_parsing_exception")  # type: ignore[attr-defined]
    settle(tracker, 10)
    step(committer, tracker)

    with pytest.raises(Problem, match="document_parsing_exception") as raised:
        step(committer, tracker)

    assert raised.value.exit_code == ExitCode.CONFIG
