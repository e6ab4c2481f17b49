"""FTS3's messages: each record against the truth by another hand, all of their traps, and which are one fact."""

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Outcomes
from ingest.core.sources.framing import frames, framing_of
from ingest.core.sources.source import Source
from tests.core.conftest import GRAMMARS
from tests.support.transfers import TRUTH, assert_is_truth

FlowOf = Callable[..., Decoder]
RECEIVED_MS = 1_772_700_000_000
T = 1_772_652_060_000  # ms, 2026-03-04T19:21:00Z
JOB = "8b7f0e1a-0000-4000-8000-0000000000f7"
SAMPLES = {
    "fts.jsonl": "samples.jsonl",
    "fts_broker.json": "samples.broker.json",
    "fts_monit.json": "samples.monit.json",
    "fts_2016.jsonl": "samples.2016.jsonl",
}
STATE, END = 0, 4  # lines of samples.jsonl


def sample(file: str, record: int) -> bytes:
    """One record (from 1) of a sample file, framed as the shipper frames it."""
    data = (GRAMMARS / "fts" / file).read_bytes()
    if file.endswith(".json"):
        return data
    return data.split(b"\n")[record - 1]


def message(line: int, **changes: Any) -> dict[str, Any]:
    """A message of the shared samples with other values; `...` takes a key out."""
    tree: dict[str, Any] = json.loads(sample("samples.jsonl", line + 1)) | changes
    return {key: value for key, value in tree.items() if value is not ...}


def read(decoder: Decoder, record: bytes | dict[str, Any]) -> Outcomes:
    """What a message becomes, however old it is."""
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    return decoder.decode(Message(data, RECEIVED_MS, backfill=True), 0)


def document(decoder: Decoder, record: bytes | dict[str, Any]) -> dict[str, Any]:
    """The one document of a message."""
    outcomes = read(decoder, record)
    assert not outcomes.rejects, outcomes.rejects
    (only_document,) = outcomes.documents
    return only_document.body


def transfer(decoder: Decoder, record: bytes | dict[str, Any]) -> dict[str, Any]:
    """What the one document of a message says of the transfer."""
    fields: dict[str, Any] = document(decoder, record)["perf"]["transfer"]
    return fields


@pytest.fixture
def decoder(flow_of: FlowOf) -> Decoder:
    """A decoder of FTS alone."""
    return flow_of("fts")


def test_each_record_is_the_truth(decoder: Decoder) -> None:
    """Ids, instants, bytes, rates, ends, outcomes and when it was asked for, of every shape and age.

    The truth counts retries before an attempt, documents count attempts from 1 and only where FTS tells them; and it
    says of an end when the transfer was asked for, which only the states and MONIT's wrapper tell.
    """
    rows = [row for row in csv.DictReader(TRUTH.read_text().splitlines()) if row["file"] in SAMPLES]
    for row in rows:
        body = document(decoder, sample(SAMPLES[row["file"]], int(row["record"])))
        expected = dict(row)
        has_attempt = "attempt" in body["perf"]["transfer"]
        expected["attempt"] = str(int(row["attempt"]) + 1) if has_attempt else ""
        if row["file"] == "fts.jsonl" and row["record"] == "5":
            expected["queued"] = ""
        if row["note"] == "SS SUBMITTED":  # the record names both ends, the truth leaves them out
            expected |= {"src": "lbl-diskpt1.es.net", "dst": "cern-diskpt1.es.net"}
        assert_is_truth(body, expected)
    assert len(rows) == 9


def test_the_same_message_delivered_twice_is_one_fact(decoder: Decoder) -> None:
    """The broker's own, with a blank, with 0x04, on several lines, and as MONIT passes it on; the broker's counts."""
    end = message(END)
    copies = [
        read(decoder, json.dumps(end).encode() + b" "),
        read(decoder, json.dumps(end).encode() + b"\x04"),
        read(decoder, json.dumps(end, indent="\t").encode() + b" \n\x04\n"),
        read(decoder, {"data": end, "metadata": {"producer": "fts", "kafka_timestamp": T}}),
    ]
    made = [outcomes.documents[0] for outcomes in copies]

    assert len({fact.id for fact in made}) == 1
    assert made[0].version == made[1].version == made[2].version > made[3].version


