"""What README's two commands need of a machine stands in one line of README, is what CI installs, and is looked for."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.test_house import ROOT

LINE = re.compile(r"^ *(apt-get update && apt-get install -y (.+))$", re.MULTILINE)
USED = ("python3", "python3-venv", "default-jdk-headless", "maven")
TOOLS = ("bash", "cmp", "cp", "dirname", "grep", "sha256sum")
LIBRARIES = {
    "libfaketime": "faketime/libfaketimeMT.so.1",
    "rsyslog": "rsyslog/imfile.so",
    "rsyslog-kafka": "rsyslog/omkafka.so",
}
WENT_ON = 7
# Each answers only what is asked of it when it is looked for; Python goes on with nothing else.
PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit 0 ;;
*ensurepip*) exit {no_venv} ;;
*) exit 7 ;;
esac
"""
JAVA = "#!/bin/sh\necho java.base@17.0.1\necho {compiler}@17.0.1\n"


def line(text: str) -> str:
    """The only line of a text that installs something."""
    (match,) = LINE.finditer(text)
    return match[1]


def packages(text: str) -> list[str]:
    """What that line installs."""
    (match,) = LINE.finditer(text)
    return match[2].split()


README = (ROOT / "README.md").read_text()
WANTED = packages(README)
SYSTEM = [*WANTED, "rsyslog", "rsyslog-kafka"]


class Machine:
    """A machine that has the packages named, and a copy of the script that looks for them there alone."""

    def __init__(self, folder: Path, installed: list[str]) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for tool in TOOLS:
            (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
        text = (ROOT / "deploy" / "prepare").read_text()
        for place in ("/usr/lib", "/{usr,opt}/java"):
            assert place in text
            text = text.replace(place, str(folder / "lib"))
        self._file("deploy/prepare", text)
        self._file("deploy/local/pom.xml", "<project/>")
        self._file("pyproject.toml", "")
        for package in installed:
            self.install(package, installed)

    def install(self, package: str, installed: list[str]) -> None:
        """What the script finds of a package."""
        if package == "python3":
            self._file("bin/python3", PYTHON.format(no_venv=int("python3-venv" not in installed)))
        elif package == "default-jdk-headless":
            self._file("lib/jvm/a/bin/java", JAVA.format(compiler="jdk.compiler"))
        elif package in LIBRARIES:
            self._file(f"lib/x86_64-linux-gnu/{LIBRARIES[package]}", "")
        elif package != "python3-venv":
            self._file("bin/mvn" if package == "maven" else f"bin/{package}", "#!/bin/sh\n")

    def _file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def prepare(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the script; it finds no program of this machine but what every Debian has."""
        environment = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder / "home")}
        script = self.folder / "deploy" / "prepare"
        return subprocess.run(
            [str(shutil.which("bash")), script, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def test_ci_is_readmes_line_and_readmes_command() -> None:
    """Nothing else is installed or set before: what passes there passes where somebody follows README."""
    commands = [
        text
        for text in (ROOT / ".ci" / "run").read_text().splitlines()
        if text and not text.startswith(("#", "set -", "cd "))
    ]

    assert commands == [line(README), "./tests/run"]


@pytest.mark.parametrize(("arguments", "wanted"), [([], USED), (["dev"], WANTED), (["system"], SYSTEM)])
def test_all_that_is_missing_is_named_at_once_before_anything_is_made(
    arguments: list[str], wanted: list[str], tmp_path: Path
) -> None:
    """On a bare machine, in one line that can be pasted: for the tests exactly README's."""
    machine = Machine(tmp_path, [])

    done = machine.prepare(*arguments)

    assert (done.returncode, done.stdout) == (69, "")
    assert packages(done.stderr) == list(wanted)
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("package", SYSTEM)
def test_each_package_is_looked_for(package: str, tmp_path: Path) -> None:
    """Where it alone is missing it alone is named; without Python nobody can say whether its venv is there."""
    machine = Machine(tmp_path, [name for name in SYSTEM if name != package])

    done = machine.prepare("system")

    assert done.returncode == 69
    assert packages(done.stderr) == (["python3", "python3-venv"] if package == "python3" else [package])


def test_where_nothing_is_missing_it_goes_on(tmp_path: Path) -> None:
    """Everything README names is enough."""
    assert Machine(tmp_path, WANTED).prepare("dev").returncode == WENT_ON


def test_a_java_that_cannot_compile_is_not_enough(tmp_path: Path) -> None:
    """A runtime answers to the same name; the launcher of Elasticsearch has to be compiled."""
    machine = Machine(tmp_path, WANTED)
    runtime = tmp_path / "lib" / "jvm" / "a" / "bin" / "java"
    runtime.write_text(JAVA.format(compiler="java.compiler"))

    assert packages(machine.prepare().stderr) == ["default-jdk-headless"]


@pytest.mark.parametrize(("kept", "missing"), [(["kafka", "elasticsearch-8"], False), (["kafka"], True)])
def test_maven_is_needed_for_jars_that_are_not_kept_yet(kept: list[str], missing: bool, tmp_path: Path) -> None:
    """Those of both servers, as today's recipe names them."""
    machine = Machine(tmp_path, [name for name in WANTED if name != "maven"])
    recipe = subprocess.run(
        ["sha256sum", tmp_path / "deploy" / "local" / "pom.xml"], capture_output=True, text=True, check=True
    ).stdout[:16]
    for name in kept:
        (tmp_path / "home" / ".perflog" / "jars" / f"{name}-{recipe}").mkdir(parents=True)

    assert machine.prepare().returncode == (69 if missing else WENT_ON)
