"""The shapes in which pScheduler's results travel: each read by its own source, all of a run one fact.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.model import Intake
from ingest.core.sources.source import Source
from tests.core.conftest import GRAMMARS
from tests.support.messages import CAPTURED_MS, document, ends, flags, network, rank, read, reject

FlowOf = Callable[..., Decoder]
ALL = ("perfsonar", "perfsonar_plugin", "perfsonar_run", "perfsonar_result", "iperf3_json")
RUN = "0b7c6f0e-7c1d-4f0a-9c57-3f2b6a1d9e10"
TASK = "https://ps-als.example/pscheduler/tasks/5a0f3c1e-1111-4222-8333-944455566677"
HREF = f"{TASK}/runs/{RUN}"
PING = {"succeeded": True, "sent": 2, "received": 2, "lost": 0, "loss": 0.0, "mean": "PT0.002S", "roundtrips": []}
ENDS = ["ps-als.example", "ps-nersc.example"]
FULL = json.loads((GRAMMARS / "perfsonar" / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0])
IPERF3 = json.loads((GRAMMARS / "iperf3_json" / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0])


def rest(**changes: Any) -> dict[str, Any]:
    """A run as REST tells it."""
    run = {
        "start-time": "2026-03-04T20:20:05+01:00",
        "end-time": "2026-03-04T20:20:24+01:00",
        "duration": "PT19S",
        "state": "finished",
        "errors": None,
        "participants": ENDS,
        "result": PING,
        "result-full": None,
        "result-merged": None,
        "href": HREF,
        "task-href": TASK,
    }
    return {**run, **changes}


def plugin(result: Any) -> dict[str, Any]:
    """A plug-in's input."""
    return {"data": {}, "task-href": TASK, "run-href": HREF, "result": result, "attempts": 0, "last-attempt": None}


@pytest.fixture(scope="module")
def decoder(sources: dict[str, Source], schema: Schema) -> Decoder:
    """A flow that reads every JSON shape, as the example settings have it."""
    return Decoder(Intake("results", "perf.als.results.v1", "als", ALL), sources, schema, {"ps-als.example": "ALS"})


@pytest.mark.parametrize(
    ("message", "source"),
    [
        (FULL, "perfsonar"),
        (plugin(FULL), "perfsonar_plugin"),
        (rest(), "perfsonar_run"),
        (PING, "perfsonar_result"),
        (IPERF3, "iperf3_json"),
    ],
)
def test_each_shape_is_read_by_its_own_source(decoder: Decoder, message: Any, source: str) -> None:
    """Dispatch is by keys that must be there; the order of the sources does not matter."""
    assert document(decoder, message).body["perf"]["source"] == source


def test_json_of_no_known_shape_is_refused_by_what_it_lacks(flow_of: FlowOf) -> None:
    """Of no source, since none knows a key of it; the explanation of a source whose shape it has goes before."""
    rejected = reject(flow_of(*ALL), {"weather": "fine"})
    assert (rejected.reason, rejected.source) == ("shape", None)
    assert rejected.expected[0] == "id or run or task or test"
    assert "perfsonar_run needs href" in rejected.detail
    rejected = reject(flow_of(*ALL), rest(**{"start-time": "soon"}))
    assert (rejected.reason, rejected.source) == ("value", "perfsonar_run")


def test_pending_and_running_runs_give_way_to_the_final_one(decoder: Decoder) -> None:
    """In whatever order they come, the highest version stands [1]."""
    states = ["pending", "on-deck", "running", "cleanup"]
    running = [document(decoder, rest(state=state, result=None)) for state in states]
    outcome_lost = document(decoder, rest(state="missed", result=None, errors="The run was missed."))
    final = document(decoder, rest())
    ranks = [rank(tellings) for tellings in (*running, outcome_lost, final)]

    assert ranks == sorted(set(ranks))
    assert {tellings.id for tellings in (*running, outcome_lost, final)} == {RUN}
    assert {tellings.index for tellings in (*running, outcome_lost, final)} == {final.index}
    assert running[0].body["event"]["outcome"] == "unknown"
    assert "packets_sent" not in network(running[0])
    assert outcome_lost.body["event"]["outcome"] == "failure"
    assert outcome_lost.body["error"]["message"] == "The run was missed."
    assert network(final)["rtt_mean_ms"] == 2


def test_document_of_an_archiver_stands_over_other_tellings_of_the_run(decoder: Decoder) -> None:
    """It tells the test and its ends; a REST poll that comes later must not take them away [16, 17, 18]."""
    full = {**FULL, "id": RUN}
    bare_test = {key: value for key, value in full.items() if key not in {"test", "task"}}
    tellings = [plugin(full["result"]), rest(result=full["result"]), bare_test, plugin(full), full]
    stored = [document(decoder, telling) for telling in tellings]
    ranks = [rank(document) for document in stored]

    assert {document.id for document in stored} == {RUN}
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("front", ["", "\x1e", "\x1e\n", "\ufeff"])
def test_record_separator_ahead_of_json_is_taken_off(decoder: Decoder, front: str) -> None:
    """RFC 7464 frames what a plug-in reads."""
    stored = document(decoder, front + json.dumps(plugin(FULL)))
    assert stored.id == FULL["id"]
    assert network(stored)["throughput_bps"] == 9.31e9


