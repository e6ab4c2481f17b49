"""`perflog dlq`, as a user calls it: for people, for a pipe, for machines; every slip has its sentence and code."""

import json
import os
from base64 import b64decode
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingest.cli.options import parse_moment
from ingest.cli.recovery import dlq
from ingest.core.model import Problem
from ingest.edge.local.stack import Running
from tests.conftest import free_port
from tests.support.world import World

BAD = b"Fri Feb 5 21:39:37 PST 2016: norm.sh:32:1084664-%d:PREF:SUBMIT_NORM:START_DATE=1454737177"
SHAPE = "norm.sh:32: TAG expected"
NOT_TEXT = b"Fri Feb 5 21:39:37 PST 2016: rot.sh:65:1084664-1:PERF:SUBMIT_ROT:START_DATE=14547\xff\x1b]0;owned\x07"


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A facility with three lines of one broken script and one of another, refused."""
    own_world = World(stack, tmp_path_factory.mktemp("dlq"), f"dlq{os.getpid()}")
    own_world.set_up(partitions=1)
    own_world.ship(own_world.written("run.log", [*(BAD % n for n in range(3)), NOT_TEXT]))
    own_world.drain()
    return own_world


class Caller:
    """Calls `perflog dlq` in this process with a world's settings."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, *words: str, columns: int = 200) -> Result:
        """Of this facility alone, since tests share the servers."""
        words = (words[0], "--facility", self._world.facility, *words[1:])
        done = CliRunner().invoke(
            dlq.command, words, obj=self._world.settings_file, env={"COLUMNS": str(columns)}, standalone_mode=False
        )
        if done.exception is not None:
            raise done.exception
        return done


@pytest.fixture
def call(world: World) -> Caller:
    """The command."""
    return Caller(world)


@pytest.mark.stack
def test_one_broken_script_is_one_line_in_a_pipe(call: Caller) -> None:
    """Count, times, reason, source, shape and an id in one line; the totals last."""
    lines = call("list").stdout.splitlines()

    assert [line.split()[0] for line in lines if SHAPE in line] == ["3"]
    assert lines[0].split()[0] == "count"
    assert "4 of " in lines[-1] or lines[-1].startswith("4 rejects")
    assert lines[-1].endswith("in 2 shapes; 4 letters in the dead-letter topic.")


@pytest.mark.stack
def test_a_shape_can_be_json(call: Caller, world: World) -> None:
    """JSON with the same numbers, and the id that `show` takes."""
    listing = json.loads(call("list", "--json", "--shape", SHAPE).stdout)
    (shape,) = listing["shapes"]

    assert (shape["count"], shape["shape"], shape["source"]) == (3, SHAPE, "als_perf")
    assert (listing["matching"], listing["letters"]) == (3, 4)
    assert shape["newest"] in {f"{world.topic}/0/{n}" for n in range(3)}


@pytest.mark.stack
def test_a_reject_is_shown_with_a_caret_and_its_record(call: Caller, world: World) -> None:
    """It prints the caret under the column, the expected words, the headers, the offset, and the outcome as of now."""
    lines = call("show", f"{world.topic}/0/2").stdout.splitlines()
    caret = next(number for number, line in enumerate(lines) if line.strip() == "^")

    assert lines[caret - 1][lines[caret].index("^") :].startswith("PREF:SUBMIT_NORM")
    text = "\n".join(lines)
    lies = f"the dead-letter topic (perf.{world.facility}.deadletter.v1/0/2)"
    for words in ("expected the word PERF", SHAPE, "header   perflog.host: beamline", lies, "refused still (syntax)"):
        assert words in text


