"""`perflog inventory`, as a user calls it: import, list, show, check; what an origin no longer says is taken back."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ingest.core.model import Document
from ingest.core.timestamps import iso
from ingest.edge.clock import now_ms
from ingest.edge.local.stack import Running
from tests.support.cli import Done, perflog
from tests.support.stored import Stored

FACILITY = f"inventory{os.getpid()}"
pytestmark = pytest.mark.stack
TEMPLATE: dict[str, Any] = {
    "addresses": {
        "als": {"address": "ps-als.example", "host": "als"},
        "als6": {"address": "2001:db8::7", "host": "als"},
        "nersc": {"address": "ps-nersc.example"},
    },
    "hosts": {"als": {"_meta": {"site-display-name": "ALS", "organization-display-name": "LBNL"}}},
    "groups": {"g": {"type": "mesh", "addresses": [{"name": "als"}, {"name": "nersc"}]}},
    "tests": {"tp": {"type": "throughput", "spec": {"source": "{% address[0] %}", "dest": "{% address[1] %}"}}},
    "schedules": {"s": {"repeat": "PT6H"}},
    "tasks": {"tp": {"group": "g", "test": "tp", "schedule": "s"}},
}


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """A facility with one throughput test from ALS to NERSC, that told its source by its IPv6 address."""
    stored = Stored(stack, tmp_path_factory.mktemp("inventory"), FACILITY)
    stored.set_up(partitions=1)
    at = iso(now_ms())
    perf = {"facility": FACILITY, "network": {"test_type": "throughput"}}
    ends = {"source": {"ip": "2001:db8::7"}, "destination": {"domain": "ps-nersc.example"}}
    index = stored.knowledge.schema.index("network", FACILITY, now_ms())
    stored.put([Document(index, "t", 1, {"@timestamp": at, "perf": perf, **ends})])
    return stored


def inventory(world: Stored, *words: str) -> Done:
    """The command for this facility's settings."""
    return perflog("--config", str(world.settings_file), "inventory", *words)


def answer(world: Stored, *words: str) -> dict[str, Any]:
    """What it says as JSON."""
    done = inventory(world, *words, "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def imported(world: Stored, folder: Path, tree: dict[str, Any]) -> dict[str, Any]:
    """What importing a template says."""
    file = folder / "mesh.json"
    file.write_text(json.dumps(tree))
    return answer(world, "import", str(file))


def test_a_mesh_is_imported_listed_shown_and_checked(world: Stored, tmp_path: Path) -> None:
    """Two hosts, one of two stacks; one direction of the test arrives, the other is silent."""
    assert imported(world, tmp_path, TEMPLATE)["hosts"] == 2
    hosts = {row["host"]: row for row in answer(world, "list", "--facility", FACILITY)["hosts"]}
    host = answer(world, "show", "2001:DB8::7", "--facility", FACILITY)
    check = answer(world, "check", "--facility", FACILITY)

    assert (hosts["ps-als.example"]["site"], hosts["ps-als.example"]["tests"]) == ("ALS", 1)
    assert hosts["ps-als.example"]["roles"] == ["throughput"]
    assert host["host"] == "ps-als.example"
    assert {test["destination"] for test in host["tests_expected"]} == {"ps-als.example", "ps-nersc.example"}
    assert (check["expected"], check["unexpected"], check["unknown_hosts"]) == (2, [], [])
    assert [(test["source"], test["since"]) for test in check["silent"]] == [("ps-nersc.example", None)]


def test_what_the_file_no_longer_says_is_taken_back(world: Stored, tmp_path: Path) -> None:
    """The same file again without a host; another file's hosts stay. The same again changes nothing but the time."""
    imported(world, tmp_path, TEMPLATE)
    other = tmp_path / "hosts.tsv"
    other.write_text("host\tsite\tfacility\trole\ndtn.example\tALS\tLBNL\tdtn\n")
    answer(world, "import", str(other))
    smaller = {**TEMPLATE, "addresses": {"als": TEMPLATE["addresses"]["als"]}}
    report = imported(world, tmp_path, smaller)

    assert report["retracted"] == 3  # a host, and the task from each of both
    listed = {row["host"] for row in answer(world, "list", "--facility", FACILITY)["hosts"]}
    assert "dtn.example" in listed
    assert imported(world, tmp_path, smaller)["retracted"] == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("import", "nowhere.json"), 66, "nowhere.json cannot be read"),
        (("import", "http://mesh.example/a.json"), 64, "is no HTTPS address"),
        (("show", "nobody.example"), 66, "No host nobody.example is known."),
    ],
)
def test_slips_have_codes(world: Stored, words: tuple[str, ...], code: int, message: str) -> None:
    """A file that is not there, an address without TLS, a host that nobody knows."""
    done = inventory(world, *words)

    assert done.returncode == code
    assert message in done.stderr.decode()


def test_a_dry_run_stores_nothing(world: Stored, tmp_path: Path) -> None:
    """It says what would be imported, and what in the file cannot be used."""
    file = tmp_path / "dry.json"
    file.write_text(json.dumps({**TEMPLATE, "hosts": {}}))
    done = inventory(world, "import", str(file), "--dry-run")

    assert done.returncode == 0
    assert "2 hosts" in done.stdout.decode() or "3 hosts" in done.stdout.decode()
    assert "address als names the host als, which is not there" in done.stdout.decode()
    assert answer(world, "import", str(file), "--dry-run")["written"] == 0
