"""Rucio's transfer events: every record against the truth by another hand, and each of their traps."""

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.sources.framing import frames, framing_of
from ingest.core.sources.source import Source
from tests.core.conftest import GRAMMARS
from tests.support.messages import document, flags, read, reject
from tests.support.transfers import TRUTH, assert_is_truth

FlowOf = Callable[..., Decoder]
LINES = (GRAMMARS / "rucio" / "samples.jsonl").read_text().splitlines()
BULK = (GRAMMARS / "rucio" / "samples.bulk.log").read_bytes()
QUEUED, SUBMITTED, DONE, FAILED = (json.loads(line) for line in LINES[:4])


def truth(file: str) -> list[dict[str, str]]:
    """The rows of the truth about one file."""
    return [row for row in csv.DictReader(TRUTH.read_text().splitlines()) if row["file"] == file]


def event(of: dict[str, Any], event_type: str | None = None, **payload: Any) -> dict[str, Any]:
    """An event like `of`, of another name if one is given; `src_rse` for `src-rse`, but stamps keep their names."""
    stamps = ("created_at", "submitted_at", "started_at", "transferred_at", "queued_at")
    changed = {key if key in stamps else key.replace("_", "-"): value for key, value in payload.items()}
    return {**of, "event_type": event_type or of["event_type"], "payload": {**of["payload"], **changed}}


def as_told(row: dict[str, str]) -> dict[str, str]:
    """A row as a document says it: bytes have moved only when it is done; retries count from 0, attempts from 1."""
    moved = row["bytes"] if row["outcome"] == "success" else ""
    return {**row, "bytes": moved, "attempt": str(int(row["attempt"]) + 1) if row["attempt"] else ""}


def test_each_event_is_the_truth(flow_of: FlowOf) -> None:
    """Of all six; the bytes that the truth tells of what has not moved are the file's size."""
    decoder = flow_of("rucio")
    rows = truth("rucio_hermes.jsonl")
    assert len(rows) == len(LINES)
    for row in rows:
        outcomes = read(decoder, LINES[int(row["record"]) - 1])
        if row["outcome"] == "ignored":
            assert [ignored.shape for ignored in outcomes.ignored] == ["rucio_other"]
        else:
            assert_is_truth(outcomes.documents[0].body, as_told(row))
            assert outcomes.documents[0].body["perf"]["transfer"]["size_bytes"] == int(row["bytes"])


def test_the_bulk_form_is_the_truth_and_the_same_fact(flow_of: FlowOf, sources: dict[str, Source]) -> None:
    """The action line is ignored by its shape; Hermes's id is of the message and of no fact."""
    decoder = flow_of("rucio")
    action, fact = [read(decoder, frame.data) for frame in frames(BULK, framing_of(sources["rucio"], "bulk.log", BULK))]
    (row,) = truth("rucio_elastic_bulk.log")
    created = DONE["payload"]["created_at"].replace(" ", "T") + "Z"

    assert [ignored.shape for ignored in action.ignored] == ["bulk_action"]
    assert_is_truth(fact.documents[0].body, {**row, "queued": created})  # the truth tells it of the other copy alone
    assert fact.documents[0].id == document(decoder, DONE).id


@pytest.mark.parametrize("text", ['{ "index":{ } }', '{"index":{"_index":"rucio"}}', '{"create":{}}'])
def test_an_action_line_is_ignored_by_its_shape(flow_of: FlowOf, text: str) -> None:
    """It has no name but that of the action."""
    assert [ignored.shape for ignored in read(flow_of("rucio"), text).ignored] == ["bulk_action"]
    assert reject(flow_of("rucio"), text[:-1] + ',"weather":1}').reason == "shape"


def test_queued_submitted_and_done_are_facts_of_their_own(flow_of: FlowOf) -> None:
    """Of one request, each at its own instant: the later ones do not repeat what the earlier ones told."""
    documents = [document(flow_of("rucio"), fact) for fact in (QUEUED, SUBMITTED, DONE)]

    assert len({fact.id for fact in documents}) == 3
    assert len({fact.body["perf"]["transfer"]["id"] for fact in documents}) == 1
    assert [fact.body["@timestamp"] for fact in documents] == [
        "2026-03-04T19:19:00.123Z", "2026-03-04T19:20:00.500Z", "2026-03-04T19:21:22Z",
    ]  # fmt: skip


