"""Dead letters on the real servers: grouped by shape, replayed with their original time, purged for good."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition

from ingest.core.decode.registry import Registry, load_registry
from ingest.core.kafka_record import Coordinates
from ingest.core.records import headers
from ingest.core.timestamps import iso_ms
from ingest.edge.elasticsearch.rejects import RejectQuery, StoredReject, open_rejects
from ingest.edge.kafka.fetch import open_fetcher
from ingest.pipeline.deadletters.inspect import COPY, INDEX, LETTER, RECORD, Original, list_shapes, newest_reject
from ingest.pipeline.deadletters.purge import PurgeReport, purge
from ingest.pipeline.deadletters.replay import ReplayReport, replay
from tests.support.ledger_checks import assert_tiled
from tests.support.world import World, copied_grammars

pytestmark = pytest.mark.stack
NOW_MS = 1_800_000_000_000


def misspelt(number: int, script: str = "norm.sh") -> bytes:
    """A line of a script that misspells the tag; it becomes a fact once the grammar accepts it."""
    second = f"{number // 60:02}:{number % 60:02}"
    stamp = f"Fri Feb 5 21:{second} PST 2016"
    return f"{stamp}: {script}:32:{1000 + number}-{number}:PREF:SUBMIT_NORM:START_DATE={1454735760 + number}".encode()


def rejects_of(world: World, **more: Any) -> RejectQuery:
    """The rejects of this world's facility: other tests share the servers."""
    return RejectQuery(facilities=(world.facility,), **more)


def replayed(world: World, query: RejectQuery | None = None, **chosen: Any) -> ReplayReport:
    """Replay in this process."""
    return replay(world.settings, query or rejects_of(world), lambda: NOW_MS, **chosen)


def purged(world: World, **more: Any) -> PurgeReport:
    """Purge in this process."""
    return purge(world.settings, rejects_of(world, **more))


def shown(world: World, **more: Any) -> tuple[StoredReject, Original]:
    """The newest matching reject, and its record."""
    reject, original, _ = newest_reject(world.settings, rejects_of(world, **more))
    assert original is not None
    return reject, original


def repaired(folder: Path) -> Registry:
    """Grammars that accept the misspelt tag."""
    grammars = copied_grammars(folder)
    grammar = grammars / "als_perf" / "grammar.lark"
    text = grammar.read_text(encoding="utf-8")
    assert text.count("TAG: /PERF(") == 1
    grammar.write_text(text.replace("TAG: /PERF(", "TAG: /(?:PERF|PREF)("), encoding="utf-8")
    return load_registry(grammars)


def refused(world: World, *lines: bytes, partitions: int = 1) -> list[Any]:
    """Ship these lines and let them be rejected; return their records."""
    world.set_up(partitions)
    world.ship(world.written("bad.log", lines))
    report = world.drain()
    assert report.counts["lines"].outcomes["rejected"] == len(lines)
    return world.records(world.topic)


def letters(world: World) -> list[Any]:
    """The records in the dead-letter topic."""
    return world.records(world.settings.delivery.dead_letter_topic)


def forget(world: World, topic: str) -> None:
    """Delete all records of a topic, as retention does."""
    with world.admin() as admin:
        admin.delete_records({TopicPartition(topic, 0): -1})


def test_the_rejects_of_one_broken_script_are_one_group(world: World, sample_lines: list[bytes]) -> None:
    """Counted by shape, the most frequent first; filters select groups; the letters in the topic are counted too."""
    bad = [*(misspelt(n) for n in range(20)), *(misspelt(n, "rot.sh") for n in range(30)), sample_lines[0][:50]]
    refused(world, *bad)

    all_shapes = list_shapes(world.settings, rejects_of(world))
    selected = list_shapes(world.settings, rejects_of(world, reasons=("syntax",), shapes=("norm.sh:32: TAG expected",)))

    counts = [(listed.group.shape, listed.group.count) for listed in all_shapes.shapes]
    assert counts[:2] == [("rot.sh:32: TAG expected", 30), ("norm.sh:32: TAG expected", 20)]
    assert (len(counts), all_shapes.matching, all_shapes.letters) == (3, 51, 51)
    assert all_shapes.total >= all_shapes.matching
    assert [listed.group.count for listed in selected.shapes] == [20]
    assert all_shapes.shapes[0].group.intakes == ("lines",)
    since = list_shapes(world.settings, rejects_of(world, since_ms=all_shapes.shapes[0].group.last_ms + 60_000))
    assert since.shapes == ()


