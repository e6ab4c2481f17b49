"""What a stored line's new reading supersedes: its former documents are overwritten, and leave their runs.

After the new documents were answered for, and before the commit: nothing is ever gone that has no successor yet, and a
worker that dies in between reads the record, and in it the former documents, again. Nothing of a record is done whose
new documents Elasticsearch refuses. A former document of another id than the new ones has to hold the same bytes: a
record may take back only what is its own.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import orjson

from ingest.core.batching import batched
from ingest.core.bulk import BulkAction, index
from ingest.core.decode.bodies import original_fields
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.mark import RunKey, RunMark
from ingest.core.records.dead_letter import INDEX_STAGE
from ingest.core.records.decoded import DecodedBatch
from ingest.core.records.headers import message
from ingest.core.replay.corrections import Retraction, bytes_of, tombstone
from ingest.core.replay.stored_line import DocumentVersion
from ingest.edge.ports import Store, StoredDocument
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.retry import RetryPolicy

TOGETHER_BYTES = 16 * 1024 * 1024  # of lines whose former documents are looked up at once
CORRECTED, STORED, DUPLICATE = "corrected", "stored", "duplicate"


class RetractionContext(Protocol):
    """The part of `Services` that is needed."""

    @property
    def store(self) -> Store:
        """Looks up."""

    @property
    def writer(self) -> BulkWriter:
        """Writes."""

    @property
    def retry_policy(self) -> RetryPolicy:
        """Waits."""


def outcome_after_reread(word: str, n: int, owner: int, reading: DecodedBatch) -> str:
    """The fate of a document with this plain fate: one that does not count is a duplicate of what does."""
    if n in reading.lost:
        return DUPLICATE
    verdict = reading.judged.get(owner)
    corrects = n in reading.corrected or (verdict is not None and verdict.is_correction)
    return CORRECTED if word == STORED and corrects else word


def outcome_without_documents(n: int, reading: DecodedBatch) -> Sequence[str]:
    """Of a record that makes no document any more."""
    return (CORRECTED,) if n in reading.judged and reading.judged[n].is_correction else ()


def retract(
    reading: DecodedBatch, records: Sequence[ConsumerRecord], services: RetractionContext
) -> Iterator[tuple[RunKey, RunMark]]:
    """Overwrite what does not count any more; the marks that leave their runs."""
    due = [n for n in reading.judged if not _refused(reading, n)]
    wanted = [(n, each) for n in due for each in reading.judged[n].retractions]
    foreign = {each.former.id for _, each in wanted if not each.replaced}
    for some in batched(wanted, lambda row: len(records[row[0]].value or b""), TOGETHER_BYTES):
        foreign -= {former.id for former in _overwrite(some, reading, records, services)}
    for n in due:
        yield from (mark for mark in reading.judged[n].forgotten if mark[1].id not in foreign)


def _overwrite(
    wanted: Sequence[tuple[int, Retraction]],
    reading: DecodedBatch,
    records: Sequence[ConsumerRecord],
    services: RetractionContext,
) -> list[DocumentVersion]:
    """Overwrite those former documents that are of their record's line, which each of them may hold; which these are.

    A tombstone keeps the bytes of a line of which no document is left.
    """
    places = [(each.former.index, each.former.id) for _, each in wanted]
    kept = services.retry_policy.until_done(lambda: services.store.kept(places))
    theirs = [
        (n, each, found) for (n, each), found in zip(wanted, kept, strict=True) if _is_of(records[n], each, found)
    ]
    actions = [_action(each, None if _has_documents(reading, n) else found) for n, each, found in theirs]
    services.writer.write(actions)
    return [each.former for _, each, _ in theirs]


def _has_documents(reading: DecodedBatch, n: int) -> bool:
    """Whether a document was made of a record; the owners of actions ascend."""
    at = bisect_left(reading.owners, n)
    return at < len(reading.owners) and reading.owners[at] == n


def _refused(reading: DecodedBatch, n: int) -> bool:
    special = reading.special.get(n)
    return special is not None and any(stage == INDEX_STAGE for stage, _ in special.refused)


def _is_of(record: ConsumerRecord, retraction: Retraction, found: StoredDocument | None) -> bool:
    """Whether it is there, and of the same line: by its id, by its bytes, or because it was overwritten before."""
    if found is None:
        return False
    if retraction.replaced:
        return True
    own = original_fields(message(record).data)
    return bytes_of(found.body) == (own.get("event.original"), own.get("event.original_b64"))


def _action(retraction: Retraction, found: StoredDocument | None) -> BulkAction:
    former = retraction.former
    body: Any = None if retraction.replaced or found is None else found.body
    stone = tombstone(former, former.index.split("-")[2], body)
    return index(former.index, former.id, retraction.version, orjson.dumps(stone).decode())
