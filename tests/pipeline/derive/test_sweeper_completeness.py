"""How complete runs are, on the real node: templates learned from what workers stored, runs judged by the sweeper."""

import json
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import pytest

from ingest.core.analysis.learning import learn
from ingest.core.ids import digest_id
from ingest.core.mark import RunKey, RunMark
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.derive import derive, documents
from ingest.core.runs.documents import uid
from ingest.core.runs.state import RunState, with_marks
from ingest.core.runs.template import Declared, StoredTemplate, Template, template_body, template_in
from ingest.core.timestamps import iso_ms
from ingest.edge.elasticsearch.workflows import Workflows
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Shares, Workload
from tests.pipeline.derive.test_sweeper import HOUR_S, progress
from tests.support.amount import cases
from tests.support.crashing_deriver import Died, Stumble, sweep, worker
from tests.support.derivation import derived_documents, sets_of
from tests.support.marks import BEGIN_MS, DAY_S, marks
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
WORKFLOW = "als-tomography"
LOST = "SUBMIT_NORM"
WHOLE = "0 QSTART, 25 WSTART, 40 START A, 90 START B, 120 START C"


def key(world: World, run: str) -> RunKey:
    """A run of the world's."""
    return RunKey(world.facility, "als_perf", run)


def own(run: str, text: str) -> list[RunMark]:
    """The marks of a run in words, of the workflow."""
    return [
        mark._replace(id=digest_id(run.encode(), mark.id.encode()), what=mark.what._replace(workflow=WORKFLOW))
        for mark in marks(text)
    ]


def put(world: World, version: int, *variants: str, tail: str = "") -> None:
    """Store a template of stages of one letter, as `perflog workflow learn` would."""
    template = learn([], Declared(tuple(map(tuple, variants)), tail, True))
    assert template is not None
    workflows = Workflows(world.client)
    body = template_body(StoredTemplate(world.facility, WORKFLOW, version, 0, template))
    workflows.refresh()
    before = next(iter(workflows.stored((world.facility,))), None)
    index = f"perf-workflows-{world.facility}"
    assert workflows.change(before, body) if before else workflows.create(index, digest_id(WORKFLOW.encode()), body)


def completeness_of(world: World, run: str, ordinal: int = 1) -> dict[str, Any] | None:
    """Return the completeness of a run."""
    body = derived_documents(world)[f"perf-runs-{world.facility}", uid(key(world, run), ordinal)]
    completeness: dict[str, Any] | None = body["perf"]["run"].get("completeness")
    return completeness


def derive_of_new(world: World, run: str, text: str) -> None:
    """As a worker derives them: one that has seen nothing of it before."""
    worker(world).derive(BatchUpdates({key(world, run): own(run, text)}))


def pass_time(world: World, at_s: float) -> None:
    """The source has records up to so many seconds into the runs."""
    worker(world).derive(BatchUpdates({}, progress(world, at_s)))


def test_a_lost_line_is_named_by_show(world: World) -> None:
    """Lines -> runs -> learned -> swept -> shown: the stage whose line was lost, and of all runs what the core says."""
    lines: list[bytes] = []
    damaged = ""
    for made in messages(Workload(7, 1_500, (world.facility,), shares=Shares(with_ends=0.2))):
        (fact,) = made.truth.facts
        damaged = damaged or (fact.run or "" if fact.stage == LOST and len(lines) > 300 else "")
        if (fact.run, fact.stage) != (damaged, LOST):
            lines.append(made.data)
    world.set_up()
    world.ship(world.written("a.log", lines))
    world.drain()
    assert world.perflog("sweep", "--once").returncode == 0
    assert json.loads(world.perflog("show", damaged, "--json").stdout)["completeness"] is None

    learned = json.loads(world.perflog("workflow", "learn", "--facility", world.facility, "--json").stdout)["learned"]
    first = json.loads(world.perflog("sweep", "--once", "--json").stdout)
    second = json.loads(world.perflog("sweep", "--once", "--json").stdout)
    shown = json.loads(world.perflog("show", damaged, "--json").stdout)["completeness"]

    assert [(workflow["workflow"], workflow["done"]) for workflow in learned] == [(WORKFLOW, "stored")]
    assert (first["run_ids"] > 0, second["run_ids"]) == (True, 0)
    assert shown["missing_stages"] == [LOST]
    assert (shown["verdict"], shown["template_version"], shown["head_seen"]) == ("incomplete", 1, True)
    assert f"missing {LOST}" in world.perflog("show", damaged).stdout
    watermark = json.loads(world.perflog("sweep", "--once", "--json").stdout)["watermarks"]
    assert completeness_by_uid(world) == by_the_core(world, sets_of(world, lines), watermark)


def completeness_by_uid(world: World) -> dict[str, Any]:
    """Return the completeness of all runs by uid."""
    runs = (
        body["perf"]["run"] for doc_ref, body in derived_documents(world).items() if doc_ref[0].startswith("perf-runs-")
    )
    return {run["uid"]: run.get("completeness") for run in runs}


def by_the_core(
    world: World, sets: Mapping[RunKey, Mapping[str, RunMark]], watermarks: Mapping[str, str]
) -> dict[str, Any]:
    """Return the completeness that the core derives for all runs at that watermark, by the stored template."""
    (at,) = watermarks.values()
    (stored,) = Workflows(world.client).stored((world.facility,))
    template = template_in(stored.body)
    completeness: dict[str, Any] = {}
    for run, run_marks in sets.items():
        state = with_marks(RunState(run, watermark_ms=iso_ms(at)), run_marks.values())
        for document in documents(derive(state), world.knowledge.schema, None, {template.workflow: template}):
            if document.index.startswith("perf-runs-"):
                completeness[document.body["perf"]["run"]["uid"]] = document.body["perf"]["run"].get("completeness")
    return completeness


