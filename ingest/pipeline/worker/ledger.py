"""Builds ledger documents: one for each range of offsets of a partition, written before the range is committed.

The id contains the range's first offset, which is the offset committed before. The version is the epoch of the
assignment. If a worker crashes between ledger and commit, its successor overwrites the document for the same offsets.
A worker that slept through a rebalance has a lower epoch and cannot overwrite its successor's document.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from ingest.core.bulk import BulkAction, index_gte
from ingest.core.fields import Schema
from ingest.core.kafka_record import Partition
from ingest.core.model import Intake
from ingest.core.timestamps import iso
from ingest.pipeline.worker.offsets import CommittableRange


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """The writer of a ledger document: its consumer group, and `host:pid`."""

    group: str
    name: str


def ledger_action(
    span: CommittableRange, worker: WorkerIdentity, intake: Intake, schema: Schema, ingested_ms: int
) -> BulkAction:
    """Build the ledger document of a range: an equal or higher epoch may overwrite it, a lower one is rejected."""
    topic, number = span.partition
    body = {
        "@timestamp": iso(span.first_time_ms),
        "event": {"ingested": iso(ingested_ms)},
        "perf": {
            "facility": intake.facility,
            "ledger": {
                **_assignment(span.partition, worker),
                "epoch": span.tracker.epoch,
                "first_offset": span.first_offset,
                "next_offset": span.next_offset,
                **span.count.numbers(),
                **({"shapes": _keys(span.count.shapes)} if span.count.shapes else {}),
            },
        },
    }
    index = schema.index("ledger", intake.facility, span.first_time_ms)
    doc_id = f"{worker.group}/{topic}/{number}/{span.first_offset}"
    return index_gte(index, doc_id, span.tracker.epoch, orjson.dumps(body).decode())


def assignment(
    partition: Partition, worker: WorkerIdentity, intake: Intake, schema: Schema, now_ms: int
) -> tuple[str, str, dict[str, Any]]:
    """Return index, id and body (without epoch) of the document that counts a group's assignments of a partition."""
    index = schema.index("assignments", intake.facility, now_ms)
    body = {
        "@timestamp": iso(now_ms),
        "event": {"ingested": iso(now_ms)},
        "perf": {"facility": intake.facility, "ledger": _assignment(partition, worker)},
    }
    return index, f"{worker.group}/{partition.topic}/{partition.number}", body


def _assignment(partition: Partition, worker: WorkerIdentity) -> dict[str, Any]:
    topic, number = partition
    return {"group": worker.group, "topic": topic, "partition": number, "worker": worker.name}


def _keys(shapes: Counter[str]) -> dict[str, int]:
    """Turn shapes into keys of a flattened field, which allows no NUL and no empty name and would nest at a dot."""
    return {(shape.replace("\0", "?").replace(".", "_") or "?"): count for shape, count in shapes.items()}
