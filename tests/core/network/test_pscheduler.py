"""pScheduler documents, whole, through the flow: every trap that the reference knows of the five types of test.

Numbers in brackets are its cases (perfsonar.md, section 8). What single results need is tested in test_network.py.
"""

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.model import Document, Intake, Message, Reject
from ingest.core.sources.source import Source

GRAMMARS = Path(__file__).parents[3] / "grammars"
RECEIVED_MS = 1_772_668_800_000  # 2026-03-05T00:00:00Z
RUN = "0b7c6f0e-7c1d-4f0a-9c57-3f2b6a1d9e10"
TASK = "https://ps-als.example/pscheduler/tasks/5a0f3c1e-1111-4222-8333-944455566677"
PING = {"schema": 1, "succeeded": True, "sent": 2, "received": 2, "lost": 0, "loss": 0.0, "mean": "PT0.002S"}
ENDS = ["ps-als.example", "ps-nersc.example"]

Make = Callable[..., dict[str, Any]]


def document(result: Any = PING, kind: str = "rtt", **changes: Any) -> dict[str, Any]:
    """A document of a run; `changes` sets dotted paths written with `__`, or removes them when Ellipsis."""
    test = {"type": kind, "spec": {"schema": 1, "source": ENDS[0], "dest": ENDS[1]}}
    tree = {
        "id": RUN,
        "schedule": {"start": "2026-03-04T11:20:05-08:00", "duration": "PT19S"},
        "test": test,
        "tool": {"name": "ping", "version": "1.0"},
        "participants": ENDS,
        "result": result,
        "reference": None,
        "run": {
            "start-time": "2026-03-04T11:20:05-08:00",
            "end-time": "2026-03-04T11:20:24-08:00",
            "duration": "PT19S",
            "state": "finished",
            "errors": None,
            "participants": ENDS,
            "result-full": [result, None],
            "result-merged": result,
            "href": f"{TASK}/runs/{RUN}",
            "task-href": TASK,
        },
        "task": {"test": test, "tool": "ping", "schedule": {"repeat": "PT6H"}, "href": TASK},
    }
    tree = copy.deepcopy(tree)
    for path, value in changes.items():
        *steps, last = path.replace("_x_", "-").split("__")
        node: Any = tree
        for step in steps:
            node = node[step]
        if value is ...:
            del node[last]
        else:
            node[last] = value
    return tree


@pytest.fixture(scope="module")
def decoder(sources: dict[str, Source], schema: Schema) -> Decoder:
    """A flow that reads pScheduler's documents."""
    intake = Intake("results", "perf.als.results.v1", "als", ("perfsonar",))
    return Decoder(intake, sources, schema, {"ps-als.example": "ALS", "192.0.2.20": "NERSC"})


@pytest.fixture
def read(decoder: Decoder) -> Callable[[Mapping[str, Any] | bytes], Document]:
    """What one message becomes, which must be one document."""

    def read_document(tree: Mapping[str, Any] | bytes) -> Document:
        data = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        outcomes = decoder.decode(Message(data, RECEIVED_MS), RECEIVED_MS)
        assert not outcomes.rejects, outcomes.rejects
        assert len(outcomes.documents) == 1
        return outcomes.documents[0]

    return read_document


@pytest.fixture
def refuse(decoder: Decoder) -> Callable[[Mapping[str, Any] | bytes], Reject]:
    """What one message becomes, which must be one reject."""

    def read_reject(tree: Mapping[str, Any] | bytes) -> Reject:
        data = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        outcomes = decoder.decode(Message(data, RECEIVED_MS), RECEIVED_MS)
        assert not outcomes.documents
        assert len(outcomes.rejects) == 1
        return outcomes.rejects[0]

    return read_reject


Read = Callable[[Mapping[str, Any] | bytes], Document]
Refuse = Callable[[Mapping[str, Any] | bytes], Reject]


def network(document: Document) -> dict[str, Any]:
    """The fields under perf.network."""
    fields: dict[str, Any] = document.body["perf"]["network"]
    return fields


