"""`run --workers N`: workers share the partitions, are restarted when they die, and leave together."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from ingest.pipeline import signals
from ingest.pipeline.signals import Stop, stop_on_signals
from ingest.pipeline.worker.report import RunReport
from ingest.pipeline.worker.supervisor import Supervisor
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


class StepClock:
    """A clock that goes on by so many seconds each time it is asked."""

    def __init__(self, step_s: float) -> None:
        self.step_s, self.s = step_s, 0.0

    def __call__(self) -> float:
        """The time now."""
        self.s += self.step_s
        return self.s


def test_a_worker_that_does_not_end_is_killed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once its time is over; that is no error."""
    monkeypatch.setattr(signals, "_received", [])

    def work(_number: int, _stop: Stop) -> RunReport:
        os.kill(os.getppid(), signal.SIGTERM)
        Event().wait(DEADLINE_S)
        return RunReport()

    with stop_on_signals(Stop(StepClock(3600))) as stop:
        report = Supervisor(work, 1, 10.0, stop).run()

    assert report.stopped
    assert "Killed 1 workers that did not end" in caplog.text


def test_a_second_signal_kills_the_workers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody works on, and no time is given."""
    monkeypatch.setattr(signals, "_received", [])
    monkeypatch.setattr(signals, "_end", sys.exit)

    def work(_number: int, _stop: Stop) -> RunReport:
        while True:
            os.kill(os.getppid(), signal.SIGTERM)
            Event().wait(0.1)

    with stop_on_signals(Stop(StepClock(2))) as stop:
        supervisor = Supervisor(work, 1, 1e9, stop)
        with pytest.raises(SystemExit, match=signals.AT_ONCE):
            supervisor.run()

    process = supervisor._slots[0].process
    assert process is not None
    process.join()
    assert process.exitcode == -signal.SIGKILL
