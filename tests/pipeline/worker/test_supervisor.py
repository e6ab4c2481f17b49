"""`run --workers N`: workers share the partitions, are restarted when they die, and leave together."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.ledger_checks import assert_tiled
from tests.support.lines import distinct
from tests.support.waiting import DEADLINE_S, eventually
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def children(process: "subprocess.Popen[str]") -> list[int]:
    """The processes of its workers, from /proc."""
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in pids.split()]


def alive(pid: int) -> bool:
    """Whether the process runs and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_share_the_partitions_and_report_the_sum(world: World, sample_lines: list[bytes]) -> None:
    """Two workers, four partitions: both take part, every line is stored once, one report for all of it."""
    lines = distinct(sample_lines)
    world.set_up(partitions=4)
    world.ship(*(world.written(f"{n}.log", lines[n::8]) for n in range(8)))

    result = world.perflog("run", "--drain", "--workers", "2", "--json")

    counts = json.loads(result.stdout)["intakes"]["lines"]
    assert (counts["records"], counts["stored"]) == (len(lines), len(lines))
    assert world.facts() == world.expected(lines)
    assert_tiled(world)


def test_a_killed_worker_is_restarted(world: World, sample_lines: list[bytes]) -> None:
    """A new process replaces it, and the log says so; at SIGTERM all leave with exit code 0."""
    world.set_up(partitions=2)
    world.ship(world.written("a.log", sample_lines[:10]))
    with world.perflog_process("run", "--workers", "2") as process:
        eventually(lambda: sum(world.committed().values()) == 10)
        victim, other = children(process)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(children(process)) == 2 and victim not in children(process))
        world.bury_dead_members()
        world.ship(world.written("b.log", sample_lines[10:]))
        eventually(lambda: sum(world.committed().values()) == 35)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 0, err
    assert not alive(other)
    assert "died (exit code -9)" in err
    assert "worker 2:" in err
    assert world.facts() == world.expected(sample_lines)


def test_workers_leave_when_their_parent_is_killed(world: World) -> None:
    """No orphaned process works on."""
    world.set_up(partitions=2)
    with world.perflog_process("run", "--workers", "2") as process:
        eventually(lambda: len(children(process)) == 2)
        eventually(lambda: len(world.documents("assignments")) == 2)
        left = children(process)
        process.kill()
        process.wait()
        eventually(lambda: not any(alive(pid) for pid in left))


def test_a_problem_of_all_workers_is_printed_once(world: World) -> None:
    """Without topics no worker starts: one sentence, exit code 78."""
    result = world.perflog("run", "--workers", "3")

    assert result.returncode == 78
    assert result.stderr.count("perflog setup") == 1
