"""`perflog workflow`: learns, lists and shows the templates that runs are compared with."""

from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.monitoring.workflow_json import change_to_json, template_to_json
from ingest.cli.monitoring.workflow_text import show_learned, show_templates, show_whole
from ingest.cli.options import parse_moment, parse_period, with_options
from ingest.config.load import load_settings
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Problem
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.query import MOST
from ingest.pipeline.derive.workflow_templates import (
    NOTHING,
    OVERTAKEN,
    LearnRequest,
    WorkflowKey,
    edits,
    learn_all,
    stored,
)

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
_facility = click.option("--facility", "facilities", multiple=True, help="Only of this facility; repeatable.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowLearnOptions:
    """The runs that `perflog workflow learn` learns from, and whether the template is stored."""

    facilities: tuple[str, ...]
    workflows: tuple[str, ...]
    since: str | None
    until: str | None
    most: int
    dry_run: bool
    as_json: bool


@click.group("workflow")
def command() -> None:
    """Templates of workflows: which stages a run goes through, how long each usually takes, how runs end.

    Each sweep (`perflog run`, `perflog sweep`) compares the settled runs with them: complete, or what is missing.
    """


@command.command()
@_facility
@click.option("--workflow", "workflows", multiple=True, help="Only this workflow; repeatable.")
@click.option("--since", help="From runs that began since then: 90d, or ISO 8601.")
@click.option("--until", help="From runs that began before then, in the same form.")
@click.option(
    "--runs",
    "most",
    type=click.IntRange(1, MOST),
    default=500,
    show_default=True,
    help="From at most this many runs, the newest ones.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be stored, store nothing.")
@_json
@with_options(WorkflowLearnOptions)
def learn(settings_path: Path | None, options: WorkflowLearnOptions) -> None:
    """Learn the template of each workflow from the stored runs, show it and store it.

    Whatever `[workflow.NAME]` of the settings declares (stages, tail, head) is used as it is. If the new template
    judges differently from the one before, the next sweep judges all settled runs again. Exit code 66: no run to learn
    from.
    """
    settings = load_settings(settings_path)
    now = now_ms()
    since_ms, until_ms = parse_period(options.since, options.until, now)
    request = LearnRequest(
        options.facilities, options.workflows, since_ms, until_ms, options.most, now, not options.dry_run
    )
    learned = learn_all(settings, load_schema(settings.grammars / "fields.toml"), request)
    if not [result for result in learned if result.done != NOTHING]:
        raise Problem(
            "No run of a workflow is quiet or closed yet.", "`perflog runs` lists the stored runs.", ExitCode.NO_INPUT
        )
    if options.as_json:
        learned_templates = [
            {"facility": result.facility, "workflow": result.workflow, "done": result.done}
            | {"template": None if result.template is None else template_to_json(result.template)}
            for result in learned
        ]
        echo_json({"learned": learned_templates})
    else:
        show_learned(learned, open_console())
    if any(result.done == OVERTAKEN for result in learned):
        raise Problem(
            "Somebody else stored a template meanwhile.", "Look at it with `perflog workflow show`.", ExitCode.TEMPORARY
        )


@command.command("list")
@_facility
@_json
@click.pass_obj
def list_(settings_path: Path | None, /, facilities: tuple[str, ...], as_json: bool) -> None:
    """List the stored templates."""
    templates = stored(load_settings(settings_path), facilities)
    if as_json:
        echo_json({"templates": [template_to_json(template) for template in templates]})
    else:
        show_templates(templates, open_console())


@command.command()
@click.argument("workflow")
@_facility
@click.option("--since", help="Show edits of scripts since then.  [default: the first run it was learned from]")
@_json
@click.pass_obj
def show(
    settings_path: Path | None, /, workflow: str, facilities: tuple[str, ...], since: str | None, as_json: bool
) -> None:
    """Show the template of WORKFLOW: its variants, their stages, and when its scripts were edited.

    Edits of scripts are detected by the line numbers that they print from. Exit code 66: there is no template.
    """
    settings = load_settings(settings_path)
    templates = stored(settings, facilities, (workflow,))
    if not templates:
        raise Problem(
            f"There is no template of a workflow {workflow}.", "`perflog workflow learn` makes one.", ExitCode.NO_INPUT
        )
    changes = edits(settings, templates, parse_moment("--since", since, now_ms()))
    with_edits = [(template, changes[WorkflowKey(template.facility, template.workflow)]) for template in templates]
    if as_json:
        whole_templates = [
            template_to_json(template) | {"script_changes": [change_to_json(change) for change in own]}
            for template, own in with_edits
        ]
        echo_json({"templates": whole_templates})
    else:
        show_whole(with_edits, open_console())
