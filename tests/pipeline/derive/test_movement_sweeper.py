"""Movements on the real servers: each once, bytes equal to the truth, whichever worker read which record when."""

from random import Random
from typing import Any

import pytest

from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
TASK = "6f0d6b1e-0000-4000-8000-000000000001"


def dtn_line(host: str, kind: str, number: int, moved_bytes: int, task: str = TASK) -> bytes:
    """What a GridFTP server logs of one file of a task."""
    second = f"202603041920{number % 60:02}"
    return (
        f"DATE={second}.500000 HOST={host} PROG=globus-gridftp-server NL.EVNT=FTP_INFO "
        f"START={second}.000000 USER=a FILE=/data/{number}.h5 BUFFER=0 BLOCK=1 NBYTES={moved_bytes} "
        f"VOLUME=/ STREAMS=4 STRIPES=1 DEST=[198.51.100.20] TYPE={kind} CODE=226 TASKID={task}"
    ).encode()


def ng_lines(process: int, end: str) -> list[bytes]:
    """Beginning and end of one transfer in a server's "ng" log."""
    head = f"id={process} event=globus-gridftp-server.transfer"
    return [
        f'ts=2026-03-04T19:30:00.000000Z {head}.start file="/data/ng {process}.h5"'.encode(),
        f"ts=2026-03-04T19:30:08.000000Z {head}.{end}".encode(),
    ]


def ng_end(process: int, task: str = "none") -> str:
    """The end of a transfer of 10^9 bytes."""
    rest = f"tcpbuffer=0 blocksize=1 bytes=1000000000 streams=1 stripes=1 remoteIP=192.0.2.1 type=RETR taskid={task}"
    return f"end localuser=a file=/data/ng {process}.h5 {rest} status=0"


def both_ends(files: int, task: str = TASK) -> list[bytes]:
    """What both servers log of a task of files of 1, 2, 3 … MB."""
    return [
        dtn_line(host, kind, number, number * 10**6, task)
        for number in range(1, files + 1)
        for host, kind in (("dtn.als.example", "RETR"), ("dtn.nersc.example", "STOR"))
    ]


def movements(world: World) -> dict[str, dict[str, Any]]:
    """The movements that are not taken back, by key."""
    bodies = [body for body in world.documents("movements").values() if not body["perf"].get("retracted")]
    by_key = {body["perf"]["movement"]["key"]: body for body in bodies}
    assert len(by_key) == len(bodies)
    return by_key


def sweep(world: World) -> None:
    """Derive what is due."""
    done = world.perflog("sweep", "--once")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def transfers(world: World) -> World:
    """A facility whose intake reads GridFTP's two logs."""
    world.sources = ("gridftp", "gridftp_ng")
    return world


def test_each_movement_once_whoever_read_its_records_and_however_often(transfers: World) -> None:
    """Two tasks and a file, shuffled and repeated over partitions and two workers; a second sweep changes nothing."""
    world, files = transfers, 30
    lines = [*both_ends(files), *both_ends(5, "other"), dtn_line("dtn.als.example", "RETR", 59, 7, "none")]
    world.bulk_documents = 20
    world.set_up(partitions=4)
    mixed = [*lines, *lines[::2]]
    Random(1).shuffle(mixed)
    for number in range(4):
        world.ship(world.written(f"{number}.log", mixed[number::4]))

    done = world.perflog("run", "--drain", "--workers", "2")
    assert done.returncode == 0, done.stderr
    sweep(world)
    derived = movements(world)
    before = world.documents("movements")
    sweep(world)

    assert len(world.documents("transfers")) == len(lines)
    assert derived[f"task:globus:{TASK}"]["perf"]["movement"]["bytes"] == sum(range(1, files + 1)) * 10**6
    assert derived[f"task:globus:{TASK}"]["perf"]["movement"]["record_count"] == 2 * files
    assert derived["task:globus:other"]["perf"]["movement"]["bytes"] == 15 * 10**6
    assert sorted(body["perf"]["movement"]["bytes"] for body in derived.values()) == [7, 15 * 10**6, 465 * 10**6]
    assert world.documents("movements") == before
    assert not any(body["perf"]["transferstate"]["due"] for body in world.documents("transferstate").values())


def test_what_arrives_later_corrects_the_movement(transfers: World) -> None:
    """Half of the files first: the sum grows in the same document, and its version with it."""
    world = transfers
    world.set_up()
    lines = both_ends(6)
    for name, part in (("a.log", lines[:6]), ("b.log", lines[6:])):
        world.ship(world.written(name, part))
        world.drain()
        sweep(world)

    (body,) = movements(world).values()
    assert body["perf"]["movement"]["bytes"] == 21 * 10**6
    assert len(world.documents("movements")) == 1


def test_lines_of_the_ng_log_are_paired_by_process_and_file(transfers: World) -> None:
    """A beginning and an end are one movement with a start; an error is a failure; what names a task joins it."""
    world = transfers
    world.set_up()
    lines = [
        *ng_lines(1, ng_end(1)),
        *ng_lines(2, 'error file="/data/ng 2.h5" msg="Broken pipe" status=-1'),
        *ng_lines(3, ng_end(3, TASK)),
        *ng_lines(4, ng_end(4, TASK)),
    ]
    world.ship(world.written("ng.log", lines[::-1]))
    world.drain()
    sweep(world)
    derived = movements(world)

    assert set(derived) == {"file:gridftp_ng:1:/data/ng 1.h5", "file:gridftp_ng:2:/data/ng 2.h5", f"task:globus:{TASK}"}
    whole = derived["file:gridftp_ng:1:/data/ng 1.h5"]
    assert whole["event"] == {
        "outcome": "success", "start": "2026-03-04T19:30:00Z", "end": "2026-03-04T19:30:08Z", "duration": 8 * 10**9,
    }  # fmt: skip
    assert whole["perf"]["movement"]["rate_bps"] == 10**9
    failed = derived["file:gridftp_ng:2:/data/ng 2.h5"]
    assert (failed["event"]["outcome"], failed["error"]["message"]) == ("failure", "Broken pipe")
    assert derived[f"task:globus:{TASK}"]["perf"]["movement"]["bytes"] == 2 * 10**9
    assert derived[f"task:globus:{TASK}"]["perf"]["movement"]["record_count"] == 4


def test_a_unit_that_joins_another_takes_its_own_movement_back(transfers: World) -> None:
    """A beginning without its end is a movement of its own, until the end names the task."""
    world = transfers
    world.set_up()
    begin, end = ng_lines(3, ng_end(3, TASK))
    for name, line in (("a.log", begin), ("b.log", end)):
        world.ship(world.written(name, [line]))
        world.drain()
        sweep(world)

    assert set(movements(world)) == {f"task:globus:{TASK}"}
    assert sum(bool(body["perf"].get("retracted")) for body in world.documents("movements").values()) == 1
