"""Templates of workflows: learned from stored runs, stored by compare-and-swap, shown with the edits of their scripts.

Nothing is judged here: the sweeper judges by the newest template, run by run (sweeper.py). A template that differs
from the stored one only in seconds and counts keeps its version, so that no run is judged anew for nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.config.settings import Settings
from ingest.core.analysis.learning import learn
from ingest.core.analysis.script_changes import ScriptChange, script_changes
from ingest.core.fields import Schema
from ingest.core.ids import digest_id, index_name
from ingest.core.runs.completeness import SETTLED
from ingest.core.runs.stored import with_stages
from ingest.core.runs.template import StoredTemplate, template_body, template_in
from ingest.edge.elasticsearch.client import client, raising_problems
from ingest.edge.elasticsearch.documents import CurrentDocument
from ingest.edge.elasticsearch.runs import RunIndex, RunQuery
from ingest.edge.elasticsearch.workflows import Workflows
from ingest.pipeline.preflight import demand_template

WORKFLOWS = "workflows"
STORED, RENEWED, UNCHANGED, SHOWN, OVERTAKEN, NOTHING = (
    "stored", "renewed", "unchanged", "shown", "overtaken", "nothing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """From which runs is to be learned.

    Attributes:
        facilities, workflows: none = all of which runs are stored or stages are declared.
        since_ms, until_ms: when the runs began (unix ms); most: so many of a workflow, those that began last.
        now_ms: when that is (unix ms).
        store: whether to keep what was learned.
    """

    facilities: tuple[str, ...]
    workflows: tuple[str, ...]
    since_ms: int | None
    until_ms: int | None
    most: int
    now_ms: int
    store: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a workflow.

    Attributes:
        done: stored (runs are judged by it from now on), renewed (other seconds, the same judgement), unchanged, shown
            (nothing was to be stored), overtaken (somebody else stored one meanwhile), nothing (no run to learn from).
        found: None where there is nothing to learn from.
    """

    facility: str
    workflow: str
    done: str
    found: StoredTemplate | None = None


@contextmanager
def _open(settings: Settings) -> Iterator[tuple[RunIndex, Workflows]]:
    connected = client(settings.elasticsearch)
    with raising_problems(settings.elasticsearch):
        try:
            runs, workflows = RunIndex(connected), Workflows(connected)
            runs.refresh()
            workflows.refresh()
            yield runs, workflows
        finally:
            connected.close()


def learn_all(settings: Settings, schema: Schema, asked: LearnRequest) -> list[Learned]:
    """Learn the templates of all workflows that were asked for, and store them.

    `Problem`: 69 when Elasticsearch does not answer, 78 when it has no index template for workflows of this schema.
    """
    if asked.store:
        demand_template(settings, schema, WORKFLOWS)
    with _open(settings) as (runs, workflows):
        facilities = asked.facilities or tuple(sorted(runs.newest_line_ms()))
        return [
            _learned(settings, asked, WorkflowKey(facility, workflow), (runs, workflows))
            for facility in facilities
            for workflow in asked.workflows or _names(settings, workflows, facility)
        ]


@dataclass(frozen=True, slots=True)
class WorkflowKey:
    """A workflow of a facility."""

    facility: str
    workflow: str


def _names(settings: Settings, workflows: Workflows, facility: str) -> list[str]:
    own = {intake.workflow for intake in settings.intakes.values() if intake.facility == facility}
    return sorted({*workflows.names(facility), *(name for name in settings.declared if name in own)})


def _learned(
    settings: Settings, asked: LearnRequest, place: WorkflowKey, stores: tuple[RunIndex, Workflows]
) -> Learned:
    runs, workflows = stores
    wanted = RunQuery(
        (place.facility,), (place.workflow,), states=SETTLED, since_ms=asked.since_ms, until_ms=asked.until_ms
    )
    newest = runs.newest(wanted, asked.most)
    template = learn(with_stages(newest, runs.stages_of(newest)), settings.declared.get(place.workflow))
    if template is None:
        return Learned(place.facility, place.workflow, NOTHING)
    before = next(iter(workflows.stored((place.facility,), (place.workflow,))), None)
    known = template_in(before.body) if before else None
    same = known is not None and known.template.judges_as(template)
    version = 1 if known is None else known.version + (not same)
    found = StoredTemplate(place.facility, place.workflow, version, asked.now_ms, template)
    if known is not None and known.template == template:
        return Learned(place.facility, place.workflow, UNCHANGED, known)
    if not asked.store:
        return Learned(place.facility, place.workflow, SHOWN, found)
    done = RENEWED if same else STORED
    return Learned(place.facility, place.workflow, done if _put(workflows, found, before) else OVERTAKEN, found)


def _put(workflows: Workflows, found: StoredTemplate, before: CurrentDocument | None) -> CurrentDocument | None:
    body = template_body(found)
    if before is not None:
        return workflows.change(before, body)
    index = index_name(WORKFLOWS, found.facility, "none", 0)
    return workflows.create(index, digest_id(found.workflow.encode()), body)


def stored(
    settings: Settings, facilities: tuple[str, ...] = (), workflows: tuple[str, ...] = ()
) -> list[StoredTemplate]:
    """The stored templates, by facility and workflow."""
    with _open(settings) as (_, kept):
        found = [template_in(each.body) for each in kept.stored(facilities, workflows)]
    return sorted(found, key=lambda each: (each.facility, each.workflow))


def edits(
    settings: Settings, shown: list[StoredTemplate], since_ms: int | None
) -> Mapping[WorkflowKey, list[ScriptChange]]:
    """The edits of each workflow's scripts since then; None: since the first run that it was learned from."""
    found = {}
    with _open(settings) as (_, workflows):
        for each in shown:
            first_ms = each.template.first_ms if since_ms is None else since_ms
            wanted = RunQuery((each.facility,), (each.workflow,), since_ms=first_ms)
            found[WorkflowKey(each.facility, each.workflow)] = script_changes(workflows.spells(wanted))
    return found
