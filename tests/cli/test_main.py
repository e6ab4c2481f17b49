"""Options that every command takes: `--verbose`, before or after it."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ingest.cli.main import COMMANDS, cli
from tests.conftest import free_port
from tests.support.cli import perflog

SENTENCE = "perflog: The file missing.pem cannot be read: No such file or directory."


def commands(command: click.Command, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below one, with its words; groups too."""
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None
            yield from commands(part, *names, name)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings whose Kafka needs a file that is missing, and whose Elasticsearch is away."""
    path = tmp_path / "perflog.toml"
    path.write_text(f"""
[kafka]
protocol = "SSL"
ca_file = "missing.pem"
[elasticsearch]
url = "http://127.0.0.1:{free_port()}"
""")
    return path


def test_every_command_takes_verbose() -> None:
    """Each command, each command of a group, and `perflog` itself; each once."""
    every = dict(commands(cli))

    assert {names[0] for names in every if names} == set(COMMANDS)
    for names, command in every.items():
        options = [option for parameter in command.params for option in parameter.opts]
        assert options.count("--verbose") == 1, names


@pytest.mark.parametrize("words", [["--verbose", "setup"], ["setup", "--verbose"]])
def test_verbose_shows_what_a_problem_came_from(words: list[str], settings: Path) -> None:
    """The chain of causes, then the same sentence as ever; the exit code stays."""
    done = perflog("--config", str(settings), *words)

    *chain, last = done.stderr.decode().splitlines()
    assert last.startswith(SENTENCE)
    assert "FileNotFoundError: [Errno 2] No such file or directory" in chain
    assert "Traceback (most recent call last):" in chain
    assert done.returncode == 78


def test_without_verbose_a_problem_is_its_sentence(settings: Path) -> None:
    """Also after a verbose call in the same process."""
    perflog("--config", str(settings), "setup", "--verbose")
    done = perflog("--config", str(settings), "setup")

    assert done.stderr.decode().startswith(SENTENCE)
    assert done.stderr.count(b"\n") == 1
    assert done.returncode == 78


@pytest.mark.parametrize("words", [["--verbose", "dlq", "list"], ["dlq", "--verbose", "list"], ["runs", "--verbose"]])
def test_verbose_shows_the_log_of_the_libraries(words: list[str], settings: Path) -> None:
    """What elastic-transport logs of a request that fails, on stderr; without the option nothing of it."""
    quiet = [word for word in words if word != "--verbose"]

    done = perflog("--config", str(settings), *words)

    assert "[status:N/A duration:" in done.stderr.decode()
    assert done.stdout == b""
    assert "[status:N/A duration:" not in perflog("--config", str(settings), *quiet).stderr.decode()
