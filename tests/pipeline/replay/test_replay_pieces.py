"""What was stored before a message was its pieces, replayed: each piece stands by itself, what stood for all is gone.

The documents are those that commit 82d1dbf wrote of arrays of results and of runs, of two blocks of owping, of a line
and of two that came glued, the first of them torn.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.decode.bodies import original_of
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import without_provenance
from ingest.core.model import Message, Provenance
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.edge.local.stack import Running
from ingest.pipeline.admin.setup import replays_due, set_up
from ingest.pipeline.replay.resend import resend
from ingest.pipeline.worker.bootstrap import run_worker
from tests.support.raised_revision import versions
from tests.support.world import ROOT, World

pytestmark = pytest.mark.stack
FACILITY = "before"
STORED = [json.loads(line) for line in (ROOT / "tests/data/documents_before_pieces.jsonl").read_text().splitlines()]
RESULTS = """
[[intake]]
name = "results"
topic = "perf.before.results.v1"
facility = "before"
sources = ["perfsonar", "perfsonar_result", "owping"]
"""
TORN = b"PERF:SUBMIT_NO"
DocRef = tuple[str, str]


@pytest.fixture
def world(stack: Running, tmp_path: Path) -> World:
    """The facility whose name is in the ids of these documents."""
    made = World(stack, tmp_path, FACILITY)
    made.settings_file.write_text(made.settings_text(stack.elasticsearch) + RESULTS)
    return made


def stored_before(world: World) -> None:
    """Write the index as it was before."""
    set_up(world.settings, world.knowledge.schema)
    actions: list[dict[str, Any]] = []
    for document in STORED:
        doc_ref = {
            "_index": document["index"],
            "_id": document["id"],
            "version": document["version"],
            "version_type": "external",
        }
        actions += ({"index": doc_ref}, document["body"])
    assert not world.client.bulk(operations=actions, refresh=True).body["errors"]


def messages() -> list[tuple[str, Message]]:
    """Return the intake and the message of each record that the stored documents come from."""
    by_record: dict[str, tuple[str, Message]] = {}
    for document in STORED:
        body = document["body"]
        intake, at = body["log"]["file"]["path"].strip("/").removesuffix(".log"), body["provenance"]["kafka"]
        captured_ms = 1_772_668_740_000 if intake == "results" else None
        origin = Provenance("beamline", body["log"]["file"]["path"], 0, kafka=at, captured_ms=captured_ms)
        _, before = by_record.get(at, ("", Message(b"", 0)))
        whole = original_of(body) if original_of(body) == before.data else before.data + original_of(body)
        by_record[at] = intake, Message(whole, 1_772_668_800_000, origin, backfill=True)
    return list(by_record.values())


def expected(world: World, settings: Settings) -> dict[DocRef, Any]:
    """Return the documents that these messages become now."""
    registry, documents = world.knowledge, {}
    for intake, message in messages():
        decoded = Decoder(settings.intake(intake), registry.sources, registry.schema).decode(message, 0)
        for document in decoded.documents:
            documents[document.index, document.id] = without_provenance(document.body, registry.schema)
    return documents


def stored(world: World) -> dict[DocRef, Any]:
    """Return the facts of the index."""
    return {**world.documents("marks"), **world.documents("network")}


def test_each_piece_stands_by_itself_after_a_replay(world: World) -> None:
    """Documents are those of a fresh reading, old ids are tombstones, and setup says when a replay is due."""
    stored_before(world)
    settings, sources = load_settings(world.settings_file), world.knowledge.sources
    due = [step.name for step in replays_due(settings, sources)]
    assert due == [f"before/{name}" for name in ("als_perf", "owping", "perfsonar", "perfsonar_result")]

    resend(settings, world.knowledge, FactQuery(facilities=(FACILITY,)))
    run_worker(settings, world.knowledge, drain=True)

    expected_documents, after = expected(world, settings), stored(world)
    visible = {doc_ref: body for doc_ref, body in after.items() if not body["perf"].get("retracted")}
    assert {p: without_provenance(body, world.knowledge.schema) for p, body in visible.items()} == expected_documents
    for doc_ref in after.keys() - expected_documents.keys():
        assert after[doc_ref]["perf"]["retracted"]
        assert "original" not in after[doc_ref].get("event", {}) or TORN in original_of(after[doc_ref])
    assert len(after) - len(expected_documents) == 5  # four results under other ids, and the stage that was torn
    assert replays_due(settings, sources) == []

    before = versions(world, "marks,network")
    resend(settings, world.knowledge, FactQuery(facilities=(FACILITY,)))
    run_worker(settings, world.knowledge, drain=True)
    assert versions(world, "marks,network") == before
