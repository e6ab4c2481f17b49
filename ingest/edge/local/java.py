"""Finds the Javas of this machine: where they are, their versions, whether they can compile. May run `java`."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.core.model import ExitCode, Problem

OLDEST = 17
OLDEST_FOR_ELASTICSEARCH_9 = 21
INSTALL = "Install one: apt-get install openjdk-17-jdk-headless"
DISTRIBUTION_FOLDERS = (Path("/usr/lib/jvm"), Path("/usr/lib64/jvm"), Path("/usr/java"), Path("/opt/java"))
_PROPERTY = re.compile(r"^\s*(java\.home|java\.version|java\.specification\.version) = (.+?)\s*$", re.MULTILINE)
_MODULE = re.compile(r"^(j[\w.]+)(?:@\S*)?$", re.MULTILINE)
_ANSWER_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Java:
    """One Java, as it reports itself: `major` is 17 for 17.0.15 and 8 for 1.8; `home` is its JAVA_HOME."""

    executable: Path
    home: Path
    version: str
    major: int
    modules: frozenset[str]

    @property
    def compiles(self) -> bool:
        """Whether this is a JDK rather than a JRE."""
        return "jdk.compiler" in self.modules


def find_all(java_home: Path | None = None, folders: Iterable[Path] = DISTRIBUTION_FOLDERS) -> tuple[Java, ...]:
    """Return every Java that runs, newest first: from JAVA_HOME, the PATH, and the folders of distributions."""
    executables = {path.resolve(): path for path in _candidates(java_home, folders) if path.is_file()}
    by_home = {java.home: java for java in map(_ask, executables.values()) if java is not None}
    return tuple(sorted(by_home.values(), key=lambda java: (java.major, java.compiles), reverse=True))


def newest(javas: tuple[Java, ...], oldest: int, what: str) -> Java:
    """Return the newest Java, at least `oldest`; the `Problem` (69) says what was found instead."""
    if not javas:
        raise Problem(
            f"No Java was found, and {what} needs Java {oldest} or newer.", _install(oldest), ExitCode.UNAVAILABLE
        )
    if javas[0].major < oldest:
        best = f"the newest here is {javas[0].version} in {javas[0].home}"
        raise Problem(f"{what} needs Java {oldest} or newer; {best}.", _install(oldest), ExitCode.UNAVAILABLE)
    return javas[0]


def compiler(javas: tuple[Java, ...]) -> Java:
    """Return a Java that can compile the launcher; `Problem` (69) if all are JREs."""
    for java in javas:
        if java.compiles and java.major >= OLDEST:
            return java
    problem = (
        f"only runtimes without a compiler were found, the newest in {javas[0].home}" if javas else "none was found"
    )
    raise Problem(
        f"A JDK is needed to compile Elasticsearch's launcher; {problem}.", f"{INSTALL}.", ExitCode.UNAVAILABLE
    )


def _install(oldest: int) -> str:
    if oldest <= OLDEST:
        return f"{INSTALL}."
    newer = f"apt-get install openjdk-{oldest}-jdk-headless"
    return f"Take --elasticsearch 8, which needs Java {OLDEST}, or install a newer Java: {newer}."


def _candidates(java_home: Path | None, folders: Iterable[Path]) -> Iterator[Path]:
    if java_home is not None:
        yield java_home / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    for folder in folders:
        yield from sorted(folder.glob("*/bin/java"))


def _ask(executable: Path) -> Java | None:
    """Run `java` and parse its description; None if it does not run. Java 8 has no modules and gets an empty set."""
    for question in (["-XshowSettings:properties", "--list-modules"], ["-XshowSettings:properties", "-version"]):
        try:
            done = subprocess.run(
                [executable, *question], capture_output=True, text=True, timeout=_ANSWER_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        properties = dict(_PROPERTY.findall(done.stdout + done.stderr))
        if done.returncode == 0 and {"java.home", "java.version", "java.specification.version"} <= properties.keys():
            major = int(properties["java.specification.version"].removeprefix("1.").split(".")[0])
            modules = frozenset(_MODULE.findall(done.stdout))
            return Java(executable, Path(properties["java.home"]), properties["java.version"], major, modules)
    return None
