"""From a file to documents and back out of the ledger, on the real broker and the real node."""

import gc
import weakref
from base64 import b64decode
from collections import Counter
from pathlib import Path

import orjson
import pytest

from ingest.core.decode.registry import load_registry
from ingest.core.model import Problem
from ingest.pipeline.admin.setup import set_up
from ingest.pipeline.worker import worker
from tests.support.ledger_checks import assert_tiled
from tests.support.revisions import raise_revision
from tests.support.world import World, copied_grammars

pytestmark = pytest.mark.stack

REFUSED = b"Fri Feb  5 21:39:37 PST 2016: submit.sh:12:104-6:PERF:SUBMIT_GAL-norm:START_DATE=14547 \xff"
FOREIGN = b"Fri Feb  5 21:39:37 PST 2016: copying 12 files"


class Left:
    """Something that only a collection frees."""

    itself: "Left"


def test_shipped_lines_become_the_documents_of_the_core(world: World, sample_lines: list[bytes]) -> None:
    """Ship and run: exactly the documents that the core makes of the same bytes, and the bytes themselves."""
    world.set_up()
    world.ship(world.written("a.log", sample_lines))

    world.drain()

    assert world.facts() == world.expected(sample_lines)
    stored = [body["event"]["original"].encode() for body in world.documents().values()]
    assert Counter(stored) == Counter(sample_lines)


def test_the_same_again_changes_no_document_and_is_counted_as_duplicate(
    world: World, sample_lines: list[bytes]
) -> None:
    """Documents keep even the provenance of their first copy; the ledger's records equal the committed offsets."""
    world.set_up()
    path = world.written("a.log", sample_lines)
    world.ship(path)
    world.drain()
    before = world.documents()

    world.ship(path)
    report = world.drain()

    assert world.documents() == before
    assert report.counts["lines"].outcomes == Counter(duplicate=35)
    sums = world.ledger_sums()
    assert (sums["records"], sums["stored"], sums["duplicate"]) == (70, 35, 35)
    assert sums["records"] == sum(world.committed().values()) == sum(world.ends().values())


def test_a_raised_revision_corrects_the_documents_in_place(world: World, sample_lines: list[bytes]) -> None:
    """Another reading of the same bytes replaces the documents under their ids; none is added."""
    world.set_up()
    path = world.written("a.log", sample_lines)
    world.ship(path)
    world.drain()
    before = world.facts()
    grammars = copied_grammars(world.folder)
    source = grammars / "als_perf" / "source.toml"
    text = source.read_text(encoding="utf-8")
    assert text.count('family = "GAL"') == 1
    source.write_text(text.replace('family = "GAL"', 'family = "GALLERY"'), encoding="utf-8")
    raise_revision(source.parent)

    world.ship(path)
    report = world.drain(load_registry(grammars))

    after = world.facts()
    assert report.counts["lines"].outcomes == Counter(corrected=35)
    assert after.keys() == before.keys()
    assert after == world.expected(sample_lines, load_registry(grammars))
    assert after != before
    assert world.ledger_sums()["corrected"] == 35


def test_a_rejected_line_is_in_the_topic_and_the_index_with_the_reason(world: World, sample_lines: list[bytes]) -> None:
    """Both hold the reason, the column and the expected words; bytes, key and headers are those of the record."""
    world.set_up()
    world.ship(world.written("a.log", [*sample_lines, REFUSED, FOREIGN]))

    report = world.drain()

    assert report.counts["lines"].outcomes == Counter(stored=35, rejected=1, ignored=1)
    (original,) = [r for r in world.records(world.topic) if r.value == REFUSED]
    ((_, doc_id), body), *more = world.documents("rejects").items()
    assert not more
    assert doc_id == f"{original.topic}/{original.partition}/{original.offset}" == body["provenance"]["kafka"]
    assert b64decode(body["event"]["original_b64"]) == REFUSED
    assert body["log"]["offset"] == sum(len(line) + 1 for line in sample_lines)
    (letter,) = world.records(world.settings.delivery.dead_letter_topic)
    assert (letter.value, letter.key) == (REFUSED, original.key)
    assert letter.headers[: len(original.headers)] == original.headers
    headers = dict(letter.headers)
    reject = body["perf"]["reject"]
    assert headers["__connect.errors.class.name"].decode() == body["error"]["type"]
    assert int(headers["perflog.reject.column"]) == reject["column"] > 1
    assert orjson.loads(headers["perflog.reject.expected"]) == reject["expected"] != []
    assert int(headers["__connect.errors.offset"]) == original.offset


def test_every_record_ends_as_exactly_one_outcome(world: World, sample_lines: list[bytes]) -> None:
    """Conservation over a mixture, in several batches and partitions: outcomes, records and committed offsets agree."""
    world.bulk_documents = 7
    world.set_up(partitions=3)
    mixture = [*sample_lines, REFUSED, FOREIGN, b"", *sample_lines[:10], REFUSED]
    for name in ("a.log", "b.log", "other.log"):
        world.ship(world.written(name, mixture))

    world.drain()

    sums = world.ledger_sums()
    outcomes = ("rejected", "corrected", "stored", "duplicate", "ignored")
    assert sum(sums[name] for name in outcomes) == sums["records"] == 3 * len(mixture)
    assert {name: sums[name] for name in outcomes} == {
        "rejected": 6, "corrected": 0, "stored": 35, "duplicate": 3 * 45 - 35, "ignored": 6
    }  # fmt: skip
    assert world.committed() == {partition: end for partition, end in world.ends().items() if end}
    assert_tiled(world)


