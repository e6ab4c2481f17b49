"""The jar cache: complete or absent. Maven and the compiler are the real ones."""

import hashlib
from pathlib import Path

import pytest

from ingest.core.model import Problem
from ingest.edge.local import jars, java


@pytest.fixture(scope="module")
def javas() -> tuple[java.Java, ...]:
    """The machine's own."""
    return java.find_all()


def _silent(_: str) -> None:
    return None


def test_cached_jars_need_no_maven(tmp_path: Path, javas: tuple[java.Java, ...]) -> None:
    """Nothing runs and nothing is reported: the folder of this pom and server exists."""
    pom, messages = tmp_path / "pom.xml", list[str]()
    pom.write_text("<project/>")
    # A hash of the pom's bytes, so that a changed pom does not find the old jars.
    cached = tmp_path / "cache" / f"kafka-{hashlib.sha256(b'<project/>').hexdigest()[:16]}"
    cached.mkdir(parents=True)

    assert jars.fetched(tmp_path / "cache", pom, "kafka", javas[0], messages.append) == cached
    assert not messages


def test_a_failing_maven_is_quoted_and_leaves_nothing(tmp_path: Path, javas: tuple[java.Java, ...]) -> None:
    """Its first error line, not its forty lines of advice."""
    pom = tmp_path / "pom.xml"
    pom.write_text("<project>this is no pom")

    with pytest.raises(Problem, match=r"^Maven could not fetch the jars of kafka: .*(pom|POM|project)") as caught:
        jars.fetched(tmp_path / "cache", pom, "kafka", javas[0], _silent)

    assert caught.value.exit_code == 69
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_the_launcher_is_compiled_once(tmp_path: Path, javas: tuple[java.Java, ...]) -> None:
    """The second time no compiler runs, so none is needed."""
    source = tmp_path / "Launcher.java"
    source.write_text("public final class Launcher {}")

    first = jars.compiled(tmp_path / "cache", source, javas)

    assert (first / "Launcher.class").exists()
    assert jars.compiled(tmp_path / "cache", source, ()) == first


def test_a_launcher_that_does_not_compile_leaves_nothing(tmp_path: Path, javas: tuple[java.Java, ...]) -> None:
    """Half a cache entry would be believed for ever."""
    source = tmp_path / "Launcher.java"
    source.write_text("public final class {}")

    with pytest.raises(Problem, match="cannot compile"):
        jars.compiled(tmp_path / "cache", source, javas)

    assert not list((tmp_path / "cache").iterdir())


def test_the_version_stands_in_the_jars_name(tmp_path: Path) -> None:
    """Other artefacts whose names begin alike are not taken for it."""
    for name in ("elasticsearch-9.5.3.jar", "elasticsearch-core-9.5.4.jar", "elasticsearch-cli-terminal-9.5.5.jar"):
        (tmp_path / name).touch()

    assert jars.version(tmp_path, "elasticsearch") == "9.5.3"


def test_a_cache_without_the_server_is_an_error(tmp_path: Path) -> None:
    """A user deleted the jars by hand."""
    with pytest.raises(Problem, match=r"There is no kafka_2\.13 among the jars"):
        jars.version(tmp_path, "kafka_2.13")