def test_envelope_becomes_fields_and_the_run_id_the_identity(read: Read) -> None:
    """Times in UTC whatever the node's offset [22], ids from the addresses, the schedule in seconds, sites by name."""
    stored = read(document())
    assert (stored.id, stored.index) == (RUN, "perf-network-als-2026.03")
    body = stored.body
    assert body["@timestamp"] == body["event"]["start"] == "2026-03-04T19:20:05Z"
    assert (body["event"]["end"], body["event"]["duration"]) == ("2026-03-04T19:20:24Z", 19_000_000_000)
    assert body["source"] == {"address": "ps-als.example", "domain": "ps-als.example", "site": "ALS"}
    fields = network(stored)
    assert fields["task_id"] == TASK.rpartition("/")[2]
    assert (fields["tool"], fields["tool_version"], fields["state"], fields["repeat_s"]) == (
        "ping",
        "1.0",
        "finished",
        21600,
    )
    assert fields["spec"] == {"schema": 1, "source": ENDS[0], "dest": ENDS[1]}
    assert "flags" not in body["perf"]


def test_same_run_by_another_way_is_the_same_fact(read: Read) -> None:
    """The identity is the run alone: another order of keys, upper case, another copy of the result [16, 17, 18]."""
    first = read(document())
    again = read(dict(reversed(document(id=RUN.upper()).items())))
    assert (again.id, again.index, again.version) == (first.id, first.index, first.version)


def test_missing_id_is_the_last_part_of_the_run_address(read: Read) -> None:
    """Very old versions send none."""
    assert read(document(id=...)).id == RUN


def test_missing_test_is_taken_from_the_task_then_from_the_shape(read: Read) -> None:
    """`test` was once left out [2]."""
    assert network(read(document(test=...)))["test_type"] == "rtt"
    bare = {**PING, "roundtrips": [{"seq": 1, "rtt": "PT0.002S"}]}
    stored = read(document(bare, test=..., task__test=...))
    assert network(stored)["test_type"] == "rtt"
    assert network(stored)["rtt_mean_ms"] == 2
    assert stored.body["perf"]["flags"] == ["ends_assumed", "test_missing"]
    shapes = {"latency": {"histogram-latency": {}}, "trace": {"paths": []}, "throughput": {"intervals": []}}
    for kind, result in shapes.items():
        assert network(read(document(result, test=..., task__test=...)))["test_type"] == kind


def test_document_without_any_hint_of_its_test_is_kept(read: Read) -> None:
    """It happened and ended somehow; what it was is not guessed."""
    stored = read(document({"succeeded": True}, test=..., task__test=...))
    assert "test_type" not in network(stored)
    assert stored.body["event"]["outcome"] == "success"


@pytest.mark.parametrize("tool", ["iperf3", {"name": "iperf3", "verion": "0.9"}])
def test_tool_may_be_text_and_its_version_misspelt(read: Read, tool: Any) -> None:
    """Old versions wrote a plain string, others `verion`."""
    fields = network(read(document(tool=tool, task__tool="iperf3")))
    assert fields["tool"] == "iperf3"
    assert fields.get("tool_version") == (None if isinstance(tool, str) else "0.9")


def test_null_result_of_a_failed_run_is_a_failure_with_its_text(read: Read) -> None:
    """No metrics, but a document that says why [1]."""
    stored = read(document(None, run__state="failed", run__errors="Process took too long"))
    assert stored.body["event"]["outcome"] == "failure"
    assert stored.body["error"]["message"] == "Process took too long"
    assert not {name for name in network(stored) if name.startswith(("rtt", "loss", "packets"))}


def test_error_is_found_in_the_participants_when_merging_lost_it(read: Read) -> None:
    """Ping and traceroute keep `succeeded: false` only; entries of result-full may be null [1]."""
    own = [None, {"succeeded": False, "error": "Network is unreachable", "diags": "…"}]
    stored = read(document({"schema": 1, "succeeded": False}, run__state="failed", run__result_x_full=own))
    assert stored.body["error"]["message"] == "Network is unreachable"
    own = [None, {"succeeded": False, "diags": "connect: refused"}]
    stored = read(document(None, run__state="failed", run__result_x_full=own))
    assert stored.body["error"]["message"] == "connect: refused"


