"""GridFTP's transfer log and its "ng" log: every record against the truth by another hand, and each of their traps."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Outcomes
from ingest.core.timestamps import of_iso
from tests.core.conftest import GRAMMARS
from tests.support.transfers import TRUTH, assert_is_truth

FlowOf = Callable[..., Decoder]
RECEIVED_MS = 1_772_700_000_000
HEAD = (
    "DATE=20260304192024.992375 HOST=dtn.example PROG=globus-gridftp-server NL.EVNT=FTP_INFO "
    "START=20260304192004.992375"
)
TAIL = (
    "BUFFER=235104 BLOCK=4194304 NBYTES=10000000000 VOLUME=/ STREAMS=4 STRIPES=1 "
    "DEST=[198.51.100.20] TYPE=RETR CODE=226"
)
LINE = f"{HEAD} USER=alice FILE=/data/scan_0001.h5 {TAIL}"
NG = "ts=2026-03-04T19:20:15.000000Z id=4711 event=globus-gridftp-server."


def read(decoder: Decoder, line: str | bytes) -> Outcomes:
    """What a line becomes, however old it is."""
    data = line.encode() if isinstance(line, str) else line
    return decoder.decode(Message(data, RECEIVED_MS, backfill=True), 0)


def document(decoder: Decoder, line: str) -> dict[str, Any]:
    """The one document of a line."""
    outcomes = read(decoder, line)
    assert not outcomes.rejects, outcomes.rejects
    (only_document,) = outcomes.documents
    return only_document.body


def truth(file: str) -> list[dict[str, str]]:
    """The rows of the truth about one file, its ignored and refused records too."""
    return [row for row in csv.DictReader(TRUTH.read_text().splitlines()) if row["file"] == file]


def sample_lines(source: str) -> list[str]:
    """The lines of a source's samples, the shared ones first."""
    return (Path(GRAMMARS) / source / "samples.log").read_text().splitlines()


def test_each_record_of_the_transfer_log_is_the_truth(flow_of: FlowOf) -> None:
    """Ids, instants, bytes, rates, ends and outcomes of all nine; the listing is ignored, the cut one a reject."""
    decoder = flow_of("gridftp")
    lines = sample_lines("gridftp")
    for row in truth("gridftp_transfer.log"):
        outcomes = read(decoder, lines[int(row["record"].rstrip("ab")) - 1])
        if row["outcome"] == "reject":
            assert [reject.reason for reject in outcomes.rejects] == ["torn"]
        elif row["outcome"] == "ignored":
            assert [ignored.shape for ignored in outcomes.ignored] == ["listing"]
        else:
            (only_document,) = outcomes.documents
            assert_is_truth(only_document.body, row, id_field="parent_id")


def test_the_beginning_and_end_of_the_ng_log_are_the_truth(flow_of: FlowOf) -> None:
    """Each is a fact of its own, that tells its own instant alone; two of them make the row of the truth."""
    decoder = flow_of("gridftp_ng")
    lines = sample_lines("gridftp_ng")
    for row in truth("gridftp_ng.log"):
        begin, end = (document(decoder, lines[int(number) - 1]) for number in row["record"].split("-"))
        together = {**end, "event": {**end["event"], "start": begin["event"]["start"]}}
        span_s = (of_iso(together["event"]["end"]) - of_iso(together["event"]["start"])) / 1000
        moved_bytes = end["perf"]["transfer"].get("bytes")
        if moved_bytes is not None:
            together["perf"]["transfer"]["rate_bps"] = moved_bytes * 8 / span_s
        assert_is_truth(together, {**row, "attempt": ""}, id_field="session")
        assert begin["event"]["outcome"] == "unknown"
        assert begin["file"]["path"] == end["file"]["path"]


@pytest.mark.parametrize(
    ("kind", "observer", "level", "source", "destination"),
    [
        ("RETR", "sender", "file", "dtn.example", "198.51.100.20"),
        ("ERET", "sender", "part", "dtn.example", "198.51.100.20"),
        ("STOR", "receiver", "file", "198.51.100.20", "dtn.example"),
        ("ESTO", "receiver", "part", "198.51.100.20", "dtn.example"),
    ],
)
def test_the_type_tells_the_direction_and_whether_it_is_a_part(
    flow_of: FlowOf, kind: str, observer: str, level: str, source: str, destination: str
) -> None:
    """What is retrieved leaves the server, what is stored comes to it."""
    body = document(flow_of("gridftp"), LINE.replace("RETR", kind))

    assert (body["perf"]["transfer"]["observer"], body["perf"]["transfer"]["level"]) == (observer, level)
    assert (body["source"]["address"], body["destination"]["address"]) == (source, destination)


@pytest.mark.parametrize(
    "path", ["/a b", "/run=17 x", "/t:19:20", "/BUFFER=no digit", "/a DATE=2026", "/é", "=", "/x  y "]
)
def test_a_path_may_hold_blanks_and_equals_signs(flow_of: FlowOf, path: str) -> None:
    """It ends before ` BUFFER=` and a number, and is kept as it is."""
    assert document(flow_of("gridftp"), LINE.replace("/data/scan_0001.h5", path))["file"]["path"] == path


def test_unpadded_microseconds_are_a_number(flow_of: FlowOf) -> None:
    """`.4500` is 4,500 us, as servers before October 2009 printed it; six digits are decimals and not flagged."""
    body = document(flow_of("gridftp"), LINE.replace("START=20260304192004.992375", "START=20260304192004.4500"))

    assert body["event"]["start"] == "2026-03-04T19:20:04.004Z"
    assert body["event"]["duration"] == 20_987_875_000
    assert body["perf"]["flags"] == ["microseconds_unpadded"]