def test_queued_at_of_a_submission_is_when_it_was_submitted(flow_of: FlowOf) -> None:
    """It is the instant of that event; when the transfer was asked for is told by transfer-queued and the end."""
    body = document(flow_of("rucio"), SUBMITTED).body

    assert body["@timestamp"] == body["perf"]["transfer"]["queued"] == "2026-03-04T19:20:00.500Z"
    assert "request_wait_s" not in body["perf"]["transfer"]


@pytest.mark.parametrize("name", ["TRANSFER-SUBMITTED", "Transfer-Submitted", "transfer-submitted"])
def test_names_are_compared_whatever_their_case(flow_of: FlowOf, name: str) -> None:
    """Rucio writes the enum's names upper case in one event and lower case in the others."""
    fact = document(flow_of("rucio"), event(SUBMITTED, name))

    assert fact.id == document(flow_of("rucio"), SUBMITTED).id
    assert (fact.body["perf"]["transfer"]["event"], fact.body["perf"]["transfer"]["state"]) == (
        "transfer-submitted", "submitted",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-03-04 19:21:22", "2026-03-04T19:21:22Z"),
        ("2026-03-04 19:21:22.250000", "2026-03-04T19:21:22.250Z"),
        ("2026-03-04T19:21:22", "2026-03-04T19:21:22Z"),
        ("2026-03-04T19:21:22.250000", "2026-03-04T19:21:22.250Z"),
        ("2026-03-04T20:21:22+01:00", "2026-03-04T19:21:22Z"),
    ],
)
def test_stamps_without_a_zone_are_utc(flow_of: FlowOf, stamp: str, expected: str) -> None:
    """With a blank or a T, with a fraction or without; one that names a zone is of that zone."""
    assert document(flow_of("rucio"), event(DONE, transferred_at=stamp)).body["event"]["end"] == expected


def test_waits_lie_between_the_stamps(flow_of: FlowOf) -> None:
    """Rucio's queue until it is submitted, the queue of FTS until it starts, then it moves."""
    body = document(flow_of("rucio"), DONE).body

    assert body["perf"]["transfer"]["request_wait_s"] == 60
    assert body["perf"]["transfer"]["queue_wait_s"] == 57
    assert body["event"]["duration"] == 25_000_000_000


@pytest.mark.parametrize(
    ("started", "duration", "flag"),
    [
        ("2026-03-04 19:20:57", 25, None),
        ("2026-03-04 19:20:57", 26, None),
        ("2026-03-04 19:20:57", -1, None),
        ("2026-03-04 19:20:57", None, None),
        ("2026-03-04 19:20:57", 400, "elapsed_mismatch"),
        ("2026-03-03 19:20:57", 25, "duration_wrapped"),
        ("2026-03-01 19:20:57", 24, "duration_wrapped"),
        ("2026-03-03 19:20:57", 86425, None),
        ("2026-03-03 19:20:57", 86400 + 400, "elapsed_mismatch"),
    ],
)
def test_a_duration_that_has_lost_its_days_is_computed_from_the_stamps(
    flow_of: FlowOf, started: str, duration: int | None, flag: str | None
) -> None:
    """Python's timedelta.seconds leaves the days out; -1 is unknown; a second of rounding is no difference."""
    stamps = {"created_at": "2026-02-01 00:00:00", "submitted_at": "2026-02-01 00:00:01"}
    fact = document(flow_of("rucio"), event(DONE, started_at=started, duration=duration, **stamps))

    assert flags(fact) == ([flag] if flag else [])
    assert fact.body["event"]["duration"] % 86_400_000_000_000 == 25_000_000_000


@pytest.mark.parametrize("of", [QUEUED, SUBMITTED, FAILED])
def test_a_size_has_not_moved_unless_it_is_done(flow_of: FlowOf, of: dict[str, Any]) -> None:
    """`bytes` is the file's size in every event; of a failure nothing tells what moved, which a flag says."""
    fact = document(flow_of("rucio"), of)

    assert fact.body["perf"]["transfer"]["size_bytes"] == 10**10
    assert "bytes" not in fact.body["perf"]["transfer"]
    assert ("size_not_moved" in flags(fact)) is (of is FAILED)