def test_a_document_that_the_index_refuses_is_dead_lettered(world: World, sample_lines: list[bytes]) -> None:
    """An index whose mapping lacks a field: those documents are rejected at stage `index`, the others are stored."""
    world.set_up()
    world.make_old_index()
    having = [key for key, body in world.expected(sample_lines).items() if "variant" in body["perf"]["stage"]]
    world.ship(world.written("a.log", sample_lines))

    report = world.drain()

    assert report.counts["lines"].outcomes == Counter(stored=35 - len(having), rejected=len(having))
    rejects = world.documents("rejects").values()
    assert {(r["error"]["type"], r["perf"]["reject"]["stage"]) for r in rejects} == {
        ("strict_dynamic_mapping", "index")
    }
    assert all("variant" in r["error"]["message"] for r in rejects)
    dead_letters = Counter(letter.value for letter in world.records(world.settings.delivery.dead_letter_topic))
    assert dead_letters == Counter(r["event"]["original"].encode() for r in rejects)
    assert sum(dead_letters.values()) == len(having)


def test_run_refuses_to_start_before_setup(world: World) -> None:
    """A missing topic, a topic with the shipper's time, a template of another schema: exit code 78 and the remedy."""
    missing = world.perflog("run", "--drain")
    with world.admin() as client:
        client.create_topics({world.topic: {"num_partitions": 1, "configs": {"message.timestamp.type": "CreateTime"}}})
        client.create_topics({world.settings.delivery.dead_letter_topic: {"num_partitions": 1}})
    create_time = world.perflog("run", "--drain")

    assert (missing.returncode, create_time.returncode) == (78, 78)
    assert f"no topic {world.topic}" in missing.stderr
    assert "LogAppendTime" in create_time.stderr
    assert "perflog setup" in missing.stderr
    assert "perflog setup" in create_time.stderr


def test_run_refuses_templates_of_another_schema(world: World, tmp_path: Path) -> None:
    """A worker whose list of fields is newer than the cluster's templates says so and changes nothing."""
    world.set_up()
    grammars = copied_grammars(tmp_path)
    fields = grammars / "fields.toml"
    version = world.knowledge.schema.version
    raised = fields.read_text(encoding="utf-8").replace(f"schema_version = {version}\n", "schema_version = 99\n")
    fields.write_text(raised, encoding="utf-8")

    with pytest.raises(Problem) as caught:
        world.drain(load_registry(grammars))

    assert caught.value.exit_code == 78
    assert "schema version" in caught.value.message
    assert "setup" in caught.value.remedy


def test_setup_mends_a_topic_and_an_old_index_and_then_has_nothing_to_do(world: World) -> None:
    """CreateTime becomes append time, an index gets the fields it lacks, and a second setup changes nothing."""
    world.set_up()
    with world.admin() as client:
        client.delete_topics([world.topic])
        client.create_topics({world.topic: {"num_partitions": 1, "configs": {"message.timestamp.type": "CreateTime"}}})
    index = world.make_old_index()

    first = set_up(world.settings, world.knowledge.schema)
    second = set_up(world.settings, world.knowledge.schema)

    steps = {step.name: step for step in first.steps}
    assert steps[world.topic].done == steps[index].done == "changed"
    assert "LogAppendTime" in steps[world.topic].detail
    assert "perf.stage.variant" in steps[index].detail
    assert {step.done for step in second.steps} == {"unchanged", "skipped"}


def test_a_worker_tidies_its_memory_by_the_clock(
    world: World, monkeypatch: pytest.MonkeyPatch, sample_lines: list[bytes]
) -> None:
    """What a client left in a cycle is gone after a minute, however little is allocated meanwhile."""
    monkeypatch.setattr(worker, "LOG_EVERY_S", 0.0)
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    left = Left()
    left.itself = left
    gone = weakref.ref(left)
    gc.disable()
    try:
        del left
        assert gone() is not None
        world.drain()
        assert gone() is None
    finally:
        gc.enable()


def test_draining_an_empty_topic_ends_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing to read is nothing to wait for: the loop does not run once."""
    world.set_up(partitions=2)
    monkeypatch.setattr(worker.Worker, "run_once", lambda _: pytest.fail("it waits for a record"))

    report = world.drain()

    assert report.counts["lines"].records == 0


def test_setup_ship_and_run_print_json(world: World, sample_lines: list[bytes]) -> None:
    """A script calls setup, ship and run with --json; stdout holds only JSON."""
    path = world.written("a.log", [*sample_lines, REFUSED])

    setup = world.perflog("setup", "--json")
    shipped = world.perflog("ship", str(path), "--intake", "lines", "--backfill", "--json")
    run = world.perflog("run", "--drain", "--json")

    assert [c.returncode for c in (setup, shipped, run)] == [0, 0, 0], run.stderr
    assert {step["done"] for step in orjson.loads(setup.stdout) if step["what"] == "topic"} == {"created"}
    assert orjson.loads(shipped.stdout)["messages"] == 36
    counts = orjson.loads(run.stdout)["intakes"]["lines"]
    assert (counts["records"], counts["stored"], counts["rejected"], counts["ignored"]) == (38, 35, 1, 2)
    assert list(counts["rejects_by_reason"].values()) == [1]
