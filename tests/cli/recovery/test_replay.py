"""`perflog replay`, as a user calls it: the lines sent and corrected, and the differences of a shadow."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingest.cli.recovery import replay
from ingest.core.model import Problem
from ingest.edge.local.stack import Running
from tests.support.raised_revision import LINES, halved_grammars, versions
from tests.support.revisions import raise_revision
from tests.support.world import World, copied_grammars

pytestmark = pytest.mark.stack
REFUSED = b"Fri Feb 5 21:39:37 PST 2016: norm.sh:32:1084664-1:PREF:SUBMIT_NORM:START_DATE=1454737177"
KINDS = "marks,runstate,stages,runs,writers,rejects,ledger"


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A facility with the sample, and one line that was refused."""
    own_world = World(stack, tmp_path_factory.mktemp("replay"), f"replay{os.getpid()}")
    own_world.set_up(partitions=1)
    own_world.ship(own_world.written("sample.log", [*LINES, REFUSED]))
    own_world.drain()
    return own_world


class Caller:
    """Calls `perflog replay` in this process with a world's settings."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, *words: str) -> Result:
        """Of this facility alone, since tests share the servers."""
        words = ("--facility", self._world.facility, *words)
        done = CliRunner().invoke(
            replay.command, words, obj=self._world.settings_file, env={"COLUMNS": "200"}, standalone_mode=False
        )
        if done.exception is not None:
            raise done.exception
        return done

    def read_json(self, *words: str) -> dict[str, Any]:
        """What it says for machines."""
        report: dict[str, Any] = json.loads(self(*words, "--json").stdout)
        return report


@pytest.fixture
def call(world: World) -> Caller:
    """The command."""
    return Caller(world)


def changed(folder: Path, name: str, old: str, new: str) -> str:
    """Grammars with one thing changed, and a raised revision; their folder."""
    grammars = copied_grammars(folder)
    path = grammars / "als_perf" / name
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    raise_revision(path.parent)
    return str(grammars)


def read_stored(world: World) -> tuple[list[str], dict[tuple[str, str], tuple[int, int]]]:
    """All indices of the node, and all that stands in this world's."""
    return sorted(world.client.indices.get(index="*", expand_wildcards="all").body), versions(world, KINDS)


def test_a_shadow_of_the_same_grammars_is_empty(call: Caller, world: World) -> None:
    """Every line was compared, none differs: exit code 0; nothing was written."""
    before = read_stored(world), world.ends()

    done = call("--shadow")
    differences = call.read_json("--shadow")

    assert done.return_value == 0
    assert done.stdout == "35 lines compared: no difference. Nothing was written.\n"
    assert (differences["lines"], differences["differing"], differences["fields"]) == (35, 0, {})
    assert (read_stored(world), world.ends()) == before


def test_a_planted_mistake_is_named_with_its_field_lines_and_examples(
    call: Caller, world: World, tmp_path: Path
) -> None:
    """One family taken for another: the field, how many lines, three examples of old, new and line; nothing else."""
    before = read_stored(world), world.ends()
    grammars = changed(
        tmp_path, "source.toml", 'prefix = "SUBMIT_H5", family = "H5"', 'prefix = "SUBMIT_H5", family = "H6"'
    )
    lines = [line.decode() for line in LINES if b":SUBMIT_H5" in line]
    assert len(lines) >= 3

    done = call("--shadow", "--grammars", grammars)
    differences = call.read_json("--shadow", "--grammars", grammars)

    assert done.return_value == 1
    assert list(differences["fields"]) == ["perf.stage.family"]
    field = differences["fields"]["perf.stage.family"]
    assert field["lines"] == differences["differing"] == len(lines)
    assert len(field["examples"]) == 3
    assert all((e["old"], e["new"]) == ("H5", "H6") and e["line"] in lines for e in field["examples"])
    assert f"perf.stage.family: {len(lines)} lines\n  H5 → H6\n    Fri Feb 5" in done.stdout
    assert (read_stored(world), world.ends()) == before


def test_lines_that_only_one_of_the_two_reads_are_named(call: Caller, tmp_path: Path) -> None:
    """Those that are refused now, with the reason; those that were refused and are read now."""
    grammars = changed(tmp_path, "grammar.lark", "TAG: /PERF(", "TAG: /PREF(")

    done = call("--shadow", "--grammars", grammars)
    differences = call.read_json("--shadow", "--grammars", grammars)

    assert done.return_value == 1
    assert (differences["only_stored"]["lines"], differences["only_shadow"]["lines"]) == (35, 1)
    assert differences["only_shadow"]["examples"][0]["line"] == REFUSED.decode()
    assert len(differences["only_stored"]["examples"]) == 3
    assert differences["only_stored"]["examples"][0]["why"]
    assert "read only as stored: 35 lines" in done.stdout
    assert "read only by these grammars: 1 line" in done.stdout


def test_a_dry_run_counts_lines_and_corrections(call: Caller, world: World, tmp_path: Path) -> None:
    """Nothing is sent; of the same revision there is nothing to correct."""
    ends = world.ends()
    grammars = str(halved_grammars(tmp_path))

    same = call("--dry-run").stdout
    changes = call("--dry-run", "--grammars", grammars, "--run", "1084664-62990").stdout

    assert same.splitlines()[0] == "35 lines would be sent."
    assert "Nothing to correct: 35 documents are of these revisions." in same
    assert changes.splitlines()[0] == "21 lines would be sent."
    assert "21 documents are corrected, 0 stay as they are" in changes
    assert "21 to another run\n    e.g. 1084664-62990 → 1084664" in changes
    assert world.ends() == ends


def test_replay_reports_the_sent_lines_and_holds_the_rate(call: Caller, world: World) -> None:
    """35 lines at 35 a second take about a second."""
    ends = sum(world.ends().values())

    done = call("--rate", "35")
    report = call.read_json("--dry-run")

    assert done.return_value == 0
    assert done.stdout.splitlines()[:2] == ["35 lines sent.", f"  35 to {world.topic}"]
    assert sum(world.ends().values()) == ends + 35
    assert (report["lines"], report["documents"]["same"], report["left_out"]) == (35, 35, {})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--all",), "--all does not go together"),
        (("--shadow", "--dry-run"), "--shadow sends nothing"),
        (("--since", "soon"), "--since"),
        (("--facility", "ALS"), "is no facility"),
    ],
)
def test_a_slip_of_the_pen_has_its_sentence(call: Caller, words: tuple[str, ...], sentence: str) -> None:
    """Exit code 64."""
    with pytest.raises(Problem, match=sentence) as caught:
        call(*words)
    assert caught.value.exit_code == 64


def test_everything_is_sent_on_purpose_only(world: World) -> None:
    """Without any filter it asks for one, or for --all."""
    with pytest.raises(Problem, match="No lines are selected") as caught:
        CliRunner().invoke(replay.command, [], obj=world.settings_file, standalone_mode=False, catch_exceptions=False)
    assert caught.value.exit_code == 64