def test_a_record_is_found_wherever_it_is_still_kept(world: World) -> None:
    """The letter first, then the record, its copy, and the index; the letter of another record is not used."""
    first, second = refused(world, misspelt(1), misspelt(2) + b"\xff")
    reject, by_letter = shown(world, ids=(f"{world.topic}/0/1",))
    assert reject.value("perf.reject.letter") == str(by_letter.at)
    one_letter, other_letter = letters(world)
    topic = other_letter.topic
    assert shown(world, ids=(f"{topic}/0/1",))[0].id == reject.id

    mixed_up = {"doc": {"perf": {"reject": {"letter": f"{topic}/0/{one_letter.offset}"}}}}
    world.client.update(index=reject.index, id=reject.id, body=mixed_up, refresh=True)
    by_record = shown(world, ids=(reject.id,))[1]
    replayed(world, rejects_of(world, ids=(reject.id,)))
    with world.admin() as admin:
        admin.delete_records({TopicPartition(world.topic, 0): 2})
    by_copy = shown(world, ids=(reject.id,))[1]
    forget(world, world.topic)
    forget(world, topic)
    by_index = shown(world, ids=(reject.id,))[1]

    originals = [by_letter, by_record, by_copy, by_index]
    assert [original.found_in for original in originals] == [LETTER, RECORD, COPY, INDEX]
    assert {original.value for original in originals} == {second.value}
    assert [(original.key, original.headers) for original in originals[:3]] == [(second.key, tuple(second.headers))] * 3
    assert set(by_index.headers) < set(second.headers)
    assert first.value != second.value


def test_replayed_records_become_facts_once_the_grammar_is_fixed(world: World) -> None:
    """Same key, value and headers, read at their first record time; marked; the ledger counts every record once."""
    lines = [misspelt(n) for n in range(25)]
    before = refused(world, *lines, partitions=2)
    registry = repaired(world.folder)

    report = replayed(world)
    assert world.drain(registry).counts["lines"].outcomes == Counter(stored=25)

    assert (report.records, report.found_in, report.not_sent) == (25, Counter({LETTER: 25}), [])
    copies = world.records(world.topic)
    assert len(copies) == 50
    firsts = {f"{r.topic}/{r.partition}/{r.offset}": r for r in before}
    for copy in (r for r in copies if headers.REPLAY_OF in dict(r.headers)):
        first = firsts.pop(dict(copy.headers)[headers.REPLAY_OF].decode())
        assert (copy.value, copy.key, copy.partition) == (first.value, first.key, first.partition)
        assert copy.headers[:-2] == first.headers
    assert not firsts
    times = {r.value.decode(): r.timestamp for r in before}
    created = {body["event"]["original"]: iso_ms(body["event"]["created"]) for body in world.documents().values()}
    assert created == times
    assert world.facts() == world.expected(lines, registry)
    (listed,) = list_shapes(world.settings, rejects_of(world)).shapes
    assert (listed.group.replayed, listed.stored) == (25, 25)
    sums = world.ledger_sums()
    assert (sums["records"], sums["rejected"], sums["stored"]) == (50, 25, 25)
    assert_tiled(world)


def test_replaying_again_changes_nothing_but_the_count(world: World) -> None:
    """Replayed rejects are left out; `again` sends them once more: duplicates, and no document changes."""
    refused(world, *(misspelt(n) for n in range(5)))
    registry = repaired(world.folder)
    replayed(world)
    world.drain(registry)
    documents = world.documents()

    left_out = replayed(world)
    again = replayed(world, again=True)
    outcomes = world.drain(registry).counts["lines"].outcomes

    assert (left_out.records, left_out.before) == (0, 5)
    assert again.records == 5
    assert outcomes == Counter(duplicate=5)
    assert world.documents() == documents
    for body in world.documents("rejects").values():
        assert body["perf"]["reject"]["replays"] == 2
        assert len(body["perf"]["reject"]["replayed_as"]) == 2
        assert iso_ms(body["perf"]["reject"]["replayed"]) == NOW_MS
    assert list_shapes(world.settings, rejects_of(world)).shapes[0].stored == 5


def test_a_record_that_is_rejected_again_stays_one_reject_with_one_letter(world: World) -> None:
    """No second document, no second letter; the marks of the replay stay; the ledger counts the copies too."""
    refused(world, *(misspelt(n) for n in range(4)))
    replayed(world)
    rejected, written = world.documents("rejects"), [letter.offset for letter in letters(world)]

    outcomes = world.drain().counts["lines"].outcomes

    assert outcomes == Counter(rejected=4)
    assert world.documents("rejects") == rejected
    assert [letter.offset for letter in letters(world)] == written == [0, 1, 2, 3]
    assert world.ledger_sums()["records"] == 8 == sum(world.committed().values())


def test_a_copy_whose_reject_was_purged_meanwhile_is_dead_lettered_again(world: World) -> None:
    """With the first record's id and a letter of its own: nothing is lost between purge and run."""
    refused(world, misspelt(1))
    replayed(world)
    assert purged(world) == PurgeReport(rejects=1, letters=1, letters_left=0)

    world.drain()

    ((_, doc_id),) = world.documents("rejects")
    assert doc_id == f"{world.topic}/0/0"
    reject, original = shown(world)
    assert (original.found_in, original.value) == (LETTER, misspelt(1))
    assert reject.value("provenance.kafka") == f"{world.topic}/0/1"


