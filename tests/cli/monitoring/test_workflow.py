"""`perflog workflow`, as a user calls it, and what `perflog runs` and `perflog show` say of complete runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from ingest.cli.monitoring import workflow
from ingest.cli.runs import runs, show
from ingest.core.decode.decoder import Decoder
from ingest.core.model import Document, Intake, Message, Problem
from ingest.core.runs.template import Templates, template_in
from ingest.edge.elasticsearch import search
from ingest.edge.elasticsearch.workflows import Workflows
from ingest.edge.local.stack import Running
from ingest.pipeline.derive import workflow_templates as learning
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Workload
from ingest.synthetic.workload.workflow_model import RECIPES
from tests.core.conftest import GRAMMARS
from tests.support.derived import RECEIVED_MS, documents_of, marks_of_lines, shipped
from tests.support.stored import Stored

FACILITY = f"wf{os.getpid()}"
OTHER = f"wfother{os.getpid()}"
WORKFLOW = "als-tomography"
LOST = "SUBMIT_H5-gridrec"
END_MS = 1_470_000_000_000
EDITED = "submitSuperGalJob.sh"

pytestmark = pytest.mark.stack


def lines() -> list[bytes]:
    """Sixty runs; of the last one a line is lost; from the middle on one script prints from another line."""
    generated = list(messages(Workload(2, 1_600)))
    order = list(dict.fromkeys(message.truth.facts[0].run for message in generated))
    whole = {
        run for run in order if sum(message.truth.facts[0].run == run for message in generated) == len(RECIPES[1]) + 2
    }
    damaged = next(run for run in reversed(order) if run in whole)
    half_ms = sorted(message.at_ms for message in generated)[len(generated) // 2]
    sent_lines = []
    for message in generated:
        (fact,) = message.truth.facts
        if (fact.run, fact.stage) == (damaged, LOST):
            continue
        edited = message.at_ms >= half_ms
        sent_lines.append(message.data.replace(b"GalJob.sh:91:", b"GalJob.sh:97:") if edited else message.data)
    return [damaged.encode() if damaged else b"", *sent_lines]


def facts(sent_lines: list[bytes]) -> list[Document]:
    """The marks of these lines."""
    registry = shipped(GRAMMARS)
    decoder = Decoder(Intake("test", "t", FACILITY, ("als_perf",), WORKFLOW), registry.sources, registry.schema)
    return [
        document
        for line in sent_lines
        for document in decoder.decode(Message(line, RECEIVED_MS, backfill=True), 0).documents
    ]


@pytest.fixture(scope="module")
def damaged() -> str:
    """The run of which a line is lost."""
    return lines()[0].decode()


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Marks and runs of a facility whose runs are closed, and of another one whose only run is still running."""
    stored = Stored(stack, tmp_path_factory.mktemp("workflow"), FACILITY)
    stored.set_up(partitions=1)
    stored.put(facts(lines()[1:]))
    stored.put(documents_of(marks_of_lines(lines()[1:], FACILITY), END_MS))
    stored.put(documents_of(marks_of_lines(lines()[1:6], OTHER)))
    return stored


Caller = Callable[..., Result]