def test_a_late_line_is_judged_anew(world: World) -> None:
    """The run that a worker writes says nothing of it; after the next sweep it says what is so now."""
    world.set_up()
    put(world, 1, "ABC")
    derive_of_new(world, "r", "0 QSTART, 25 WSTART, 40 START A, 120 START C")
    pass_time(world, 2 * HOUR_S)
    sweep(world)
    before = completeness_of(world, "r")
    derive_of_new(world, "r", "90 START B")
    between = completeness_of(world, "r")
    sweep(world)

    assert before is not None
    assert (before["verdict"], before["missing_stages"]) == ("incomplete", ["B"])
    assert between is None
    assert completeness_of(world, "r") == {
        "verdict": "complete", "template_version": 1, "variant": 1, "expected": 3, "seen": 3, "seen_pct": 100,
        "missing": 0, "head_seen": True, "tail_seen": True,
    }  # fmt: skip
    assert sweep(world).states == 0


def test_a_newer_template_judges_what_is_stored_and_an_equal_one_nothing(world: World) -> None:
    """Each settled run by it after one sweep; a second sweep has nothing to do."""
    world.set_up()
    for number in range(5):
        derive_of_new(world, f"r{number}", WHOLE)
    pass_time(world, 2 * HOUR_S)
    assert sweep(world).states == 5
    assert completeness_of(world, "r1") is None

    put(world, 1, "ABC")
    assert sweep(world).states == 5
    assert (completeness_of(world, "r1") or {})["verdict"] == "complete"
    put(world, 2, "ABCD", tail="C")
    assert sweep(world).states == 5
    assert sweep(world).states == 0

    completeness = completeness_of(world, "r1") or {}
    assert (completeness["verdict"], completeness["missing_stages"], completeness["template_version"]) == (
        "incomplete",
        ["D"],
        2,
    )


@pytest.mark.parametrize(
    "text", ["0 QSTART, 9 WSTART, 10 START A, 20 START B", "0 START A, 5 END A, 6 START B, 9 END B"]
)
def test_an_open_run_is_incomplete_only_when_it_is_over(world: World, text: str) -> None:
    """Quiet, or with an END for each stage: open, whatever the template expects; after seven days what is missing."""
    world.set_up()
    put(world, 1, "ABC")
    derive_of_new(world, "r", text)
    seen = []
    for at_s in (60, HOUR_S, 3 * HOUR_S, 6 * DAY_S, 8 * DAY_S):
        pass_time(world, at_s)
        sweep(world)
        seen.append(completeness_of(world, "r"))

    assert seen[:2] == [None, None]
    assert [(completeness or {}).get("verdict") for completeness in seen[2:]] == ["open", "open", "incomplete"]
    assert [(completeness or {}).get("missing_stages") for completeness in seen[2:]] == [None, None, ["C"]]
    assert sweep(world).states == 0


@pytest.mark.parametrize(
    ("nth", "moment"),
    cases(product((1, 2, 3), ("asked", "part", "answered")), [(1, "asked"), (2, "part"), (3, "answered")]),
)
def test_a_sweeper_may_die_while_it_judges(world: World, nth: int, moment: str) -> None:
    """Before the state, before the run, before it is settled: the next sweep writes what is missing."""
    world.set_up()
    derive_of_new(world, "r", "0 QSTART, 25 WSTART, 40 START A, 120 START C")
    pass_time(world, 2 * HOUR_S)
    sweep(world)
    put(world, 1, "ABC")
    dying = worker(world).store
    dying.stumble = Stumble(nth, moment)
    with pytest.raises(Died):
        sweep(world, dying)

    sweep(world)

    assert (completeness_of(world, "r") or {})["missing_stages"] == ["B"]
    assert sweep(world).states == 0


def test_whatever_the_order_of_lines_sweeps_and_templates_the_end_is_the_same(world: World) -> None:
    """Lines in two halves with a sweep and a template in between, by workers that know nothing of each other."""
    world.set_up()
    halves: Iterable[tuple[str, str]] = (
        ("0 QSTART, 40 START A, 90 START B", "25 WSTART, 120 START C"),
        ("120 START C", "0 QSTART, 25 WSTART, 40 START A"),
    )
    for n, (early, late) in enumerate(halves):
        derive_of_new(world, f"first{n}", f"{early}, {late}")
        derive_of_new(world, f"then{n}", early)
    pass_time(world, 2 * HOUR_S)
    put(world, 1, "AB")
    sweep(world)
    for n, (_, late) in enumerate(halves):
        derive_of_new(world, f"then{n}", late)
    put(world, 2, "ABC")
    sweep(world)

    for n in (0, 1):
        assert completeness_of(world, f"first{n}") == completeness_of(world, f"then{n}")
        assert (completeness_of(world, f"first{n}") or {})["template_version"] == 2


def test_the_second_of_two_writers_of_a_template_conflicts(world: World) -> None:
    """The second must have seen the first's: nothing is overwritten unseen."""
    world.set_up()
    workflows = Workflows(world.client)
    body = template_body(StoredTemplate(world.facility, WORKFLOW, 1, BEGIN_MS, Template(())))
    index = f"perf-workflows-{world.facility}"
    first = workflows.create(index, "w", body)

    assert first is not None
    assert workflows.create(index, "w", body) is None
    assert workflows.change(first, body) is not None
    assert workflows.change(first, body) is None
