"""A missing part of a file is one gap, with its bytes and its time; it is filled when the rest comes."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaProducer, TopicPartition

from ingest.core.model import Provenance
from ingest.core.records import headers
from ingest.core.timestamps import iso_ms
from ingest.core.tracking.manifest import ends
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.files import ElasticsearchFiles
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.kafka.offsets import progress
from ingest.pipeline.derive import sweep_service
from ingest.pipeline.derive.gap_sweeper import GapSweeper
from ingest.pipeline.derive.sweeper import Swept
from ingest.pipeline.intake.ship import ship, shipment
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasWriter
from ingest.pipeline.sink.retry import RetryPolicy
from tests.support.amount import cases
from tests.support.crashing_deriver import LIMITS, Died, Stumble, Stumbling
from tests.support.derivation import lines_of
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
SOON_S = 0.001
PATH = "/data/run.log"
REFUSED = b"Fri Feb  5 21:39:37 PST 2016: submit.sh:12:104-6:PERF:SUBMIT_GAL-norm:START_DATE=14547 \xff"
FOREIGN = b"Fri Feb  5 21:39:37 PST 2016: copying 12 files"
PROVENANCE = Provenance("beamline", PATH, None, "a forwarder")


def swept(world: World, gap_after_s: float = SOON_S) -> Swept:
    """One sweep, as `perflog sweep --once` does it."""
    reports: list[Swept] = []
    delivery = replace(world.settings.delivery, gap_after_s=gap_after_s)
    sweep_service.sweep(replace(world.settings, delivery=delivery), world.knowledge, True, reports.append)
    return reports[0]


def gaps(world: World) -> list[dict[str, Any]]:
    """The `perf.gap` fields of all gaps, in the order of their bytes."""
    gap_fields = [body["perf"]["gap"] for body in world.documents("gaps").values()]
    return sorted(gap_fields, key=lambda gap: gap["first_byte"])


def file_of(world: World) -> dict[str, Any]:
    """The `perf.file` fields of the only file."""
    (body,) = world.documents("files").values()
    fields: dict[str, Any] = body["perf"]["file"]
    return fields


def starts(lines: Sequence[bytes]) -> list[int]:
    """Where each line begins, and behind them where the file ends."""
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    return offsets


def among_foreign(lines: Sequence[bytes]) -> list[bytes]:
    """The lines among ten times as many, as in a script's log: a file large enough to be interrupted in the middle."""
    return [entry for line in lines for entry in (line, *[FOREIGN] * 9)]


def event_ms(world: World, offset: int) -> int:
    """When the mark at an offset happened."""
    (body,) = [body for body in world.documents().values() if body["log"]["offset"] == offset]
    return iso_ms(body["@timestamp"])


def forwarded(
    world: World,
    lines: Sequence[bytes],
    numbers: Sequence[int],
    partition: int = 0,
    provenance: Provenance = PROVENANCE,
) -> None:
    """Send some lines of a file as a forwarder does, without a manifest."""
    begins = starts(lines)
    origins = {n: replace(provenance, offset_bytes=begins[n]) for n in numbers}
    records = [(lines[n], headers.to_headers(origin, backfill=True)) for n, origin in origins.items()]
    produced(world, records, partition)


def produced(world: World, records: Sequence[tuple[bytes, headers.Headers]], partition: int = 0) -> None:
    """Send records and wait for their acknowledgements."""
    producer = KafkaProducer(bootstrap_servers=world.stack.kafka)
    for value, record_headers in records:
        producer.send(world.topic, value, partition=partition, headers=list(record_headers))
    producer.close()


