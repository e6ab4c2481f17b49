"""Globus tasks and events: every record against the truth by another hand, and each of their traps."""

import csv
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from ingest.core.decode.bodies import original_of
from ingest.core.decode.decoder import Decoder
from ingest.core.model import Document, Message, Outcomes, Provenance
from ingest.core.timestamps import iso_ms, of_iso
from tests.core.conftest import GRAMMARS
from tests.support.messages import RECEIVED_MS, document, flags, rank, read, reject
from tests.support.transfers import TRUTH, assert_is_truth

FlowOf = Callable[..., Decoder]
TASK: dict[str, Any] = json.loads((GRAMMARS / "globus_task" / "samples.jsonl").read_text().splitlines()[0])
ACTIVE = {**TASK, "status": "ACTIVE", "completion_time": None}
EVENT: dict[str, Any] = {
    "DATA_TYPE": "event", "code": "STARTED", "description": "started", "details": "", "is_error": False,
    "time": "2026-03-04T19:20:01+00:00", "task_id": TASK["task_id"],
}  # fmt: skip


def truth(file: str) -> list[dict[str, str]]:
    """The rows of the truth about one file."""
    return [row for row in csv.DictReader(TRUTH.read_text().splitlines()) if row["file"] == file]


def transfer(document: Document) -> dict[str, Any]:
    """The fields under perf.transfer."""
    fields: dict[str, Any] = document.body["perf"]["transfer"]
    return fields


def update_s(document: Document) -> int:
    """The part of the version that later polls raise (unix s)."""
    return document.version >> 12 & (1 << 44) - 1


def test_each_task_is_the_truth(flow_of: FlowOf) -> None:
    """Ids, instants, bytes, rates, ends and outcomes of all five; the one that deletes is ignored by its shape."""
    decoder = flow_of("globus_task")
    lines = (GRAMMARS / "globus_task" / "samples.jsonl").read_text().splitlines()
    rows = truth("globus_task.jsonl")
    assert len(rows) == len(lines)
    for row in rows:
        outcomes = read(decoder, lines[int(row["record"]) - 1])
        if row["outcome"] == "ignored":
            assert [ignored.shape for ignored in outcomes.ignored] == ["delete_task"]
        else:
            assert_is_truth(outcomes.documents[0].body, row)


def test_each_task_of_a_list_is_the_truth(flow_of: FlowOf) -> None:
    """Its items lack DATA_TYPE; the task is the same fact as when it comes alone."""
    decoder = flow_of("globus_task")
    (row,) = truth("globus_task_list.json")

    (listed,) = read(decoder, (GRAMMARS / "globus_task" / "samples.list.json").read_bytes()).documents

    assert_is_truth(listed.body, row)
    alone = document(decoder, TASK)
    assert (listed.id, listed.version) == (alone.id, alone.version)


def test_each_event_is_the_truth(flow_of: FlowOf) -> None:
    """The samples name the task, as the truth does of the first; its rate is the one that the tool reports."""
    decoder = flow_of("globus_event")
    documents = read(decoder, (GRAMMARS / "globus_event" / "samples.list.json").read_bytes()).documents
    bodies = {transfer(document)["event"]: document.body for document in documents}
    rows = truth("globus_event_list.json")
    assert bodies.keys() == {row["record"] for row in rows}
    for row in rows:
        body = bodies[row["record"]]
        body["perf"]["transfer"]["rate_bps"] = body["perf"]["transfer"].pop("reported_rate_bps", None)
        assert_is_truth(body, {**row, "id": TASK["task_id"]})


def test_bytes_per_second_are_bits_per_second_times_eight(flow_of: FlowOf) -> None:
    """The effective rate holds queue, retries and checksums: it is what Globus reports, beside our own."""
    fields = transfer(document(flow_of("globus_task"), {**TASK, "effective_bytes_per_second": 1000}))

    assert fields["reported_rate_bps"] == 8000
    assert fields["rate_bps"] == 8589934592


def test_mbps_of_an_event_are_megabits(flow_of: FlowOf) -> None:
    """10^6 bit/s, not 2^20, and not bytes."""
    details = '{"bytes_transferred": 125000, "duration": 1, "mbps": 1.5}'
    fields = transfer(document(flow_of("globus_event"), {**EVENT, "code": "PROGRESS", "details": details}))

    assert fields["reported_rate_bps"] == 1_500_000
    assert "rate_bps" not in fields