def test_two_attempts_are_two_facts(decoder: Decoder) -> None:
    """Failures in one minute have one tr_id; a success says `retry: 0`, whatever was before it."""
    lines = [sample("samples.own.jsonl", number) for number in (1, 2, 3)]
    made = [read(decoder, line).documents[0] for line in lines]

    assert len({json.loads(line)["tr_id"] for line in lines}) == 1
    assert len({fact.body["perf"]["transfer"]["id"] for fact in made}) == 1
    assert len({fact.id for fact in made}) == 3
    assert [fact.body["perf"]["transfer"].get("attempt") for fact in made] == [1, 2, None]
    assert [fact.body["perf"]["transfer"].get("final") for fact in made] == [False, False, True]


def test_attempts_that_end_in_the_same_way_a_millisecond_apart_are_two_facts(decoder: Decoder) -> None:
    """Nothing but the instant of the end differs."""
    ends = [message(END, tr_timestamp_complete=T + 22_000 + late_ms) for late_ms in (0, 0, 1)]
    assert len({read(decoder, end).documents[0].id for end in ends}) == 2


def test_states_start_and_end_are_facts_of_their_own(decoder: Decoder) -> None:
    """Of the six messages about file 901 none replaces another, and two states of one millisecond do not either."""
    made = [read(decoder, sample("samples.jsonl", number)).documents[0] for number in range(1, 7)]
    states = [read(decoder, message(STATE, file_state=state)).documents[0].id for state in ("READY", "ACTIVE")]

    assert len({fact.id for fact in made}) == 6
    assert len(set(states)) == 2
    assert [fact.body["perf"]["transfer"]["event"] for fact in made] == [
        "state", "state", "start", "state", "complete", "state",
    ]  # fmt: skip
    assert [fact.body["@timestamp"][11:] for fact in made[:3]] == ["19:20:00.100Z", "19:20:56.900Z", "19:20:57.100Z"]
    assert [fact.version >> 56 for fact in made] == [1, 3, 3, 4, 6, 5]


def test_a_state_that_comes_again_after_a_retry_is_another_fact(decoder: Decoder) -> None:
    """The file is READY once for each attempt."""
    again = [message(STATE, file_state="READY", timestamp=T + at_ms) for at_ms in (0, 60_000)]
    assert len({read(decoder, state).documents[0].id for state in again}) == 2


def test_files_of_one_job_are_different_transfers(decoder: Decoder) -> None:
    """The job is the parent of all its files."""
    bodies = [transfer(decoder, message(END, file_id=number)) for number in (901, 902)]

    assert [body["id"] for body in bodies] == [f"{JOB}/901", f"{JOB}/902"]
    assert {body["parent_id"] for body in bodies} == {JOB}


@pytest.mark.parametrize("key", ["tr_id", "transfer_id"])
def test_ids_come_from_the_tail_of_the_printed_id_if_there_are_no_others(decoder: Decoder, key: str) -> None:
    """Host names may hold `__` as well; the last two parts are file and job."""
    line = END if key == "tr_id" else 2
    printed = {key: f"2016-06-22-2201__a__b__c__77__{JOB.upper()}"}
    assert transfer(decoder, message(line, job_id=..., file_id=..., **printed))["id"] == f"{JOB}/77"


def test_numbers_may_be_texts_with_a_fraction_of_zeros(decoder: Decoder) -> None:
    """As in 2016, `1466632860151.000000` is ms; its fraction is no microseconds."""
    body = document(decoder, message(END, tr_timestamp_start=f"{T - 3000}.000000", timestamp_tr_st="0"))

    assert body["event"]["start"] == "2026-03-04T19:20:57Z"
    assert body["perf"]["transfer"]["bytes"] == 10**10


