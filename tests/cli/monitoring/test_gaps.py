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


def piece(start: int, stop: int) -> ByteRange:
    """Received at a second for each thousand bytes, happened a day before."""
    first, last = (Instant(at, NOW - 86_400_000 + at) for at in (start, stop - 40))
    return ByteRange(start, stop, NOW + start, NOW + stop, first, last)


def state(path: str, pieces: Sequence[ByteRange], role: str, size_bytes: int, facility: str = FACILITY) -> FileState:
    """A file of which this was received."""
    news = FileUpdate()
    news.add_ranges(pieces)
    news.add_manifest(role, Manifest(NOW + 9000, size_bytes))
    return merge(FileState(FileKey(facility, "perf.lines.v1", "node", path, "g")), news)


def with_gaps(found: FileState) -> FileState:
    """With its holes declared."""
    return record_gaps(found, confirmed(found, NOTICED, 0), NOTICED)


def more(found: FileState, piece_: ByteRange) -> FileState:
    """With another piece."""
    news = FileUpdate()
    news.add_ranges([piece_])
    return merge(found, news)


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Four files: two gaps, of which one was filled; none; one under way; and another facility with a whole one."""
    made = Stored(stack, tmp_path_factory.mktemp("gaps"), FACILITY)
    made.set_up(partitions=1)
    torn = more(with_gaps(state("/data/torn.log", [piece(0, 1000), piece(2000, 3000)], END, 5000)), piece(900, 2000))
    files = [
        torn,
        state("/data/whole.log", [piece(0, 5000)], END, 5000),
        with_gaps(state("/data/sub/night.log", [piece(500, 5000)], END, 5000)),
        state("/data/now.log", [piece(0, 700)], BEGIN, 5000),
        state("/data/whole.log", [piece(0, 5000)], END, 5000, OTHER),
    ]
    for each in files:
        written = replace(each, pending=False)
        index = f"perf-files-{each.key.facility}"
        made.client.index(index=index, id=each.key.id, document=body_of(written, is_due(written)))
        made.put(documents(each, shipped(GRAMMARS).schema))
    made.client.indices.refresh(index="perf-files-*")
    return made


def called(world: Stored, *words: str) -> str:
    """What the command prints."""
    done = CliRunner().invoke(gaps.command, words, obj=world.settings_file, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def told(world: Stored, *words: str) -> dict[str, Any]:
    """What it tells machines of the facility."""
    found: dict[str, Any] = json.loads(called(world, "--facility", FACILITY, "--json", *words))
    return found


def test_open_gaps_stand_first_with_bytes_and_times(world: Stored) -> None:
    """One line each in a pipe: what is missing, from where, between what and what, found, filled, the file."""
    rows = [line.split() for line in called(world, "--facility", FACILITY).splitlines()]
    found, after, at = "2026-09-21 14:14:20", "2026-09-20 14:13:", "node"

    heads = "state missing B from byte since (UTC) until (UTC) found (UTC) filled (UTC) file"
    assert " ".join(rows[0]) == heads
    assert [" ".join(row) for row in rows[1:4]] == [
        f"open 2,000 3,000 {after}22 end of file {found} – /data/torn.log on {at}",
        f"open 500 0 start of file {after}20 {found} – /data/sub/night.log on {at}",
        f"filled 1,000 1,000 {after}20 {after}22 {found} 2026-09-21 14:13:22 /data/torn.log on {at}",
    ]
    assert " ".join(rows[5]) == "2 open, 1 filled; 4 files looked at."
    assert " ".join(rows[6]).startswith("Not ended yet: 700 of 5,000 bytes of /data/now.log on node, the last at")


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
    found = told(world, *words)

    assert [gap["file"].split("/")[-1] for gap in found["gaps"]] == files
    assert len(found["unsettled"]) == unsettled


def test_machines_are_told_all_of_it(world: Stored) -> None:
    """What is not known is null, never 0."""
    found = told(world, "--file", "torn.log")
    gap, filled = found["gaps"]

    assert (found["matching"], found["files"]) == (2, 1)
    assert gap == {
        "facility": FACILITY, "host": "node", "file": "/data/torn.log", "generation": "g", "topic": "perf.lines.v1",
        "state": "open", "first_byte": 3000, "end_byte": 5000, "size_bytes": 2000, "missing_bytes": 2000,
        "lines": None, "shown_by": "end", "since": iso(NOW - 86_400_000 + 2960), "until": None,
        "received_before": iso(NOW + 3000), "received_after": None, "noticed": iso(NOTICED), "filled": None,
    }  # fmt: skip
    assert (filled["state"], filled["missing_bytes"], filled["size_bytes"]) == ("filled", 0, 1000)
    assert filled["filled"] == iso(NOW + 2000)


def test_nothing_missing_and_nothing_known_are_told_apart(world: Stored) -> None:
    """A facility whose only file is whole, and one of which no file is known."""
    assert called(world, "--facility", OTHER) == "No gap is known of; 1 file looked at.\n"
    assert "No file is known by its bytes yet" in called(world, "--facility", "nobody")


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_nothing_is_wider_than_the_screen(world: Stored, columns: int) -> None:
    """Where there is little room the file stands above its gaps."""
    found = told(world)
    screen = Console(width=columns, highlight=False, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with screen.file:
        show_gaps(found["gaps"], found["matching"], (found["files"], []), screen)

    lines = screen.export_text().splitlines()
    assert max(map(len, lines)) <= columns
    assert ("/data/torn.log on node" in lines) == (columns < 150)