def test_plugin_with_a_bare_result_is_the_fact_of_its_run(decoder: Decoder) -> None:
    """A transform of `.result` keeps neither id nor time: the address beside it is the run's."""
    stored = document(decoder, plugin(PING))
    assert stored.id == RUN
    assert network(stored)["task_id"] == "5a0f3c1e-1111-4222-8333-944455566677"
    assert ends(stored)[0] == "ps-als.example"
    assert stored.body["source"]["site"] == "ALS"
    assert "time_captured" in flags(stored)
    assert "start" not in stored.body["event"]
    assert reject(decoder, plugin(PING), captured_ms=None).reason == "identity"


def documented(**changes: Any) -> dict[str, Any]:
    """A plug-in's input as pScheduler's documentation has it: without addresses, participants as objects, no zone."""
    inner = {
        "id": RUN,
        "schedule": {"start": "2026-03-04T11:20:05", "duration": "PT31S"},
        "test": {"type": "simplestream", "spec": {"schema": 1, "receiver": ENDS[1]}},
        "tool": "simplestreamer",
        "participants": [{"host": host, "result": {"succeeded": True, "error": None}} for host in ENDS],
        "result": {"schema": 1, "succeeded": True, "dawdled": "PT0.218357S", "elapsed-time": "PT1.13071S"},
    }
    return {"data": {}, "result": {**inner, **changes}, "attempts": 3, "last-attempt": "2026-03-04T12:34:56"}


@pytest.mark.parametrize("names", [("perfsonar_plugin",), ALL])
def test_plugin_as_documented_is_the_fact_of_the_run_that_its_document_names(
    flow_of: FlowOf, names: tuple[str, ...]
) -> None:
    """Without `run-href` the id inside tells the run; its time is in the intake's zone."""
    stored = document(flow_of(*names, zone=-8 * 3600), documented())
    assert (stored.id, stored.body["perf"]["source"]) == (RUN, "perfsonar_plugin")
    assert (stored.body["@timestamp"], stored.body["event"]["end"]) == ("2026-03-04T19:20:05Z", "2026-03-04T19:20:36Z")
    assert (network(stored)["tool"], network(stored)["elapsed_s"]) == ("simplestreamer", 1.13071)
    assert ends(stored)[0] == ENDS[0]
    assert flags(stored) == []


def test_plugin_without_addresses_is_the_same_fact_as_with_them(decoder: Decoder) -> None:
    """And as the document alone; where only `run.href` is inside, that names the run."""
    bare = {"data": {}, "result": {**FULL, "id": RUN}}
    stored = document(decoder, bare)
    whole = document(decoder, plugin({**FULL, "id": RUN}))
    assert (stored.id, stored.index, network(stored)) == (whole.id, whole.index, network(whole))
    assert stored.id == document(decoder, {**FULL, "id": RUN}).id
    without_id = {**FULL, "id": None, "run": {**FULL["run"], "href": HREF}}
    assert document(decoder, {"data": {}, "result": without_id}).id == RUN


def test_plugin_that_names_no_run_is_refused_by_what_it_lacks(flow_of: FlowOf) -> None:
    """Neither beside its document nor inside."""
    rejected = reject(flow_of("perfsonar_plugin"), documented(id=None))
    assert (rejected.reason, rejected.expected) == ("shape", ("run-href or result.id or result.run.href",))


ZONELESS = [
    ("perfsonar", {**FULL, "id": RUN, "run": {**FULL["run"], "start-time": "2026-03-04T11:20:05", "end-time": None}}),
    ("perfsonar", {"id": RUN, "schedule": {"start": "2026-03-04 11:20:05", "duration": "PT19S"}, "result": PING}),
    ("perfsonar_plugin", documented()),
    ("perfsonar_plugin", plugin({**FULL, "run": {**FULL["run"], "start-time": "2026-03-04T11:20:05.000"}})),
    ("perfsonar_run", rest(**{"start-time": "2026-03-04T11:20:05"})),
]


@pytest.mark.parametrize(("name", "message"), ZONELESS)
def test_time_without_a_zone_is_in_the_intakes(flow_of: FlowOf, name: str, message: Any) -> None:
    """Without one there the reject says what to declare; it is no `value` that could not be read."""
    stored = document(flow_of(name, zone=-8 * 3600), message)
    assert stored.body["@timestamp"] == stored.body["event"]["start"] == "2026-03-04T19:20:05Z"
    rejected = reject(flow_of(name), message)
    assert (rejected.reason, rejected.expected) == ("zone_unknown", ("Z or +hh:mm",))
    assert "names no zone, and the intake declares none: declare `zone` for the intake" in rejected.detail