@pytest.mark.parametrize("partitions", cases([1, 2], [2]))
def test_a_shipper_that_is_killed_leaves_one_gap_and_shipping_again_fills_it(world: World, partitions: int) -> None:
    """It sent the size of the file: once it is silent, the bytes after its last line are missing."""
    lines = among_foreign(lines_of(5, 2_000))
    world.set_up(partitions=partitions)
    path = world.written("run.log", lines)
    arguments = ("ship", str(path), "--intake", "lines", "--backfill", "--host", "beamline")
    with world.perflog_process(*arguments) as process:
        eventually(lambda: sum(world.ends().values()) > 2_000, "some lines are there")
        process.kill()
        process.wait()
    sent_offsets = {dict(record.headers).get("perflog.offset", b"-1") for record in world.records(world.topic)}
    begins = starts(lines)
    lost = [n for n in range(len(lines)) if b"%d" % begins[n] not in sent_offsets]
    assert 0 < len(lost) < len(lines) - 1000, "it must die in the middle"
    size_bytes = sum(len(lines[n]) + 1 for n in lost)
    world.drain()

    early = swept(world, gap_after_s=300)
    assert (early.gaps, gaps(world)) == (0, []), "it might be at it still"
    listed = world.perflog("gaps", "--facility", world.facility).stdout
    received = f"{begins[-1] - size_bytes:,} of {begins[-1]:,} bytes"
    assert f"Not ended yet: {received} of {path} on beamline" in listed
    assert swept(world).gaps == 1

    (gap,) = gaps(world)
    assert (gap["first_byte"], gap["end_byte"]) == (begins[lost[0]], begins[-1])
    assert gap["missing_bytes"] == gap["size_bytes"] == size_bytes
    assert (gap["state"], gap["shown_by"]) == ("open", "silence")
    assert "since" in gap
    assert "until" not in gap

    world.ship(path, manifest=True)
    world.drain()
    swept(world)

    (filled,) = gaps(world)
    assert (filled["state"], filled["missing_bytes"], filled["size_bytes"]) == ("filled", 0, gap["size_bytes"])
    assert iso_ms(filled["filled"]) > iso_ms(filled["received_before"])
    assert {name: gap[name] for name in ("first_byte", "noticed", "since")} == {
        name: filled[name] for name in ("first_byte", "noticed", "since")
    }
    assert swept(world).gap_documents == 0


def test_a_file_that_is_cut_short_before_it_was_read_leaves_one_gap(world: World) -> None:
    """The manifest says how large it was; shipping the whole of it again fills the gap."""
    lines = among_foreign(lines_of(6, 2_000))
    world.set_up(partitions=1)
    path = world.written("run.log", lines)
    whole, content = path.stat().st_size, path.read_bytes()
    prepared = shipment(
        world.settings.intake("lines"), world.knowledge.sources, [path], "test", backfill=True, host="beamline"
    )

    report = ship(world.settings, prepared, lambda _: os.truncate(path, 100))
    world.drain()
    swept(world)

    (file_report,) = report.files
    assert file_report.lost_bytes == whole - file_report.size_bytes > 0
    (gap,) = gaps(world)
    torn = 1  # the line at which it was cut counts its newline
    assert (gap["first_byte"], gap["end_byte"]) == (file_report.size_bytes + torn, whole)
    assert (gap["state"], gap["shown_by"], gap["missing_bytes"]) == ("open", "end", file_report.lost_bytes - torn)
    assert "since" in gap

    path.write_bytes(content)
    world.ship(path, manifest=True)
    world.drain()
    swept(world)

    assert [(gap["state"], gap["missing_bytes"]) for gap in gaps(world)] == [("filled", 0)]


def test_messages_that_kafka_deleted_unread_are_one_gap_at_the_head(world: World, sample_lines: list[bytes]) -> None:
    """Retention, or an operator: the manifest shows that the file begins at 0, and the next mark shows until when."""
    world.set_up(partitions=1)
    path = world.written("run.log", sample_lines)
    world.ship(path, manifest=True)
    with world.admin() as client:
        client.delete_records({TopicPartition(world.topic, 0): 1 + 12})

    world.drain()
    swept(world)

    (gap,) = gaps(world)
    assert (gap["first_byte"], gap["end_byte"], gap["state"]) == (0, starts(sample_lines)[12], "open")
    assert "since" not in gap
    assert iso_ms(gap["until"]) == event_ms(world, starts(sample_lines)[12])


def test_a_lost_message_of_a_forwarder_is_a_gap_between_its_neighbours(world: World, sample_lines: list[bytes]) -> None:
    """No manifest: the next line shows the gap after a while; the line itself fills it."""
    world.set_up(partitions=1)
    begins = starts(sample_lines)
    forwarded(world, sample_lines, [n for n in range(35) if n != 20])
    world.drain()

    assert swept(world, gap_after_s=300).gaps == 0
    assert swept(world).gaps == 1

    (gap,) = gaps(world)
    assert (gap["first_byte"], gap["end_byte"], gap["shown_by"]) == (begins[20], begins[21], "next")
    assert iso_ms(gap["since"]) == event_ms(world, begins[19])
    assert iso_ms(gap["until"]) == event_ms(world, begins[21])

    forwarded(world, sample_lines, [20])
    world.drain()
    swept(world)

    assert [(gap["state"], gap["missing_bytes"]) for gap in gaps(world)] == [("filled", 0)]


