"""Stored lines read again on the real servers: the newest reading is all that is left, and nothing is done twice."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from random import Random
from typing import Any

import pytest

from ingest.core.decode.registry import Registry
from ingest.core.fields import without_provenance
from ingest.core.kafka_record import ProducerRecord
from ingest.core.model import Provenance
from ingest.core.records import headers
from ingest.core.replay.corrections import CORRECTED, GONE, TO_INDEX, TO_RUN, TO_TIME
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.edge.kafka.producer import open_producer
from ingest.pipeline.replay.resend import TOGETHER_BYTES, resend, sort_by_run
from ingest.pipeline.worker.bootstrap import run_worker
from ingest.synthetic.workload.truth import Shares
from tests.support.amount import cases
from tests.support.derivation import at_once, derived_documents, everything, lines_of, mixed
from tests.support.front import Answer, Bulk, Front, front
from tests.support.ledger_checks import assert_tiled
from tests.support.raised_revision import (
    LATE_LINES,
    LINES,
    facts,
    halved,
    is_moved,
    mending,
    moved,
    raised,
    refusing,
    replayed,
    sets_by,
    versions,
)
from tests.support.world import Documents, World
from tests.support.worlds import SAMPLES

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def assert_newest_only(world: World, registry: Registry | None = None) -> None:
    """Exactly what the new revision makes of the sample is visible: marks, stages and runs; by way of the index."""
    registry = registry or moved(world)
    assert facts(world) == world.expected(LINES, registry)
    assert derived_documents(world) == at_once(world, sets_by(world, registry, LINES))


def assert_settled(world: World) -> None:
    """By the revision that moves half of the lines; then not even a version changes any more."""
    assert_same_again(world, moved(world))
    before = versions(world)
    replayed(world)
    world.drain(moved(world))
    assert versions(world) == before


def assert_same_again(world: World, registry: Registry) -> None:
    """A second replay is read and changes nothing: no fact and no run's set is written, what is derived is the same.

    Of a stage that a former revision of its run wrote, and that has not changed since, the version may catch up.
    """
    before, derived = versions(world, "marks,runstate,writers"), everything(world)
    report = replayed(world, registry)
    counts = world.drain(registry).counts["lines"]

    assert report.corrections.words.total() == 0
    assert counts.outcomes["duplicate"] == counts.records == report.lines
    assert versions(world, "marks,runstate,writers") == before
    assert everything(world) == derived


def test_a_revision_that_moves_half_of_the_lines_leaves_the_new_documents_only(world: World) -> None:
    """To another month and another run; the old copies are tombstones, the old runs have lost their marks."""
    world.set_up()
    world.ship(SAMPLES)
    world.drain()
    old = facts(world)
    assert old == world.expected(LINES)
    lines_moved = sum(map(is_moved, LINES))
    assert len(LINES) / 3 < lines_moved < len(LINES) * 2 / 3

    report = replayed(world)
    counts = world.drain(moved(world)).counts["lines"]

    words = report.corrections.words
    assert report.lines == len(LINES) == words[CORRECTED] == counts.outcomes["corrected"] == counts.records
    assert words[TO_INDEX] == words[TO_RUN] == words[TO_TIME] == lines_moved
    assert not words[GONE]
    assert_newest_only(world)
    left = set(old) - set(facts(world))
    stones = world.documents()
    assert len(left) == lines_moved
    assert all(stones[doc_ref]["perf"]["retracted"] and "event" not in stones[doc_ref] for doc_ref in left)
    assert_settled(world)
    assert_tiled(world)


@pytest.mark.parametrize("seed", cases(range(3), [0]))
def test_in_any_order_of_shipping_and_replaying(world: World, seed: int) -> None:
    """Old and new workers read shares of the lines, shipped once and again, and replays of what there is by then."""
    world.set_up()
    rng = Random(seed)
    new = moved(world)
    steps = [*["ship"] * 4, *["replay"] * 3]
    rng.shuffle(steps)
    shares = [LINES[n::4] for n in range(4)]
    for n, step in enumerate(["ship", *steps]):
        if step == "ship":
            share = shares.pop() if shares else LINES
            world.ship(world.written(f"{n}.log", [*share, *rng.sample(LINES, 5)]))
        else:
            replayed(world, rng.choice([new, world.knowledge]))
        if rng.random() < 0.8:
            world.drain(rng.choice([new, world.knowledge]))
    for share in shares:
        world.ship(world.written("rest.log", share))
    world.drain()

    replayed(world)
    world.drain(new)
    replayed(world)
    world.drain(new)

    assert_newest_only(world)
    assert_settled(world)


@pytest.mark.parametrize("seed", cases(range(8), [0]))
def test_a_revision_may_take_back_what_the_one_before_moved(world: World, seed: int) -> None:
    """Three revisions read replays in any order; a line of the first and third run was in another by the second."""
    world.set_up()
    rng = Random(seed)
    revisions = [world.knowledge, moved(world), raised(world, 2)]
    world.ship(SAMPLES)
    world.drain(rng.choice(revisions))
    for _ in range(6):
        replayed(world, rng.choice(revisions))
        if rng.random() < 0.7:
            world.drain(rng.choice(revisions))
    world.drain(revisions[2])

    for _ in range(2):
        replayed(world, revisions[2])
        world.drain(revisions[2])

    assert_newest_only(world, revisions[2])


def test_old_and_new_workers_at_the_same_time(world: World) -> None:
    """Two processes of two revisions share the partitions of a replay; another replay read by the new one ends it."""
    world.set_up(partitions=4)
    world.ship(SAMPLES)
    world.drain()
    replayed(world)
    processes = [_worker(world, registry) for registry in (world.knowledge, moved(world))]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0

    replayed(world)
    world.drain(moved(world))

    assert_newest_only(world)
    assert_settled(world)


@dataclass
class Kill:
    """Kill the worker at its nth request that holds this kind, before or after the node has seen it."""

    kind: str
    nth: int
    moment: str
    pid: int = 0
    died: list[str] = field(default_factory=list)

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in when the time has come; the worker never gets this answer."""
        kinds = [index.split("-")[1] for index, _ in bulk.keys]
        self.nth -= self.kind in kinds
        if self.nth or self.kind not in kinds:
            return bulk.hand_on()
        if self.moment == "part":
            bulk.hand_on_only(list(range(0, len(kinds), 2)))
        elif self.moment == "answered":
            bulk.hand_on()
        os.kill(self.pid, signal.SIGKILL)
        self.died.append(f"{self.moment} {self.kind}")
        return None


