"""The services that a batch is indexed with."""

from collections.abc import Callable
from dataclasses import dataclass

from ingest.core.fields import Schema
from ingest.edge.ports import Producer, Store
from ingest.pipeline.batch.reject_limit import RejectLimit
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class BatchContext:
    """The services that a batch is indexed with: store, producer, bulk writer, retry policy, reject limit and clock."""

    schema: Schema
    store: Store
    producer: Producer
    writer: BulkWriter
    retry_policy: RetryPolicy
    limit: RejectLimit
    dead_letter_topic: str
    now_ms: Callable[[], int]
    derive: bool = False