def test_a_file_of_one_message_on_several_lines_is_framed_as_one(sources: dict[str, Source]) -> None:
    """What jsoncpp prints is no lines; the trailing byte does not make it two."""
    data = (GRAMMARS / "fts" / "samples.broker.json").read_bytes()
    for text in (data, data + b"\x04"):
        assert len(list(frames(text, framing_of(sources["fts"], "queue.json", text)))) == 1


def test_the_rate_is_of_the_bytes_that_moved_and_throughput_is_bytes_a_second(decoder: Decoder) -> None:
    """`throughput` is of the file's size; it is kept as reported, in bit/s."""
    body = transfer(decoder, message(END, tr_bt_transfered=2 * 10**9))

    assert body["rate_bps"] == pytest.approx(8 * 10**8)
    assert body["reported_rate_bps"] == 4 * 10**9
    assert "reported_rate_bps" not in transfer(decoder, message(END, throughput=-1.0))


@pytest.mark.parametrize(
    ("state", "moved", "expected", "flags"),
    [
        ("Ok", ..., 10**10, []),
        ("Ok", "", 10**10, []),
        ("Ok", 0, 0, []),
        ("Error", ..., None, ["size_not_moved"]),
        ("Error", 2 * 10**9, 2 * 10**9, []),
        ("Abort", 0, 0, []),
        ("Error", -1, None, ["value_range"]),
    ],
)
def test_bytes_are_those_that_moved_and_never_the_size_on_a_failure(
    decoder: Decoder, state: str, moved: Any, expected: int | None, flags: list[str]
) -> None:
    """A success that does not tell them has moved the whole file; the size stands beside it."""
    body = document(decoder, message(END, t_final_transfer_state=state, tr_bt_transfered=moved))

    assert body["perf"]["transfer"].get("bytes") == expected
    assert body["perf"]["transfer"]["size_bytes"] == 10**10
    assert body["perf"].get("flags", []) == flags


def test_phases_are_seconds_between_instants_in_ms(decoder: Decoder) -> None:
    """Checksums of both ends together; preparing and finishing; none of those that never ran."""
    assert {key: value for key, value in transfer(decoder, message(END)).items() if key.endswith("_s")} == {
        "checksum_s": 3.0
    }
    srm = transfer(decoder, sample("samples.own.jsonl", 5))
    assert (srm["prepare_s"], srm["checksum_s"], srm["finalize_s"]) == (1.5, 3.0, 0.25)


@pytest.mark.parametrize(
    ("changes", "start", "end", "flags"),
    [
        ({"timestamp_tr_comp": 0}, "19:21:00Z", "19:21:22Z", ["phase_missing"]),
        ({"timestamp_tr_st": 0}, "19:20:57Z", "19:21:20Z", ["phase_missing"]),
        ({"timestamp_tr_st": 0, "timestamp_tr_comp": 0}, "19:20:57Z", "19:21:22Z", ["phase_missing"]),
        ({"timestamp_tr_comp": T - 1}, None, "19:20:59.999Z", ["negative_span"]),
    ],
)
def test_a_phase_that_never_ran_leaves_no_number(
    decoder: Decoder, changes: dict[str, int], start: str | None, end: str, flags: list[str]
) -> None:
    """Its instant is 0, its `transfer_time` hugely negative: the process's instants bound the span, without a rate."""
    body = document(decoder, message(END, **changes, transfer_time=-T))

    assert (body["event"].get("start") or "")[11:] == (start or "")
    assert body["event"]["end"][11:] == end
    assert "rate_bps" not in body["perf"]["transfer"]
    assert body["perf"]["flags"] == flags


def test_a_checksum_that_ends_before_it_starts_is_left_out(decoder: Decoder) -> None:
    """The other end's stays; one that never ended is flagged apart."""
    reversed_ = document(decoder, message(END, timestamp_chk_src_ended=T - 10_000))
    open_ = document(decoder, message(END, timestamp_chk_src_ended=0))

    assert reversed_["perf"]["transfer"]["checksum_s"] == open_["perf"]["transfer"]["checksum_s"] == 1.0
    assert (reversed_["perf"]["flags"], open_["perf"]["flags"]) == (["negative_span"], ["phase_missing"])


