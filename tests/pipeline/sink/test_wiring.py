"""What writes to Elasticsearch, wired once from the settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.config.settings import Delivery, Elasticsearch, Kafka, Settings
from ingest.core.bulk import create
from ingest.pipeline.sink.bulk_writer import RequestLimits
from ingest.pipeline.sink.retry import StopRequested
from ingest.pipeline.sink.wiring import Sink
from tests.conftest import free_port

DELIVERY = replace(Delivery(), bulk_bytes=1000, bulk_documents=7, retry_first_s=1000.0, retry_most_s=1000.0)


@pytest.fixture
def settings() -> Settings:
    """Settings of a node that does not answer."""
    nowhere = Elasticsearch(url=(f"http://127.0.0.1:{free_port()}",))
    return Settings(Path("settings.toml"), Path("grammars"), Kafka(), nowhere, DELIVERY, {}, {}, {})


def test_all_writers_have_the_limits_of_the_settings(settings: Settings) -> None:
    """The size of a bulk request is a setting, whichever writer sends it."""
    with Sink(settings) as sink:
        assert {sink.writer.limits, sink.rewriter.limits, sink.limits} == {RequestLimits(1000, 7)}


@pytest.mark.parametrize(
    "write",
    [
        lambda sink: sink.writer.write([create("index", "id", "{}")]),
        lambda sink: sink.rewriter.write([create("index", "id", "{}")]),
        lambda sink: sink.retry_policy.until_done(lambda: sink.store.get([("index", "id")])),
    ],
    ids=["writer", "rewriter", "store"],
)
def test_one_retry_policy_ends_the_waits_of_all_writers(settings: Settings, write: Callable[[Sink], Any]) -> None:
    """A worker that is asked to stop gives up every request, though the node is away for longer."""
    with Sink(settings) as sink:
        sink.retry_policy.end()
        with pytest.raises(StopRequested):
            write(sink)
