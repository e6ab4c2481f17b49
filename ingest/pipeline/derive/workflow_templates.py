"""Workflow templates: learned from stored runs, stored by compare-and-swap, shown with the edits of their scripts.

No run is judged here: the sweeper judges runs by the newest template (sweeper.py). A template that differs from the
stored one only in seconds and counts keeps its version, so that no run is judged again for nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.config.settings import Settings
from ingest.core.analysis.learning import learn
from ingest.core.analysis.script_changes import ScriptChange, script_changes
from ingest.core.fields import Schema
from ingest.core.ids import digest_id
from ingest.core.runs.completeness import SETTLED
from ingest.core.runs.stored import with_stages
from ingest.core.runs.template import Declared, StoredTemplate, template_body, template_in
from ingest.edge.elasticsearch.client import session
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
    """Which runs to learn from.

    Attributes:
        facilities, workflows: empty = all that have stored runs or declared stages.
        since_ms, until_ms: when the runs began (unix ms); most: at most so many of a workflow, the newest ones.
        now_ms: the time of learning (unix ms).
        store: whether to store the learned templates.
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
    """The result for one workflow.

    Attributes:
        done: stored (runs are judged by it from now on), renewed (other seconds, the same judgement), unchanged, shown
            (not to be stored), overtaken (another process stored one meanwhile), nothing (no run to learn from).
        template: the template; None if there was no run to learn from.
    """

    facility: str
    workflow: str
    done: str
    template: StoredTemplate | None = None


@contextmanager
def _open(settings: Settings) -> Iterator[tuple[RunIndex, Workflows]]:
    with session(settings.elasticsearch) as connected:
        runs, workflows = RunIndex(connected), Workflows(connected)
        runs.refresh()
        workflows.refresh()
        yield runs, workflows


def learn_all(settings: Settings, schema: Schema, request: LearnRequest) -> list[Learned]:
    """Learn the templates of all requested workflows, and store them.

    `Problem`: 69 when Elasticsearch does not answer, 78 when it has no index template for workflows of this schema.
    """
    if request.store:
        demand_template(settings, schema, WORKFLOWS)
    with _open(settings) as (runs, workflows):
        facilities = request.facilities or tuple(sorted(runs.newest_line_ms()))
        return [
            _learned(settings, schema, request, WorkflowKey(facility, workflow), (runs, workflows))
            for facility in facilities
            for workflow in request.workflows or _names(settings, workflows, facility)
        ]


@dataclass(frozen=True, slots=True)
class WorkflowKey:
    """A workflow of a facility."""

    facility: str
    workflow: str


def _names(settings: Settings, workflows: Workflows, facility: str) -> list[str]:
    own = {intake.workflow for intake in settings.intakes.values() if intake.facility == facility}
    declared = {name for name, workflow in settings.workflows.items() if workflow.declared != Declared()}
    return sorted({*workflows.names(facility), *(declared & own)})


def _learned(
    settings: Settings, schema: Schema, request: LearnRequest, key: WorkflowKey, stores: tuple[RunIndex, Workflows]
) -> Learned:
    runs, workflows = stores
    settled = RunQuery(
        (key.facility,), (key.workflow,), states=SETTLED, since_ms=request.since_ms, until_ms=request.until_ms
    )
    newest = runs.newest(settled, request.most)
    template = learn(with_stages(newest, runs.stages_of(newest)), settings.workflow(key.workflow).declared)
    if template is None:
        return Learned(key.facility, key.workflow, NOTHING)
    before = next(iter(workflows.stored((key.facility,), (key.workflow,))), None)
    stored_template = template_in(before.body) if before else None
    same_rules = stored_template is not None and stored_template.template.judges_as(template)
    version = 1 if stored_template is None else stored_template.version + (not same_rules)
    learned = StoredTemplate(key.facility, key.workflow, version, request.now_ms, template)
    if stored_template is not None and stored_template.template == template:
        return Learned(key.facility, key.workflow, UNCHANGED, stored_template)
    if not request.store:
        return Learned(key.facility, key.workflow, SHOWN, learned)
    done = RENEWED if same_rules else STORED
    is_stored = _put(workflows, schema, learned, before)
    return Learned(key.facility, key.workflow, done if is_stored else OVERTAKEN, learned)


def _put(workflows: Workflows, schema: Schema, template: StoredTemplate, before: CurrentDocument | None) -> bool:
    """Store a template; returns False if another process stored one since `before` was read."""
    body = template_body(template)
    if before is not None:
        return workflows.change(before, body) is not None
    index = schema.index(WORKFLOWS, template.facility)
    return workflows.create(index, digest_id(template.workflow.encode()), body) is not None


def stored(
    settings: Settings, facilities: tuple[str, ...] = (), workflows: tuple[str, ...] = ()
) -> list[StoredTemplate]:
    """The stored templates, sorted by facility and workflow."""
    with _open(settings) as (_, stored_workflows):
        templates = [template_in(document.body) for document in stored_workflows.stored(facilities, workflows)]
    return sorted(templates, key=lambda template: (template.facility, template.workflow))


def edits(
    settings: Settings, shown: list[StoredTemplate], since_ms: int | None
) -> Mapping[WorkflowKey, list[ScriptChange]]:
    """The edits of each workflow's scripts since `since_ms`; None = since the first run the template is based on."""
    changes = {}
    with _open(settings) as (_, workflows):
        for template in shown:
            first_ms = template.template.first_ms if since_ms is None else since_ms
            runs = RunQuery((template.facility,), (template.workflow,), since_ms=first_ms)
            changes[WorkflowKey(template.facility, template.workflow)] = script_changes(workflows.spells(runs))
    return changes
