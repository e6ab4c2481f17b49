"""What a batch is written with."""

from collections.abc import Callable
from dataclasses import dataclass

from ingest.edge.ports import Outbox, Store
from ingest.pipeline.batch.reject_limit import StopLimit
from ingest.pipeline.sink.bulk_writer import Writer
from ingest.pipeline.sink.retry import Patience


@dataclass(frozen=True, slots=True)
class Services:
    """What a batch is written with."""

    store: Store
    outbox: Outbox
    writer: Writer
    patience: Patience
    limit: StopLimit
    dead_letter_topic: str
    now_ms: Callable[[], int]
    derive: bool = False
