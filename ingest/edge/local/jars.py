"""The servers' jars, fetched once by Maven and cached: the second start needs neither Maven nor a network.

Uses the jar cache (one folder per pom.xml and server, complete or absent) and runs `mvn` and the Java compiler.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.core.model import ExitCode, Problem
from ingest.edge.local.java import OLDEST, Java, compiler
from ingest.edge.local.maven import ARGUMENTS, COPY_DEPENDENCIES, complaint
from ingest.edge.local.service import sentence

FETCH_TIMEOUT_S = 1200


def fetched(cache: Path, pom: Path, server: str, java: Java, tell: Callable[[str], None]) -> Path:
    """Return the folder with the jars of `server` (a profile of the pom), from the cache or by Maven.

    Raises `Problem` (69) if Maven is missing or fails; nothing incomplete stays in the cache.
    """
    target = cache / f"{server}-{_digest(pom.read_bytes())}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise Problem(
            f"The jars of {server} are not in {cache} yet, and Maven (mvn), which fetches them, is not installed.",
            "Install it: apt-get install maven.",
            ExitCode.UNAVAILABLE,
        )
    tell(f"Fetching the jars of {server} with Maven (once; a minute or two)")
    with _completed(target) as folder:
        _copy_dependencies(maven, pom, server, java, folder)
    return target


def compiled(cache: Path, source: Path, javas: tuple[Java, ...]) -> Path:
    """Return the folder of the compiled launcher, for Java 17 or later; `Problem` (69) if none of `javas` compiles."""
    target = cache / f"launcher-{_digest(source.read_bytes())}"
    if target.is_dir():
        return target
    java = compiler(javas)
    with _completed(target) as folder:
        command = [str(java.executable), "-m", "jdk.compiler/com.sun.tools.javac.Main"]
        done = subprocess.run(
            [*command, "--release", str(OLDEST), "-d", str(folder), str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            # If the JVM itself fails to start the compiler, it reports that on the other stream.
            output = f"{done.stdout}\n{done.stderr}".strip() or f"exit code {done.returncode}"
            raise Problem(
                f"{java.home} cannot compile {source}: {sentence(output)}", "Install another JDK.", ExitCode.SOFTWARE
            )
    return target


def version(folder: Path, artifact: str) -> str:
    """Return the version in the name of a jar, e.g. 9.5.3 of elasticsearch-9.5.3.jar."""
    for jar in folder.glob(f"{artifact}-*.jar"):
        if jar.stem[len(artifact) + 1 :][:1].isdigit():
            return jar.stem[len(artifact) + 1 :]
    raise Problem(
        f"There is no {artifact} among the jars in {folder}.",
        "Delete that folder, they are fetched again.",
        ExitCode.IO_ERROR,
    )


def _copy_dependencies(maven: str, pom: Path, server: str, java: Java, folder: Path) -> None:
    goal = [COPY_DEPENDENCIES, "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    command = [maven, *ARGUMENTS, "-f", str(pom), "-P", server, *goal]
    try:
        done = subprocess.run(
            ["env", f"JAVA_HOME={java.home}", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Problem(
            f"Maven did not fetch the jars of {server} within {FETCH_TIMEOUT_S} s.",
            "Look whether this machine reaches Maven Central, then try again.",
            ExitCode.UNAVAILABLE,
        ) from error
    if done.returncode != 0:
        reason, remedy = complaint(f"{done.stdout}\n{done.stderr}", done.returncode)
        raise Problem(f"Maven could not fetch the jars of {server}: {sentence(reason)}", remedy, ExitCode.UNAVAILABLE)


@contextmanager
def _completed(target: Path) -> Iterator[Path]:
    """Provide a folder to fill, moved to `target` if the block succeeds; if two fill it at once, the first one wins."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield folder
        folder.chmod(0o755)
        try:
            folder.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
