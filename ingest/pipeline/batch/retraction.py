"""Retracts earlier documents of a stored line that reads differently now, and takes their marks out of their runs.

This runs after the new documents are confirmed and before the commit, so no document goes before its successor exists.
A worker that dies in between reads the record again, which lists the earlier documents. If Elasticsearch rejects a new
document, nothing of its record is retracted. An earlier document with a different id must hold the same bytes as the
line: a record may retract only its own documents.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from ingest.core.batching import batched
from ingest.core.bulk import BulkAction, index
from ingest.core.decode.bodies import original_of
from ingest.core.ids import parse_index
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.mark import RunKey, RunMark
from ingest.core.records.dead_letter import INDEX_STAGE
from ingest.core.records.decoded import DecodedBatch
from ingest.core.replay.corrections import Retraction, tombstone
from ingest.core.replay.stored_line import DocumentVersion
from ingest.edge.ports import StoredDocument
from ingest.pipeline.batch.context import BatchContext

TOGETHER_BYTES = 16 * 1024 * 1024  # of lines whose earlier documents are looked up in one request


def retract(
    reading: DecodedBatch, records: Sequence[ConsumerRecord], context: BatchContext
) -> Iterator[tuple[RunKey, RunMark]]:
    """Overwrite the retracted documents; yield the marks that leave their runs."""
    due = [n for n in reading.reconciled if not _is_rejected(reading, n)]
    retractions = [(n, retraction) for n in due for retraction in reading.reconciled[n].retractions]
    foreign = {retraction.old.id for _, retraction in retractions if not retraction.replaced}
    for chunk in batched(retractions, lambda item: len(records[item[0]].value or b""), TOGETHER_BYTES):
        foreign -= {old.id for old in _overwrite(chunk, reading, records, context)}
    for n in due:
        yield from (mark for mark in reading.reconciled[n].left_runs if mark[1].id not in foreign)


def _overwrite(
    retractions: Sequence[tuple[int, Retraction]],
    reading: DecodedBatch,
    records: Sequence[ConsumerRecord],
    context: BatchContext,
) -> list[DocumentVersion]:
    """Overwrite the earlier documents that come from their record's line, and return them.

    If a line has no document left, its tombstone keeps the bytes.
    """
    refs = [(retraction.old.index, retraction.old.id) for _, retraction in retractions]
    stored = context.retry_policy.until_done(lambda: context.store.get(refs))
    owned = [
        (n, retraction, document)
        for (n, retraction), document in zip(retractions, stored, strict=True)
        if _is_of(records[n], retraction, document)
    ]
    actions = [
        _action(retraction, document if reading.first_action(n) is None else None) for n, retraction, document in owned
    ]
    context.writer.write(actions)
    return [retraction.old for _, retraction, _ in owned]


def _is_rejected(reading: DecodedBatch, n: int) -> bool:
    special = reading.special.get(n)
    return special is not None and any(stage == INDEX_STAGE for stage, _ in special.rejects)


def _is_of(record: ConsumerRecord, retraction: Retraction, stored: StoredDocument | None) -> bool:
    """Whether the document is stored and comes from this line: a new document has its id, or its bytes are the same."""
    if stored is None:
        return False
    if retraction.replaced:
        return True
    return bool(record.value) and original_of(stored.body) == record.value


def _action(retraction: Retraction, stored: StoredDocument | None) -> BulkAction:
    old = retraction.old
    body: Any = None if retraction.replaced or stored is None else stored.body
    stone = tombstone(old, parse_index(old.index).facility, body)
    return index(old.index, old.id, retraction.version, orjson.dumps(stone).decode())