@pytest.mark.parametrize("workers", cases([1, 2], [2]))
def test_a_complete_file_has_no_gap(world: World, sample_lines: list[bytes], workers: int) -> None:
    """Shipped twice, over partitions and workers, with lines that are refused, foreign, blank or without a newline."""
    generated = lines_of(workers, 4_000)
    lines = [*sample_lines, REFUSED, FOREIGN, b"", b"", b"\xff\x00", b"with a CR\r", *generated, REFUSED]
    world.bulk_documents = 150
    world.set_up(partitions=4)
    path = world.written("run.log", lines)
    path.write_bytes(path.read_bytes()[:-1])

    for _ in range(2):
        world.ship(path, manifest=True)
        done = world.perflog("run", "--drain", "--workers", str(workers), "--json")
        assert done.returncode == 0, done.stderr
        assert swept(world).gaps == 0

    assert len(world.committed()) == 4, "the lines must lie in several partitions"
    assert gaps(world) == []
    file = file_of(world)
    assert (file["received_bytes"], file["missing_bytes"], file["pieces"]) == (path.stat().st_size, 0, 1)
    assert (file["state"], file["size_bytes"], file["lines"]) == ("ended", path.stat().st_size, len(lines))
    listed = world.perflog("gaps", "--open", "--facility", world.facility)
    assert listed.stdout == "No gap is known of; 1 file looked at.\n"
    sums = world.ledger_sums()
    assert sums["records"] == 2 * (len(lines) + 2)
    assert sums["records"] == sum(sums[name] for name in ("rejected", "corrected", "stored", "duplicate", "ignored"))
    shapes = [entry["shapes"] for entry in world.ledger() if "shapes" in entry]
    assert [sum(counts.get(f"manifest_{role}", 0) for counts in shapes) for role in ("begin", "end")] == [2, 2]


def test_unread_lines_of_another_partition_are_not_missing(world: World, sample_lines: list[bytes]) -> None:
    """A forwarder without keys: a hole becomes a gap only when everything is read that Kafka held at its discovery."""
    world.set_up(partitions=2)
    forwarded(world, sample_lines, [n for n in range(35) if n not in (20, 25)])
    world.drain()
    forwarded(world, sample_lines, [20], partition=1)
    sweeper = own_sweeper(world)
    targets = [(world.facility, world.topic)]
    time.sleep(2 * SOON_S)

    assert sweeper.sweep(targets).gaps == 0, "partition 1 was not read to its end"
    world.drain()
    assert sweeper.sweep(targets).gaps == 1

    begins = starts(sample_lines)
    assert [(gap["first_byte"], gap["end_byte"]) for gap in gaps(world)] == [(begins[25], begins[26])]


def test_a_reader_that_never_stands_at_the_ends_still_makes_sure(world: World, sample_lines: list[bytes]) -> None:
    """A busy topic: the next round has read all that Kafka held when the hole was seen, though more has come since."""
    world.set_up(partitions=1)
    forwarded(world, sample_lines, [n for n in range(20) if n != 10])
    world.drain()
    sweeper = own_sweeper(world)
    targets = [(world.facility, world.topic)]

    forwarded(world, sample_lines, [20])
    assert sweeper.sweep(targets).gaps == 0
    world.drain()
    forwarded(world, sample_lines, [21])
    assert sweeper.sweep(targets).gaps == 1


def own_sweeper(world: World, store: Stumbling | None = None) -> GapSweeper:
    """A sweeper that remembers what it saw."""
    retry_policy, own = RetryPolicy(0.01, 0.05), store or Stumbling(ElasticsearchStore(world.client))
    cas_writer = CasWriter(own, BulkWriter(own.swap, retry_policy, LIMITS), retry_policy)
    return GapSweeper(
        ElasticsearchFiles(world.client),
        cas_writer,
        BulkWriter(own.rewrite, retry_policy, LIMITS),
        world.knowledge.schema,
        lambda topic: progress(world.settings.kafka, world.facility, topic),
        (now_ms, SOON_S),
    )


@pytest.mark.parametrize(
    ("nth", "moment"),
    cases(product((1, 2, 3), ("asked", "answered")), [(1, "answered"), (2, "answered"), (3, "asked")]),
)
def test_a_sweeper_that_dies_at_any_write_is_healed_by_the_next(
    world: World, sample_lines: list[bytes], nth: int, moment: str
) -> None:
    """The gap's document is there in the end, as if nobody had died."""
    world.set_up(partitions=1)
    forwarded(world, sample_lines, [n for n in range(35) if n not in (5, 20)])
    world.drain()
    targets = [(world.facility, world.topic)]

    stumbling = Stumbling(ElasticsearchStore(world.client), Stumble(nth, moment))
    with pytest.raises(Died):
        own_sweeper(world, stumbling).sweep(targets)
    assert len(gaps(world)) == (2 if (nth, moment) in ((2, "answered"), (3, "asked"), (3, "answered")) else 0)
    own_sweeper(world).sweep(targets)

    begins = starts(sample_lines)
    assert [gap["first_byte"] for gap in gaps(world)] == [begins[5], begins[20]]
    assert not file_of(world)["due"]