def test_end_without_a_zone_is_in_the_intakes_and_a_zone_that_is_named_counts(flow_of: FlowOf) -> None:
    """Each time by itself; an end that cannot be placed leaves the length open."""
    mixed = rest(**{"start-time": "2026-03-04T20:20:05+01:00", "end-time": "2026-03-04T11:20:24"})
    stored = document(flow_of("perfsonar_run", zone=-8 * 3600), mixed)
    assert (stored.body["event"]["start"], stored.body["event"]["end"]) == (
        "2026-03-04T19:20:05Z",
        "2026-03-04T19:20:24Z",
    )
    unplaced = document(flow_of("perfsonar_run"), mixed)
    assert "end" not in unplaced.body["event"]
    assert "value_unreadable" in flags(unplaced)


@pytest.mark.parametrize("left", ["text of output-raw", None, 5, [PING]])
def test_plugin_whose_transform_left_no_object_is_refused(flow_of: FlowOf, left: Any) -> None:
    """Jq may make anything of a document."""
    assert reject(flow_of("perfsonar_plugin"), plugin(left)).reason == "shape"


def test_document_stripped_by_jq_says_the_same(decoder: Decoder) -> None:
    """The diagnostics and the copies of the result are not needed for a TCP test [26]."""
    run = {key: value for key, value in FULL["run"].items() if key not in {"result-full", "result-merged"}}
    result = {key: value for key, value in FULL["result"].items() if key != "diags"}
    stripped = {**FULL, "run": run, "result": result}

    assert network(document(decoder, stripped)) == network(document(decoder, FULL))


def test_what_jq_left_needs_an_id_and_a_time(flow_of: FlowOf) -> None:
    """Smaller than this it is no fact."""
    tiny = {"id": RUN, "schedule": {"start": "2026-03-04T19:20:05Z"}, "result": PING}
    stored = document(flow_of("perfsonar"), tiny)
    assert network(stored)["rtt_mean_ms"] == 2
    assert reject(flow_of("perfsonar"), {**tiny, "schedule": {}}).reason == "no_time"
    assert reject(flow_of("perfsonar"), {**tiny, "id": None}).reason == "shape"


def test_array_and_json_string_of_a_relay_are_opened(decoder: Decoder) -> None:
    """Each object of an array is a document; one that is refused costs the others nothing."""
    second = {**FULL, "id": RUN[:-1] + "f"}
    assert [made.id for made in read(decoder, [FULL, second]).documents] == [FULL["id"], second["id"]]
    assert document(decoder, json.dumps(json.dumps(FULL))).id == FULL["id"]
    mixed = read(decoder, [FULL, {**FULL, "id": "no id"}])
    assert (len(mixed.documents), len(mixed.rejects)) == (1, 1)


def test_equal_results_in_an_array_are_one_fact(decoder: Decoder) -> None:
    """An element is the fact that it is alone: nothing tells equal ones apart, so they merge as repeats do."""
    documents = read(decoder, [PING, PING]).documents
    assert [made.id for made in documents] == [document(decoder, PING).id] * 2


def test_bare_result_has_its_shippers_time_and_identity(decoder: Decoder) -> None:
    """The same bytes captured again later are another fact; without a capture time there is none."""
    stored = document(decoder, PING)
    again = read(decoder, PING).documents[0]
    later = read(decoder, PING, CAPTURED_MS + 1).documents[0]
    assert stored.id == again.id != later.id
    assert stored.body["@timestamp"] == "2026-03-04T23:59:00Z"
    assert flags(stored) == ["test_missing", "time_captured"]
    assert reject(decoder, PING, captured_ms=None).reason == "identity"


def test_direction_of_a_run_without_its_test_comes_from_the_tool(decoder: Decoder) -> None:
    """REST names the participants, iperf3's own JSON in the diagnostics who of them sent."""

    def run(**members: Any) -> dict[str, Any]:
        output = json.dumps({"start": {"test_start": {"reverse": 0, **members}}, "end": {}})
        return rest(result={**FULL["result"], "diags": f"iperf3 -c x\n{output}"})

    assert ends(document(decoder, run())) == tuple(ENDS)
    assert ends(document(decoder, run(reverse=1))) == tuple(reversed(ENDS))
    assert "ends_assumed" not in flags(document(decoder, run()))
    assert "ends_assumed" in flags(document(decoder, rest()))


def test_end_of_a_lone_ping_is_who_answered(decoder: Decoder) -> None:
    """One participant only: the replies name the other end."""
    trips = [{"seq": 1, "ip": "192.0.2.1", "rtt": "PT0.002S"}]
    stored = document(decoder, rest(participants=["ps-als.example"], result={**PING, "roundtrips": trips}))
    assert ends(stored) == ("ps-als.example", "192.0.2.1")


def test_time_zones_of_one_fleet_may_differ(decoder: Decoder) -> None:
    """Each node writes its own offset; the instant is the same [22]."""
    stamps = ["2026-03-04T20:20:05+01:00", "2026-03-04T19:20:05Z", "2026-03-04T11:20:05-08:00"]
    times = {document(decoder, rest(**{"start-time": stamp})).body["@timestamp"] for stamp in stamps}
    assert times == {"2026-03-04T19:20:05Z"}
    assert reject(decoder, rest(**{"start-time": "2026-03-04T19:20:05"})).reason == "zone_unknown"
