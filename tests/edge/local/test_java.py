"""Javas are found and chosen; the real ones of this machine, and scripts that answer as an old one and a JRE do."""

from pathlib import Path

import pytest

from ingest.core.model import Problem
from ingest.edge.local import java

_OLD = """\
#!/bin/sh
echo "    java.home = $(dirname $(dirname $0))" >&2
echo "    java.specification.version = 11" >&2
echo "    java.version = 11.0.2" >&2
printf 'java.base@11.0.2\\njdk.compiler@11.0.2\\n'
"""
_JAVA_8 = """\
#!/bin/sh
[ "$2" = --list-modules ] && echo "Unrecognized option: --list-modules" >&2 && exit 1
echo "    java.home = $(dirname $(dirname $0))/jre" >&2
echo "    java.specification.version = 1.8" >&2
echo "    java.version = 1.8.0_392" >&2
"""
_RUNTIME = _OLD.replace("11", "21").replace("jdk.compiler@21.0.2", "java.xml@21.0.2")


def _install(folder: Path, name: str, script: str) -> None:
    executable = folder / name / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(script)
    executable.chmod(0o755)


def _only(folder: Path) -> tuple[java.Java, ...]:
    """Those under `folder`, without the machine's own on the PATH."""
    return tuple(installed for installed in java.find_all(folders=(folder,)) if installed.home.is_relative_to(folder))


def test_a_java_of_this_machine_is_found_and_compiles() -> None:
    """The tests need a JDK of 17 or newer anyway; it must describe itself fully."""
    newest = java.newest(java.find_all(), java.OLDEST, "Kafka")

    assert newest.major >= 17
    assert newest.version.startswith(str(newest.major))
    assert {"java.base", "jdk.compiler"} <= newest.modules
    assert (newest.home / "bin" / "java").exists()


def test_java_home_is_considered(tmp_path: Path) -> None:
    """Even where no distribution would put a Java."""
    _install(tmp_path, "mine", _RUNTIME)

    installations = java.find_all(java_home=tmp_path / "mine", folders=())

    assert tmp_path / "mine" in [installed.home for installed in installations]


def test_the_newest_comes_first_and_each_once(tmp_path: Path) -> None:
    """Links to the same Java count once; a program that does not run is no Java."""
    _install(tmp_path, "old", _OLD)
    _install(tmp_path, "new", _RUNTIME)
    _install(tmp_path, "ancient", _JAVA_8)
    _install(tmp_path, "broken", "#!/bin/sh\nexit 1\n")
    (tmp_path / "default").symlink_to("new")

    assert [installed.major for installed in _only(tmp_path)] == [21, 11, 8]


def test_no_java_names_the_package_to_install() -> None:
    """The error is one sentence with the command to type."""
    with pytest.raises(Problem, match=r"No Java was found.*apt-get install openjdk-17-jdk-headless") as caught:
        java.newest((), java.OLDEST, "Kafka")

    assert caught.value.exit_code == 69


def test_a_too_old_java_is_named_with_its_version(tmp_path: Path) -> None:
    """So that one sees which Java was looked at."""
    _install(tmp_path, "old", _OLD)

    with pytest.raises(Problem, match=r"Kafka needs Java 17 or newer; the newest here is 11\.0\.2 in .*old\..*apt-get"):
        java.newest(_only(tmp_path), java.OLDEST, "Kafka")


def test_a_java_too_old_for_elasticsearch_9_hints_at_8(tmp_path: Path) -> None:
    """Java 17 to 20 are new enough for everything else."""
    _install(tmp_path, "seventeen", _OLD.replace("11", "17"))

    with pytest.raises(Problem, match=r"Elasticsearch 9 needs Java 21 or newer.*--elasticsearch 8"):
        java.newest(_only(tmp_path), java.OLDEST_FOR_ELASTICSEARCH_9, "Elasticsearch 9")


def test_a_runtime_without_compiler_is_refused_where_one_is_needed(tmp_path: Path) -> None:
    """Debian's default-jre runs Kafka, but does not compile the launcher."""
    _install(tmp_path, "jre", _RUNTIME)

    with pytest.raises(Problem, match=r"without a compiler.*apt-get install openjdk-17-jdk-headless"):
        java.compiler(_only(tmp_path))


def test_an_older_jdk_compiles_beside_a_newer_runtime(tmp_path: Path) -> None:
    """The newest Java may be a JRE while another can compile."""
    _install(tmp_path, "jre", _RUNTIME)
    _install(tmp_path, "jdk", _OLD.replace("11", "17"))

    assert java.compiler(_only(tmp_path)).major == 17