def test_latency_is_ms_from_being_asked_for_to_the_process(decoder: Decoder) -> None:
    """MONIT adds it: 57,000 ms before 19:20:57."""
    relayed = transfer(decoder, sample("samples.monit.json", 1))
    assert (relayed["queued"], relayed["queue_wait_s"]) == ("2026-03-04T19:20:00Z", 57.0)

    for latency in (-5, 1e308, "9" * 300, 400 * 86_400_000):
        body = document(decoder, {"data": message(END, latency=latency), "metadata": {}})
        assert not {"queued", "queue_wait_s"} & body["perf"]["transfer"].keys()
        assert body["perf"]["flags"] == ["value_range"]


@pytest.mark.parametrize(
    ("changes", "final"),
    [
        ({"retry": 0, "retry_max": 3, "is_recoverable": True}, False),
        ({"retry": 3, "retry_max": 3, "is_recoverable": True}, True),
        ({"retry": 0, "retry_max": 3, "is_recoverable": False}, True),
        ({"retry": "0", "retry_max": ..., "is_recoverable": "1"}, None),
        ({"t_final_transfer_state": "Abort", "is_recoverable": True}, True),
    ],
)
def test_an_error_is_final_if_it_is_not_retried(decoder: Decoder, changes: dict[str, Any], final: bool | None) -> None:
    """Where the message does not tell how often FTS retries, neither does the document."""
    assert transfer(decoder, message(END, **{"t_final_transfer_state": "Error"} | changes)).get("final") == final


def test_a_failure_tells_code_category_scope_phase_and_words(decoder: Decoder) -> None:
    """All five are the message's own."""
    body = document(decoder, sample("samples.jsonl", 7))

    assert body["error"] == {
        "code": "110",
        "type": "CONNECTION_TIMED_OUT",
        "message": "TRANSFER [110] Timeout exceeded",
    }
    assert body["perf"]["transfer"]["failure_scope"] == body["perf"]["transfer"]["failure_phase"] == "TRANSFER"


@pytest.mark.parametrize(
    ("state", "outcome", "final", "words"),
    [
        ("FINISHED", "success", True, None),
        ("FAILED", "failure", True, "gone"),
        ("CANCELED", "failure", True, "gone"),
        ("ACTIVE", "unknown", False, None),
        ("NOT_KNOWN_YET", "unknown", False, None),
    ],
)
def test_a_state_tells_the_outcome_once_it_is_final(
    decoder: Decoder, state: str, outcome: str, final: bool, words: str | None
) -> None:
    """ACTIVE is no progress: no bytes, no end."""
    body = document(decoder, message(STATE, file_state=state, reason="gone"))

    assert body["event"]["outcome"] == outcome
    assert body["perf"]["transfer"]["final"] is final
    assert body.get("error", {}).get("message") == words
    assert ("end" in body["event"]) is final
    assert "bytes" not in body["perf"]["transfer"]


def test_staging_is_preparing_and_archiving_is_finishing(decoder: Decoder) -> None:
    """Both in ms, in states only; one that has not ended is flagged."""
    staged = message(STATE, staging_start=T, staging_finished=T + 90_000, archiving_start=T)
    body = document(decoder, staged)

    assert body["perf"]["transfer"]["prepare_s"] == 90.0
    assert body["perf"]["flags"] == ["phase_missing"]


