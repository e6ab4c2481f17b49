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
from tests.faults.oracle import Counts, judged
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
    """Post the lines, run the fault, end it; return how often it hit."""
    posted = int(len(whole.messages) * (1 - fault.held_back))
    at.post(Cargo(whole.messages[:posted]))
    at.rest = Cargo(whole.messages[posted:])
    hits = fault.run(at)
    at.finish()
    return hits


def test_nothing_is_lost_nothing_twice(
    fault: Fault, servers: Servers, size: Size, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Documents, dead letters and ledger equal the lines' truth after the fault, and the fault hit often enough."""
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
        counts = [judged(at.world, at.cargo) for at in scenes]
    seconds = time.monotonic() - began_s
    hits_text = "; ".join([f"{hits:,}", *(note for at in scenes for note in at.notes)])
    record_property(ROW, asdict(_row(fault.name, [at.cargo for at in scenes], counts, seconds, hits_text)))
    assert hits >= fault.least_hits


def _row(name: str, cargos: list[Cargo], counts: list[Counts], seconds: float, hits: str) -> Row:
    return Row(
        name,
        sum(len(part.messages) for part in cargos),
        sum(count.documents for count in counts),
        sum(count.dead_letters for count in counts),
        sum(count.duplicates for count in counts),
        seconds,
        hits,
    )