def test_checksummed_bytes_have_not_moved(flow_of: FlowOf) -> None:
    """They are files that were read again; they stand apart, and in no rate."""
    fields = transfer(document(flow_of("globus_task"), {**TASK, "bytes_transferred": 0, "bytes_checksummed": 10**9}))

    assert (fields["bytes"], fields["checksummed_bytes"]) == (0, 10**9)
    assert "rate_bps" not in fields


def test_active_is_no_progress_and_no_outcome(flow_of: FlowOf) -> None:
    """A task can stay so for days with nothing moving: no end, no rate, not final."""
    active = document(flow_of("globus_task"), ACTIVE)

    assert active.body["event"]["outcome"] == "unknown"
    assert "end" not in active.body["event"]
    assert "rate_bps" not in transfer(active)
    assert transfer(active)["final"] is False


@pytest.mark.parametrize(
    ("task", "is_stalled"),
    [
        ({"nice_status": None}, False),
        ({"nice_status": "OK"}, False),
        ({"nice_status": "Queued"}, False),
        ({"nice_status": "queued"}, False),
        ({"nice_status": ""}, False),
        ({"nice_status": "CONNECT_FAILED"}, True),
        ({"nice_status": 7}, True),
        ({"nice_status": None, "faults": 17}, False),
        ({"status": "INACTIVE"}, True),
        ({"is_paused": True}, True),
        ({"status": "SUCCEEDED", "nice_status": "CONNECT_FAILED"}, False),
    ],
)
def test_stalled_is_what_one_record_says(flow_of: FlowOf, task: dict[str, Any], is_stalled: bool) -> None:
    """Faults alone do not say so: two polls are compared elsewhere."""
    assert ("stalled" in flags(document(flow_of("globus_task"), {**ACTIVE, **task}))) is is_stalled


@pytest.mark.parametrize(
    ("task", "is_partial"),
    [
        ({"files_skipped": 3}, True),
        ({"subtasks_skipped_errors": 2}, True),
        ({}, False),
        ({"files_skipped": 3, "status": "FAILED"}, False),
    ],
)
def test_a_success_that_left_files_out_is_partial(flow_of: FlowOf, task: dict[str, Any], is_partial: bool) -> None:
    """Skipped because they were there, or after an error."""
    assert ("partial" in flags(document(flow_of("globus_task"), {**TASK, **task}))) is is_partial


@pytest.mark.parametrize(
    ("task", "code", "words"),
    [
        ({"fatal_error": {"code": "NO_FILE", "description": "file not found"}}, "NO_FILE", "file not found"),
        ({"fatal_error": None}, None, None),
        ({"fatal_error": None, "canceled_by_admin": "SOURCE"}, "CANCELED_BY_ADMIN", None),
        ({"canceled_by_admin": "BOTH", "canceled_by_admin_message": "at night"}, "CANCELED_BY_ADMIN", "at night"),
        ({"fatal_error": "broken"}, None, None),
    ],
)  # fmt: skip
def test_a_failure_tells_its_reason(flow_of: FlowOf, task: dict[str, Any], code: str | None, words: str | None) -> None:
    """Tasks before July 2017 tell none; what moved before the failure counts."""
    body = document(flow_of("globus_task"), {**TASK, "status": "FAILED", **task}).body

    assert body["event"]["outcome"] == "failure"
    assert (body.get("error", {}).get("code"), body.get("error", {}).get("message")) == (code, words)
    assert body["perf"]["transfer"]["bytes"] == TASK["bytes_transferred"]


def test_a_task_that_deletes_is_ignored_and_other_deletes_are_not(flow_of: FlowOf) -> None:
    """It is told by the keys of a task, so that no other record of that type is lost."""
    decoder = flow_of("globus_task")

    assert [ignored.shape for ignored in read(decoder, {**TASK, "type": "DELETE"}).ignored] == ["delete_task"]
    assert reject(decoder, {"type": "DELETE", "path": "/a"}).reason == "shape"


