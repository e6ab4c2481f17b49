"""`perflog stack` as a person meets it: the program in a process of its own, its words and its exit codes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.edge.local import checks
from ingest.edge.local.stack import LocalStack, down, status
from tests.support.amount import cases

_ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a stack may be started; whatever a failing test leaves running there is ended."""
    yield tmp_path / "stack"
    down(LocalStack(tmp_path / "stack"), purge=True)


def _command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "ingest", "stack", *map(str, arguments)]


def _perflog(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), capture_output=True, text=True, check=False, cwd=_ROOT, env={**os.environ, **environment}
    )


def _up(folder: Path) -> list[str | Path]:
    ports = ["--kafka-port", str(checks.free_port()), "--elasticsearch-port", str(checks.free_port())]
    return ["up", "--folder", folder, *ports, "--kafka-heap-mib", "256", "--elasticsearch-heap-mib", "512"]


def _runs(pid: int) -> bool:
    """A process that ended and was not yet asked for by its parent has no command line any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


@pytest.mark.stack
def test_the_life_of_a_stack(folder: Path) -> None:
    """Up, up again, status in both forms, down, status: what is printed is what a script can rely on."""
    arguments = _up(folder)

    first = _perflog(*arguments)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("The stack is up.\n")
    assert f"Kafka          127.0.0.1:{arguments[4]}\n" in first.stdout
    assert f"Elasticsearch  http://127.0.0.1:{arguments[6]}\n" in first.stdout
    assert _perflog(*arguments).stdout.startswith("The stack is already up.\n")

    table = _perflog("status", "--folder", folder)
    assert table.returncode == 0
    assert [line.split()[0] for line in table.stdout.splitlines()] == ["service", "elasticsearch", "kafka"]
    services = json.loads(_perflog("status", "--folder", folder, "--json").stdout)
    assert [(service["service"], service["state"], service["ready"]) for service in services] == [
        ("elasticsearch", "ready", True),
        ("kafka", "ready", True),
    ]

    ended = _perflog("down", "--folder", folder)
    assert (ended.returncode, ended.stdout) == (0, "Ended elasticsearch and kafka.\n")
    for service in services:
        assert not _runs(service["pid"])
    after = _perflog("status", "--folder", folder, "--json")
    assert after.returncode == 69
    assert {service["state"] for service in json.loads(after.stdout)} == {"stopped"}
    assert folder.exists()

    purged = _perflog("down", "--folder", folder, "--purge")
    assert (purged.returncode, purged.stdout) == (0, "Nothing was running.\nData and logs are removed.\n")
    assert not folder.exists()


@pytest.mark.stack
@pytest.mark.parametrize("number", cases([signal.SIGINT, signal.SIGTERM, signal.SIGHUP], [signal.SIGTERM]))
def test_an_up_that_is_interrupted_leaves_nothing_running(folder: Path, number: signal.Signals) -> None:
    """Neither Ctrl-C nor SIGTERM nor a closed terminal in the middle of starting leaves half a stack."""
    program = subprocess.Popen(
        _command(*_up(folder)),
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509  (tests may run in the background)
    )
    while not (pids := [server.pid for server in status(LocalStack(folder)) if server.pid]):
        assert program.poll() is None

    program.send_signal(number)

    assert program.wait(timeout=60) == 130
    assert not any(_runs(pid) for pid in pids)
    assert {server.state for server in status(LocalStack(folder))} == {"stopped"}


@pytest.mark.stack
def test_without_maven_and_jars_the_error_names_the_package(folder: Path, tmp_path: Path) -> None:
    """A fresh machine with a Java only: one sentence, exit code 69, nothing running."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(str(shutil.which("java")))

    done = _perflog(*_up(folder), PATH=str(tmp_path / "bin"), PERFLOG_HOME=str(tmp_path / "home"))

    assert (done.returncode, done.stdout) == (69, "")
    assert "apt-get install maven" in done.stderr
    assert done.stderr.count("\n") == 1
    assert {server.state for server in status(LocalStack(folder))} == {"stopped"}


def test_too_little_memory_is_an_error_before_anything_starts(folder: Path) -> None:
    """Both figures, and the options that ask for less."""
    done = _perflog(*_up(folder), "--elasticsearch-heap-mib", "100000000")

    assert done.returncode == 69
    assert "Too little memory" in done.stderr
    assert "--elasticsearch-heap-mib" in done.stderr
    assert {server.state for server in status(LocalStack(folder))} == {"stopped"}


def test_a_port_that_is_none_is_a_wrong_use(folder: Path) -> None:
    """Exit code 64, as for every mistyped option."""
    done = _perflog("up", "--folder", folder, "--kafka-port", "70000")

    assert done.returncode == 64
    assert "--kafka-port" in done.stderr
