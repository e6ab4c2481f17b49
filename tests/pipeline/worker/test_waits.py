"""What a waiting worker logs, and when, by a clock that the test moves."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.core.model import Intake
from ingest.core.records.decoded import DecodedBatch, PartitionBatch
from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.batch.indexer import IndexedBatch
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.sink.retry import RetryPolicy
from ingest.pipeline.worker.buffer import RecordBuffer
from ingest.pipeline.worker.committer import Committer
from ingest.pipeline.worker.ledger import WorkerIdentity
from ingest.pipeline.worker.offsets import CommittableRange, InFlightRange, OffsetTracker
from ingest.pipeline.worker.threads import WorkerThreads
from ingest.pipeline.worker.waits import CHECK_S, FIRST_S, MOST_S, Waits
from ingest.pipeline.worker.worker import Worker
from tests.support.clock import Clock

LATEST_S = 10.0


def sentences(waits: Waits, clock: Clock, seconds: float) -> list[tuple[float, str]]:
    """The sentences that are due in so many seconds, with their times; checked as often as the thread checks."""
    began_s, due = clock.s, []
    while clock.s < began_s + seconds:
        clock.s += CHECK_S
        if (sentence := waits.sentence()) is not None:
            due.append((clock.s - began_s, sentence))
    return due


def test_a_wait_is_logged_within_ten_seconds_and_again() -> None:
    """Each time after twice as long, so that a log of hours stays short; the intervals end at some minutes."""
    clock = Clock()
    waits = Waits(clock)
    waits.on("Elasticsearch")

    logged = sentences(waits, clock, 3600)

    times = [when_s for when_s, _ in logged]
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] <= LATEST_S
    assert times[:4] == [8, 16, 32, 64]
    assert max(gaps) <= MOST_S + CHECK_S
    assert len(logged) < 20
    assert logged[0][1] == "Nothing was committed for 8 s; waiting for Elasticsearch."


def test_the_sentence_names_the_current_wait_while_nothing_is_committed() -> None:
    """Each step may be short and all of them long: the time goes on, the sentence names the current step."""
    clock = Clock()
    waits = Waits(clock)
    logged = []
    for step in range(30):
        waits.on(f"step {step}")
        logged += sentences(waits, clock, 1)

    assert [sentence for _, sentence in logged] == [
        f"Nothing was committed for {s} s; waiting for step {s - 1}." for s in (8, 16)
    ]


def test_a_commit_ends_a_wait() -> None:
    """A wait that was logged is logged as over, once; one that was not logged ends silently."""
    clock = Clock()
    waits = Waits(clock)
    waits.on("Kafka")
    assert len(sentences(waits, clock, 9)) == 1
    waits.note_commit()
    assert sentences(waits, clock, 7) == [(1, "Going on after 9 s.")]
    waits.note_commit()
    assert sentences(waits, clock, 7) == []
    assert sentences(waits, clock, 1) == [(1, "Nothing was committed for 8 s; waiting for Kafka.")]


def test_an_idle_worker_logs_nothing() -> None:
    """It only waits for more records."""
    clock = Clock()
    waits = Waits(clock)
    for _ in range(100):
        waits.on(None)
        assert sentences(waits, clock, 60) == []


@given(steps=st.lists(st.tuples(st.sampled_from(["a", "b", "commit", None]), st.integers(0, 40)), max_size=30))
def test_no_worker_is_silent_for_long_without_a_commit(steps: list[tuple[str | None, int]]) -> None:
    """Whatever happens in between: ten seconds by the clock after the last commit, a sentence has been logged."""
    clock = Clock()
    waits = Waits(clock)
    current: str | None = None
    since_s, is_logged = clock.s, False
    for step, seconds in steps:
        if step == "commit" or step is None or current is None:
            since_s, is_logged = clock.s, False
        if step == "commit":
            waits.note_commit()
        else:
            current = step
            waits.on(current)
        for _, sentence in sentences(waits, clock, seconds):
            is_logged = is_logged or sentence.startswith("Nothing was committed")
        assert is_logged == (current is not None and clock.s - since_s >= FIRST_S)


AT = Partition("t", 3)


class Group:
    """A consumer, as far as it is asked what the worker waits for."""

    answers, rebalances = True, False

    def is_reachable(self) -> bool:
        """As the test says."""
        return self.answers

    def is_rebalancing(self) -> bool:
        """As the test says."""
        return self.rebalances


@pytest.fixture
def loop() -> Iterator[Worker]:
    """A worker without partitions."""
    consumer: Any = Group()
    context: Any = SimpleNamespace(retry_policy=RetryPolicy(0.1, 0.1))
    threads = WorkerThreads(context, 1)
    worker = WorkerIdentity("g", "h:1")
    committer = Committer(consumer, threads, {}, worker, 1.0)
    yield Worker(consumer, threads, committer, {}, worker, RecordBuffer(RequestLimits(1, 1), 1.0), 1.0)
    threads.shut_down()


def _away(loop: Worker) -> None:
    loop.consumer.answers = False  # type: ignore[attr-defined]


def _rebalancing(loop: Worker) -> None:
    loop.consumer.rebalances = True  # type: ignore[attr-defined]
    loop._finish_before_rebalance()


def _epoch_requested(loop: Worker) -> None:
    loop._pending_epochs[AT] = Future()


def _epoch_taken(loop: Worker) -> None:
    loop._pending_epochs[AT] = Future()
    loop._pending_epochs[AT].set_result(1)


def _owning(loop: Worker) -> OffsetTracker:
    loop.trackers[AT] = OffsetTracker(AT, 1, 0)
    return loop.trackers[AT]


def _batch(loop: Worker) -> tuple[Sequence[InFlightRange], IndexedBatch]:
    return [_owning(loop).track(1200, 0)], IndexedBatch([OutcomeCounts(records=1200)])


def _indexing(loop: Worker) -> None:
    records = [ConsumerRecord(AT, n, 0, None, b"") for n in range(1200)]
    loop.threads.in_flight[Future()] = [
        (_batch(loop)[0][0], PartitionBatch(Intake("i", "t", "als", ()), records, DecodedBatch()))
    ]


def _deriving(loop: Worker) -> None:
    loop.threads._backlog.add(_batch(loop))
    loop.threads._round = Future(), loop.threads._backlog.begin()
    loop.threads._backlog.add(_batch(loop))


def _writing_ledger(loop: Worker) -> None:
    _owning(loop)
    loop.committer._ledger_write = Future()


def _committing(loop: Worker) -> None:
    tracker = _owning(loop)
    loop.committer._due = [CommittableRange(AT, tracker, 0, 1, 0, OutcomeCounts(records=1))]


def _fenced(loop: Worker) -> None:
    _committing(loop)
    loop.committer.shut_out = True


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (_away, "Kafka's broker of the group g to answer"),
        (_rebalancing, "the group g to share out its partitions"),
        (lambda _: None, "a partition: the group g has given it none"),
        (_epoch_requested, "Elasticsearch to count who has had 1 partitions"),
        (_epoch_taken, "Kafka to say where the group stands in 1 partitions"),
        (_indexing, "Elasticsearch to take 1,200 records in 1 batches"),
        (_deriving, "stages and runs to be derived of 2,400 records"),
        (_writing_ledger, "Elasticsearch to take the ledger"),
        (_committing, "Kafka to take the commit"),
        (_fenced, "the group to let us commit"),
        (_owning, None),
    ],
)
def test_the_worker_knows_what_it_waits_for(
    loop: Worker, happens: Callable[[Worker], object], words: str | None
) -> None:
    """At each step from the start to the commit; once all is committed, it waits only for records."""
    happens(loop)

    phrase = loop.waiting_for()

    assert phrase is None if words is None else words in (phrase or "")


def test_the_thread_checks_often_enough() -> None:
    """The first sentence is due early enough for a thread that checks once a second and is a second late."""
    assert FIRST_S + CHECK_S + 1 <= LATEST_S
