"""`perflog transfers`, as a user calls it: the list with its filters, one transfer with its records."""

import csv
import json
import os
from io import StringIO
from typing import Any

import pytest

from ingest.core.movements.documents import movement_document
from ingest.core.movements.matching import matched
from ingest.core.movements.movement import movement_of
from ingest.core.movements.record import TransferEnd, TransferRecord
from ingest.core.movements.state import TransferKey, TransferState
from ingest.core.movements.units import units_of
from ingest.edge.local.stack import Running
from tests.support.cli import Done, perflog
from tests.support.stored import Stored
from tests.support.transfer_records import SOURCE, fts, globus, rucio, task_of_files

FACILITY = f"moved{os.getpid()}"
pytestmark = pytest.mark.stack
ALS, NERSC = TransferEnd("dtn.als.example", None, "ALS"), TransferEnd("dtn.nersc.example", None, "NERSC")
RECORDS: list[TransferRecord] = [
    globus(origin=ALS, target=NERSC, label="scan 7", run="R1"),
    *task_of_files(2),
    fts(901, outcome="failure", error="CHECKSUM", bytes=2 * 10**9),
    rucio("aa", external_id="none", source_url=None, destination_url=None, origin=SOURCE, target=ALS, probe=True),
]


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Three movements: a task of Globus with what both ends logged, a file that failed, a probe."""
    stored = Stored(stack, tmp_path_factory.mktemp("transfers"), FACILITY)
    stored.set_up(partitions=1)
    schema = stored.knowledge.schema
    groups = matched(units_of(RECORDS))
    made = [
        movement_document(
            schema, TransferState(TransferKey(FACILITY, group.units[0].key), revision=1), movement_of(group)
        )
        for group in groups
    ]
    stored.put(made)
    return stored


def transfers(world: Stored, *words: str) -> Done:
    """The command for this facility's settings."""
    return perflog("--config", str(world.settings_file), "transfers", *words)


def listed(world: Stored, *words: str) -> list[dict[str, Any]]:
    """The transfers that it lists."""
    done = transfers(world, "--facility", FACILITY, "--json", *words)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["transfers"]
    return rows


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ((), {"task:globus:task-1", "file:fts:job-7/901"}),
        (("--probes",), {"task:globus:task-1", "file:fts:job-7/901", "file:rucio:aa"}),
        (("--from", "ALS"), {"task:globus:task-1"}),
        (("--to", "dtn.nersc.example"), {"task:globus:task-1"}),
        (("--outcome", "failure"), {"file:fts:job-7/901"}),
        (("--run", "R1"), {"task:globus:task-1"}),
        (("--label", "scan"), {"task:globus:task-1"}),
        (("--until", "2000-01-01"), set()),
    ],
)
def test_filters_select(world: Stored, words: tuple[str, ...], keys: set[str]) -> None:
    """By end (site or host), outcome, run, label and time; probes only when they are asked for."""
    assert {row["key"] for row in listed(world, *words)} == keys


def test_the_table_says_what_moved_once(world: Stored) -> None:
    """A task that five records told is one line of its own bytes."""
    text = transfers(world, "--facility", FACILITY).stdout.decode()

    assert "ALS → NERSC" in text
    assert text.count("1.00 TB") == 1
    assert "2 transfers." in text


def test_csv_has_a_row_for_each(world: Stored) -> None:
    """With the columns of the JSON; what is not told is empty."""
    rows = list(csv.DictReader(StringIO(transfers(world, "--facility", FACILITY, "--csv").stdout.decode())))

    assert [row["bytes"] for row in rows if row["outcome"] == "failure"] == ["2000000000"]
    assert {row["queued"] for row in rows} == {""}


@pytest.mark.parametrize("name", ["task-1", "TASK-1", "task:globus:task-1"])
def test_one_transfer_is_found_by_the_ids_that_people_have(world: Stored, name: str) -> None:
    """The task's id in any case, its key; it says how many records told it."""
    done = transfers(world, "show", name, "--facility", FACILITY)

    assert done.returncode == 0, done.stderr
    assert "Told by 5 records" in done.stdout.decode()


def test_a_failure_shows_its_reason(world: Stored) -> None:
    """By the tool's own id of the transfer."""
    text = transfers(world, "show", "job-7/901", "--facility", FACILITY).stdout.decode()
    assert "failure: CHECKSUM" in text


def test_a_transfer_that_does_not_exist_is_66(world: Stored) -> None:
    """With what lists them."""
    done = transfers(world, "show", "nothing*", "--facility", FACILITY)

    assert done.returncode == 66
    assert "There is no transfer nothing*." in done.stderr.decode()
