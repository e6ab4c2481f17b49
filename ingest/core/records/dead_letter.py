"""Builds the two copies of a reject: the document for the `rejects` index and the dead-letter record for Kafka."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ingest.core.bulk import BulkAction, create
from ingest.core.bulk_result import ItemResult
from ingest.core.decode.bodies import original_fields, original_of
from ingest.core.fields import Schema
from ingest.core.kafka_record import ConsumerRecord, ProducerRecord
from ingest.core.lookup import lookup
from ingest.core.model import Intake, Message, Provenance, Reject
from ingest.core.records.decoded import DecodedRecord
from ingest.core.records.reject_shape import INDEX, READ, shape
from ingest.core.timestamps import iso

MAX_MESSAGE_CHARACTERS = 8192
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024  # a small node rejects larger ones on every retry; the dead letter has the bytes
VALUE_LEFT_OUT = "perflog.reject.value_left_out_bytes"
INDEX_STAGE = INDEX
READ_STAGE = READ


def reject_of_document(result: ItemResult, body: Mapping[str, Any], message_provenance: Provenance) -> Reject:
    """Turn Elasticsearch's error for a document into a reject of the piece that the document was made from.

    `message_provenance` is where the piece's message came from.
    """
    reason = "failure_store" if result.failure_store else result.error.removesuffix("_exception")
    detail = result.reason or "Elasticsearch gave no reason."
    host = message_provenance.host or lookup(body, "host.name")
    provenance = replace(message_provenance, host=host, offset_bytes=lookup(body, "log.offset"))
    return Reject(reason, detail, original_of(body), lookup(body, "perf.source"), provenance=provenance)


def reject_ref(received: ConsumerRecord, record: DecodedRecord, intake: Intake, schema: Schema) -> tuple[str, str]:
    """Return index and id of a record's first reject; a replayed record has those of the record it copies."""
    index = schema.index("rejects", intake.facility, record.message.record_time_ms)
    return index, record.replay.of if record.replay else received.coordinates


def actions(
    ref: tuple[str, str],
    message: Message,
    intake: Intake,
    rejects: Sequence[tuple[str, Reject]],
    ingested_ms: int,
    letter_at: str | None = None,
) -> list[BulkAction]:
    """Build one `create` for each (stage, reject) of a record.

    The first has the id in `ref`, the next ones that id and an ordinal from 1.
    """
    index, doc_id = ref
    creates = []
    for ordinal, (stage, reject) in enumerate(rejects):
        suffix = f"/{ordinal}" if ordinal else ""
        body = _document(message, intake, stage, reject, ingested_ms, letter_at)
        action = create(index, doc_id + suffix, orjson.dumps(body).decode())
        creates.append(action if len(action.text) <= MAX_DOCUMENT_BYTES else without_bytes(action))
    return creates


def without_bytes(action: BulkAction) -> BulkAction:
    """Return the same reject without the original bytes, if Elasticsearch rejects them; the dead letter keeps them."""
    body = orjson.loads(action.json)
    body["event"] = {k: v for k, v in body["event"].items() if not k.startswith("original")}
    body["error"]["message"] += " The bytes are in the dead-letter topic only."
    return create(action.index, action.id, orjson.dumps(body).decode())


def dead_letter_record(
    topic: str, received: ConsumerRecord, intake: Intake, rejects: Sequence[tuple[str, Reject]]
) -> ProducerRecord:
    """Build the dead letter: the record as received, plus Kafka Connect's error headers for its first reject."""
    stage, first = rejects[0]
    error_headers: dict[str, object] = {
        "__connect.errors.topic": received.partition.topic,
        "__connect.errors.partition": received.partition.number,
        "__connect.errors.offset": received.offset,
        "__connect.errors.connector.name": f"perflog/{intake.name}",
        "__connect.errors.stage": stage,
        "__connect.errors.class.name": first.reason,
        "__connect.errors.exception.class.name": first.reason,
        "__connect.errors.exception.message": first.detail[:MAX_MESSAGE_CHARACTERS],
        "perflog.reject.reason": first.reason,
        "perflog.reject.line": first.line,
        "perflog.reject.column": first.column,
        "perflog.reject.expected": orjson.dumps(first.expected).decode() if first.expected else None,
        "perflog.reject.count": len(rejects),
    }
    added = tuple((k, str(v).encode("utf-8", "replace")) for k, v in error_headers.items() if v is not None)
    value = b"" if received.value is None and received.key is None else received.value
    return ProducerRecord(topic, received.key, value, received.headers + added)


def without_value(whole: ProducerRecord) -> ProducerRecord:
    """Cut a dead letter that is too large for its topic down to the headers that name the original record."""
    left_out = (VALUE_LEFT_OUT, str(len(whole.value or b"")).encode())
    return ProducerRecord(whole.topic, whole.key, b"", (*whole.headers, left_out))


def _document(
    message: Message, intake: Intake, stage: str, reject: Reject, ingested_ms: int, letter_at: str | None
) -> dict[str, Any]:
    provenance = reject.provenance or message.provenance
    return _pruned(
        {
            "@timestamp": iso(message.record_time_ms),
            "event": {
                "created": iso(message.record_time_ms),
                "ingested": iso(ingested_ms),
                **{name.removeprefix("event."): text for name, text in original_fields(reject.original).items()},
            },
            "host": {"name": provenance.host},
            "log": {"file": {"path": provenance.path}, "offset": provenance.offset_bytes},
            "provenance": {"forwarder": provenance.forwarder, "kafka": provenance.kafka},
            "error": {"type": reject.reason, "message": reject.detail[:MAX_MESSAGE_CHARACTERS]},
            "perf": {
                "facility": intake.facility,
                "source": reject.source,
                "intake": intake.name,
                "reject": {
                    "stage": stage,
                    "line": reject.line,
                    "column": reject.column,
                    "expected": list(reject.expected) or None,
                    "shape": shape(reject, stage),
                    "letter": letter_at,
                },
            },
        }
    )


def _pruned(tree: dict[str, Any]) -> dict[str, Any]:
    """Drop unknown values: no field is written as null and no object is empty."""
    pruned = {key: _pruned(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in pruned.items() if value is not None and value != {}}
