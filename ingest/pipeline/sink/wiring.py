"""Request limits and the clock of what is written."""

import time

from ingest.config.settings import Delivery
from ingest.pipeline.sink.bulk_writer import RequestLimits


def request_limits(delivery: Delivery) -> RequestLimits:
    """The most that goes into one request."""
    return RequestLimits(delivery.bulk_bytes, delivery.bulk_documents)


def now_ms() -> int:
    """The wall clock; it is written down in event.ingested, and decides only how long a hole in a file waits."""
    return time.time_ns() // 1_000_000
