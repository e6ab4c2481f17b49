"""The period of a kind stands in fields.toml alone: what is written and what is searched follow a change of it."""

from dataclasses import replace

import pytest

from ingest.core.decode.registry import Registry
from ingest.core.ids import parse_index
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.facts import FactIndex, FactQuery
from ingest.edge.elasticsearch.files import GapIndex, GapQuery
from ingest.edge.elasticsearch.ledger import LedgerQueries
from ingest.edge.elasticsearch.rejects import RejectIndex, RejectQuery
from ingest.edge.elasticsearch.runs import RunIndex, RunQuery
from ingest.pipeline.derive.sweep_service import sweep
from ingest.pipeline.derive.sweeper import Swept
from tests.support.world import World

pytestmark = pytest.mark.stack
NEXT = {"month": "year", "year": "none", "none": "month"}
LETTERS = {"month": len("2016.02"), "year": len("2016"), "none": 0}
KINDS = ("marks", "runs", "stages", "rejects", "ledger", "assignments", "runstate", "writers", "files")


def with_other_periods(shipped: Registry) -> Registry:
    """The shipped registry, in which every kind has another period."""
    kinds = {name: replace(kind, period=NEXT[kind.period]) for name, kind in shipped.schema.kinds.items()}
    return replace(shipped, schema=replace(shipped.schema, kinds=kinds))


def test_writes_and_searches_follow_the_periods_of_fields_toml(world: World, sample_lines: list[bytes]) -> None:
    """Every kind with another period than the shipped one: indices are named by it, and every reader finds them."""
    registry = with_other_periods(world.knowledge)
    torn = sample_lines[0].partition(b"PERF")[0] + b"PE"
    world.set_up()
    world.ship(world.written("a.log", [*sample_lines, torn]))
    world.drain(registry)
    sweeps: list[Swept] = []
    sweep(world.settings, registry, once=True, report=sweeps.append)

    for kind in KINDS:
        indices = {parse_index(index) for index, _ in world.documents(kind)}
        assert {len(index.period) for index in indices} == {LETTERS[registry.schema.kinds[kind].period]}, kind
    with session(world.settings.elasticsearch) as connected:
        runs = RunIndex(connected).whole(RunQuery((world.facility,)))
        assert len(runs) == len(world.documents("runs"))
        assert sum(len(run.stages) for run in runs) == len(world.documents("stages"))
        assert FactIndex(connected).count(FactQuery((world.facility,))) == len(sample_lines)
        assert RejectIndex(connected).count(RejectQuery(facilities=(world.facility,))) == 1
        assert GapIndex(connected).count_files(GapQuery((world.facility,))) == 1
        assert LedgerQueries(connected).ledger(world.facility)[world.topic]["records"] == len(sample_lines) + 1
    assert sweeps[0].states > 0
    assert (world.facility, "als_perf") in sweeps[0].watermarks