def test_failed_result_has_no_numbers_even_where_some_stand(read: Read) -> None:
    """What a tool printed before it broke off is no measurement [15]."""
    stored = read(document({**PING, "succeeded": False, "error": "broke off"}))
    assert stored.body["event"]["outcome"] == "failure"
    assert "rtt_mean_ms" not in network(stored)


def test_error_text_is_capped(read: Read) -> None:
    """It may hold a whole JSON document or a traceback [3]; the bytes survive in event.original."""
    stored = read(document({"succeeded": False, "error": "x" * 50_000}))
    assert len(stored.body["error"]["message"]) == 8192
    assert "x" * 50_000 in stored.body["event"]["original"]


@pytest.mark.parametrize("text", [{"message": "no"}, ["no"], 7, "", "  ", None, False])
def test_error_of_any_shape_does_no_harm(read: Read, text: Any) -> None:
    """It is free text of many tools."""
    assert read(document({"succeeded": False, "error": text})).body["event"]["outcome"] == "failure"


def test_run_that_is_not_over_is_unknown_and_gives_way_to_its_end(read: Read) -> None:
    """Pending < over without a result < over with one: the version says so, whatever the order they arrive in."""
    pending = read(document(None, run__state="running", run__result_x_full=None))
    empty = read(document(None, run__state="finished"))
    done = read(document())
    assert pending.body["event"]["outcome"] == empty.body["event"]["outcome"] == "unknown"
    assert pending.version < empty.version < done.version
    assert read(document(None, run__state="failed")).version == empty.version


def test_result_is_read_from_the_run_where_the_top_has_none(read: Read) -> None:
    """`result` may be null while `run.result-merged` is filled."""
    tree = document()
    tree["result"] = None
    assert network(read(tree))["rtt_mean_ms"] == 2


@pytest.mark.parametrize("succeeded", ["true", 1, True])
def test_success_as_text_or_number_is_success(read: Read, succeeded: Any) -> None:
    """Booleans come as text in old archives [31]."""
    assert read(document({**PING, "succeeded": succeeded})).body["event"]["outcome"] == "success"


def test_missing_source_is_the_lead_participant(read: Read) -> None:
    """A spec without source means the node that leads."""
    tree = document()
    for test in (tree["test"], tree["task"]["test"]):
        test["spec"].pop("source", None)
    assert read(tree).body["source"]["domain"] == "ps-als.example"
    tree["participants"] = tree["run"]["participants"] = [None]
    assert read(tree).body["source"]["domain"] == "ps-als.example"
    tree["run"]["href"] = f"https://localhost/pscheduler/tasks/1/runs/{RUN}"
    tree["task"]["href"] = tree["run"]["task-href"] = "https://[2001:db8::7]/pscheduler/tasks/1"
    assert read(tree).body["source"]["ip"] == "2001:db8::7"
    tree["task"]["href"] = "https://localhost/pscheduler/tasks/1"
    assert "source" not in read(tree).body


def test_ends_may_be_addresses_with_port_scope_or_scheme(read: Read) -> None:
    """Only what Elasticsearch takes for an address goes into an ip field [20]."""
    spec = {"source": "[fe80::1%2]:5201", "dest": "https://192.0.2.20/x"}
    stored = read(document(test__spec=spec))
    assert stored.body["source"] == {"address": "[fe80::1%2]:5201", "ip": "fe80::1"}
    assert stored.body["destination"] == {"address": "https://192.0.2.20/x", "ip": "192.0.2.20", "site": "NERSC"}
    assert "ip_version" not in network(stored)
    stored = read(document(test__spec={"source": "2001:db8::1", "dest": "2001:db8::2"}))
    assert network(stored)["ip_version"] == 6
    assert network(read(document(test__spec={"dest": "a.example", "ip-version": "4"})))["ip_version"] == 4


