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
from ingest.edge.elasticsearch import workflows as edge
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
    made = list(messages(Workload(2, 1_600)))
    order = list(dict.fromkeys(each.truth.facts[0].run for each in made))
    whole = {run for run in order if sum(each.truth.facts[0].run == run for each in made) == len(RECIPES[1]) + 2}
    damaged = next(run for run in reversed(order) if run in whole)
    half_ms = sorted(each.at_ms for each in made)[len(made) // 2]
    kept = []
    for each in made:
        (fact,) = each.truth.facts
        if (fact.run, fact.stage) == (damaged, LOST):
            continue
        edited = each.at_ms >= half_ms
        kept.append(each.data.replace(b"GalJob.sh:91:", b"GalJob.sh:97:") if edited else each.data)
    return [damaged.encode() if damaged else b"", *kept]


def facts(found: list[bytes]) -> list[Document]:
    """The marks of these lines."""
    known = shipped(GRAMMARS)
    decoder = Decoder(Intake("test", "t", FACILITY, ("als_perf",), WORKFLOW), known.sources, known.schema)
    return [each for line in found for each in decoder.outcomes(Message(line, RECEIVED_MS, backfill=True), 0).documents]


@pytest.fixture(scope="module")
def damaged() -> str:
    """The run of which a line is lost."""
    return lines()[0].decode()


@pytest.fixture(scope="module")
def world(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Marks and runs of a facility whose runs are closed, and of another one whose only run is still running."""
    made = Stored(stack, tmp_path_factory.mktemp("workflow"), FACILITY)
    made.set_up(partitions=1)
    made.put(facts(lines()[1:]))
    made.put(documents_of(marks_of_lines(lines()[1:], FACILITY), END_MS))
    made.put(documents_of(marks_of_lines(lines()[1:6], OTHER)))
    return made


Caller = Callable[..., Result]


@pytest.fixture
def call(world: Stored) -> Caller:
    """Calls a command in this process."""

    def called(command: click.Command, *words: str, config_file: Path | None = None) -> Result:
        settings = config_file or world.settings_file
        done = CliRunner().invoke(command, words, obj=settings, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done

    return called


def told(call: Caller, *words: str) -> dict[str, Any]:
    """The JSON of a command about this facility."""
    found: dict[str, Any] = json.loads(call(workflow.command, *words, "--facility", FACILITY, "--json").stdout)
    return found


@pytest.fixture
def learned(call: Caller, world: Stored) -> dict[str, Any]:
    """The template, stored anew as the first."""
    kept = Workflows(world.client)
    kept.refresh()
    for each in kept.stored((FACILITY,)):
        world.client.delete(index=each.index, id=each.id, refresh=True)
    (found,) = told(call, "learn")["learned"]
    row: dict[str, Any] = found
    return row


def test_learn_shows_and_stores_and_says_what_it_did(call: Caller, learned: dict[str, Any]) -> None:
    """Three variants in their order, with tails; again: unchanged; from fewer runs: other numbers, the same version."""
    variants = learned["template"]["variants"]

    assert (learned["done"], learned["template"]["version"]) == ("stored", 1)
    assert [[stage["name"] for stage in each["stages"]] for each in variants] == [
        [step.stage for step in recipe] for each in variants for recipe in RECIPES if len(recipe) == len(each["stages"])
    ]
    assert [each["tail"]["by"] for each in variants] == ["start"] * 3
    assert told(call, "learn")["learned"][0]["done"] == "unchanged"
    fewer = told(call, "learn", "--runs", "40")["learned"][0]
    assert (fewer["done"], fewer["template"]["version"], fewer["template"]["runs"]) == ("renewed", 1, 40)


def test_a_dry_run_stores_nothing(call: Caller, learned: dict[str, Any]) -> None:
    """It shows what would be stored, with the version that it would have."""
    shown = told(call, "learn", "--runs", "3", "--dry-run")["learned"][0]

    assert (shown["done"], shown["template"]["version"]) == ("shown", 2)
    assert told(call, "list")["templates"] == [learned["template"]]


def test_what_is_declared_becomes_the_next_version(call: Caller, world: Stored, learned: dict[str, Any]) -> None:
    """Stages of the settings instead of learned ones."""
    path = world.folder / "declared.toml"
    stages = [step.stage for step in RECIPES[0]]
    path.write_text(f"{world.settings_file.read_text()}[workflow.{WORKFLOW}]\nstages = {json.dumps(stages)}\n")
    words = ("learn", "--facility", FACILITY, "--json")

    (found,) = json.loads(call(workflow.command, *words, config_file=path).stdout)["learned"]

    template = found["template"]
    assert (found["done"], template["version"], template["declared"]) == ("stored", 2, True)
    assert [stage["name"] for stage in template["variants"][0]["stages"]] == stages
    assert learned["template"]["version"] == 1


def test_nothing_to_learn_from_is_said_so(call: Caller) -> None:
    """66: of a facility whose runs are all under way, and of a workflow that nobody has."""
    for words in (("--facility", OTHER), ("--workflow", "nobody's", "--facility", FACILITY)):
        with pytest.raises(Problem, match="No run of a workflow is quiet") as caught:
            call(workflow.command, "learn", *words)
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
    assert told(call, "list")["templates"] == [learned["template"]]


def test_show_tells_when_a_script_was_edited(
    call: Caller, learned: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One edit of one script, from line 91 to 97, whatever the size of a page; none since a time behind it."""
    monkeypatch.setattr(edge, "PAGE", 7)
    (found,) = told(call, "show", WORKFLOW)["templates"]
    (change,) = found["script_changes"]
    later = told(call, "show", WORKFLOW, "--since", "2016-03-01")["templates"]
    words = call(workflow.command, "show", WORKFLOW, "--facility", FACILITY).stdout

    assert found["variants"] == learned["template"]["variants"]
    assert (change["script"], change["line_before"], change["line_after"]) == (EDITED, 91, 97)
    assert change["since"] < change["at"]
    assert change["moved"] > 5
    assert later[0]["script_changes"] == []
    assert f"{EDITED}  91 → 97" in words


def judged(world: Stored) -> None:
    """Store the runs as a sweep with the stored template does."""
    workflows = Workflows(world.client)
    workflows.refresh()
    (kept,) = workflows.stored((FACILITY,))
    template = template_in(kept.body)
    templates: Templates = {template.workflow: template}
    found = documents_of(marks_of_lines(lines()[1:], FACILITY), END_MS, templates)
    world.put(each._replace(version=each.version + 8) for each in found)


def test_runs_and_show_say_what_is_missing(
    call: Caller, world: Stored, learned: dict[str, Any], damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of the lost line: by name, in numbers and words, wide and narrow; a whole run: yes."""
    judged(world)
    found = json.loads(call(show.command, damaged, "--facility", FACILITY, "--json").stdout)["completeness"]
    words = call(show.command, damaged, "--facility", FACILITY).stdout
    listed = json.loads(call(runs.command, "--facility", FACILITY, "--json", "--limit", "500").stdout)["runs"]
    wide = {
        row.split()[0]: row
        for row in call(runs.command, "--facility", FACILITY, "--limit", "500").stdout.splitlines()
        if row
    }
    monkeypatch.setattr("ingest.cli.runs.runs.open_console", lambda: Console(highlight=False, width=80))
    narrow = call(runs.command, "--run", damaged, "--facility", FACILITY).stdout

    expected = len(RECIPES[1])
    assert (found["verdict"], found["missing_stages"]) == ("incomplete", [LOST])
    assert (found["expected"], found["seen"], found["seen_pct"]) == (expected, expected - 1, 97)
    said = f"incomplete: {expected - 1} of {expected} stages (97 %); missing {LOST}; its total is no baseline"
    assert f"{said} (template 1, variant {found['variant']})" in words
    verdicts = {each["run"]: (each["completeness"] or {})["verdict"] for each in listed}
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
    shown = call(workflow.command, "show", WORKFLOW, "--facility", FACILITY).stdout

    assert max(map(len, listed.splitlines())) <= columns
    assert WORKFLOW in listed
    assert f"{learned['template']['runs']}" in listed
    for row in shown.splitlines():
        assert len(row.rstrip()) <= columns or row.startswith((WORKFLOW, "variant"))
    assert "ends with the START of SUBMIT_SINO" in shown
    assert shown.count("100 %") > 30


def test_without_elasticsearch_there_is_a_sentence(tmp_path: Path) -> None:
    """69, not a traceback."""
    path = tmp_path / "perflog.toml"
    path.write_text('[elasticsearch]\nurl = "http://127.0.0.1:9"\n')
    for words in (("learn",), ("list",), ("show", "x")):
        done = CliRunner().invoke(workflow.command, words, obj=path, standalone_mode=False)
        assert isinstance(done.exception, Problem)
        assert done.exception.exit_code == 69