@pytest.mark.parametrize(
    ("name", "outcome", "rank", "is_final"),
    [
        ("transfer-queued", "unknown", 1, False),
        ("transfer-submitted", "unknown", 2, False),
        ("transfer-waiting", "unknown", 2, False),
        ("transfer-preparing", "unknown", 2, False),
        ("transfer-suspend", "unknown", 2, False),
        ("transfer-some_day", "unknown", 2, False),
        ("transfer-done", "success", 6, True),
        ("transfer-failed", "failure", 6, True),
        ("transfer-lost", "failure", 6, True),
        ("transfer-no_sources", "failure", 6, True),
        ("transfer-only_tape_sources", "failure", 6, True),
        ("transfer-mismatch_scheme", "failure", 6, True),
        ("transfer-submission_failed", "failure", 6, True),
        ("stagein-done", "success", 6, True),
        ("stageout-failed", "failure", 6, True),
        ("upload-done", "success", 6, True),
        ("download-done", "success", 6, True),
    ],
)
def test_each_state_has_its_outcome_and_rank(
    flow_of: FlowOf, name: str, outcome: str, rank: int, is_final: bool
) -> None:
    """All states and all types of request; a state that is not known is no outcome."""
    fact = document(flow_of("rucio"), event(DONE, name))

    assert fact.body["event"]["outcome"] == outcome
    assert fact.version >> 56 == rank
    assert fact.body["perf"]["transfer"]["final"] is is_final


@pytest.mark.parametrize(
    ("name", "reason", "error"),
    [
        ("transfer-failed", "TRANSFER [110] TIMED OUT", {"code": "110", "type": "TRANSFER"}),
        ("transfer-failed", "DESTINATION MAKE_PARENT [17] x", {}),
        ("transfer-failed", "no space", {}),
        ("transfer-failed", None, {}),
        ("transfer-lost", "lost", {"type": "lost"}),
        ("transfer-no_sources", None, {"type": "no_sources"}),
    ],
)
def test_a_failure_tells_its_reason(flow_of: FlowOf, name: str, reason: str | None, error: dict[str, str]) -> None:
    """FTS puts the phase and the errno ahead of its words; a state other than failed is a reason by itself."""
    body = document(flow_of("rucio"), event(FAILED, name, reason=reason)).body

    assert body.get("error", {}) == {**error, **({"message": reason} if reason else {})}


def test_a_retry_is_a_request_of_its_own_that_names_the_one_before(flow_of: FlowOf) -> None:
    """The chain tells the attempts; the count of retries of a queued request tells the attempt, from 1."""
    failed = document(flow_of("rucio"), FAILED).body["perf"]["transfer"]
    queued = document(flow_of("rucio"), event(QUEUED, retry_count=2)).body["perf"]["transfer"]

    assert failed["previous_id"] == "c0ffee00000040008000000000000009"
    assert (queued["attempt"], type(queued["attempt"])) == (3, int)
    assert "attempt" not in failed


@pytest.mark.parametrize("of", [SUBMITTED, DONE, FAILED])
def test_the_job_of_fts_joins_the_records_of_both(flow_of: FlowOf, of: dict[str, Any]) -> None:
    """`external-id` and `transfer-id` are the same: a job of many files, so the URLs tell which one."""
    fields = document(flow_of("rucio"), of).body["perf"]["transfer"]

    assert fields["external_id"] == "8b7f0e1a-0000-4000-8000-0000000000f7"
    assert ("source_url" in fields) is (of is not SUBMITTED)


def test_storage_elements_are_addresses_and_their_hosts_come_from_the_urls(flow_of: FlowOf) -> None:
    """The site is the host's where the settings know it, else the storage element's."""
    sites = {"lbl-diskpt1.es.net": "LBL", "als_disk": "ALS", "nersc_disk": "NERSC"}
    body = document(flow_of("rucio", sites=sites), DONE).body

    assert body["source"] == {"address": "ALS_DISK", "domain": "lbl-diskpt1.es.net", "site": "LBL"}
    assert body["destination"] == {"address": "NERSC_DISK", "domain": "cern-diskpt1.es.net", "site": "NERSC"}
    assert body["perf"]["transfer"]["protocol"] == "davs"


