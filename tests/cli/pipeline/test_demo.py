"""`perflog demo` on the session's servers: the whole way once, and README shows what it really prints."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.cli.pipeline import demo as demo_command
from ingest.edge.local.stack import Running
from ingest.pipeline.admin.setup import SetupReport
from ingest.pipeline.worker.report import RunReport
from tests.support.cli import perflog

ROOT = Path(__file__).parents[3]
AFTER_COMMAND = (ROOT / "README.md").read_text().split("./deploy/demo\n")[1]
README = AFTER_COMMAND.split("```text\n")[1].split("```")[0].splitlines()

pytestmark = pytest.mark.stack


def demo(home: Path) -> subprocess.CompletedProcess[str]:
    """Run it in a pipe of 80 columns."""
    environment = {**os.environ, "PERFLOG_HOME": str(home), "COLUMNS": "80"}
    command = [sys.executable, "-m", "ingest", "demo"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=200)


def cut_runs(lines: list[str]) -> list[str]:
    """What is printed of the runs and the network, without blanks at the ends of lines."""
    start = next(n for n, line in enumerate(lines) if line.startswith("Run "))
    end = next(n for n, line in enumerate(lines) if line.startswith("The ledger"))
    return [line.rstrip() for line in lines[start:end]]


def assert_cut_of(printed: list[str]) -> None:
    """README shows the second run and the text after it, line by line, and says that it leaves out the first."""
    readme_lines = [line.rstrip() for line in README]
    start = next(n for n, line in enumerate(readme_lines) if line.startswith("Run "))
    expected = cut_runs(README)
    assert readme_lines[start - 2 : start] == ["…", ""]
    assert printed[0].startswith("Run 1084664-62990")
    assert printed[len(printed) - len(expected) :] == expected


def test_the_demo_prints_the_output_of_readme_and_a_second_one_changes_nothing(stack: Running, tmp_path: Path) -> None:
    """Run it twice on running servers: they stay up, the output is README's, the second run finds only duplicates."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "stack").symlink_to(stack.folder)

    first, second = demo(home), demo(home)

    assert first.returncode == 0, first.stdout + first.stderr
    assert_cut_of(cut_runs(first.stdout.splitlines()))
    assert second.returncode == 0, second.stdout + second.stderr
    assert cut_runs(second.stdout.splitlines()) == cut_runs(first.stdout.splitlines())
    ledger = {
        words[0]: words[1:]
        for line in second.stdout.splitlines()
        if (words := line.split()) and "perf.als." in words[0]
    }
    assert ledger["perf.als.lines.v1"] == ["70", "35", "35", "0", "0", "0", "70"]
    assert ledger["perf.als.results.v1"] == ["7,104", "3,552", "3,552", "0", "0", "0", "7,104"]


def test_a_demo_that_is_stopped_while_it_indexes_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends its servers, and says in one sentence that it was stopped: exit code 130."""
    ended: list[bool] = []

    @contextmanager
    def running_stack(_keep: bool, _major: str | None) -> Iterator[Running]:
        try:
            yield Running("127.0.0.1:1", "http://127.0.0.1:2", Path(), ())
        finally:
            ended.append(True)

    monkeypatch.setattr(demo_command, "_running_stack", running_stack)
    monkeypatch.setattr(demo_command, "set_up", lambda *_: SetupReport([]))
    monkeypatch.setattr(demo_command, "_ship", lambda *_: None)
    monkeypatch.setattr(demo_command, "run_worker", lambda *_, **__: RunReport(stopped=True))

    done = perflog("demo")

    assert (done.returncode, ended) == (130, [True])
    assert done.stderr.decode().strip() == "perflog: stopped"
    assert b"Indexed" not in done.stdout