def test_reverse_swaps_the_ends_of_tests_that_send_one_way(read: Read) -> None:
    """`source` is the sending end: with `reverse`, dest sends. A ping has no such direction."""
    total = {"start": 0, "end": 10, "throughput-bits": 1e9}
    result = {"succeeded": True, "intervals": [{"summary": total}], "summary": {"summary": total}}
    stored = read(
        document(result, "throughput", test__spec={"source": "a.example", "dest": "b.example", "reverse": True})
    )
    assert (stored.body["source"]["domain"], stored.body["destination"]["domain"]) == ("b.example", "a.example")
    assert stored.body["perf"]["flags"] == ["reversed"]
    stored = read(document(test__spec={"source": "a.example", "dest": "b.example", "reverse": True}))
    assert stored.body["source"]["domain"] == "a.example"


def test_start_is_the_run_own_then_the_schedule(read: Read, refuse: Refuse) -> None:
    """Without either, nothing says when it happened."""
    assert read(document(run__start_x_time=...)).body["@timestamp"] == "2026-03-04T19:20:05Z"
    assert refuse(document(run__start_x_time=..., schedule=...)).reason == "no_time"


@pytest.mark.parametrize(
    ("length", "duration_ns"),
    [("PT19S", 19 * 10**9), ("P0D", 0), ("PT0.0012S", 10**6), ("P1W2D", 777_600 * 10**9), ("PT1.5H", 5_400 * 10**9)],
)
def test_length_is_read_where_the_end_is_missing(read: Read, length: str, duration_ns: int) -> None:
    """Weeks, zero and fractions occur [21]; to a millisecond, as dates are kept."""
    stored = read(document(run__end_x_time=..., run__duration=length))
    assert stored.body["event"]["duration"] == duration_ns


@pytest.mark.parametrize(
    "length", ["P1Y", "P1M", "PT", "P", "PT1E400S", "P" + "9" * 30 + "D", "P" + "9" * 400 + "D", {"a": 1}, "x", -1]
)
def test_length_that_cannot_be_is_left_out(read: Read, length: Any) -> None:
    """Years and months have no length; absurd ones none that Elasticsearch could hold."""
    body = read(document(run__end_x_time=..., run__duration=length)).body
    assert "end" not in body["event"]
    assert body["perf"]["flags"]


def test_end_before_its_start_is_left_out_and_flagged(read: Read) -> None:
    """A negative duration is the clock's, not the test's."""
    body = read(document(run__end_x_time="2026-03-04T19:20:04Z")).body
    assert "duration" not in body["event"]
    assert body["perf"]["flags"] == ["value_range"]


def test_reference_names_the_task_and_marks_what_was_made_up(read: Read) -> None:
    """The rest of the user's data is kept as data."""
    reference = {"display-task-name": "ALS to NERSC", "synthetic": True, "psconfig": {"created-by": {"uuid": "x"}}}
    perf = read(document(reference=reference)).body["perf"]
    assert perf["synthetic"] is True
    assert perf["network"]["task_name"] == "ALS to NERSC"
    assert perf["extra"] == {"reference": {"psconfig": {"created-by": {"uuid": "x"}}}}


@pytest.mark.parametrize(
    "reference", [None, {}, {"synthetic": False}, {"display-task-name": ["x"], "synthetic": "maybe"}]
)
def test_measured_results_are_never_marked_synthetic(read: Read, reference: Any) -> None:
    """The mark is there or absent; free data of any shape does no harm."""
    perf = read(document(reference=reference)).body["perf"]
    assert "synthetic" not in perf
    assert "task_name" not in perf["network"]


@pytest.mark.parametrize("reference", ["a text", 7, ["a", {"b": 1}], True])
def test_reference_of_any_type_is_kept(read: Read, reference: Any) -> None:
    """It is free data."""
    assert read(document(reference=reference)).body["perf"]["extra"] == {"reference": reference}


def test_keys_that_nobody_knows_are_kept_as_data(read: Read) -> None:
    """They never become new mappings."""
    assert read(document(observer={"site": "X"})).body["perf"]["extra"] == {"observer": {"site": "X"}}


