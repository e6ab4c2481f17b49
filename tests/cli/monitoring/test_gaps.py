"""`perflog gaps`, as a user calls it: for people at two widths, for machines; filters; nothing missing is said so."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from ingest.cli.monitoring import gaps
from ingest.cli.monitoring.gaps_text import show_gaps
from ingest.core.timestamps import iso
from ingest.core.tracking.byte_ranges import ByteRange, Instant
from ingest.core.tracking.file_document import body_of
from ingest.core.tracking.file_state import FileKey, FileState, FileUpdate, merge
from ingest.core.tracking.gaps import confirmed, documents, is_due, record_gaps
from ingest.core.tracking.manifest import BEGIN, END, Manifest
from ingest.edge.local.stack import Running
from tests.core.conftest import GRAMMARS
from tests.support.derived import shipped
from tests.support.stored import Stored

FACILITY, OTHER = f"gaps{os.getpid()}", f"none{os.getpid()}"
NOW = 1_790_000_000_000
NOTICED = NOW + 60_000

pytestmark = pytest.mark.stack


def make_piece(start: int, stop: int) -> ByteRange:
    """Received at a second for each thousand bytes, happened a day before."""
    first, last = (Instant(at, NOW - 86_400_000 + at) for at in (start, stop - 40))
    return ByteRange(start, stop, NOW + start, NOW + stop, first, last)


def make_file(
    path: str, pieces: Sequence[ByteRange], role: str, size_bytes: int, facility: str = FACILITY
) -> FileState:
    """A file of which this was received."""
    update = FileUpdate()
    update.add_ranges(pieces)
    update.add_manifest(role, Manifest(NOW + 9000, size_bytes))
    return merge(FileState(FileKey(facility, "perf.lines.v1", "node", path, "g")), update)


def with_recorded_gaps(file: FileState) -> FileState:
    """With its holes declared."""
    return record_gaps(file, confirmed(file, NOTICED, 0), NOTICED)


def with_piece(file: FileState, received: ByteRange) -> FileState:
    """With another piece."""
    update = FileUpdate()
    update.add_ranges([received])
    return merge(file, update)


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Four files: two gaps, of which one was filled; none; one under way; and another facility with a whole one."""
    stored = Stored(stack, tmp_path_factory.mktemp("gaps"), FACILITY)
    stored.set_up(partitions=1)
    torn = with_piece(
        with_recorded_gaps(make_file("/data/torn.log", [make_piece(0, 1000), make_piece(2000, 3000)], END, 5000)),
        make_piece(900, 2000),
    )
    files = [
        torn,
        make_file("/data/whole.log", [make_piece(0, 5000)], END, 5000),
        with_recorded_gaps(make_file("/data/sub/night.log", [make_piece(500, 5000)], END, 5000)),
        make_file("/data/now.log", [make_piece(0, 700)], BEGIN, 5000),
        make_file("/data/whole.log", [make_piece(0, 5000)], END, 5000, OTHER),
    ]
    for file in files:
        written = replace(file, pending=False)
        index = f"perf-files-{file.key.facility}"
        stored.client.index(index=index, id=file.key.id, document=body_of(written, is_due(written)))
        stored.put(documents(file, shipped(GRAMMARS).schema))
    stored.client.indices.refresh(index="perf-files-*")
    return stored


def run_gaps(world: Stored, *arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(gaps.command, arguments, obj=world.settings_file, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def read_json(world: Stored, *arguments: str) -> dict[str, Any]:
    """What it tells machines of the facility."""
    listing: dict[str, Any] = json.loads(run_gaps(world, "--facility", FACILITY, "--json", *arguments))
    return listing


def test_open_gaps_stand_first_with_bytes_and_times(world: Stored) -> None:
    """One line each in a pipe: what is missing, from where, between what and what, found, filled, the file."""
    lines = [line.split() for line in run_gaps(world, "--facility", FACILITY).splitlines()]
    noticed, after, at = "2026-09-21 14:14:20", "2026-09-20 14:13:", "node"

    heads = "state missing B from byte since (UTC) until (UTC) found (UTC) filled (UTC) file"
    assert " ".join(lines[0]) == heads
    assert [" ".join(words) for words in lines[1:4]] == [
        f"open 2,000 3,000 {after}22 end of file {noticed} – /data/torn.log on {at}",
        f"open 500 0 start of file {after}20 {noticed} – /data/sub/night.log on {at}",
        f"filled 1,000 1,000 {after}20 {after}22 {noticed} 2026-09-21 14:13:22 /data/torn.log on {at}",
    ]
    assert " ".join(lines[5]) == "2 open, 1 filled; 4 files looked at."
    assert " ".join(lines[6]).startswith("Not ended yet: 700 of 5,000 bytes of /data/now.log on node, the last at")


@pytest.mark.parametrize(
    ("words", "files", "unsettled"),
    [
        ((), ["torn.log", "night.log", "torn.log"], 1),
        (("--open",), ["torn.log", "night.log"], 1),
        (("--file", "/data/torn.log"), ["torn.log", "torn.log"], 0),
        (("--file", "night.log"), ["night.log"], 0),
        (("--file", "sub/night.log", "--file", "now.log"), ["night.log"], 1),
        (("--file", "ight.log"), [], 0),
        (("--file", "*"), [], 0),
        (("--host", "node"), ["torn.log", "night.log", "torn.log"], 1),
        (("--host", "other"), [], 0),
        (("--limit", "1"), ["torn.log"], 1),
    ],
)
def test_filters(world: Stored, words: tuple[str, ...], files: list[str], unsettled: int) -> None:
    """Each says which gaps are meant; several of a kind widen; a path or how it ends."""
    listing = read_json(world, *words)

    assert [gap["file"].split("/")[-1] for gap in listing["gaps"]] == files
    assert len(listing["unsettled"]) == unsettled


def test_json_has_all_fields_of_a_gap(world: Stored) -> None:
    """An unknown value is null, never 0."""
    listing = read_json(world, "--file", "torn.log")
    gap, filled = listing["gaps"]

    assert (listing["matching"], listing["files"]) == (2, 1)
    assert gap == {
        "facility": FACILITY, "host": "node", "file": "/data/torn.log", "generation": "g", "topic": "perf.lines.v1",
        "state": "open", "first_byte": 3000, "end_byte": 5000, "size_bytes": 2000, "missing_bytes": 2000,
        "lines": None, "shown_by": "end", "since": iso(NOW - 86_400_000 + 2960), "until": None,
        "received_before": iso(NOW + 3000), "received_after": None, "noticed": iso(NOTICED), "filled": None,
    }  # fmt: skip
    assert (filled["state"], filled["missing_bytes"], filled["size_bytes"]) == ("filled", 0, 1000)
    assert filled["filled"] == iso(NOW + 2000)


def test_a_complete_facility_and_an_unknown_one_differ(world: Stored) -> None:
    """The only file of one facility is complete; no file of the other is known."""
    assert run_gaps(world, "--facility", OTHER) == "No gap is known of; 1 file looked at.\n"
    assert "No file is known by its bytes yet" in run_gaps(world, "--facility", "nobody")


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_nothing_is_wider_than_the_screen(world: Stored, columns: int) -> None:
    """Where there is little room the file stands above its gaps."""
    listing = read_json(world)
    console = Console(width=columns, highlight=False, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with console.file:
        show_gaps(listing["gaps"], listing["matching"], (listing["files"], []), console)

    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= columns
    assert ("/data/torn.log on node" in lines) == (columns < 150)