@pytest.mark.stack
def test_bytes_that_are_no_text_are_shown_harmless_and_given_raw(call: Caller) -> None:
    """In hexadecimal digits for people, untouched with --raw, in base64 for machines."""
    shapes = [shape_tree["shape"] for shape_tree in json.loads(call("list", "--json").stdout)["shapes"]]
    selected = ("--shape", next(shape for shape in shapes if shape.startswith("rot.sh:65: ")))
    for_people = call("show", *selected).stdout

    assert "37 ff 1b 5d 30 3b" in for_people
    assert not set("\x1b\x07") & set(for_people)
    assert call("show", *selected, "--raw").stdout_bytes == NOT_TEXT
    shown_reject = json.loads(call("show", *selected, "--json").stdout)
    assert b64decode(shown_reject["record"]["value"]["base64"]) == NOT_TEXT
    assert shown_reject["record"]["value"]["text"] is None


@pytest.mark.stack
def test_a_dry_run_counts_the_records_of_a_replay(call: Caller, world: World) -> None:
    """It sends nothing."""
    sentence = call("replay", "--shape", SHAPE, "--dry-run").stdout

    assert sentence.splitlines() == ["3 records would be sent.", f"  3 to {world.topic}"]
    assert len(world.records(world.topic)) == 4


@pytest.mark.stack
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("show", "nope/0/1"), 66, "no reject with the id nope/0/1"),
        (("replay", "nope/0/1"), 66, "no reject with the id nope/0/1"),
        (("show", "--reason", "nope"), 66, "no reject like that"),
        (("purge", "--reason", "syntax"), 64, "--yes"),
        (("purge", "--reason", "syntax", "--all"), 64, "--all does not go together with a filter"),
        (("list", "--since", "soon"), 64, "--since"),
    ],
)
def test_every_slip_has_its_sentence(call: Caller, words: tuple[str, ...], code: int, sentence: str) -> None:
    """Exit codes of sysexits; nothing is deleted unasked."""
    with pytest.raises(Problem) as caught:
        call(*words)

    assert caught.value.exit_code == code
    assert sentence in str(caught.value)
    assert json.loads(call("list", "--json").stdout)["matching"] == 4


@pytest.mark.stack
def test_purge_counts_the_removed_documents_and_records(stack: Running, tmp_path: Path) -> None:
    """From the index and from the topic."""
    other = World(stack, tmp_path, f"dlqpurge{os.getpid()}")
    other.set_up(partitions=1)
    other.ship(other.written("run.log", [BAD % n for n in range(2)]))
    other.drain()

    sentence = Caller(other)("purge", "--yes").stdout

    assert sentence == "2 rejects deleted; 2 letters gone from the dead-letter topic, 0 left there.\n"
    assert json.loads(Caller(other)("list", "--json").stdout)["matching"] == 0


def test_purge_wants_to_know_which(tmp_path: Path) -> None:
    """Neither a filter nor --all: nothing is asked of any server."""
    with pytest.raises(Problem) as caught:
        CliRunner().invoke(
            dlq.command, ["purge"], obj=_nowhere(tmp_path), standalone_mode=False, catch_exceptions=False
        )

    assert caught.value.exit_code == 64


def test_an_elasticsearch_that_is_away_is_a_sentence(tmp_path: Path) -> None:
    """Address and remedy, exit code 69."""
    with pytest.raises(Problem) as caught:
        CliRunner().invoke(dlq.command, ["list"], obj=_nowhere(tmp_path), standalone_mode=False, catch_exceptions=False)

    assert caught.value.exit_code == 69
    assert "does not answer" in caught.value.message


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2h", 992_800_000), ("90s", 999_910_000), ("1w", 395_200_000), ("1970-01-02", 86_400_000),
        ("1970-01-02T00:00:01", 86_401_000), ("1970-01-02T01:00:00+01:00", 86_400_000), (None, None),
    ],
)  # fmt: skip
def test_a_moment_is_so_long_ago_or_iso(text: str | None, ms: int | None) -> None:
    """Without a zone it is UTC."""
    assert parse_moment("--since", text, 1_000_000_000) == ms


def _nowhere(folder: Path) -> Path:
    """Settings for servers that are not there."""
    path = folder / "perflog.toml"
    port = free_port()
    path.write_text(f"[kafka]\nbootstrap = '127.0.0.1:{port}'\n[elasticsearch]\nurl = 'http://127.0.0.1:{port}'\n")
    return path
