"""What is gathered from typed marks equals what is gathered from documents."""

from itertools import islice
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.bulk_result import CREATED, KNOWN_CONFLICT, ItemResult
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import fast_path
from ingest.core.fields import load_schema
from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.core.model import Intake, Message, Provenance
from ingest.core.records.decoded import PartitionBatch
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.state import union
from ingest.core.sources.loader import load_sources
from ingest.core.tracking.watermark import WriterProgress
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Shares, Workload
from tests.core.conftest import GRAMMARS

SCHEMA = load_schema(GRAMMARS / "fields.toml")
FLOW = Decoder(Intake("lines", "t", "als", ("als_perf",), "w"), load_sources(GRAMMARS, SCHEMA), SCHEMA)
ORIGIN = Provenance("node", "/x.log", 0)
SHARES = Shares(with_ends=0.3, skewed=0.3, retried=0.2, parallel=0.2, torn=0.05, refused=0.05)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), ahead=st.booleans())
def test_the_short_way_gathers_what_the_documents_say(seed: int, ahead: bool) -> None:
    """Marks, runs and what was heard of the writer, to the value."""
    lines = [made.data for made in islice(messages(Workload(seed, 300, shares=SHARES)), 300)]
    received_ms = 1_454_662_800_000 if ahead else 1_790_000_000_000
    path = fast_path(FLOW, FLOW.first, ORIGIN)
    assert path is not None
    read = path.reader()
    short, plain, general, rng = BatchUpdates(), [], BatchUpdates(), Random(seed)
    for line in lines:
        record_ms = received_ms + rng.randrange(10**6)
        outcomes = FLOW.decode(Message(line, record_ms, ORIGIN, backfill=True), 0)
        mark = read(line)
        for document in outcomes.documents:
            general.add_document(document, record_ms, True)
            if mark is None or len(outcomes.documents) > 1:
                short.add_document(document, record_ms, True)
            else:
                plain.append((document.id, mark, record_ms))
    short.add_plain(plain, True)

    assert len(plain) > 50
    assert short.writers == general.writers
    assert {key: union({}, marks) for key, marks in short.runs.items()} == {
        key: union({}, marks) for key, marks in general.runs.items()
    }
    assert any(progress.ahead for progress in general.writers.values()) == ahead


def test_joined_is_as_gathered_at_once() -> None:
    """Two batches of the same run and writer."""
    documents = [
        document
        for made in messages(Workload(3, 60))
        for document in FLOW.decode(Message(made.data, 1_790_000_000_000, ORIGIN, backfill=True), 0).documents
    ]
    whole, parts = BatchUpdates(), [BatchUpdates(), BatchUpdates()]
    for n, document in enumerate(documents):
        whole.add_document(document, n, False)
        parts[n % 2].add_document(document, n, False)
    parts[0].join(parts[1])

    assert parts[0].writers == whole.writers
    assert {key: union({}, marks) for key, marks in parts[0].runs.items()} == {
        key: union({}, marks) for key, marks in whole.runs.items()
    }
    assert all(isinstance(progress, WriterProgress) and progress.ahead for progress in whole.writers.values())


def batch_of(count: int) -> PartitionBatch:
    """Generated lines of one file as records of one partition, decoded as a worker does; some on the slow path."""
    head = (("perflog.host", b"node"), ("perflog.path", b"/x.log"), ("perflog.backfill", b"true"))
    records, at_bytes = [], 0
    for n, made in enumerate(islice(messages(Workload(5, count)), count)):
        tail = ("perflog.offset", b"%d" % at_bytes)
        records.append(ConsumerRecord(Partition("t", 0), n, 1_790_000_000_000, b"k", made.data, head, tail))
        at_bytes += len(made.data) + 1
    decoder = RecordDecoder(FLOW)
    decoder.read(records[:50], 0)
    return PartitionBatch(FLOW.intake, records, decoder.read(records, 0))


def mark_ids(updates: BatchUpdates) -> set[str]:
    """The documents whose marks are among the updates."""
    return {mark.id for marks in updates.runs.values() for mark in marks}


def test_a_batch_gives_the_marks_of_the_documents_that_are_stored_by_now() -> None:
    """Created ones and duplicates; not those that were rejected, and not those of which a higher version is stored."""
    batch = batch_of(200)
    everything = BatchUpdates()
    everything.add_batch(batch, [CREATED] * len(batch.reading.actions), set())
    rejected, outdated, duplicate = (
        batch.reading.actions[3].id,
        batch.reading.actions[7].id,
        batch.reading.actions[9].id,
    )
    results = [CREATED] * len(batch.reading.actions)
    results[3], results[7], results[9] = (
        ItemResult(400, error="document_parsing_exception"),
        ItemResult(409),
        KNOWN_CONFLICT,
    )

    updates = BatchUpdates()
    updates.add_batch(batch, results, {7})

    assert {rejected, outdated, duplicate} <= mark_ids(everything)
    assert mark_ids(everything) - mark_ids(updates) == {rejected, outdated}


def test_the_bytes_of_every_record_count_whatever_its_outcome() -> None:
    """A rejected line was received all the same: it is no gap in its file."""
    batch = batch_of(60)
    updates = BatchUpdates()

    updates.add_batch(batch, [ItemResult(400, error="document_parsing_exception")] * len(batch.reading.actions), set())

    assert mark_ids(updates) == set()
    assert updates.files == batch.reading.files
    assert len(updates.files) == 1


def test_documents_that_a_replay_knows_to_be_stored_are_counted_and_say_nothing_of_their_writer() -> None:
    """Their marks are updates as any other; the progress of the writer comes from the new lines alone."""
    batch = batch_of(120)
    batch.reading.already_stored = set(range(len(batch.reading.actions)))
    updates = BatchUpdates()

    updates.add_batch(batch, [KNOWN_CONFLICT] * len(batch.reading.actions), set())

    assert updates.already_stored.total() == sum(map(len, updates.runs.values())) > 0
    assert set(updates.already_stored) == set(updates.runs)
    assert updates.writers == {}