def test_a_prefix_is_passed_over_and_copies_with_and_without_it_are_one_fact(flow_of: FlowOf) -> None:
    """The prefix is local time, which is not used: the record's own is UTC."""
    decoder = flow_of("gridftp")
    prefixes = ["", "Transfer stats: ", "[4711] Wed Mar  4 11:20:25 2026 :: Transfer stats: "]

    assert len({read(decoder, prefix + LINE).documents[0].id for prefix in prefixes}) == 1


def test_transfers_that_differ_in_one_respect_are_two_facts(flow_of: FlowOf) -> None:
    """Another file, another instant, another size, another end, another task."""
    decoder = flow_of("gridftp")
    changes = [("0001", "0002"), ("192024.992375", "192024.992376"), ("=10000000000", "=10000000001"), (".20]", ".21]")]
    changes.append(("CODE=226", "CODE=226 TASKID=abc"))
    ids = {read(decoder, LINE.replace(old, new)).documents[0].id for old, new in [("", ""), *changes]}

    assert len(ids) == 1 + len(changes)


def test_a_task_id_belongs_to_the_parent_and_none_is_absent(flow_of: FlowOf) -> None:
    """Thousands of lines share one: it is no identity."""
    decoder = flow_of("gridftp")

    assert document(decoder, f"{LINE} TASKID=abc")["perf"]["transfer"]["parent_id"] == "abc"
    assert "parent_id" not in document(decoder, f"{LINE} TASKID=none")["perf"]["transfer"]


def test_retransmits_of_all_streams_are_added(flow_of: FlowOf) -> None:
    """`retrans=0,3,0,1` is four."""
    body = document(flow_of("gridftp"), f"{LINE} TASKID=none retrans=0,3,0,1")
    assert body["perf"]["transfer"]["retransmits"] == 4


def test_fdt_s_lines_are_another_format(flow_of: FlowOf) -> None:
    """Their keys are the same, and their time is local: read as UTC they would be hours off."""
    outcomes = read(flow_of("gridftp"), LINE.replace("globus-gridftp-server", "fdt"))
    assert [ignored.shape for ignored in outcomes.ignored] == ["other"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE.replace("START=20260304192004", "START=20261304192004"), "stamp"),
        (LINE.replace("START=20260304192004", "START=20260304196004"), "stamp"),
        (LINE.replace("START=20260304192004", "START=20260304192030"), "value"),
        (LINE.partition(" BUFFER")[0], "torn"),
        ("DATE=20260304192024.992375 HOST=d", "torn"),
    ],
)
def test_what_cannot_be_is_a_reject(flow_of: FlowOf, line: str, reason: str) -> None:
    """A month 13, a minute 60, an end 5 s before the start; a record that was cut."""
    outcomes = read(flow_of("gridftp"), line)

    assert [reject.reason for reject in outcomes.rejects] == [reason]
    assert not outcomes.documents


def test_a_record_that_lost_its_newline_is_two(flow_of: FlowOf) -> None:
    """The cut one is a reject with its own bytes, the one behind it a document, flagged."""
    cut = LINE[:90]
    outcomes = read(flow_of("gridftp"), cut + LINE)

    assert [reject.original for reject in outcomes.rejects] == [cut.encode()]
    assert [body.body["perf"]["flags"] for body in outcomes.documents] == [["glued"]]


def test_netlogger_leaves_ng_lines_alone(flow_of: FlowOf) -> None:
    """They are NetLogger's in form and not in meaning: a process id is no run."""
    decoder = flow_of("netlogger", "gridftp_ng")
    line = f'{NG}transfer.start file="/a b"'

    assert document(decoder, line)["perf"]["source"] == "gridftp_ng"
    assert [ignored.shape for ignored in read(flow_of("netlogger"), line).ignored] == ["other"]
    assert document(decoder, line.replace("globus-gridftp-server", "als"))["perf"]["source"] == "netlogger"


def test_the_end_of_the_ng_log_names_its_file_without_quotes(flow_of: FlowOf) -> None:
    """Up to ` tcpbuffer=`, whatever it holds."""
    rest = "tcpbuffer=0 blocksize=1 bytes=9 streams=1 stripes=1 remoteIP=192.0.2.1 type=STOR status=0"
    body = document(flow_of("gridftp_ng"), f"{NG}transfer.end localuser=a file=/x y=z {rest}")

    assert body["file"]["path"] == "/x y=z"
    assert body["perf"]["transfer"]["bytes"] == 9


def test_an_error_of_the_ng_log_is_a_failure_with_its_reason(flow_of: FlowOf) -> None:
    """What moved is not told: no bytes, no rate."""
    body = document(flow_of("gridftp_ng"), f'{NG}transfer.error file="/b" msg="Broken pipe" status=-1')

    assert body["event"]["outcome"] == "failure"
    assert body["error"] == {"code": "-1", "message": "Broken pipe"}
    assert "bytes" not in body["perf"]["transfer"]


@pytest.mark.parametrize("event", ["session.start remotehost=a:1", "child.start c.id=4711", "session.authn.start"])
def test_sessions_of_the_ng_log_are_ignored(flow_of: FlowOf, event: str) -> None:
    """They move nothing; they are counted by their shape."""
    assert [ignored.shape for ignored in read(flow_of("gridftp_ng"), NG + event).ignored] == ["session"]