# The first request with marks is of what is made, the second of tombstones.
PLAN = [
    ("marks", 1, "part"), ("marks", 2, "asked"), ("marks", 2, "part"), ("marks", 2, "answered"),
    ("runstate", 1, "asked"), ("runstate", 1, "part"), ("runstate", 1, "answered"),
    ("stages", 1, "part"), ("stages", 1, "answered"),
]  # fmt: skip


def _worker(world: World, registry: Registry, address: str | None = None) -> ForkProcess:
    settings = world.through(address) if address else world.settings
    process = get_context("fork").Process(target=lambda: run_worker(settings, registry, drain=True))
    process.start()
    return process


@contextmanager
def _doomed(world: World, before: Front, kill: Kill) -> Iterator[None]:
    before.step = kill
    process = _worker(world, moved(world), before.address)
    assert process.pid is not None
    kill.pid = process.pid
    try:
        yield
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()
        world.bury_dead_members()


@pytest.mark.parametrize("ship_again", cases([False, True], [True]))
def test_a_worker_may_be_killed_between_any_two_writes(world: World, ship_again: bool) -> None:
    """SIGKILL before, in and after: new documents, tombstones, the runs' sets, stages and runs; then one finishes."""
    world.set_up(partitions=1)
    world.ship(SAMPLES)
    world.drain()
    replayed(world)
    if ship_again:
        world.ship(SAMPLES)
    with front(world.stack.elasticsearch) as before:
        for kind, nth, moment in PLAN:
            kill = Kill(kind, nth, moment)
            with _doomed(world, before, kill):
                pass
            assert kill.died == [f"{moment} {kind}"]
    committed = sum(world.committed().values())

    world.drain(moved(world))

    assert committed == len(LINES)
    assert_newest_only(world)
    assert_settled(world)
    assert_tiled(world)


