"""Every fault that we can make: nothing lost, nothing twice, nothing changed, nothing hangs."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.faults.cargo import Cargo, parted
from tests.faults.conftest import ROW, Row, cargo
from tests.faults.oracle import Found, judged
from tests.faults.scene import Scene, scene
from tests.faults.servers import Servers
from tests.faults.sizes import Size
from tests.faults.table import FAULTS, Fault

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]


@pytest.fixture(params=FAULTS, ids=lambda fault: fault.name.replace(" ", "_"))
def fault(request: pytest.FixtureRequest, size: Size) -> Fault:
    """One after the other."""
    chosen: Fault = request.param
    if chosen.only not in ("", size.name):
        pytest.skip(f"only in the size {chosen.only}")
    return chosen


def played(fault: Fault, at: Scene, whole: Cargo) -> int:
    """Lines into the topic, the fault, the end of the fault; how often it hit."""
    posted = int(len(whole.messages) * (1 - fault.held_back))
    at.post(Cargo(whole.messages[:posted]))
    at.rest = Cargo(whole.messages[posted:])
    hits = fault.run(at)
    at.finish()
    return hits


def test_nothing_is_lost_nothing_twice(
    fault: Fault, servers: Servers, size: Size, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Documents, dead letters and ledger are what the lines' truth says, whatever was done; and it was done."""
    whole = cargo(size.lines, fault.shares)
    lanes = size.lanes if fault.laned else 1
    began_s = time.monotonic()
    with ExitStack() as stack:
        scenes = []
        for n in range(lanes):
            folder = tmp_path / str(n)
            folder.mkdir()
            scenes.append(stack.enter_context(scene(servers, size, folder, fault.settings)))
        with ThreadPoolExecutor(lanes) as pool:
            hits = sum(pool.map(played, [fault] * lanes, scenes, parted(whole, lanes)))
        found = [judged(at.world, at.cargo) for at in scenes]
    seconds = time.monotonic() - began_s
    told = "; ".join([f"{hits:,}", *(note for at in scenes for note in at.notes)])
    record_property(ROW, asdict(_row(fault.name, [at.cargo for at in scenes], found, seconds, told)))
    assert hits >= fault.least_hits


def _row(name: str, cargos: list[Cargo], found: list[Found], seconds: float, hits: str) -> Row:
    return Row(
        name,
        sum(len(each.messages) for each in cargos),
        sum(each.documents for each in found),
        sum(each.dead_letters for each in found),
        sum(each.duplicates for each in found),
        seconds,
        hits,
    )
