"""What a worker that waits says, and when: by a clock that the test moves."""

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
from ingest.pipeline.worker.waits import FIRST_S, LOOK_S, MOST_S, Waits
from ingest.pipeline.worker.worker import Worker
from tests.support.clock import Clock

LATEST_S = 10.0


def said(waits: Waits, clock: Clock, seconds: float) -> list[tuple[float, str]]:
    """What is said while so many seconds pass, looked for as often as the thread looks: when and what."""
    began_s, found = clock.s, []
    while clock.s < began_s + seconds:
        clock.s += LOOK_S
        if (sentence := waits.sentence()) is not None:
            found.append((clock.s - began_s, sentence))
    return found


def test_who_waits_says_for_what_within_ten_seconds_and_again() -> None:
    """Each time after twice as long, so that a log of hours stays short; never at intervals over some minutes."""
    clock = Clock()
    waits = Waits(clock)
    waits.on("Elasticsearch")

    found = said(waits, clock, 3600)

    times = [when_s for when_s, _ in found]
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] <= LATEST_S
    assert times[:4] == [8, 16, 32, 64]
    assert max(gaps) <= MOST_S + LOOK_S
    assert len(found) < 20
    assert found[0][1] == "Nothing was committed for 8 s; waiting for Elasticsearch."


def test_what_is_waited_for_may_change_while_nothing_is_committed() -> None:
    """Each step may be short and all together long: the time runs on, the word is of the present one."""
    clock = Clock()
    waits = Waits(clock)
    found = []
    for step in range(30):
        waits.on(f"step {step}")
        found += said(waits, clock, 1)

    assert [sentence for _, sentence in found] == [
        f"Nothing was committed for {s} s; waiting for step {s - 1}." for s in (8, 16)
    ]


def test_a_commit_is_an_end_and_a_new_beginning() -> None:
    """What was said to last is said to be over, once; what was never said ends without a word."""
    clock = Clock()
    waits = Waits(clock)
    waits.on("Kafka")
    assert len(said(waits, clock, 9)) == 1
    waits.got_on()
    assert said(waits, clock, 7) == [(1, "Going on after 9 s.")]
    waits.got_on()
    assert said(waits, clock, 7) == []
    assert said(waits, clock, 1) == [(1, "Nothing was committed for 8 s; waiting for Kafka.")]


def test_who_has_nothing_to_do_is_silent() -> None:
    """Nothing to wait for but more records is no trouble."""
    clock = Clock()
    waits = Waits(clock)
    for _ in range(100):
        waits.on(None)
        assert said(waits, clock, 60) == []


@given(steps=st.lists(st.tuples(st.sampled_from(["a", "b", "commit", None]), st.integers(0, 40)), max_size=30))
def test_nobody_is_silent_for_long_without_a_commit(steps: list[tuple[str | None, int]]) -> None:
    """Whatever comes in between, nobody waits ten seconds of his clock from the last commit without having said so."""
    clock = Clock()
    waits = Waits(clock)
    what: str | None = None
    since_s, told = clock.s, False
    for step, seconds in steps:
        if step == "commit" or step is None or what is None:
            since_s, told = clock.s, False
        if step == "commit":
            waits.got_on()
        else:
            what = step
            waits.on(what)
        for _, sentence in said(waits, clock, seconds):
            told = told or sentence.startswith("Nothing was committed")
        assert told == (what is not None and clock.s - since_s >= FIRST_S)


AT = Partition("t", 3)


class Group:
    """An inbox as far as it is asked what there is to wait for."""

    there, sharing = True, False

    def reachable(self) -> bool:
        """As the test says."""
        return self.there

    def changing(self) -> bool:
        """As the test says."""
        return self.sharing


@pytest.fixture
def loop() -> Iterator[Worker]:
    """A worker that nobody has given anything yet."""
    inbox: Any = Group()
    services: Any = SimpleNamespace(retry_policy=RetryPolicy(0.1, 0.1))
    threads = WorkerThreads(services, 1)
    worker = WorkerIdentity("g", "h:1")
    committer = Committer(inbox, threads, {}, worker, 1.0)
    yield Worker(inbox, threads, committer, {}, worker, RecordBuffer(RequestLimits(1, 1), 1.0), 1.0)
    threads.dismiss()


def _away(loop: Worker) -> None:
    loop.inbox.there = False  # type: ignore[attr-defined]


def _shared_out(loop: Worker) -> None:
    loop.inbox.sharing = True  # type: ignore[attr-defined]
    loop._before_a_change()


def _given(loop: Worker) -> None:
    loop._beginning[AT] = Future()


def _counted(loop: Worker) -> None:
    loop._beginning[AT] = Future()
    loop._beginning[AT].set_result(1)


def _holding(loop: Worker) -> OffsetTracker:
    loop.trackers[AT] = OffsetTracker(AT, 1, 0)
    return loop.trackers[AT]


def _batch(loop: Worker) -> tuple[Sequence[InFlightRange], IndexedBatch]:
    return [_holding(loop).take(1200, 0)], IndexedBatch([OutcomeCounts(records=1200)])


def _asked(loop: Worker) -> None:
    records = [ConsumerRecord(AT, n, 0, None, b"") for n in range(1200)]
    loop.threads.under_way[Future()] = [
        (_batch(loop)[0][0], PartitionBatch(Intake("i", "t", "als", ()), records, DecodedBatch()))
    ]


def _deriving(loop: Worker) -> None:
    loop.threads._waiting.add(_batch(loop))
    loop.threads._round = Future(), loop.threads._waiting.begin()
    loop.threads._waiting.add(_batch(loop))


def _booking(loop: Worker) -> None:
    _holding(loop)
    loop.committer._asked = Future()


def _committing(loop: Worker) -> None:
    tracker = _holding(loop)
    loop.committer._due = [CommittableRange(AT, tracker, 0, 1, 0, OutcomeCounts(records=1))]


def _shut_out(loop: Worker) -> None:
    _committing(loop)
    loop.committer.shut_out = True


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (_away, "Kafka's broker of the group g to answer"),
        (_shared_out, "the group g to share out its partitions"),
        (lambda _: None, "a partition: the group g has given it none"),
        (_given, "Elasticsearch to count who has had 1 partitions"),
        (_counted, "Kafka to say where the group stands in 1 partitions"),
        (_asked, "Elasticsearch to take 1,200 records in 1 batches"),
        (_deriving, "stages and runs to be derived of 2,400 records"),
        (_booking, "Elasticsearch to take the ledger"),
        (_committing, "Kafka to take the commit"),
        (_shut_out, "the group to let us commit"),
        (_holding, None),
    ],
)
def test_the_worker_knows_what_it_waits_for(
    loop: Worker, happens: Callable[[Worker], object], words: str | None
) -> None:
    """At each step between being started and having committed; with all committed it waits for records alone."""
    happens(loop)

    found = loop.awaited()

    assert found is None if words is None else words in (found or "")


def test_the_thread_looks_often_enough() -> None:
    """The first word is due early enough for one that looks only so often, on a machine that is late by a second."""
    assert FIRST_S + LOOK_S + 1 <= LATEST_S