@pytest.mark.parametrize("name", ["successful_transfer", "skipped_error"])
def test_pages_of_paths_are_ignored_by_their_shape(flow_of: FlowOf, name: str) -> None:
    """They tell no task, no bytes, and of what moved no time; no path of them gets anywhere."""
    page = {"DATA_TYPE": f"{name}s", "marker": 0, "DATA": [{"DATA_TYPE": name, "source_path": "/a"}] * 3}
    for message in (page, page["DATA"], {**page, "DATA": 7}):
        outcomes = read(flow_of("globus_task", "globus_event"), message)

        assert [ignored.shape for ignored in outcomes.ignored] == ["globus_paths"]
        assert not outcomes.documents
        assert not outcomes.rejects


@pytest.mark.parametrize("kind", ["task_list", "event_list"])
def test_an_empty_page_says_nothing(flow_of: FlowOf, kind: str) -> None:
    """A poll that gives no tasks is no fault."""
    outcomes = read(flow_of("globus_task", "globus_event"), {"DATA": [], "DATA_TYPE": kind, "total": 0})

    assert outcomes == Outcomes(ignored=outcomes.ignored)
    assert [ignored.shape for ignored in outcomes.ignored] == ["blank"]


@pytest.mark.parametrize(
    ("keys", "end"),
    [
        ({"key": "complete,2026-03-04T19:24:10.250812"}, "2026-03-04T19:24:10.250Z"),
        ({"last_key": "complete,2026-03-04T19:24:10.250812"}, "2026-03-04T19:24:10.250Z"),
        ({"key": "complete,2026-03-04T19:24:09.750000+00:00"}, "2026-03-04T19:24:09.750Z"),
        ({"key": "complete,2026-03-04T19:24:11.250812"}, "2026-03-04T19:24:10Z"),
        ({"key": "active,2026-03-04T19:24:10.250812"}, "2026-03-04T19:24:10Z"),
        ({"key": "complete,whenever it may have been"}, "2026-03-04T19:24:10Z"),
        ({"key": ["complete"]}, "2026-03-04T19:24:10Z"),
    ],
)
def test_the_key_tells_the_fraction_of_the_last_second(flow_of: FlowOf, keys: dict[str, Any], end: str) -> None:
    """The one place with it; of another second, or not readable, it does not count."""
    body = document(flow_of("globus_task"), {**TASK, **keys}).body

    assert body["event"]["end"] == end
    assert "flags" not in body["perf"]


def test_a_microsecond_of_the_key_counts_in_the_rate(flow_of: FlowOf) -> None:
    """250.250812 s, though dates are kept to a millisecond."""
    body = document(flow_of("globus_task"), {**TASK, "key": "complete,2026-03-04T19:24:10.250812"}).body

    assert body["event"]["duration"] == 250_250_812_000
    assert body["perf"]["transfer"]["rate_bps"] == pytest.approx(268435456000 * 8 / 250.250812, rel=1e-12)


def test_a_later_poll_replaces_an_earlier_one_and_the_end_all(flow_of: FlowOf) -> None:
    """One document, whose time never moves: the version tells which poll counts, in whatever order they come."""
    decoder = flow_of("globus_task")
    polls = [
        {**ACTIVE, "_polled": "2026-03-04T19:21:30.250Z"},
        {**ACTIVE, "_polled": "2026-03-04T19:22:30Z", "faults": 3},
        {**ACTIVE, "status": "INACTIVE", "_polled": "2026-03-04T19:23:30Z"},
        {**TASK, "_polled": "2026-03-04T19:22:00Z"},
    ]
    documents = [document(decoder, poll) for poll in polls]

    assert {document.id for document in documents} == {TASK["task_id"]}
    assert {(document.index, document.body["@timestamp"]) for document in documents} == {
        (documents[0].index, "2026-03-04T19:20:00Z")
    }
    assert documents == sorted(documents, key=lambda document: document.version)
    assert [rank(document) for document in documents] == [4, 4, 4, 6]
    assert transfer(documents[0])["polled"] == "2026-03-04T19:21:30.250Z"


