"""What records count as, given what Elasticsearch answered and what is stored: real lines, decoded as a worker does."""

from collections.abc import Sequence
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.config.paths import data_folder
from ingest.core.bulk_result import CREATED, KNOWN_CONFLICT, UPDATED, ItemResult, StoredVersion
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.core.model import Intake
from ingest.core.records.dead_letter import INDEX_STAGE
from ingest.core.records.decoded import PartitionBatch
from ingest.core.records.outcomes import OUTCOMES, ClassifiedBatch, classify, classify_uniform, unknown_conflicts
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.replay.corrections import CORRECTED as CHANGED
from ingest.core.replay.corrections import Reconciled
from ingest.core.replay.stored_line import DocumentVersion

KNOWN = load_registry(data_folder("grammars"))
INTAKE = Intake("lines", "t", "als", ("als_perf",), "als-tomography")
FOLDER = data_folder("grammars") / "als_perf"
PLAIN = (FOLDER / "samples.log").read_bytes().splitlines()[:20]
BROKEN = (FOLDER / "rejects.log").read_bytes().splitlines()[0]
FOREIGN = b"Loading module foo/1.2"
CONFLICT = ItemResult(409, error="version_conflict_engine_exception", reason="version conflict")
REFUSED = ItemResult(400, error="document_parsing_exception", reason="failed to parse field [perf.value]")
RESULTS = (CREATED, UPDATED, KNOWN_CONFLICT, CONFLICT, REFUSED)
HEAD = (("perflog.host", b"a"), ("perflog.path", b"/x.log"), ("perflog.backfill", b"true"))


def batch_of(lines: Sequence[bytes], fast: bool = True) -> PartitionBatch:
    """The lines as records of one partition, decoded; `fast`: the origin has sent some before."""
    records = [
        ConsumerRecord(Partition("t", 0), n, 1_790_000_000_000, b"k", line, HEAD, ("perflog.offset", b"%d" % n))
        for n, line in enumerate(lines)
    ]
    decoder = RecordDecoder(Decoder(INTAKE, KNOWN.sources, KNOWN.schema))
    if fast:
        decoder.read(records * 5, 0)
    return PartitionBatch(INTAKE, records, decoder.read(records, 0))


def words(classified: ClassifiedBatch) -> dict[str, int]:
    """The outcomes that occurred."""
    return {name: count for name, count in classified.counts.outcomes.items() if count}


def test_a_batch_with_one_result_is_classified_at_once_as_record_by_record() -> None:
    """Created, updated, known to be stored: the same counts by both; every other result is classified by record."""
    batch = batch_of(PLAIN)
    assert not batch.reading.special

    for result, word in ((CREATED, "stored"), (UPDATED, "corrected"), (KNOWN_CONFLICT, "duplicate")):
        results = [result] * len(PLAIN)
        uniform = classify_uniform(batch, results)
        assert uniform == classify(batch, results, {})
        assert uniform is not None
        assert words(uniform) == {word: len(PLAIN)}
    for results in ([CONFLICT] * len(PLAIN), [UPDATED, *[CREATED] * (len(PLAIN) - 1)]):
        assert classify_uniform(batch, results) is None
    assert classify_uniform(batch_of([]), []) is None
    assert classify_uniform(batch_of([FOREIGN]), []) is None


def test_a_conflict_with_its_own_document_is_stored_and_with_another_a_duplicate() -> None:
    """A worker died after the write: the record reads what it wrote itself. A higher version makes ours outdated."""
    batch = batch_of(PLAIN[:4])
    version = batch.reading.version(0)
    results = [CONFLICT, CONFLICT, CONFLICT, CREATED]
    assert unknown_conflicts(batch.reading, results) == [0, 1, 2]

    classified = classify(
        batch,
        results,
        {0: StoredVersion("t/0/0", version), 1: StoredVersion("t/0/7", version + 1), 2: None},
    )

    assert words(classified) == {"stored": 2, "duplicate": 2}
    assert classified.outdated == {1}


def test_a_document_that_is_known_to_be_stored_needs_no_version() -> None:
    """Of lines read again only the other conflicts are looked up."""
    batch = batch_of(PLAIN[:3])
    batch.reading.already_stored = {1}

    assert unknown_conflicts(batch.reading, [CONFLICT, KNOWN_CONFLICT, CREATED]) == [0]


def test_a_rejected_document_makes_its_record_rejected() -> None:
    """With the reason and the bytes of the line, from the fast path too; the other records keep their outcomes."""
    batch = batch_of(PLAIN[:3])
    results = [CREATED, REFUSED, CREATED]
    assert classify_uniform(batch, results) is None

    classified = classify(batch, results, {})

    assert words(classified) == {"stored": 2, "rejected": 1}
    assert dict(classified.counts.reasons) == {"document_parsing": 1}
    (rejected,) = classified.rejected
    ((stage, reject),) = rejected.special.rejects
    assert (rejected.received, rejected.intake, stage) == (batch.records[1], INTAKE, INDEX_STAGE)
    assert (reject.original, reject.detail) == (PLAIN[1], REFUSED.reason)


def test_rejected_and_ignored_lines_are_counted_by_reason_and_shape() -> None:
    """A broken line beside one that is no PERF line, without any document."""
    batch = batch_of([BROKEN, FOREIGN, PLAIN[0]], fast=False)

    classified = classify(batch, [CREATED] * len(batch.reading.actions), {})

    assert words(classified) == {"rejected": 1, "ignored": 1, "stored": 1}
    assert classified.counts.reasons.total() == 1
    assert classified.counts.shapes.total() == 1
    assert [record.received.value for record in classified.rejected] == [BROKEN]


def test_lines_read_again_are_corrected_where_they_changed() -> None:
    """A corrected document, a version that lost, another document of the line that moved, a line that makes none."""
    batch = batch_of([*PLAIN[:3], FOREIGN], fast=False)
    old = DocumentVersion("perf-marks-als-2016.02", "old", 1, "als_perf", "1-2", 0)
    moved = Reconciled(changes=[(CHANGED, old, None)])
    batch.reading.corrected, batch.reading.outdated, batch.reading.reconciled = {0}, {1}, {2: moved, 3: moved}
    results = [CREATED] * 3
    assert classify_uniform(batch, results) is None

    classified = classify(batch, results, {})

    assert words(classified) == {"corrected": 3, "duplicate": 1}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_record_has_exactly_one_outcome(seed: int) -> None:
    """Any lines, any results, any stored versions: as many outcomes as records, and every rejected one is handed on."""
    rng = Random(seed)
    batch = batch_of([rng.choice([*PLAIN, BROKEN, FOREIGN]) for _ in range(rng.randrange(12))], rng.random() < 0.5)
    results = [rng.choice(RESULTS) for _ in batch.reading.actions]
    stored = [None, StoredVersion(None, 0), StoredVersion("t/0/3", 2**60)]
    versions = {n: rng.choice(stored) for n in unknown_conflicts(batch.reading, results)}

    classified = classify_uniform(batch, results) or classify(batch, results, versions)

    assert set(classified.counts.outcomes) <= set(OUTCOMES)
    assert classified.counts.outcomes.total() == classified.counts.records == len(batch.records)
    assert classified.counts.outcomes["rejected"] == len(classified.rejected)
    assert classified.counts.documents == len(results)
    assert classified.outdated <= set(versions)
