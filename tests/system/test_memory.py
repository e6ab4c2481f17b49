"""A worker with little memory reads the largest messages, on the real servers."""

import os
import subprocess
import sys

import orjson
import pytest

from ingest.core.kafka_record import ProducerRecord
from ingest.edge.kafka.producer import open_producer
from ingest.pipeline.admin.setup import set_up
from tests.support.waiting import DEADLINE_S
from tests.support.world import ROOT, World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
RESULTS = """
[[intake]]
name = "results"
topic = "perf.{facility}.results.v1"
facility = "{facility}"
sources = ["perfsonar", "perfsonar_result"]
"""
ADDRESS_SPACE_KIB = 1_600_000
RESULT = {"schema": 1, "succeeded": True, "sent": 5, "received": 5, "lost": 0, "roundtrips": [], "text": "x" * 1100}
PAIRS = "Fri Feb 5 21:39:37 PST 2016: {}/s.sh:69:1-2:PERF:SUBMIT_NORM:" + ":".join(["START_DATE=1454737177"] * 16)


def test_a_worker_with_little_memory_reads_the_largest_messages(world: World) -> None:
    """Read an array of a thousand results in 1.2 MB, and lines of 64 KiB, each stored whole in sixteen documents.

    Such an array once ended a worker (signal 11) at every start, and its partition stood still.
    """
    settings = world.settings_text(world.stack.elasticsearch) + RESULTS.format(facility=world.facility)
    world.settings_file.write_text(settings)
    set_up(world.settings, world.knowledge.schema)
    heads = (("perflog.captured_ms", b"1772668740000"), ("perflog.backfill", b"true"))
    array = orjson.dumps([{**RESULT, "n": n} for n in range(1000)])
    lines = [PAIRS.format(f"s{n}".ljust(65_536 - len(PAIRS) + 2, "s")).encode() for n in range(40)]
    assert {len(line) for line in lines} == {65_536}
    with open_producer(world.settings.kafka) as outbox:
        outbox.send([ProducerRecord(world.settings.intake("results").topic, b"k", array, heads)])
        outbox.send([ProducerRecord(world.topic, b"k", line, heads) for line in lines])

    command = [sys.executable, "-m", "ingest", "--config", str(world.settings_file), "run", "--drain"]
    done = subprocess.run(
        ["bash", "-c", f'ulimit -v {ADDRESS_SPACE_KIB}; exec "$@"', "--", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(world.documents("network")) == 1000
    assert len(world.documents("marks")) == 16 * 40
    assert world.ledger_sums()["stored"] == 41
