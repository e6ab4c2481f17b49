"""Compare-and-swap in bulk: a store in memory, writers that get in between."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import ItemResult
from ingest.edge.ports import StoredDocument
from ingest.pipeline.sink.bulk_writer import BulkWriter, RequestLimits
from ingest.pipeline.sink.cas import READ_AT_ONCE, CasDocument, CasWriter
from ingest.pipeline.sink.retry import RetryPolicy

REFUSED = "refused"


@dataclass
class MemoryStore:
    """Documents by (index, id), with the sequence number of their last write."""

    documents: dict[tuple[str, str], tuple[int, dict[str, Any]]] = field(default_factory=dict)
    reads: list[int] = field(default_factory=list)
    before_write: Callable[[], None] = lambda: None

    def put(self, doc_ref: tuple[str, str], body: Mapping[str, Any]) -> int:
        """Write, whatever is stored."""
        seq_no = self.documents.get(doc_ref, (0, {}))[0] + 1
        self.documents[doc_ref] = seq_no, dict(body)
        return seq_no

    def get(self, doc_refs: Sequence[tuple[str, str]]) -> list[StoredDocument | None]:
        """As `ports.Store`."""
        self.reads.append(len(doc_refs))
        stored = map(self.documents.get, doc_refs)
        return [StoredDocument((entry[0], 1), entry[1], entry[0]) if entry else None for entry in stored]

    def swap(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """As `ports.Store`; ids that begin with `refused` are rejected."""
        self.before_write()
        return [self._swap(action) for action in actions]

    def _swap(self, action: BulkAction) -> ItemResult:
        doc_ref = action.index, action.id
        ((operation, head),) = orjson.loads(action.text.split("\n", 1)[0]).items()
        if action.id.startswith(REFUSED):
            return ItemResult(400, error="document_parsing_exception")
        stored = self.documents.get(doc_ref)
        fits = stored is None if operation == "create" else stored is not None and stored[0] == head["if_seq_no"]
        if not fits:
            return ItemResult(409, error="version_conflict_engine_exception")
        return ItemResult(201, "created", seen=(self.put(doc_ref, orjson.loads(action.json)), 1))


class Total(CasDocument):
    """Adds a number to the stored total."""

    def __init__(self, doc_id: str, number: int) -> None:
        """Start without a total."""
        super().__init__("totals", doc_id)
        self.total, self.number, self.confirmed = 0, number, 0

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored total."""
        self.total = body["total"] if body else 0

    def next_body(self) -> str | None:
        """Return the new total, None once the number was added."""
        return orjson.dumps({"total": self.total + self.number}).decode() if self.number else None

    def confirm(self) -> None:
        """The number was added."""
        self.total, self.number = self.total + self.number, 0
        self.confirmed += 1


def cas_writer(store: MemoryStore) -> CasWriter:
    """A writer to the store in memory."""
    retry_policy = RetryPolicy(0.01, 0.05)
    return CasWriter(store, BulkWriter(store.swap, retry_policy, RequestLimits(1 << 20, 100)), retry_policy)  # type: ignore[arg-type]


def test_every_number_is_added_once_however_many_writers_get_in_between() -> None:
    """Three other writes come first, each time between our read and our write: three conflicts, nothing lost."""
    store = MemoryStore()
    others = [Total("a", 10), Total("a", 100), Total("a", 1000)]

    def interfere() -> None:
        if others:
            other = others.pop()
            stored = store.documents.get(other.doc_ref)
            store.put(other.doc_ref, {"total": (stored[1]["total"] if stored else 0) + other.number})

    store.before_write = interfere
    mine = Total("a", 1)

    assert cas_writer(store).write([mine]) == 3

    assert store.documents["totals", "a"][1] == {"total": 1111}
    assert (mine.total, mine.confirmed, mine.known) == (1111, 1, True)


def test_a_known_document_is_written_without_a_read() -> None:
    """The second write of a cached document matches the sequence number that the first one was answered with."""
    store = MemoryStore()
    mine = Total("a", 1)
    writer = cas_writer(store)
    writer.write([mine])
    mine.number = 2

    assert writer.write([mine]) == 0

    assert store.reads == [1]
    assert store.documents["totals", "a"] == (2, {"total": 3})


def test_a_document_that_elasticsearch_rejects_is_given_up_and_the_others_are_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says so, it is logged by its name, and it is not confirmed."""
    store = MemoryStore()
    good, bad = Total("a", 1), Total(REFUSED, 1)

    assert cas_writer(store).write([bad, good]) == 0

    assert (bad.rejected, bad.confirmed, good.rejected, good.confirmed) == (True, 0, False, 1)
    assert f"totals/{REFUSED}" in caplog.text


def test_documents_are_read_in_bounded_requests() -> None:
    """No more than READ_AT_ONCE in one; each gets the body that is stored under its own id."""
    store = MemoryStore()
    documents = [Total(str(n), 1) for n in range(READ_AT_ONCE + 7)]
    for n, document in enumerate(documents):
        store.put(document.doc_ref, {"total": n})

    cas_writer(store).write(documents)

    assert store.reads == [READ_AT_ONCE, 7]
    assert [document.total for document in documents] == [n + 1 for n in range(len(documents))]