@pytest.mark.parametrize(
    ("job", "file", "run", "stage"),
    [
        ({"perflog_run": "R1", "perflog_stage": "S"}, None, "R1", "S"),
        ('{"perflog_run":"R1"}', "", "R1", None),
        ({"comment": "perflog run=R1 stage=S"}, {"scope": "als"}, "R1", "S"),
        ("perflog:R1:S", "null", "R1", "S"),
        ({"perflog_run": "R1"}, {"perflog_run": "R2", "perflog_stage": "S"}, "R2", "S"),
        ({"perflog_run": "no run"}, {"run": "R1"}, None, None),
        ({"perflog_run": 7, "perflog_stage": "S"}, "x", None, None),
        (None, None, None, None),
        ([1], 5, None, None),
    ],
)
def test_metadata_name_run_and_stage_by_key_or_token(
    decoder: Decoder, job: Any, file: Any, run: str | None, stage: str | None
) -> None:
    """An object, JSON in a text, a text, or nothing; the file's comes before the job's."""
    perf = document(decoder, message(END, job_metadata=job, file_metadata=file))["perf"]
    assert (perf.get("run", {}).get("id"), perf.get("stage", {}).get("name")) == (run, stage)


def test_other_metadata_are_kept_as_data(decoder: Decoder) -> None:
    """Rucio's request and dataset are fields: they join its events to FTS's."""
    perf = document(decoder, sample("samples.own.jsonl", 5))["perf"]

    assert perf["extra"]["job_metadata"] == {"issuer": "rucio", "multi_sources": False}
    assert perf["extra"]["fqdn"] == "fts-7.example.org"
    assert perf["transfer"]["external_id"] == "0f3a7d5e11114222833394445556667a"
    assert perf["transfer"]["dataset"] == "run20260304"


def test_transport_and_people_s_words(decoder: Decoder) -> None:
    """IP version, streams, marks of packets, activity, organisation; a test transfer is marked."""
    body = transfer(decoder, message(END, nstreams=4))
    sonar = transfer(decoder, message(END, activity="SONAR", ipver="unknown", scitag=0))

    assert (body["ip_version"], body["streams"], body["scitag"]) == (6, 4, 65)
    assert (body["activity"], body["vo"], body["protocol"]) == ("default", "als", "davs")
    assert sonar["probe"] is True
    assert not {"ip_version", "scitag"} & sonar.keys()


def test_ends_come_from_the_names_where_there_is_no_url(decoder: Decoder) -> None:
    """Broker messages may lack either."""
    body = document(decoder, message(END, src_url=..., dst_url="", dst_hostname=""))
    state = document(decoder, message(STATE, src_url=..., dst_url=...))

    assert body["source"]["domain"] == "lbl-diskpt1.es.net"
    assert "destination" not in body
    assert (state["source"]["address"], state["destination"]["address"]) == (
        "lbl-diskpt1.es.net",
        "cern-diskpt1.es.net",
    )


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_optimizer_s_messages_are_ignored(flow_of: FlowOf, wrapped: bool) -> None:
    """They move nothing, and no other source of the intake makes rejects of them."""
    choice = {"source_se": "davs://a", "throughput": 5e8, "rationale": "Good link\nefficiency", "timestamp": T}
    outcomes = read(flow_of("fts", "perfsonar"), {"data": choice, "metadata": {}} if wrapped else choice)

    assert [ignored.shape for ignored in outcomes.ignored] == ["fts_optimizer"]
    assert not outcomes.rejects


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (message(END, job_id=..., file_id=..., tr_id="2026-03-04-1921"), "identity"),
        (message(END, file_id=..., tr_id=...), "identity"),
        (message(END, tr_timestamp_complete=T // 1000), "value"),
        (message(STATE, timestamp=0), "no_time"),
        (message(END, t_final_transfer_state=...), "shape"),
        ({"data": [], "metadata": {}}, "shape"),
        ({"data": {"job_id": "a"}, "metadata": 1, "file_state": "READY"}, "shape"),
    ],
)
def test_what_names_no_transfer_or_no_instant_in_ms_is_a_reject(
    decoder: Decoder, record: dict[str, Any], reason: str
) -> None:
    """Seconds are not guessed to be ms."""
    outcomes = read(decoder, record)

    assert [reject.reason for reject in outcomes.rejects] == [reason]
    assert not outcomes.documents
