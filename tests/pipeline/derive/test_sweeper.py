"""The sweeper on the real node: runs change as time passes, by the watermark of their source."""

import json
from itertools import product
from typing import Any

import pytest

from ingest.core.mark import RunKey, RunMark
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.documents import uid
from ingest.core.runs.state import LARGE
from ingest.core.timestamps import MS_PER_HOUR, iso
from ingest.core.tracking.watermark import WriterKey, WriterProgress
from tests.support.amount import cases
from tests.support.crashing_deriver import Died, Stumble, sweep, worker
from tests.support.derivation import at_once, derived_documents, everything, lines_of, sets_of
from tests.support.marks import BEGIN_MS, DAY_S, mark, marks
from tests.support.waiting import DEADLINE_S, eventually
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
HOUR_S = 3600


def key(world: World, run: str = "1-2") -> RunKey:
    """The key of a run in this facility."""
    return RunKey(world.facility, "als_perf", run)


def progress(
    world: World, at_s: float, path: str = "/a.log", backfill: bool = False
) -> dict[WriterKey, WriterProgress]:
    """A writer whose newest instant is so many seconds into the run, and was received at once."""
    at_ms = BEGIN_MS + round(at_s * 1000)
    return {WriterKey(world.facility, "als_perf", "node", path, backfill): WriterProgress(at_ms, at_ms)}


def state(world: World, run: str = "1-2") -> str:
    """The state in the document of the run's first instance."""
    value: str = everything(world)[f"perf-runs-{world.facility}", uid(key(world, run), 1)]["perf"]["run"]["state"]
    return value


def test_runs_become_quiet_and_closed_and_a_late_line_reopens_them(world: World) -> None:
    """Exactly as the core derives from the set at that watermark; nothing is written while nothing is due."""
    world.set_up()
    begun = marks("0 QSTART, 25 WSTART, 40 START A, 90 START B")
    mine = worker(world)
    mine.derive(BatchUpdates({key(world): begun}, progress(world, 100)))
    assert sweep(world).states == 0

    for hours, expected in ((2, "quiet"), (3, "quiet"), (8 * 24, "closed"), (40 * 24, "closed")):
        mine.derive(BatchUpdates({}, progress(world, hours * HOUR_S)))
        before = everything(world)
        swept = sweep(world)
        assert (swept.states > 0) == (everything(world) != before)
        assert state(world) == expected
    late = marks(f"{8 * DAY_S - HOUR_S} START C")
    mine.derive(BatchUpdates({key(world): late}))

    sets = {key(world): {mark_.id: mark_ for mark_ in [*begun, *late]}}
    assert derived_documents(world) == at_once(world, sets, BEGIN_MS + 8 * DAY_S * 1000)


def test_the_runs_are_the_same_however_often_they_are_swept(world: World) -> None:
    """Generated runs and two sweeps: as if derived at once at the watermark."""
    lines = lines_of(3, 600)
    sets = sets_of(world, lines)
    world.set_up()
    world.ship(world.written("a.log", lines))
    world.drain()
    first = world.perflog("sweep", "--once", "--json")
    again = world.perflog("sweep", "--once")

    report = json.loads(first.stdout)
    newest_ms = max(mark_.at_ms for marks_ in sets.values() for mark_ in marks_.values())
    assert report["watermarks"] == {f"{world.facility}/als_perf": iso(newest_ms)}
    assert report["run_ids"] > 0
    assert "0 run ids were due, 0 documents" in again.stdout
    due = {k for k, body in states(world).items() if body["perf"]["runstate"].get("watermark")}
    assert len(due) == report["run_ids"]
    assert derived_documents(world) == {
        **at_once(world, {k: m for k, m in sets.items() if k.id not in due}),
        **at_once(world, {k: m for k, m in sets.items() if k.id in due}, newest_ms),
    }


def states(world: World) -> dict[str, dict[str, Any]]:
    """Id -> body of the states."""
    return {doc_id: body for (_, doc_id), body in world.documents("runstate").items()}


@pytest.mark.parametrize(
    ("nth", "moment"),
    cases(product((1, 2, 3), ("asked", "part", "answered")), [(1, "asked"), (2, "part"), (3, "answered")]),
)
def test_a_sweeper_may_die_between_any_two_writes(world: World, nth: int, moment: str) -> None:
    """Before the state, its documents, between stages and runs, before the mark is cleared: the next one heals it."""
    world.set_up()
    begun = marks("0 QSTART, 25 WSTART, 40 START A, 90 START B")
    mine = worker(world)
    mine.derive(BatchUpdates({key(world): begun}, progress(world, 2 * HOUR_S)))
    dying = worker(world).store
    dying.stumble = Stumble(nth, moment)
    with pytest.raises(Died):
        sweep(world, dying)

    sweep(world)

    expected = at_once(world, {key(world): {mark_.id: mark_ for mark_ in begun}}, BEGIN_MS + 2 * HOUR_S * 1000)
    assert derived_documents(world) == expected
    assert sweep(world).states == 0


def test_a_large_run_is_derived_by_the_sweeper_only(world: World) -> None:
    """The worker merges and flags it; the sweep writes its stages, and those of later lines."""
    world.set_up()
    begun: list[RunMark] = [mark(n, "START", f"S{n % 40}") for n in range(LARGE + 1)]
    mine = worker(world)
    mine.derive(BatchUpdates({key(world): begun[:-20]}))
    assert len(derived_documents(world)) > 1000
    before = everything(world)
    mine.derive(BatchUpdates({key(world): begun[-20:]}))
    assert everything(world) == before

    assert sweep(world).states == 1

    run = world.client.get(index=f"perf-runs-{world.facility}", id=uid(key(world), 1)).body["_source"]["perf"]
    assert run["flags"] == ["large_run"]
    assert (run["run"]["marks"], run["run"]["stages"]) == (LARGE + 1, LARGE + 1)
    world.client.indices.refresh(index=f"perf-stages-{world.facility}*")
    assert world.client.count(index=f"perf-stages-{world.facility}*").body["count"] == LARGE + 1
    assert sweep(world).states == 0


def test_the_slowest_active_writer_sets_the_watermark(world: World) -> None:
    """A writer that lags holds the watermark back; a backfill does not, nor a writer that is inactive."""
    world.set_up()
    mine = worker(world)
    mine.derive(BatchUpdates({key(world): marks("0 START A")}, progress(world, 1800) | progress(world, 5000, "/b.log")))
    mine.derive(BatchUpdates({}, progress(world, 1, "/old.log", backfill=True)))
    source_key = (world.facility, "als_perf")

    assert sweep(world).watermarks == {source_key: BEGIN_MS + 1800 * 1000}
    assert state(world) == "running"
    mine.derive(BatchUpdates({}, progress(world, 1800 + 2 * HOUR_S, "/b.log")))
    assert sweep(world).watermarks == {source_key: BEGIN_MS + 1800 * 1000 + 2 * MS_PER_HOUR}
    assert state(world) == "quiet"


def test_a_worker_sweeps_beside_its_work(world: World) -> None:
    """Every `sweep_s`, on a thread of its own."""
    world.sweep_s = 0.5
    world.set_up()
    world.ship(world.written("a.log", lines_of(3, 400)))
    with world.perflog_process("run") as process:
        eventually(
            lambda: any(body["perf"]["run"].get("state") == "quiet" for body in derived_documents(world).values())
        )
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
