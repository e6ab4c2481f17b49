"""Request limits from the settings, and the clock for `event.ingested`."""

import time

from ingest.config.settings import Delivery
from ingest.pipeline.sink.bulk_writer import RequestLimits


def request_limits(delivery: Delivery) -> RequestLimits:
    """Return the maximum size of one bulk request."""
    return RequestLimits(delivery.bulk_bytes, delivery.bulk_documents)


def now_ms() -> int:
    """Return the wall clock (unix ms); it only sets `event.ingested` and decides how long a gap in a file may wait."""
    return time.time_ns() // 1_000_000
