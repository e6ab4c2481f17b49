"""What the indexer asks, writes and in which order: a store and a dead-letter topic in memory, lines that are real."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from ingest.config.paths import data_folder
from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import CREATED, ItemResult, StoredVersion
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.kafka_record import ConsumerRecord, Partition, ProducerRecord
from ingest.core.model import Intake
from ingest.core.records.decoded import PartitionBatch
from ingest.core.records.record_decoder import RecordDecoder
from ingest.pipeline.batch.indexer import IndexedBatch, index_batch
from ingest.pipeline.batch.reject_limit import RejectLimit, TooManyRejects
from ingest.pipeline.sink.bulk_writer import BulkWriter, RequestLimits
from ingest.pipeline.sink.retry import RetryPolicy

REGISTRY = load_registry(data_folder("grammars"))
INTAKE = Intake("lines", "t", "als", ("als_perf",), "als-tomography")
LINES = (data_folder("grammars") / "als_perf" / "samples.log").read_bytes().splitlines()[:10]
FOREIGN, BROKEN = b"Loading module foo/1.2", LINES[0][:50]
HEAD = (("perflog.host", b"a"), ("perflog.path", b"/x.log"), ("perflog.backfill", b"true"))
REJECTED = ItemResult(400, error="document_parsing_exception", reason="failed to parse")


@dataclass
class Services:
    """A store and a producer that note what happened, in order."""

    stored: dict[str, StoredVersion] = field(default_factory=dict)
    rejects: set[str] = field(default_factory=set)
    events: list[tuple[str, list[str]]] = field(default_factory=list)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def bulk(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Reject some ids, conflict with stored ones, create the others."""
        self.events.append(("bulk", [action.id for action in actions]))
        return [self._result(action) for action in actions]

    def _result(self, action: BulkAction) -> ItemResult:
        if action.id in self.rejects:
            return REJECTED
        if action.id in self.stored:
            return ItemResult(409)
        self.bodies[action.id] = orjson.loads(action.json)
        return CREATED

    def versions(self, doc_refs: Sequence[tuple[str, str]]) -> list[StoredVersion | None]:
        """The stored versions."""
        self.events.append(("versions", [doc_id for _, doc_id in doc_refs]))
        return [self.stored.get(doc_id) for _, doc_id in doc_refs]

    def send(self, records: Sequence[ProducerRecord]) -> list[str | None]:
        """Take all dead letters."""
        self.events.append(("send", [record.topic for record in records]))
        return [f"dead/0/{n}" for n in range(len(records))]

    def context(self, in_a_row: int = 1000) -> Any:
        """The context of a batch."""
        retry_policy = RetryPolicy(0.01, 0.01)
        return SimpleNamespace(
            schema=REGISTRY.schema,
            store=self,
            producer=self,
            writer=BulkWriter(self.bulk, retry_policy, RequestLimits(1 << 20, 1000)),
            retry_policy=retry_policy,
            limit=RejectLimit(in_a_row, 1.0, 1000),
            dead_letter_topic="dead",
            now_ms=lambda: 0,
            derive=True,
        )


def batch_of(lines: Sequence[bytes], partition: int = 0) -> PartitionBatch:
    """The lines as records of one partition, decoded; plain ones on the fast path."""
    records = [
        ConsumerRecord(Partition("t", partition), n, 1_790_000_000_000, b"k", line, HEAD, ("perflog.offset", b"%d" % n))
        for n, line in enumerate(lines)
    ]
    decoder = RecordDecoder(Decoder(INTAKE, REGISTRY.sources, REGISTRY.schema))
    decoder.read(records * 5, 0)
    return PartitionBatch(INTAKE, records, decoder.read(records, 0))


def outcomes(indexed: IndexedBatch) -> list[dict[str, int]]:
    """The outcomes of each partition batch."""
    return [dict(counts.outcomes) for counts in indexed.counts]


def test_new_documents_take_one_request_and_no_lookup() -> None:
    """Two partition batches in one bulk request; the marks of both are among the updates."""
    services = Services()
    batches = [batch_of(LINES[:6], 0), batch_of(LINES[6:], 1)]

    indexed = index_batch(batches, services.context())

    assert outcomes(indexed) == [{"stored": 6}, {"stored": 4}]
    ids = [action.id for batch in batches for action in batch.reading.actions]
    assert [event for event in services.events if event[1]] == [("bulk", ids)]
    assert {mark.id for marks in indexed.updates.runs.values() for mark in marks} == set(ids)


def test_only_conflicts_are_looked_up() -> None:
    """What this record wrote before a crash is stored; what another record wrote is a duplicate."""
    services = Services()
    batch = batch_of(LINES[:4])
    own, other = batch.reading.actions[1].id, batch.reading.actions[2].id
    services.stored = {own: StoredVersion("t/0/1", 1), other: StoredVersion("t/0/99", 1)}

    indexed = index_batch([batch], services.context())

    assert outcomes(indexed) == [{"stored": 3, "duplicate": 1}]
    assert [ids for kind, ids in services.events if kind == "versions" and ids] == [[own, other]]


def test_rejected_records_go_to_the_topic_and_to_the_index() -> None:
    """One that no grammar reads and one whose document is rejected; each reject names its dead letter."""
    services = Services()
    batch = batch_of([LINES[0], BROKEN, FOREIGN, LINES[1]])
    services.rejects = {batch.reading.actions[-1].id}

    indexed = index_batch([batch], services.context())

    assert outcomes(indexed) == [{"stored": 1, "rejected": 2, "ignored": 1}]
    assert ("send", ["dead", "dead"]) in services.events
    letters = {doc_id: body["perf"]["reject"]["letter"] for doc_id, body in services.bodies.items() if "error" in body}
    assert letters == {"t/0/1": "dead/0/0", "t/0/3": "dead/0/1"}
    assert services.rejects.isdisjoint(mark.id for marks in indexed.updates.runs.values() for mark in marks)


def test_too_many_rejects_stop_before_a_dead_letter_is_written() -> None:
    """A wrong grammar does not fill the topic."""
    services = Services()

    with pytest.raises(TooManyRejects):
        index_batch([batch_of([BROKEN] * 5)], services.context(in_a_row=5))

    assert [kind for kind, items in services.events if items and kind == "send"] == []
