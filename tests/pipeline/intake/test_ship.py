"""`ship` sends every message with headers that name its origin, and reports the messages that it does not send."""

import os
import socket
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from ingest.core.model import Problem
from tests.support.world import World

pytestmark = pytest.mark.stack


def test_lines_arrive_unchanged_with_their_origin(world: World) -> None:
    """CR, blanks and invalid UTF-8 are kept; the headers have host, path, offset, forwarder and backfill."""
    world.set_up(partitions=1)
    lines = [b"one\r", b"  two \xff", b"", b"four\x00"]
    path = world.written("a.log", lines)

    report = world.ship(path)

    records = world.records(world.topic)
    assert [record.value for record in records] == lines
    assert (report.messages, report.size_bytes) == (4, sum(map(len, lines)))
    headers = dict(records[1].headers)
    assert headers == {
        "perflog.host": b"beamline",
        "perflog.path": str(path).encode(),
        "perflog.offset": b"5",
        "perflog.forwarder": b"perflog/test",
        "perflog.backfill": b"true",
        "perflog.generation": headers["perflog.generation"],
    }


def test_a_manifest_is_sent_before_and_after_a_file(world: World) -> None:
    """The first has its size, the second what was read; both have the key and headers of the lines, and one more."""
    world.set_up(partitions=2)
    lines = [b"one", b"", b"three"]
    path = world.written("a.log", lines)
    path.write_bytes(path.read_bytes()[:-1])

    report = world.ship(path, backfill=False, manifest=True)

    begin, *between, end = records = world.records(world.topic)
    assert [record.value for record in between] == lines
    assert [dict(record.headers).get("perflog.manifest") for record in records] == [b"begin", None, None, None, b"end"]
    assert len({record.key for record in records}) == len({record.partition for record in records}) == 1
    digest = sha256(path.read_bytes()).hexdigest()
    assert orjson.loads(begin.value).items() >= {"file": str(path), "size_bytes": 10}.items()
    whole = {"file": str(path), "size_bytes": 10, "bytes": 10, "lines": 3, "sha256": digest}
    assert orjson.loads(end.value).items() >= whole.items()
    of_line = {name: value for name, value in between[0].headers if name != "perflog.offset"}
    for record in (begin, end):
        assert {name: value for name, value in record.headers if name != "perflog.manifest"} == of_line
    assert (report.messages, [(file.lines, file.sha256) for file in report.files]) == (3, [(3, digest)])


def test_the_generation_of_a_file_follows_from_its_first_line(world: World) -> None:
    """Appended lines do not change it; a file of the same name with another first line has another one."""
    world.set_up(partitions=1)

    for lines in ([b"one"], [b"one", b"two"], [b"other"]):
        world.ship(world.written("a.log", lines))

    generations = [dict(record.headers)["perflog.generation"] for record in world.records(world.topic)]
    assert generations[0] == generations[1] == generations[2] != generations[3]


def test_one_file_stays_in_order_unless_it_is_a_backfill(world: World) -> None:
    """Live: one key, so one partition. A backfill is spread over all partitions, so that every worker has work."""
    world.set_up(partitions=2)
    path = world.written("a.log", [b"%d" % n for n in range(2000)])

    world.ship(path, backfill=False)
    live = world.records(world.topic)
    world.ship(path, backfill=True)
    both = world.records(world.topic)

    assert [record.value for record in live] == [b"%d" % n for n in range(2000)]
    assert len({record.partition for record in live}) == 1
    assert {record.partition for record in both[2000:]} | {record.partition for record in both[:2000]} == {0, 1}
    assert len(both) == 4000


def test_a_whole_file_is_one_message_with_a_fixed_capture_time(world: World) -> None:
    """Shipping the same file again gives the same fact: its capture time is the time of its last change."""
    world.set_up(partitions=1)
    path = world.written("a.txt", [b"several", b"lines"])
    os.utime(path, (1_454_737_177, 1_454_737_177))

    world.ship(path, framing="file")
    world.ship(path, framing="file")

    first, second = world.records(world.topic)
    assert first.value == second.value == b"several\nlines\n"
    assert dict(first.headers)["perflog.captured_ms"] == b"1454737177000"
    assert first.headers == second.headers


def test_a_message_that_is_too_large_is_named_and_the_others_are_sent(world: World) -> None:
    """Exit code 65, path, offset and both sizes; no message is dropped silently."""
    world.set_up(partitions=1)
    huge = b"x" * (world.settings.delivery.max_message_bytes + 1)
    path = world.written("a.log", [b"before", huge, b"after"])

    result = world.perflog("ship", str(path), "--intake", "lines", "--json")

    assert result.returncode == 65
    assert f"{path} at byte 7: not sent, 5,242,882 bytes are more than the 5,242,880" in result.stderr
    report = orjson.loads(result.stdout)
    assert report["messages"] == 2
    assert report["too_large"] == [{"path": str(path), "offset": 7, "size_bytes": len(huge) + 1}]
    _, *between, end = world.records(world.topic)
    assert [record.value for record in between] == [b"before", b"after"]
    assert orjson.loads(end.value)["bytes"] == path.stat().st_size == report["files"][0]["size_bytes"]


def test_the_largest_message_that_is_allowed_arrives(world: World) -> None:
    """Incompressible bytes: accepted by the topic, rejected by the source, kept as a dead letter."""
    world.set_up(partitions=1)
    largest = b":PERF:" + os.urandom(world.settings.delivery.max_message_bytes - 6).replace(b"\n", b"?")
    path = world.folder / "a.bin"
    path.write_bytes(largest)

    report = world.ship(path, framing="file")
    world.drain()

    assert report.messages == 1
    (letter,) = world.records(world.settings.delivery.dead_letter_topic)
    assert letter.value == largest
    (reject,) = world.documents("rejects").values()
    assert reject["error"]["type"] == "too_long"
    assert "in the dead-letter topic only" in reject["error"]["message"]


def test_unreadable_files_and_missing_topics_stop_before_anything_is_sent(world: World, tmp_path: Path) -> None:
    """Exit codes 66 and 78 with the remedy."""
    good = world.written("good.log", [b"x"])

    with pytest.raises(Problem, match="no topic") as no_topic:
        world.ship(good)
    world.set_up(partitions=1)
    with pytest.raises(Problem, match="missing") as no_file:
        world.ship(good, tmp_path / "missing")

    assert (no_topic.value.exit_code, no_file.value.exit_code) == (78, 66)
    assert "perflog setup" in no_topic.value.remedy
    assert world.records(world.topic) == []


def test_in_a_pipe_one_line_is_printed(world: World) -> None:
    """One line on stdout, nothing on stderr; the host is this machine if none is given."""
    world.set_up(partitions=1)

    result = world.perflog("ship", str(world.written("a.log", [b"x"])), "--intake", "lines")

    assert result.stdout == f"1 messages (1 bytes) acknowledged by {world.topic}.\n"
    assert result.stderr == ""
    hosts = {dict(record.headers)["perflog.host"] for record in world.records(world.topic)}
    assert hosts == {socket.gethostname().encode()}


def test_without_a_manifest_only_lines_are_sent(world: World) -> None:
    """`--no-manifest`."""
    world.set_up(partitions=1)

    world.perflog("ship", str(world.written("a.log", [b"x"])), "--intake", "lines", "--no-manifest")

    assert [record.value for record in world.records(world.topic)] == [b"x"]
