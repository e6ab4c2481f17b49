"""`perflog alerts` on the real node: nothing can be said of the sample; a slowed stage fires once, with its numbers."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingest.cli.monitoring import alerts
from ingest.core.model import Problem
from ingest.core.runs.derive import DerivedDocument
from ingest.core.runs.stored import stage_from
from ingest.core.timestamps import iso, iso_ms
from ingest.edge.elasticsearch.alerts import Alerts
from ingest.edge.errors import Unavailable
from ingest.edge.local.stack import Running
from ingest.edge.notify import LogNotifier
from ingest.edge.ports import Notice
from ingest.pipeline.alerts.evaluate import AlertsReport, EvaluateRequest, evaluate, load_rules
from ingest.synthetic.workload.truth import Slowed, Workload
from tests.core.conftest import GRAMMARS
from tests.support.derived import documents_of, marks_of, marks_of_sample, shipped
from tests.support.incidents import RULES
from tests.support.stored import Stored

DAY_MS = 86_400_000
STAGE = "SUBMIT_NORM"
pytestmark = pytest.mark.stack
MakeStored = Callable[[str], Stored]


@pytest.fixture(scope="module")
def make_stored(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> MakeStored:
    """A facility of its own for each name."""

    def make(name: str) -> Stored:
        facility = f"{name}{os.getpid()}"
        stored = Stored(stack, tmp_path_factory.mktemp(facility), facility)
        stored.set_up(partitions=1)
        return stored

    return make


def workload() -> Workload:
    """Ten days of steady runs; on the last one a stage takes four times as long."""
    slowed = (Slowed(STAGE, 4, Workload().start_ms + 9 * DAY_MS),)
    return Workload(3, 2000, ("als",), span_s=10 * 86_400.0, slowed=slowed, steady=True)


@lru_cache
def stage_documents(planned: Workload) -> list[DerivedDocument]:
    """What is written of a workload."""
    return documents_of(marks_of(planned))


def put(world: Stored, planned: Workload) -> None:
    """Store a workload as this facility's."""
    own = []
    for document in stage_documents(planned):
        json = document.json.replace('"als"', f'"{world.facility}"')
        own.append(document._replace(index=document.index.replace("-als", f"-{world.facility}", 1), json=json))
    world.put(own)


@pytest.fixture(scope="module")
def slowed(make_stored: MakeStored) -> Stored:
    """A facility in which one stage became slow."""
    stored = make_stored("slowed")
    put(stored, workload())
    return stored