def test_an_end_without_a_storage_element_is_its_host(flow_of: FlowOf) -> None:
    """And without a URL the storage element alone."""
    body = document(flow_of("rucio"), event(DONE, src_rse=None, dst_url=None)).body

    assert body["source"]["address"] == "lbl-diskpt1.es.net"
    assert body["destination"] == {"address": "NERSC_DISK"}


def test_dataset_activity_and_rule_are_kept(flow_of: FlowOf) -> None:
    """The dataset with its scope, which makes it unique: it is what joins files to a run."""
    done, queued = (document(flow_of("rucio"), of).body["perf"] for of in (DONE, QUEUED))

    assert done["transfer"]["dataset"] == "als:run20260304"
    assert done["transfer"]["activity"] == "Beamline"
    assert queued["extra"]["rule-id"] == "d" * 32


def test_the_token_in_a_dataset_names_the_run(flow_of: FlowOf) -> None:
    """A dataset of its own per run is where it can ride."""
    body = document(flow_of("rucio"), event(DONE, dataset="perflog:20260304-1120-1:TRANSFER")).body

    assert body["perf"]["run"]["id"] == "20260304-1120-1"
    assert body["perf"]["stage"]["name"] == "TRANSFER"


@pytest.mark.parametrize("payload", [{"activity": "Functional Test"}, {"name": "1gbtestfile-7"}, {"activity": "SONAR"}])
def test_tests_of_the_service_are_probes(flow_of: FlowOf, payload: dict[str, str]) -> None:
    """By their activity or name."""
    assert document(flow_of("rucio"), event(DONE, **payload)).body["perf"]["transfer"]["probe"] is True


def test_a_long_payload_travels_beside(flow_of: FlowOf) -> None:
    """Above 4,000 characters it stands in payload_nolimit; a row of the table has either as a text."""
    decoder, fact = flow_of("rucio"), document(flow_of("rucio"), DONE)
    payload = DONE["payload"]
    for form in (
        {"payload": "nolimit", "payload_nolimit": payload},
        {"payload": None, "payload_nolimit": json.dumps(payload)},
        {"payload": json.dumps(payload)},
    ):
        other = document(decoder, {**DONE, **form})
        assert (other.id, other.version) == (fact.id, fact.version)


@pytest.mark.parametrize(
    "name",
    ["deletion-done", "deletion-not-found", "rule_ok", "rule_progress", "datasetlock_ok", "lost", "erase", "close",
     "create_dts", "incomplete", "email"],
)  # fmt: skip
def test_events_of_no_transfer_are_ignored_by_their_shape(flow_of: FlowOf, name: str) -> None:
    """They are told by their name, whatever they hold."""
    outcomes = read(flow_of("rucio"), {"event_type": name, "payload": {"request-id": "x"}, "created_at": "now"})

    assert [ignored.shape for ignored in outcomes.ignored] == ["rucio_other"]


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (event(DONE, request_id=None), "identity"),
        ({**event(FAILED), "created_at": None}, "no_time"),
        ({**DONE, "payload": [1]}, "shape"),
        ({**DONE, "payload": '{"request-id":'}, "shape"),
        ({**DONE, "event_type": 7}, "shape"),
        ({**DONE, "event_type": "transfer-"}, "shape"),
    ],
)
def test_a_transfer_event_that_cannot_be_told_is_a_reject(flow_of: FlowOf, fact: dict[str, Any], reason: str) -> None:
    """Without request, without an instant, without anything told."""
    assert reject(flow_of("rucio"), fact).reason == reason


def test_a_failure_without_its_own_instant_is_of_when_it_was_told(flow_of: FlowOf) -> None:
    """It has no end then, which a flag says."""
    fact = document(flow_of("rucio"), FAILED)

    assert fact.body["@timestamp"] == "2026-03-04T19:21:25Z"
    assert "end" not in fact.body["event"]
    assert "phase_missing" in flags(fact)


def test_of_two_tellings_of_one_event_the_later_counts(flow_of: FlowOf) -> None:
    """One message per service, each with an id of its own: one fact."""
    first = document(flow_of("rucio"), DONE)
    later = document(flow_of("rucio"), {**DONE, "created_at": "2026-03-04 19:22:25.000000", "id": "e" * 32})

    assert first.id == later.id
    assert first.version < later.version