def test_a_line_that_is_not_read_any_more_is_gone_and_can_come_back(world: World) -> None:
    """A revision that refuses half of the lines, and the next one that reads them again, from their tombstones."""
    world.set_up()
    world.ship(SAMPLES)
    world.drain()
    lines_refused = sum(map(is_moved, LINES))

    report = replayed(world, refusing(world))
    counts = world.drain(refusing(world)).counts["lines"]

    assert report.corrections.words[GONE] == lines_refused == counts.outcomes["rejected"]
    assert facts(world) == world.expected([line for line in LINES if not is_moved(line)])
    assert derived_documents(world) == at_once(world, sets_by(world, refusing(world), LINES))

    assert replayed(world, refusing(world)).lines == len(LINES) - lines_refused
    assert world.drain(refusing(world)).counts["lines"].outcomes["duplicate"] == len(LINES) - lines_refused

    last = raised(world, 2)
    assert replayed(world, last).lines == len(LINES)
    world.drain(last)
    assert facts(world) == world.expected(LINES)
    assert derived_documents(world) == at_once(world, sets_by(world, last, LINES))


def test_a_line_of_several_pairs_is_sent_once(world: World) -> None:
    """One record corrects all its documents."""
    world.set_up()
    line = LINES[0].replace(b"START_DATE=1454737177", b"START_DATE=1454737177:END_DATE=1454737179")
    world.ship(world.written("two.log", [line, LINES[1]]))
    world.drain()
    assert len(facts(world)) == 3

    assert replayed(world).lines == 2
    counts = world.drain(moved(world)).counts["lines"]

    assert (counts.records, counts.outcomes["corrected"], counts.documents) == (2, 2, 3)
    assert facts(world) == world.expected([line, LINES[1]], moved(world))


def test_lines_of_a_forwarder_are_sent_bare_and_glued_ones_apart(world: World) -> None:
    """The wrapper was taken off when they came: none is looked for again. A glued half stays one."""
    wrapped = replace(world.settings.intake("lines"), wrapper="filebeat")
    settings = replace(world.settings, intakes={"lines": wrapped})
    world.__dict__["settings"] = settings
    world.set_up()
    origin = {"host": {"name": "bl"}, "log": {"file": {"path": "/a.log"}, "offset": 7}}
    glued = LINES[0] + LINES[1]
    messages = [json.dumps({**origin, "message": text.decode()}).encode() for text in (LINES[2], glued)]
    world.ship(world.written("beats.log", messages))
    world.drain()
    before = world.documents()
    assert len(before) == 3

    assert replayed(world, world.knowledge).lines == 3
    assert world.drain().counts["lines"].outcomes["duplicate"] == 3
    assert world.documents() == before

    replayed(world, raised(world))
    world.drain(raised(world))
    assert facts(world) == {
        doc_ref: without_provenance(body, world.knowledge.schema) for doc_ref, body in before.items()
    }
    after = world.documents()
    assert all(
        after[doc_ref]["log"] == body["log"] and after[doc_ref]["host"] == body["host"]
        for doc_ref, body in before.items()
    )
    assert all(after[doc_ref]["event"]["created"] == body["event"]["created"] for doc_ref, body in before.items())


@pytest.mark.parametrize("prefix", ["syslog", "none"])
def test_lines_behind_a_prefix_and_lines_of_utf16_are_sent_as_they_were_read(world: World, prefix: str) -> None:
    """The same facts as bare; read again they are the same, and no line is looked at for a prefix of its own."""
    bare = world.expected(LINES[:5])
    intake = replace(world.settings.intake("lines"), prefix=prefix)
    world.__dict__["settings"] = replace(world.settings, intakes={"lines": intake})
    world.set_up()
    path = world.folder / "a.log"
    if prefix == "syslog":
        path.write_bytes(b"".join(b"<13>Feb  5 21:39:38 node-17 perf[42]: " + line + b"\n" for line in LINES[:5]))
    else:
        path.write_bytes((b"\n".join(LINES[:5]) + b"\n").decode().encode("utf-16"))
    world.ship(path)
    world.drain()
    before = world.documents()
    assert facts_of_bytes(facts(world)) == bare

    assert replayed(world, world.knowledge).lines == 5
    assert world.drain().counts["lines"].outcomes["duplicate"] == 5
    assert world.documents() == before