def call(world: Stored, *arguments: str) -> Result:
    """The command in this process, of this facility alone."""
    arguments = (arguments[0], "--facility", world.facility, *arguments[1:])
    done = CliRunner().invoke(alerts.command, arguments, obj=world.settings_file, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def evaluate_once(world: Stored, *arguments: str) -> dict[str, Any]:
    """The report of `run --once --json` for the only rule and facility, with its notices."""
    report = json.loads(call(world, "run", "--once", "--json", *arguments).stdout)
    (evaluated,) = report["evaluated"]
    return {**evaluated, "told": report["told"]}


def list_incidents(world: Stored, *arguments: str) -> list[dict[str, Any]]:
    """What `list --json` says."""
    listed: list[dict[str, Any]] = json.loads(call(world, "list", "--json", *arguments).stdout)["incidents"]
    return listed


def test_on_the_sample_it_is_insufficient_for_every_stage(make_stored: MakeStored) -> None:
    """33 stages, none judged, which is not ok; nothing fires, nothing is written."""
    world = make_stored("alsample")
    world.put(documents_of(marks_of_sample(world.facility)))
    report = evaluate_once(world)

    assert report["counts"] == {"insufficient": 33}
    assert max(stage["n"] for stage in report["stages"]) <= 5
    assert (report["incidents"], report["told"], list_incidents(world)) == ([], [], [])
    assert report["now"] == "2016-02-06T18:49:25Z"
    words = call(world, "run", "--once", "--stages").stdout
    assert "33 insufficient: fewer than 8 like it within 28 days before" in words
    assert sum(line.startswith("insufficient ") for line in words.splitlines()) == 33
    assert "Nothing new to tell." in words


def test_a_slowed_stage_fires_once_and_no_other(slowed: Stored) -> None:
    """One incident with run, duration, bound, baseline; the log has it once, however often it is evaluated."""
    first = evaluate_once(slowed)
    again = evaluate_once(slowed)
    once_more = call(slowed, "run", "--once").stdout
    (listed,) = list_incidents(slowed)

    assert [notice["what"] for notice in first["told"]] == ["fired"]
    assert again["told"] == []
    assert "Nothing new to tell." in once_more
    assert first["incidents"] == again["incidents"]
    assert listed["id"] == first["incidents"][0]["id"]
    assert (listed["first"]["stage"], listed["state"], listed["duration_kind"]) == (STAGE, "firing", "upper")
    assert (listed["facility"], listed["workflow"]) == (slowed.facility, "als-tomography")
    assert_numbers(listed)
    assert listed["message"] == first["told"][0]["text"]
    count = slowed.client.count(index=f"perf-alerts-{slowed.facility}-2016")["count"]
    assert count == 1


def assert_numbers(listed: dict[str, Any]) -> None:
    """The evidence is the documents': the first slow one, beyond its bound, against those before it."""
    begin_ms = workload().start_ms
    documents = stage_documents(workload())
    stages = sorted(
        (s for d in documents if "stages" in d.index and (s := stage_from(d.id, d.body)).name == STAGE),
        key=lambda stage: stage.start_ms,
    )
    slow = [stage for stage in stages if stage.start_ms >= begin_ms + 9 * DAY_MS and stage.closed_ms]
    usual_s = [stage.duration_s or 0 for stage in stages if stage.start_ms < begin_ms + 9 * DAY_MS]
    first = listed["first"]

    assert (first["run"], first["took_s"]) == (slow[0].run, slow[0].duration_s)
    assert first["took_s"] > first["threshold_s"] >= max(usual_s)
    assert first["baseline"]["n"] == len(usual_s) <= 50
    assert min(usual_s) <= first["baseline"]["median_s"] <= max(usual_s)
    assert first["baseline"]["to"] < first["start"]
    assert listed["slow"] == len(slow)
    assert listed["worst"]["took_s"] == max(stage.duration_s or 0 for stage in slow)


def test_an_incident_that_is_over_is_closed_with_one_notice(make_stored: MakeStored) -> None:
    """Evaluated every four hours of a day that begins slow and ends as usual: fired, worse, closed; nothing twice."""
    world = make_stored("over")
    begin_ms = Workload().start_ms
    day = Slowed(STAGE, 4, begin_ms + 9 * DAY_MS), Slowed(STAGE, 0.25, round(begin_ms + 9.5 * DAY_MS))
    put(world, replace(workload(), slowed=day))
    notices = []
    for hour in range(0, 25, 4):
        now = iso(begin_ms + 9 * DAY_MS + hour * 3_600_000)
        notices += [(notice["what"], notice["id"]) for notice in evaluate_once(world, "--now", now)["told"]]
    kinds = [kind for kind, _ in notices]

    assert (kinds[0], kinds[-1]) == ("fired", "closed")
    assert (kinds.count("fired"), kinds.count("closed")) == (1, 1)
    assert len({doc_id for _, doc_id in notices}) == 1
    assert evaluate_once(world)["told"] == []
    (listed,) = list_incidents(world)
    assert (listed["state"], listed["closed_by"], listed["told"]) == ("closed", "over", "closed")
    assert list_incidents(world, "--state", "firing") == []
    assert "closed (over)" in call(world, "list").stdout


def test_a_span_is_counted_back_from_the_time_that_is_judged(make_stored: MakeStored) -> None:
    """--since 2d means two days before the newest line or --now, however long ago that is; a date means itself."""
    world = make_stored("spans")
    put(world, workload())
    two = evaluate_once(world, "--since", "2d", "--now", "2016-02-12T00:00:00Z")
    newest = evaluate_once(world, "--since", "2d")
    dated = evaluate_once(world, "--since", "2016-02-14")

    assert (two["since"], two["now"]) == ("2016-02-10T00:00:00Z", "2016-02-12T00:00:00Z")
    assert iso_ms(newest["now"]) - iso_ms(newest["since"]) == 2 * DAY_MS
    assert (dated["since"], dated["now"]) == ("2016-02-14T00:00:00Z", newest["now"])
    assert two["counts"]["ok"] > 0
    assert two["incidents"] == []


class FailingOnce:
    """A notifier that fails the first time; then it collects the notices."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.fails = True

    def tell(self, notice: Notice) -> None:
        """Fail once."""
        if self.fails:
            self.fails = False
            raise Unavailable("nobody listens")
        self.notices.append(notice)


def test_an_incident_without_a_notice_gets_one_at_the_next_evaluation(make_stored: MakeStored) -> None:
    """A crash between the incident and the message: the incident is there, the message comes later, once."""
    world = make_stored("deaf")
    put(world, workload())
    rules, schema = load_rules(RULES), shipped(GRAMMARS).schema
    notifier, request = FailingOnce(), EvaluateRequest((world.facility,))

    with pytest.raises(Unavailable):
        evaluate(world.settings, schema, rules, request, notifier)
    (unnotified,) = list_incidents(world)
    for _ in range(2):
        evaluate(world.settings, schema, rules, request, notifier)

    assert unnotified["told"] is None
    assert [notice.what for notice in notifier.notices] == ["fired"]
    assert [incident["told"] for incident in list_incidents(world)] == ["critical chronic"]


def test_of_two_who_write_at_once_one_is_first(make_stored: MakeStored) -> None:
    """Create stores it once; a change of an outdated document is refused."""
    world = make_stored("cas")
    stored_alerts = Alerts(world.client)
    index, doc_id = f"perf-alerts-{world.facility}-2017", "twice"
    body = {"@timestamp": "2017-01-01T00:00:00Z", "perf": {"facility": world.facility, "alert": {"rule": "X9"}}}
    first, second = stored_alerts.create(index, doc_id, body), stored_alerts.create(index, doc_id, body)
    assert first is not None
    changed, late = stored_alerts.change(first, body), stored_alerts.change(first, body)

    assert (second, late) == (None, None)
    assert changed is not None
    assert changed.seq_no > first.seq_no


def test_two_evaluations_at_once_make_one_incident(make_stored: MakeStored) -> None:
    """Four threads: one document, fired at least once and by those only who wrote it."""
    world = make_stored("racing")
    put(world, workload())
    rules, schema = load_rules(RULES), shipped(GRAMMARS).schema

    def evaluation(_: int) -> AlertsReport:
        return evaluate(world.settings, schema, rules, EvaluateRequest((world.facility,)), LogNotifier())

    with ThreadPoolExecutor(4) as four:
        reports = list(four.map(evaluation, range(4)))

    assert len(list_incidents(world)) == 1
    assert {notice.what for report in reports for notice in report.notices} == {"fired"}
    assert evaluation(0).notices == []


def test_as_a_process_it_logs_its_notices(make_stored: MakeStored) -> None:
    """One line to standard error: what, the sentence, what it means, the id; the table to standard output."""
    world = make_stored("logged")
    put(world, workload())
    first = world.perflog("alerts", "run", "--once", "--facility", world.facility)
    second = world.perflog("alerts", "run", "--once", "--facility", world.facility)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    (line,) = first.stderr.splitlines()
    assert f" ERROR fired: A1 stage slow (critical chronic): {STAGE} of {world.facility}/als-tomography took ≤ " in line
    assert "Look at its run (`perflog show`)" in line
    assert second.stderr == ""
    assert "1 incident firing" in second.stdout


def test_slips_have_sentences(slowed: Stored, tmp_path: Path) -> None:
    """--once is needed so far (64); a broken rule (78), a missing file (78), an unset template (78), no server (69)."""
    broken = tmp_path / "rules.toml"
    broken.write_text(RULES.read_text().replace("least = 8", "least = 1"))
    nowhere = tmp_path / "perflog.toml"
    nowhere.write_text('[elasticsearch]\nurl = "http://127.0.0.1:9"\n')
    slips: tuple[tuple[tuple[str, ...], int], ...] = (
        (("run",), 64),
        (("run", "--once", "--rules", str(broken)), 78),
        (("run", "--once", "--rules", str(tmp_path / "none.toml")), 78),
        (("run", "--once", "--now", "yesterday"), 64),
    )
    for words, code in slips:
        with pytest.raises(Problem) as caught:
            call(slowed, *words)
        assert caught.value.exit_code == code, words
    for command in (["run", "--once"], ["list"]):
        done = CliRunner().invoke(alerts.command, command, obj=nowhere, standalone_mode=False)
        assert isinstance(done.exception, Problem)
        assert done.exception.exit_code == 69
    schema = replace(shipped(GRAMMARS).schema, version=99)
    with pytest.raises(Problem, match="perflog setup") as caught:
        evaluate(slowed.settings, schema, load_rules(RULES), EvaluateRequest(), FailingOnce())
    assert caught.value.exit_code == 78
