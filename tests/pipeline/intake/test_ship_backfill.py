"""A finished file of years ago, shipped today: the same documents as then, and nothing that is live hears of it."""

import time
from datetime import UTC, datetime

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import without_provenance
from ingest.core.model import Message
from ingest.edge.elasticsearch.runs import open_runs
from ingest.pipeline.derive.sweep_service import sweep
from ingest.pipeline.derive.sweeper import Swept
from tests.support.derivation import at_once, derived_documents, sets_of
from tests.support.raised_revision import LINES, facts
from tests.support.world import Documents, World
from tests.support.worlds import SAMPLES

pytestmark = pytest.mark.stack
THEN_MS = 1_454_800_000_000  # 2016-02-06, some hours after the sample


def live_lines() -> list[bytes]:
    """A run of two stages that began a minute ago."""
    lines = []
    for stage, ago_s in (("SUBMIT_NORM", 60), ("SUBMIT_SINO", 30)):
        at_s = int(time.time()) - ago_s
        stamp = datetime.fromtimestamp(at_s, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
        lines.append(f"{stamp}: norm.sh:32:777-1:PERF:{stage}:START_DATE={at_s}".encode())
    return lines


def swept(world: World) -> Swept:
    """Sweep once and return the report."""
    sweeps: list[Swept] = []
    sweep(world.settings, world.knowledge, True, sweeps.append)
    return sweeps[0]


def of_then(world: World) -> Documents:
    """What the lines became when they were new: their record time was that of their day."""
    registry = world.knowledge
    decoder = Decoder(world.settings.intake("lines"), registry.sources, registry.schema)
    decoded_lines = [decoder.decode(Message(line, THEN_MS), THEN_MS) for line in LINES]
    return {
        (d.index, d.id): without_provenance(d.body, registry.schema)
        for decoded in decoded_lines
        for d in decoded.documents
    }


def newest_line_ms(world: World) -> int:
    """Up to when alarms judge the facility."""
    with open_runs(world.settings.elasticsearch) as runs:
        return runs.newest_line_ms()[world.facility]


def test_a_file_of_years_ago_becomes_what_it_became_then(world: World) -> None:
    """Only as a backfill; live watermark, run and the alarms' present stay where they are."""
    world.set_up()
    world.ship(world.written("live.log", live_lines()), backfill=False)
    world.drain()
    before = swept(world), derived_documents(world), facts(world), newest_line_ms(world)

    world.ship(SAMPLES, backfill=False)
    assert world.drain().counts["lines"].reasons == {"time_too_old": len(LINES)}
    world.ship(SAMPLES)
    counts = world.drain().counts["lines"]
    after = swept(world)

    old = {doc_ref: body for doc_ref, body in facts(world).items() if doc_ref not in before[2]}
    assert counts.outcomes["stored"] == len(LINES)
    assert old == of_then(world)
    assert after.watermarks == before[0].watermarks
    assert newest_line_ms(world) == before[3]
    now = derived_documents(world)
    assert {doc_ref: now[doc_ref] for doc_ref in before[1]} == before[1]
    (watermark_ms,) = after.watermarks.values()
    assert {doc_ref: now[doc_ref] for doc_ref in now if doc_ref not in before[1]} == at_once(
        world, sets_of(world, LINES), watermark_ms
    )
