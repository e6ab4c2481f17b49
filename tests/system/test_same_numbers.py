"""The same numbers with and without the stack: `analyze` of a file, and `show` and `runs` of what became of its lines.

The lines go through Kafka in another order, a tenth of them twice, to several partitions; then a sweep lets time pass.
"""

import csv
import json
from io import StringIO
from pathlib import Path
from random import Random

import orjson
import pytest
from click.testing import CliRunner

from ingest.cli.runs import analyze
from ingest.cli.runs.runs_json import whole_run_to_json
from ingest.edge.elasticsearch.runs import RunQuery, open_runs
from ingest.pipeline.derive.sweep_service import sweep
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Shares, Workload
from tests.support.amount import cases
from tests.support.derivation import MIXED, mixed
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
SHORT = Shares(headless=1, tailless=1, reused=0.5, retried=0.2, parallel=0.1, with_ends=0.3, stuck=0.1, skewed=0.1)
LINES_OF_A_RUN = 8.8


def stored(world: World, lines: list[bytes], workers: int = 1) -> None:
    """The lines through Kafka, in another order, a tenth twice; then one sweep."""
    world.set_up(partitions=4)
    world.ship(world.written("sent.log", mixed(Random(7), lines)))
    if workers == 1:
        world.drain()
    else:
        done = world.perflog("run", "--drain", "--workers", str(workers))
        assert done.returncode == 0, done.stderr
    sweep(world.settings, world.knowledge, once=True, report=lambda _: None)


def analysed(world: World, lines: list[bytes], *words: str) -> bytes:
    """The output of `analyze` for a file with these lines in their order."""
    path: Path = world.written("own.log", lines)
    done = CliRunner().invoke(
        analyze.command, [str(path), "--intake", "lines", *words], obj=world.settings_file, standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    return done.stdout_bytes


def objects(printed: bytes) -> list[bytes]:
    """The runs in the output of `analyze --json`, each as its bytes."""
    return [line.removesuffix(b",") for line in printed.splitlines()[1:-1]]


def in_bulk(world: World) -> list[bytes]:
    """All runs of the facility, as `show --json` writes each."""
    with open_runs(world.settings.elasticsearch) as runs:
        whole = runs.whole(RunQuery(facilities=(world.facility,)))
    uses: dict[str, int] = {}
    for run in whole:
        uses[run.run] = uses.get(run.run, 0) + 1
    return [orjson.dumps(whole_run_to_json(run, uses[run.run])) for run in whole]


def test_of_the_sample_analyze_and_show_print_the_same(world: World, sample_lines: list[bytes]) -> None:
    """Byte by byte as JSON, line by line for people, and as a table of figures but for the zone of its times."""
    stored(world, sample_lines)
    printed = objects(analysed(world, sample_lines, "--json"))

    assert [json.loads(run_bytes)["run"] for run_bytes in printed] == ["1084664-62990", "1086857-64636"]
    people = analysed(world, sample_lines).decode().splitlines()
    mine = ("--facility", world.facility)
    for run_bytes in printed:
        run = json.loads(run_bytes)["run"]
        assert world.perflog("show", run, *mine, "--json").stdout.encode() == run_bytes + b"\n"
        shown = world.perflog("show", run, *mine, "--waterfall").stdout.splitlines()
        begin = people.index(shown[0])
        assert people[begin : begin + len(shown)] == shown
    listed = world.perflog("runs", *mine).stdout.splitlines()
    assert [line for line in listed if line in people] == listed
    own, theirs = (
        list(csv.DictReader(StringIO(text)))
        for text in (
            analysed(world, sample_lines, "--csv").decode(),
            world.perflog("runs", *mine, "--csv").stdout,
        )
    )
    assert [{**row, "first_start": "", "last_start": ""} for row in own] == [
        {**row, "first_start": "", "last_start": ""} for row in theirs
    ]


@pytest.mark.parametrize("workers", cases([1, 2], [2]))
def test_of_generated_runs_analyze_and_show_print_the_same(world: World, workers: int) -> None:
    """Parallel, retried, late, skewed, torn and used again: the same runs, to the byte; some by the command itself."""
    lines = [made.data for made in messages(Workload(20 + workers, 2_500, shares=MIXED))]
    stored(world, lines, workers)
    printed = objects(analysed(world, lines, "--json"))

    assert len(world.committed()) > 1, "the lines must lie in several partitions"
    assert in_bulk(world) == printed
    assert len(printed) > 60
    assert {stage["duration_kind"] for run_bytes in printed for stage in json.loads(run_bytes)["stages_in_order"]} >= {
        "exact", "upper", "lower"
    }  # fmt: skip
    for run_bytes in printed[:: len(printed) // 3]:
        run = json.loads(run_bytes)
        done = world.perflog(
            "show", run["run"], "--facility", world.facility, "--instance", str(run["instance"]), "--json"
        )
        assert done.stdout.encode() == run_bytes + b"\n"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("many", cases([1_000, 10_000], [1_000]))
def test_of_thousands_of_runs_analyze_and_show_print_the_same(world: World, many: int) -> None:
    """Once through a real worker; every run's object, read by the code that `show` reads with."""
    lines = [made.data for made in messages(Workload(30, round(many * LINES_OF_A_RUN), shares=SHORT))]
    world.bulk_documents = 5_000
    stored(world, lines)
    printed = objects(analysed(world, lines, "--json"))

    assert in_bulk(world) == printed
    assert len(printed) >= many