def test_the_update_is_the_poll_else_the_end_else_the_capture_else_0(flow_of: FlowOf) -> None:
    """A capture time that counts is kept in the document, for a replay needs it."""
    decoder = flow_of("globus_task")
    polled_s, end_s = (iso_ms(text) // 1000 for text in ("2026-03-04T19:30:00Z", "2026-03-04T19:24:10Z"))

    def of(task: dict[str, Any], captured_ms: int | None) -> Document:
        message = Message(orjson.dumps(task), RECEIVED_MS, Provenance(captured_ms=captured_ms))
        return decoder.decode(message, RECEIVED_MS).documents[0]

    captured = of(ACTIVE, RECEIVED_MS - 5000)
    assert update_s(of({**TASK, "_polled": "2026-03-04T19:30:00"}, RECEIVED_MS)) == polled_s
    assert update_s(of({**TASK, "_polled": "soon"}, RECEIVED_MS)) == end_s
    assert update_s(of(TASK, RECEIVED_MS)) == end_s
    assert update_s(captured) == RECEIVED_MS // 1000 - 5
    assert of_iso(captured.body["provenance"]["captured"]) == RECEIVED_MS - 5000
    assert update_s(of(ACTIVE, None)) == 0
    assert "provenance" not in of(TASK, RECEIVED_MS).body


def test_a_poller_whose_clock_is_wrong_keeps_out_nothing_for_years(flow_of: FlowOf) -> None:
    """The update lies at most a day after the record arrived."""
    future = document(flow_of("globus_task"), {**ACTIVE, "_polled": "2036-03-04T19:30:00Z"})

    assert update_s(future) == RECEIVED_MS // 1000 + 86_400


def test_a_label_of_128_characters_is_kept_and_names_the_run(flow_of: FlowOf) -> None:
    """The longest that Globus takes, with the published token in it."""
    label = ("perflog run=20260304-1120-1 stage=TRANSFER " + "é" * 128)[:128]
    body = document(flow_of("globus_task"), {**TASK, "label": label}).body

    assert body["perf"]["transfer"]["label"] == label
    assert body["perf"]["run"]["id"] == "20260304-1120-1"
    assert body["perf"]["stage"]["name"] == "TRANSFER"


def test_a_label_without_the_token_names_no_run(flow_of: FlowOf) -> None:
    """The ALS puts the file's stem there: a join by name, made elsewhere and never a proof."""
    body = document(flow_of("globus_task"), {**TASK, "label": "20260304-1120-1"}).body

    assert body["perf"]["transfer"]["label"] == "20260304-1120-1"
    assert "run" not in body["perf"]


def test_a_probe_is_marked(flow_of: FlowOf) -> None:
    """By its label."""
    assert transfer(document(flow_of("globus_task"), {**TASK, "label": "SONAR hourly"}))["probe"] is True


def test_a_collection_is_no_host_and_has_the_site_of_its_name_or_id(flow_of: FlowOf) -> None:
    """A display name is for people: it is an address, never a domain; the settings may give it a site."""
    decoder = flow_of("globus_task", sites={"als dtn": "ALS", TASK["destination_endpoint_id"]: "NERSC"})
    body = document(decoder, {**TASK, "source_endpoint_display_name": "ALS DTN"}).body

    assert body["source"] == {"address": "ALS DTN", "site": "ALS"}
    assert body["destination"] == {"address": "NERSC DTN", "site": "NERSC"}


def test_keys_of_endpoint_manager_name_nobody(flow_of: FlowOf) -> None:
    """Owners, local users and paths are in no field; the task is the same fact."""
    decoder = flow_of("globus_task")
    extra = {
        "owner_string": "somebody@example.org",
        "source_local_user": "somebody",
        "source_base_path": "/home/somebody",
    }
    more = document(decoder, {**TASK, **extra, "username": "somebody"})

    assert more.id == document(decoder, TASK).id
    assert "somebody" not in json.dumps({**more.body, "event": None})


def test_an_event_without_its_task_is_a_reject_that_names_the_remedy(flow_of: FlowOf) -> None:
    """Globus names the task in the address alone."""
    for missing in ({}, {"task_id": None}):
        event = {**{key: value for key, value in EVENT.items() if key != "task_id"}, **missing}
        refused = reject(flow_of("globus_task", "globus_event"), event)

        assert (refused.reason, refused.source, refused.expected) == ("identity", "globus_event", ("task_id",))
        assert "perflog pull globus" in refused.detail
        assert "jq" in refused.detail


@pytest.mark.parametrize("code", ["", " "])
def test_an_event_without_a_code_is_a_reject(flow_of: FlowOf, code: str) -> None:
    """Nothing tells what happened."""
    assert reject(flow_of("globus_event"), {**EVENT, "code": code}).reason == "incomplete"


@pytest.mark.parametrize("code", ["STARTED", "PROGRESS", "CONNECT_FAILED", "CANCELED", "SUCCEEDED"])
def test_no_event_ends_its_task(flow_of: FlowOf, code: str) -> None:
    """Not even SUCCEEDED: what comes after it is told by the task document alone."""
    assert transfer(document(flow_of("globus_event"), {**EVENT, "code": code}))["final"] is False


@pytest.mark.parametrize(
    ("event", "outcome", "instant"),
    [
        ({"code": "STARTED"}, "unknown", "start"),
        ({"code": "PROGRESS"}, "unknown", "start"),
        ({"code": "SUCCEEDED"}, "success", "end"),
        ({"code": "CANCELED"}, "failure", "end"),
        ({"code": "PERMISSION_DENIED", "is_error": True}, "failure", "start"),
        ({"code": "SOMETHING_NEW"}, "unknown", "start"),
    ],
)
def test_an_event_is_of_its_own_instant(flow_of: FlowOf, event: dict[str, Any], outcome: str, instant: str) -> None:
    """A fault is a failure of its instant, not of the task."""
    body = document(flow_of("globus_event"), {**EVENT, **event}).body

    assert body["@timestamp"] == "2026-03-04T19:20:01Z"
    assert body["event"]["outcome"] == outcome
    assert body["event"][instant] == "2026-03-04T19:20:01Z"
    assert {"start", "end"} & body["event"].keys() == {instant}


def test_details_are_text_or_json_in_a_text(flow_of: FlowOf) -> None:
    """Known numbers are read from JSON; of an error the words are kept as written, escapes and all."""
    words = "Error (open)\nFile: /data/a%20b.h5\nMessage: 500 Command failed\\r\\n550 Permission denied\\r\\n"
    failed = document(flow_of("globus_event"), {**EVENT, "code": "X", "is_error": True, "details": words}).body
    started = document(flow_of("globus_event"), {**EVENT, "details": '{"parallelism": 4, "concurrency": 2}'}).body
    broken = document(flow_of("globus_event"), {**EVENT, "details": '{"parallelism": 4'}).body

    assert failed["error"] == {"code": "X", "message": words}
    assert started["perf"]["transfer"]["streams"] == 4
    assert started["perf"]["extra"] == {"concurrency": 2}
    assert "streams" not in broken["perf"]["transfer"]


def test_two_faults_of_one_second_are_two_facts_and_one_told_twice_is_one(flow_of: FlowOf) -> None:
    """Only their details tell them apart."""
    decoder = flow_of("globus_event")
    fault = {**EVENT, "code": "PERMISSION_DENIED", "is_error": True, "details": "File: /a"}
    ids = [document(decoder, event).id for event in (fault, fault, {**fault, "details": "File: /b"})]

    assert ids[0] == ids[1] != ids[2]


def test_the_wait_in_the_queue_is_told_by_two_records(flow_of: FlowOf) -> None:
    """The task begins with its request, the work with STARTED: no document measures what another tells."""
    task = document(flow_of("globus_task"), TASK)
    started = document(flow_of("globus_event"), EVENT)

    assert task.body["event"]["start"] == "2026-03-04T19:20:00Z"
    assert started.body["event"]["start"] == "2026-03-04T19:20:01Z"
    assert not {"queue_wait_s", "request_wait_s", "queued"} & (transfer(task).keys() | transfer(started).keys())


def test_a_page_of_the_manager_keeps_each_task_with_its_own_bytes(flow_of: FlowOf) -> None:
    """A task keeps its bytes as they stand in the page, and so does the one that is ignored not stop the others."""
    page = (GRAMMARS / "globus_task" / "samples.manager.json").read_bytes()
    outcomes = read(flow_of("globus_task"), page)

    assert [orjson.loads(original_of(document.body))["task_id"] for document in outcomes.documents] == [
        item["task_id"] for item in orjson.loads(page)["DATA"][:2]
    ]
    assert all(original_of(document.body) in page for document in outcomes.documents)
    assert [ignored.shape for ignored in outcomes.ignored] == ["delete_task"]
