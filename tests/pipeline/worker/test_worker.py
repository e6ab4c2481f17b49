"""How the worker's loop meets a Kafka that refuses it; against real servers: tests/edge/kafka/test_rights.py."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.edge.errors import ServiceBlocked
from ingest.pipeline.sink.retry import NEEDS_OPERATOR, RetryPolicy
from ingest.pipeline.worker.worker import BLOCKED_LOG, Worker
from tests.support.clock import Clock

HOUR_S = 3600
ROUND_S = 0.5


def worker_at(clock: Clock) -> Worker:
    """A worker that reads this clock, and whose pauses are over at once."""
    retry_policy = RetryPolicy(0.1, 0.1)
    retry_policy.end()
    threads: Any = SimpleNamespace(context=SimpleNamespace(retry_policy=retry_policy))
    nothing: Any = None
    return Worker(nothing, threads, nothing, {}, nothing, nothing, 1.0, _blocked_log=BLOCKED_LOG.backoff(clock))


def test_a_refusal_that_lasts_is_logged_at_growing_intervals(caplog: pytest.LogCaptureFixture) -> None:
    """An hour, two rounds a second: some seventy lines, the first at once; after a success the next one at once."""
    clock = Clock()
    worker = worker_at(clock)

    def refuse() -> None:
        raise ServiceBlocked("Kafka denies READ")

    with caplog.at_level(logging.WARNING, "perflog.run"):
        assert worker.call_kafka(refuse) is None
        assert [record.message for record in caplog.records] == [
            f"Kafka denies READ. {NEEDS_OPERATOR} Trying again; no record is lost."
        ]
        for _ in range(int(HOUR_S / ROUND_S)):
            clock.s += ROUND_S
            worker.call_kafka(refuse)
        assert HOUR_S / 60 < len(caplog.records) < HOUR_S / 30 + 10
        caplog.clear()
        assert worker.call_kafka(lambda: 7) == 7
        worker.call_kafka(refuse)
        assert len(caplog.records) == 1