@pytest.fixture
def call(world: Stored) -> Caller:
    """Calls a command in this process."""

    def run(command: click.Command, *words: str, config_file: Path | None = None) -> Result:
        settings = config_file or world.settings_file
        result = CliRunner().invoke(command, words, obj=settings, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result

    return run


def read_json(call: Caller, *words: str) -> dict[str, Any]:
    """The JSON of a command about this facility."""
    answer_json: dict[str, Any] = json.loads(call(workflow.command, *words, "--facility", FACILITY, "--json").stdout)
    return answer_json


@pytest.fixture
def learned(call: Caller, world: Stored) -> dict[str, Any]:
    """The template, stored anew as the first."""
    workflows = Workflows(world.client)
    workflows.refresh()
    for stored_template in workflows.stored((FACILITY,)):
        world.client.delete(index=stored_template.index, id=stored_template.id, refresh=True)
    (result,) = read_json(call, "learn")["learned"]
    learned_template: dict[str, Any] = result
    return learned_template


def test_learn_shows_and_stores_a_template(call: Caller, learned: dict[str, Any]) -> None:
    """Three variants in their order, with tails; again: unchanged; from fewer runs: other numbers, the same version."""
    variants = learned["template"]["variants"]

    assert (learned["done"], learned["template"]["version"]) == ("stored", 1)
    assert [[stage["name"] for stage in variant["stages"]] for variant in variants] == [
        [step.stage for step in recipe]
        for variant in variants
        for recipe in RECIPES
        if len(recipe) == len(variant["stages"])
    ]
    assert [variant["tail"]["by"] for variant in variants] == ["start"] * 3
    assert read_json(call, "learn")["learned"][0]["done"] == "unchanged"
    fewer = read_json(call, "learn", "--runs", "40")["learned"][0]
    assert (fewer["done"], fewer["template"]["version"], fewer["template"]["runs"]) == ("renewed", 1, 40)


def test_a_dry_run_stores_nothing(call: Caller, learned: dict[str, Any]) -> None:
    """It shows the template that it would store, with its version."""
    preview = read_json(call, "learn", "--runs", "3", "--dry-run")["learned"][0]

    assert (preview["done"], preview["template"]["version"]) == ("shown", 2)
    assert read_json(call, "list")["templates"] == [learned["template"]]


def test_declared_stages_become_the_next_version(call: Caller, world: Stored, learned: dict[str, Any]) -> None:
    """Stages of the settings instead of learned ones."""
    path = world.folder / "declared.toml"
    stages = [step.stage for step in RECIPES[0]]
    path.write_text(f"{world.settings_file.read_text()}[workflow.{WORKFLOW}]\nstages = {json.dumps(stages)}\n")
    arguments = ("learn", "--facility", FACILITY, "--json")

    (result,) = json.loads(call(workflow.command, *arguments, config_file=path).stdout)["learned"]

    template = result["template"]
    assert (result["done"], template["version"], template["declared"]) == ("stored", 2, True)
    assert [stage["name"] for stage in template["variants"][0]["stages"]] == stages
    assert learned["template"]["version"] == 1


def test_learn_without_quiet_runs_fails(call: Caller) -> None:
    """Exit code 66 for a facility whose runs are all open, and for an unknown workflow."""
    for arguments in (("--facility", OTHER), ("--workflow", "nobody's", "--facility", FACILITY)):
        with pytest.raises(Problem, match="No run of a workflow is quiet") as caught:
            call(workflow.command, "learn", *arguments)
        assert caught.value.exit_code == 66
    with pytest.raises(Problem, match="no template of a workflow") as caught:
        call(workflow.command, "show", "nobody's")
    assert caught.value.exit_code == 66


def test_somebody_else_is_faster(call: Caller, learned: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """75, and his stays."""
    monkeypatch.setattr(learning, "_put", lambda *_: None)

    with pytest.raises(Problem, match="Somebody else stored a template") as caught:
        call(workflow.command, "learn", "--facility", FACILITY, "--runs", "40")

    assert caught.value.exit_code == 75
    assert read_json(call, "list")["templates"] == [learned["template"]]


def test_show_marks_the_edit_of_a_script(
    call: Caller, learned: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One edit of one script, from line 91 to 97, whatever the size of a page; none since a time behind it."""
    monkeypatch.setattr(search, "BUCKETS", 7)
    (template,) = read_json(call, "show", WORKFLOW)["templates"]
    (change,) = template["script_changes"]
    later = read_json(call, "show", WORKFLOW, "--since", "2016-03-01")["templates"]
    text = call(workflow.command, "show", WORKFLOW, "--facility", FACILITY).stdout

    assert template["variants"] == learned["template"]["variants"]
    assert (change["script"], change["line_before"], change["line_after"]) == (EDITED, 91, 97)
    assert change["since"] < change["at"]
    assert change["moved"] > 5
    assert later[0]["script_changes"] == []
    assert f"{EDITED}  91 → 97" in text


def judge_runs(world: Stored) -> None:
    """Store the runs as a sweep with the stored template does."""
    workflows = Workflows(world.client)
    workflows.refresh()
    (stored_template,) = workflows.stored((FACILITY,))
    template = template_in(stored_template.body)
    templates: Templates = {template.workflow: template}
    documents = documents_of(marks_of_lines(lines()[1:], FACILITY), END_MS, templates)
    world.put(document._replace(version=document.version + 8) for document in documents)


def test_runs_and_show_name_missing_stages(
    call: Caller, world: Stored, learned: dict[str, Any], damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of the lost line: by name, in numbers and words, wide and narrow; a whole run: yes."""
    judge_runs(world)
    completeness = json.loads(call(show.command, damaged, "--facility", FACILITY, "--json").stdout)["completeness"]
    text = call(show.command, damaged, "--facility", FACILITY).stdout
    listed = json.loads(call(runs.command, "--facility", FACILITY, "--json", "--limit", "500").stdout)["runs"]
    wide = {
        line.split()[0]: line
        for line in call(runs.command, "--facility", FACILITY, "--limit", "500").stdout.splitlines()
        if line
    }
    monkeypatch.setattr("ingest.cli.runs.runs.open_console", lambda: Console(highlight=False, width=80))
    narrow = call(runs.command, "--run", damaged, "--facility", FACILITY).stdout

    expected = len(RECIPES[1])
    assert (completeness["verdict"], completeness["missing_stages"]) == ("incomplete", [LOST])
    assert (completeness["expected"], completeness["seen"], completeness["seen_pct"]) == (expected, expected - 1, 97)
    sentence = f"incomplete: {expected - 1} of {expected} stages (97 %); missing {LOST}; its total is no baseline"
    assert f"{sentence} (template 1, variant {completeness['variant']})" in text
    verdicts = {run["run"]: (run["completeness"] or {})["verdict"] for run in listed}
    assert [run for run, verdict in verdicts.items() if verdict == "incomplete"][-1:] == [damaged]
    assert f"no {expected - 1}/{expected}" in wide[damaged]
    assert "1 stage " in wide[damaged]
    whole = next(run for run, verdict in verdicts.items() if verdict == "complete")
    assert " yes " in wide[whole]
    assert f"complete: no {expected - 1}/{expected}; 1 stage not seen" in " ".join(narrow.split())
    assert max(map(len, narrow.splitlines())) <= 80


@pytest.mark.parametrize("columns", [80, 200])
def test_templates_fit_the_terminal(
    call: Caller, learned: dict[str, Any], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """List and show: no table is wider, the numbers are there."""
    monkeypatch.setattr("ingest.cli.monitoring.workflow.open_console", lambda: Console(highlight=False, width=columns))
    listed = call(workflow.command, "list", "--facility", FACILITY).stdout
    whole = call(workflow.command, "show", WORKFLOW, "--facility", FACILITY).stdout

    assert max(map(len, listed.splitlines())) <= columns
    assert WORKFLOW in listed
    assert f"{learned['template']['runs']}" in listed
    for line in whole.splitlines():
        assert len(line.rstrip()) <= columns or line.startswith((WORKFLOW, "variant"))
    assert "ends with the START of SUBMIT_SINO" in whole
    assert whole.count("100 %") > 30


def test_without_elasticsearch_the_error_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 69 and no traceback."""
    path = tmp_path / "perflog.toml"
    path.write_text('[elasticsearch]\nurl = "http://127.0.0.1:9"\n')
    for arguments in (("learn",), ("list",), ("show", "x")):
        result = CliRunner().invoke(workflow.command, arguments, obj=path, standalone_mode=False)
        assert isinstance(result.exception, Problem)
        assert result.exception.exit_code == 69