def nested(depth: int) -> Any:
    """An object nested so deep."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("data", [nested(21), {"a\0b": 1}, {"": 1}, {"k" * 40_000: 1}, {"a": [nested(20)]}])
def test_data_that_the_index_cannot_hold_stays_in_the_original_only(read: Read, data: Any) -> None:
    """A flattened field refuses the whole document over depth, NUL and length of a key: left out, flagged, not lost."""
    stored = read(document(test__spec=data, observer=data))
    assert "spec" not in network(stored)
    assert "extra" not in stored.body["perf"]
    assert "not_indexed" in stored.body["perf"]["flags"]
    assert json.loads(stored.body["event"]["original"])["observer"] == data


def test_other_types_of_test_are_kept_with_their_outcome(read: Read) -> None:
    """Their numbers are not read, apart from an MTU; a word where others have a number does no harm."""
    stored = read(document({"succeeded": True, "mtu": 9000}, "mtu"))
    assert network(stored)["mtu_bytes"] == 9000
    stored = read(document({"succeeded": True, "sent": "hello", "received": "hello"}, "simplestream"))
    assert stored.body["event"]["outcome"] == "success"
    assert "packets_sent" not in network(stored)


def test_value_that_cannot_be_read_is_left_out_and_flagged(read: Read) -> None:
    """One bad number does not cost the others."""
    stored = read(document({**PING, "mean": "soon", "max": "PT0.003S"}))
    assert "rtt_mean_ms" not in network(stored)
    assert network(stored)["rtt_max_ms"] == 3
    assert stored.body["perf"]["flags"] == ["value_unreadable"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe{", "json"),
        (b"[]", "json"),
        (b'"text"', "json"),
        (b'{"id":"x","result":{"loss":NaN}}', "json"),
        (b"{" * 2000, "json"),
        (b'{"succeeded":true,"intervals":[]}', "shape"),
    ],
)
def test_what_is_no_document_is_refused_with_a_reason(refuse: Refuse, data: bytes, reason: str) -> None:
    """Cut, empty, bare results, NaN: never a traceback."""
    rejected = refuse(data)
    assert rejected.reason == reason
    assert rejected.original == data


def test_run_without_identity_or_zone_is_refused(refuse: Refuse) -> None:
    """Without an id a repeat could not be told; without a zone the instant is a guess."""
    assert refuse(document(id=..., run__href=...)).reason == "identity"
    assert refuse(document(id="no id at all")).reason == "identity"
    assert refuse(document(run__start_x_time="2026-03-04T11:20:05")).reason == "zone_unknown"
    assert refuse(document(run__start_x_time="2036-03-04T11:20:05Z")).reason == "time_ahead"


HOSTILE = [None, True, -1, 1e308, 2**64 - 1, "", "nan", "1e400", "P9999999999D", [], {}, [[1]], {"a": "b"}]
SAMPLES = (GRAMMARS / "perfsonar" / "samples.jsonl").read_text(encoding="utf-8").splitlines()


def paths_within(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON tree."""
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from paths_within(inner, (*path, step))


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_any_value_in_any_place_gives_a_verdict_that_can_be_sent(decoder: Decoder, number: int) -> None:
    """Every value of every sample replaced: no traceback, and documents of numbers that Elasticsearch can hold."""
    whole = json.loads(SAMPLES[number])
    for *steps, last in paths_within(whole):
        holder = whole
        for step in steps:
            holder = holder[step]
        before = holder[last]
        for value in HOSTILE:
            holder[last] = value
            outcomes = decoder.decode(Message(orjson.dumps(whole), RECEIVED_MS), RECEIVED_MS)
            assert len(outcomes.documents) + len(outcomes.rejects) == 1
            for made in outcomes.documents:
                body = {key: inner for key, inner in made.body.items() if key != "perf"}
                fields = {key: inner for key, inner in network(made).items() if key != "spec"}
                assert all(holdable(number) for number in numbers([body, fields])), (steps, last, value)
        holder[last] = before


def holdable(number: float) -> bool:
    """Whether a `long` or a `double` of Elasticsearch can hold it."""
    return abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)


def numbers(node: Any) -> Iterator[float]:
    """Every number in a tree."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for value in inner:
        yield from numbers(value)
    if isinstance(node, int | float) and not isinstance(node, bool):
        yield node