def facts_of_bytes(documents: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Documents without the bytes of another encoding that are kept beside the text."""
    for body in documents.values():
        body["event"].pop("original_b64", None)
    return documents


def test_only_the_lines_that_are_meant_are_sent(world: World) -> None:
    """By run, file (with `*`), source and time; what no intake takes is told, and nothing is sent on a dry run."""
    world.set_up()
    world.ship(world.written("a.log", LINES[:5]))
    world.ship(world.written("b.log", LINES[5:]))
    world.drain()
    ends = world.ends()
    first_run = [line for line in LINES if b"1084664-62990" in line]
    folder = str(world.folder)

    def count(**chosen: Any) -> int:
        return replayed(world, world.knowledge, dry_run=True, **chosen).lines

    assert count() == len(LINES)
    assert count(runs=("1084664-62990",)) == len(first_run)
    assert count(files=(f"{folder}/a.log",)) == 5
    assert count(files=(f"{folder}/*",)) == len(LINES)
    assert count(sources=("netlogger",)) == 0
    assert count(since_ms=1_454_737_242_000, until_ms=1_454_737_269_000) == 2
    assert world.ends() == ends
    calls: list[tuple[int, int]] = []
    meant = FactQuery(facilities=(world.facility,))
    resend(world.settings, world.knowledge, meant, dry_run=True, progress=lambda *at: calls.append(at))
    assert calls[-1] == (len(LINES), len(LINES))
    elsewhere = replace(world.settings, intakes={})
    report = resend(elsewhere, world.knowledge, FactQuery(facilities=(world.facility,)), dry_run=True)
    assert (report.lines, sum(report.left_out.values())) == (0, len(LINES))


def test_a_plain_run_id_that_is_read_otherwise_moves_in_place(world: World) -> None:
    """The fast path does it too: a grammar that takes half of the run id; the runs of before are retracted."""
    registry = halved(world)
    lines = mixed(Random(1), lines_of(3, 600, Shares()), 0)
    world.set_up()
    world.ship(world.written("a.log", lines))
    world.drain()
    before = set(derived_documents(world))

    report = replayed(world, registry)
    world.drain(registry)

    assert report.corrections.words[TO_RUN] == report.corrections.words[CORRECTED] > 500
    assert not report.corrections.words[TO_INDEX]
    assert facts(world) == world.expected(lines, registry)
    assert derived_documents(world) == at_once(world, sets_by(world, registry, lines))
    runs = {doc_ref for doc_ref in before if doc_ref[0].startswith("perf-runs")}
    assert runs.isdisjoint(derived_documents(world))
    assert_same_again(world, registry)


def test_an_older_worker_that_comes_late_adds_nothing_to_runs(world: World) -> None:
    """It finds its lines in a higher version, which it does not overwrite, and tells their old runs nothing."""
    registry = halved(world)
    world.set_up()
    for by in (registry, world.knowledge):
        world.ship(SAMPLES)
        world.drain(by)

    assert facts(world) == world.expected(LINES, registry)
    assert derived_documents(world) == at_once(world, sets_by(world, registry, LINES))


def test_a_lag_that_was_mended_is_taken_back(world: World) -> None:
    """What revision 2 stored of lines printed late: a zone fault that nobody had seen, a lag of -55 s, one of 5 s.

    After a replay they are as printed and doubtful, and the lower bound that rested on one is gone.
    """

    def stamps(documents: Documents) -> list[tuple[object, ...]]:
        perfs = sorted((body["perf"] for body in documents.values()), key=lambda perf: perf["mark"]["emit_lag_s"])
        return [(perf["mark"]["emit_lag_s"], perf["mark"]["logged"], perf.get("flags")) for perf in perfs]

    def measured() -> dict[str, tuple[object, ...]]:
        stages = [body["perf"] for (index, _), body in derived_documents(world).items() if "-stages-" in index]
        return {
            f"{perf['run']['id']} {perf['stage']['name']}": (
                perf["stage"]["duration_kind"], perf["stage"].get("duration_s"), perf["mark"].get("emit_lag_s")
            )
            for perf in stages
        }  # fmt: skip

    world.set_up()
    world.ship(world.written("late.log", LATE_LINES))
    world.drain(mending(world))
    assert stamps(facts(world)) == [
        (-55, "2016-07-01T19:59:05Z", ["zone_fault"]),
        (1, "2016-02-06T05:39:38Z", None),
        (5, "2016-07-01T20:10:05Z", ["zone_fault"]),
    ]
    assert measured()["1-2 SUBMIT_ROT"] == ("lower", 5, 5)

    report = replayed(world, world.knowledge)
    world.drain()

    assert report.corrections.words.total() == report.corrections.words[CORRECTED] == 3
    assert stamps(facts(world)) == [
        (1, "2016-02-06T05:39:38Z", None),
        (1745, "2016-07-01T20:29:05Z", ["printed_late"]),
        (3605, "2016-07-01T21:10:05Z", ["zone_suspect"]),
    ]
    assert measured() == {
        "1-2 SUBMIT_NORM": ("upper", 600, None),
        "1-2 SUBMIT_ROT": ("none", None, None),
        "1-3 SUBMIT_NORM": ("lower", 1, 1),
    }
    assert derived_documents(world) == at_once(world, sets_by(world, world.knowledge, LATE_LINES))
    assert_same_again(world, world.knowledge)


def test_what_shipping_overwrote_without_a_word_is_taken_out_of_its_run(world: World) -> None:
    """The same lines, shipped again and read by a newer worker: their old runs still count them, until a replay."""
    registry = halved(world)
    world.set_up()
    for by in (world.knowledge, registry):
        world.ship(SAMPLES)
        world.drain(by)
    assert derived_documents(world) != at_once(world, sets_by(world, registry, LINES))

    report = replayed(world, registry)

    assert report.left_behind == len(LINES)
    assert derived_documents(world) == at_once(world, sets_by(world, registry, LINES))
    assert replayed(world, registry).left_behind == 0


def test_network_results_are_replayed_with_the_time_of_their_capture(world: World) -> None:
    """It is part of the identity of some; nothing is told of it but by the shipper."""
    sources = ("iperf3_json", "perfsonar")
    intake = replace(world.settings.intake("lines"), sources=sources, workflow=None)
    world.__dict__["settings"] = replace(world.settings, intakes={"lines": intake})
    world.set_up()
    grammars = world.settings.grammars
    samples = [line for name in sources for line in (grammars / name / "samples.jsonl").read_bytes().splitlines()]
    record_headers = headers.to_headers(Provenance("ps", "/x.json", captured_ms=1_780_000_000_000), backfill=True)
    with open_producer(world.settings.kafka) as outbox:
        outbox.send([ProducerRecord(world.topic, None, line, record_headers) for line in samples])
    world.drain()
    before = world.documents("network")
    assert len(before) > 20
    everyone = {name: replace(s, revision=s.revision + 1) for name, s in world.knowledge.sources.items()}
    newer = replace(world.knowledge, sources=everyone)

    same = replayed(world, world.knowledge)
    assert world.drain().counts["lines"].outcomes["duplicate"] == same.lines
    assert world.documents("network") == before
    report = replayed(world, newer)
    counts = world.drain(newer).counts["lines"]

    assert not report.left_out
    assert report.corrections.words[CORRECTED] == len(before) == report.corrections.words.total()
    assert counts.outcomes["corrected"] == counts.records == report.lines <= len(before)
    schema = world.knowledge.schema
    after = world.documents("network")
    assert {at: without_provenance(body, schema) for at, body in after.items()} == {
        at: without_provenance(body, schema) for at, body in before.items()
    }


def test_plain_lines_are_corrected_in_place(world: World) -> None:
    """By the short way: all of them are told of and written anew, none is moved."""
    lines = lines_of(5, 400, Shares())
    world.set_up(partitions=1)
    world.ship(world.written("a.log", lines))
    world.drain()
    derived = derived_documents(world)

    report = replayed(world, raised(world))
    counts = world.drain(raised(world)).counts["lines"]

    assert report.corrections.words.total() == report.corrections.words[CORRECTED] == report.lines > 380
    assert counts.outcomes["corrected"] == counts.records == report.lines
    assert facts(world) == world.expected(lines)
    assert derived_documents(world) == derived
    assert_same_again(world, raised(world))


def test_the_lines_of_a_run_are_sent_together() -> None:
    """Each is sent once, in order of topic, run and origin; a full portion is sent before the next one is read."""
    records = [
        ProducerRecord("t", f"run {n % 7}".encode(), str(n).encode(), (("host", b"ab"[n % 2 :]),)) for n in range(70)
    ]

    sorted_records = list(sort_by_run([records[:30], records[30:]]))

    assert sorted(record.value or b"" for record in sorted_records) == sorted(record.value or b"" for record in records)
    assert [record.key for record in sorted_records[::10]] == sorted({record.key for record in records}, key=str)
    assert all(record.key == sorted_records[n // 10 * 10].key for n, record in enumerate(sorted_records))
    alike = [
        int(record.value or b"")
        for record in sorted_records
        if record.key == b"run 3" and record.headers == records[3].headers
    ]
    assert alike == [3, 17, 31, 45, 59]
    large = [ProducerRecord("t", key, bytes(TOGETHER_BYTES), ()) for key in (b"b", b"a")]
    assert [record.key for record in sort_by_run([record] for record in large)] == [b"b", b"a"]
