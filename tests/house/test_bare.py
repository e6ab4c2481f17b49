"""What `tests/bare` would do, and when it does nothing; the run itself needs root, debootstrap and half an hour."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.core.model import ExitCode
from tests.house.test_house import ROOT
from tests.house.test_prepare import README, line

SCRIPT = ROOT / "tests" / "bare"
NEEDED = ("bash", "dirname", "sed", "realpath", "env", "git")


def bare(*arguments: str, path: str = os.environ["PATH"]) -> "subprocess.CompletedProcess[str]":
    """Run the script with these arguments; it finds the programs of `path` alone."""
    command = [str(shutil.which("bash")), str(SCRIPT), *arguments]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


def programs(folder: Path, user_id: int) -> str:
    """Return a path with what the script needs before it makes anything: no debootstrap, and a user with that id."""
    for name in NEEDED:
        (folder / name).symlink_to(str(shutil.which(name)))
    (folder / "id").write_text(f"#!/bin/sh\necho {user_id}\n")
    (folder / "id").chmod(0o755)
    return str(folder)


def test_bash_reads_it() -> None:
    """The script is executable and has no error of syntax, also in what only root reaches."""
    checked = subprocess.run(["bash", "-n", SCRIPT], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stderr) == (0, "")
    assert os.access(SCRIPT, os.X_OK)


def test_it_runs_readmes_line_and_readmes_commands() -> None:
    """The line as root, the commands as another user, in README's order, and nothing else."""
    plan = bare("--plan", "--folder", "/a/folder")

    assert plan.stdout.splitlines() == [
        "debootstrap: Debian 12 (bookworm) with git, in /a/folder/debian",
        f"root: {line(README)}",
        "perflog: git clone",
        "perflog: ./deploy/demo",
        "perflog: ./tests/run",
    ]
    assert README.index("\n    ./deploy/demo\n") < README.index("\n    ./tests/run\n")


def test_only_the_demo() -> None:
    """Of the two commands `--only-demo` leaves the second out."""
    assert bare("--plan", "--only-demo").stdout.splitlines() == bare("--plan").stdout.splitlines()[:-1]


@pytest.mark.parametrize(
    ("user_id", "code", "reason"),
    [(1000, ExitCode.NO_PERMISSION, "only root"), (0, ExitCode.UNAVAILABLE, "debootstrap is missing")],
)
def test_it_says_in_one_line_why_it_does_nothing(user_id: int, code: int, reason: str, tmp_path: Path) -> None:
    """Without root, or without debootstrap, nothing is made."""
    (tmp_path / "bin").mkdir()
    folder = tmp_path / "folder"

    done = bare("--folder", str(folder), path=programs(tmp_path / "bin", user_id))

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert reason in done.stderr
    assert not folder.exists()


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    """Another run may use it: nothing in it is touched or deleted."""
    (tmp_path / "bin").mkdir()
    path = programs(tmp_path / "bin", 0)
    for name in ("mkdir", "rm"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "bin" / "debootstrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "debootstrap").chmod(0o755)
    file = tmp_path / "folder" / "file"
    file.parent.mkdir()
    file.touch()

    done = bare("--folder", str(file.parent), path=path)

    assert done.returncode == ExitCode.CANNOT_CREATE
    assert f"{file.parent} exists" in done.stderr
    assert file.exists()


def test_an_option_that_it_does_not_know_is_refused() -> None:
    """A typing error starts nothing."""
    assert bare("--only-demos").returncode == ExitCode.USAGE