def test_a_record_with_two_rejected_parts_is_replayed_once(world: World) -> None:
    """Both rejects are marked, even if only one of them was selected."""
    line = b"Fri Feb 5 21:39:37 PST 2016: a.sh:1:7-7:PERF:SUBMIT_NORM:START_DATE=NaN:END_DATE=NaN"
    refused(world, line)
    ids = [doc_id for _, doc_id in world.documents("rejects")]
    assert sorted(ids) == [f"{world.topic}/0/0", f"{world.topic}/0/0/1"]

    report = replayed(world, rejects_of(world, ids=(max(ids),)))

    assert report.records == 1
    assert [body["perf"]["reject"]["replays"] for body in world.documents("rejects").values()] == [1, 1]


def test_the_content_of_a_record_does_not_choose_its_topic(world: World) -> None:
    """A replay goes only to a topic of the settings; a dry run sends nothing and marks nothing."""
    refused(world, misspelt(1))
    intake = replace(world.settings.intake("lines"), topic="perf.elsewhere.v1")
    elsewhere = replace(world.settings, intakes={"lines": intake})

    refusing = replay(elsewhere, rejects_of(world), lambda: NOW_MS)
    dry = replayed(world, dry_run=True)

    assert (refusing.records, [why for _, why in refusing.not_sent]) == (0, ["its topic is no intake of the settings"])
    assert (dry.records, dry.topics) == (1, Counter({world.topic: 1}))
    assert len(world.records(world.topic)) == 1
    ((_, body),) = world.documents("rejects").items()
    assert "replays" not in body["perf"]["reject"]


def test_documents_that_the_index_rejected_are_stored_after_setup(world: World, sample_lines: list[bytes]) -> None:
    """An old index lacks a field: one shape names it; after `setup` a replay stores the documents."""
    world.set_up()
    world.make_old_index()
    world.ship(world.written("a.log", sample_lines))
    count = world.drain().counts["lines"].outcomes["rejected"]
    (listed,) = list_shapes(world.settings, rejects_of(world)).shapes
    assert (listed.group.count, listed.group.reason) == (count, "strict_dynamic_mapping")
    assert "[variant]" in str(listed.group.shape)

    world.set_up()
    replayed(world)
    world.drain()

    assert world.facts() == world.expected(sample_lines)
    assert list_shapes(world.settings, rejects_of(world)).shapes[0].stored == count


def test_two_replays_at_once_both_leave_their_mark(world: World) -> None:
    """Compare-and-swap: the later of two marks is computed from the earlier one and does not overwrite it."""
    world.set_up(partitions=1)
    body = {"@timestamp": 0, "perf": {"facility": world.facility, "reject": {"shape": "made by a test"}}}
    world.client.index(index=f"perf-rejects-{world.facility}-1970.01", id=f"{world.topic}/0/0", document=body)
    with open_rejects(world.settings.elasticsearch) as rejects:
        stale = list(rejects.scan(rejects_of(world)))
        rejects.mark([(stale[0], "t/0/1")], NOW_MS)
        rejects.mark([(stale[0], "t/0/2")], NOW_MS + 1000)

    ((_, stored),) = world.documents("rejects").items()
    assert (stored["perf"]["reject"]["replays"], stored["perf"]["reject"]["replayed_as"]) == (2, ["t/0/1", "t/0/2"])


def test_purge_deletes_the_letters_that_no_reject_needs(world: World) -> None:
    """From the oldest up to the first that a remaining reject needs, and none after the last purged one."""
    refused(world, *(misspelt(n) for n in range(4)), *(misspelt(n, "rot.sh") for n in range(3)), misspelt(9))
    norm, rot = ("norm.sh:32: TAG expected",), ("rot.sh:32: TAG expected",)
    last = f"{world.topic}/0/7"

    middle = purged(world, shapes=rot)
    assert (middle.rejects, middle.letters, middle.letters_left) == (3, 0, 8)
    assert "needs the oldest one" in str(middle.kept_because)
    first_ids = tuple(f"{world.topic}/0/{n}" for n in range(3))
    oldest = purged(world, ids=first_ids)
    assert (oldest.rejects, oldest.letters, oldest.letters_left) == (3, 3, 5)
    one_left = purged(world, ids=(f"{world.topic}/0/3",))
    assert (one_left.rejects, one_left.letters, one_left.letters_left) == (1, 1, 4)
    assert shown(world, ids=(last,))[1].found_in == LETTER

    rest = purged(world, shapes=norm)

    assert (rest.rejects, rest.letters, rest.letters_left) == (1, 4, 0)
    assert world.documents("rejects") == {}
    assert letters(world) == []


def test_records_are_read_by_their_offsets_however_far_apart(world: World) -> None:
    """Near ones are read on, far ones are sought; missing ones are left out; in the order of the offsets."""
    world.set_up(partitions=1)
    lines = [b"line %d" % n for n in range(1500)]
    world.ship(world.written("a.log", lines))
    with open_fetcher(world.settings.kafka, world.settings.delivery) as fetcher:
        (partition,) = fetcher.span(world.topic)
        offsets = [1400, 3, 4, 0, 700, 1499, 5000]
        records = list(fetcher.records([Coordinates(partition, offset) for offset in offsets]))

    assert [record.offset for record in records] == [0, 3, 4, 700, 1400, 1499]
    assert [record.value for record in records] == [b"line %d" % record.offset for record in records]