def test_the_offsets_of_a_forwarders_wrapper_show_a_gap(world: World, sample_lines: list[bytes]) -> None:
    """Filebeat's log.offset; a file of the same name with another inode is another file."""
    world.set_up(partitions=1)
    intake = replace(world.settings.intake("lines"), wrapper="filebeat")
    settings = replace(world.settings, intakes={"lines": intake})
    begins = starts(sample_lines)

    def wrapped(n: int, inode: str) -> bytes:
        file = {"path": PATH, "inode": inode}
        event = {"message": sample_lines[n].decode(), "log": {"offset": begins[n], "file": file}}
        return orjson.dumps({**event, "host": {"name": "beamline"}})

    backfill = (("perflog.backfill", b"true"),)
    numbers = [n for n in range(35) if n not in (7, 8)]
    produced(world, [(wrapped(n, "1"), backfill) for n in numbers])
    produced(world, [(wrapped(n, "2"), backfill) for n in range(9)])
    world.drain(settings=settings)
    swept(world)

    (gap,) = gaps(world)
    assert (gap["first_byte"], gap["end_byte"]) == (begins[7], begins[9])
    assert len(world.documents("files")) == 2
    (body,) = world.documents("gaps").values()
    assert (body["host"]["name"], body["log"]["file"]["path"]) == ("beamline", PATH)
    assert body["perf"]["file"]["generation"] == "1"


def test_any_forwarder_may_write_a_manifest(world: World, sample_lines: list[bytes]) -> None:
    """A file of which no line came is one gap; a manifest that cannot be read is a reject, and is counted."""
    world.set_up(partitions=1)
    size_bytes = starts(sample_lines)[-1]
    manifest_headers = (("perflog.manifest", b"end"), *headers.to_headers(PROVENANCE, backfill=True))
    manifest = ends(PATH, (size_bytes, 35, "0" * 64), 0, 0)
    produced(world, [(manifest, manifest_headers), (b'{"lines": 35}', manifest_headers)])

    world.drain()
    swept(world)

    (gap,) = gaps(world)
    assert (gap["first_byte"], gap["end_byte"], gap["lines"]) == (0, size_bytes, 35)
    (reject,) = world.documents("rejects").values()
    assert (reject["error"]["type"], reject["log"]["file"]["path"]) == ("manifest", PATH)
    sums = world.ledger_sums()
    assert (sums["records"], sums["ignored"], sums["rejected"]) == (2, 1, 1)


def test_a_line_too_large_to_be_sent_is_a_gap(world: World, sample_lines: list[bytes]) -> None:
    """The shipper refuses it before the broker does, and its bytes are a gap all the same."""
    world.set_up(partitions=1)
    huge = b"x" * (world.settings.delivery.max_message_bytes + 1)
    lines = [*sample_lines[:3], huge, *sample_lines[3:]]

    report = world.ship(world.written("run.log", lines), manifest=True)
    world.drain()
    swept(world)

    assert len(report.too_large) == 1
    begins = starts(lines)
    assert [(gap["first_byte"], gap["end_byte"]) for gap in gaps(world)] == [(begins[3], begins[4])]


def test_an_end_closes_the_writer_of_a_backfill(world: World, sample_lines: list[bytes]) -> None:
    """Its newest instant holds back nobody any more; another line of it opens it again."""
    world.set_up(partitions=1)
    path = world.written("run.log", sample_lines)

    def writer_fields() -> Any:
        (body,) = world.documents("writers").values()
        return body["perf"]["writer"]

    world.ship(path, manifest=True)
    world.drain()
    ended = writer_fields()
    world.ship(path)
    world.drain()

    assert (ended["ended"], ended["backfill"]) == (True, True)
    assert "ended" not in writer_fields()


def test_an_intake_without_gaps_records_no_files(world: World, sample_lines: list[bytes], tmp_path: Path) -> None:
    """`gaps = false`: its forwarder leaves lines out, so no state of its files is stored."""
    text = world.settings_text(world.stack.elasticsearch)
    world.settings_file.write_text(text.replace('facility = "', 'gaps = false\nfacility = "'))
    world.set_up(partitions=1)
    forwarded(world, sample_lines, range(0, 35, 2))

    world.drain()

    assert swept(world).gaps == 0
    assert world.documents("files") == {}
