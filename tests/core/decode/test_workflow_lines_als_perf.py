"""ALS workflow lines against an oracle of another hand: als_perf_truth.csv and als_perf_runs.csv."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema, without_provenance
from ingest.core.model import Message, Provenance
from ingest.core.timestamps import iso_ms

DATA = Path(__file__).parents[2] / "data"
SAMPLE = Path(__file__).parents[3] / "grammars" / "als_perf" / "samples.log"
RECEIVED_MS = 1454803200000
MEANING = {"stage started": "start", "queue entered": "queued", "worker started": "work"}

# Columns of the truth table that have no place in the document of one line, and why.
NOT_IN_A_MARK = {
    "line_no": "the place in the sample file; provenance holds log.offset, which never enters a fact",
    "seq_in_run": "follows from all marks of the run: a document of the run's stages",
    "log_ts_text": "stands in event.original as written; perf.mark.logged holds the instant",
    "tz_offset_s": "perf.mark.logged is in UTC already; event.timezone keeps the abbreviation it was read with",
    "run_id_a": "halves of perf.run.id of unknown meaning; one per run is enough, a mark is lean",
    "run_id_b": "as run_id_a",
    "value_local": "@timestamp in the zone of the reader, which Kibana does",
    "next_line_no": "what follows in the run is derived from the set of its marks (test_runs)",
    "next_stage": "as next_line_no",
    "next_value_epoch_s": "as next_line_no",
    "value_to_next_value_s": "as next_line_no; compared there",
    "log_to_next_value_s": "as next_line_no",
    "is_last_in_run": "as next_line_no; compared there",
    "derived": "the oracle's own comment",
}


def truth() -> list[dict[str, str]]:
    """The rows of the truth table."""
    with (DATA / "als_perf_truth.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def iso_of(epoch_s: str) -> str:
    """Unix seconds as the documents write them, by another way than the core's."""
    return datetime.fromtimestamp(int(epoch_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_document(row: dict[str, str]) -> dict[str, Any]:
    """Column -> what the document must hold for it."""
    return {
        "run_id": row["run_id"],
        "tz_abbrev": row["tz_abbrev"],
        "log_epoch_s": iso_of(row["log_epoch_s"]),
        "log_utc": row["log_utc"],
        "script": row["script"],
        "script_line": int(row["script_line"]),
        "space_before_perf": row["space_before_perf"] == "1",
        "stage": row["stage"],
        "family": row["family"],
        "product": row["product"] or None,
        "variant": row["variant"] or None,
        "key": row["key"],
        "meaning": MEANING[row["meaning"]],
        "value_epoch_s": iso_of(row["value_epoch_s"]),
        "value_utc": row["value_utc"],
        "lag_s": int(row["lag_s"]),
        "zone_check": {"ok": []}[row["zone_check"]],
        "raw": row["raw"],
    }


def found_in(body: dict[str, Any]) -> dict[str, Any]:
    """The same columns out of a document."""
    perf, event, script = body["perf"], body["event"], body["log"]["origin"]["file"]
    flags = perf.get("flags", [])
    return {
        "run_id": perf["run"]["id"],
        "tz_abbrev": event["timezone"],
        "log_epoch_s": perf["mark"]["logged"],
        "log_utc": perf["mark"]["logged"],
        "script": script["name"],
        "script_line": script["line"],
        "space_before_perf": "blank_before_tag" in flags,
        "stage": perf["stage"]["name"],
        "family": perf["stage"]["family"],
        "product": perf["stage"].get("product"),
        "variant": perf["stage"].get("variant"),
        "key": perf["mark"]["key"],
        "meaning": perf["mark"]["role"],
        "value_epoch_s": body["@timestamp"],
        "value_utc": body["@timestamp"],
        "lag_s": perf["mark"]["emit_lag_s"],
        "zone_check": [flag for flag in flags if flag.startswith(("zone", "clock", "printed"))],
        "raw": event["original"],
    }


def test_every_column_of_the_truth_table_is_compared_or_has_a_reason() -> None:
    """No column of the oracle is forgotten in silence."""
    row = truth()[0]

    assert set(row) == set(in_document(row)) | set(NOT_IN_A_MARK)


@pytest.mark.parametrize("row", truth(), ids=lambda row: f"line {row['line_no']}")
def test_a_line_of_the_sample_becomes_what_the_truth_table_says(
    row: dict[str, str], flow_of: Callable[..., Decoder]
) -> None:
    """Each of the 35 real lines, every column."""
    line = SAMPLE.read_bytes().split(b"\n")[int(row["line_no"]) - 1]

    outcomes = flow_of("als_perf").decode(Message(line, RECEIVED_MS, backfill=True), RECEIVED_MS)

    assert not outcomes.rejects
    assert not outcomes.ignored
    assert [found_in(document.body) for document in outcomes.documents] == [in_document(row)]


def test_the_sample_has_no_two_lines_of_one_identity(flow_of: Callable[..., Decoder]) -> None:
    """35 lines, 35 documents with 35 ids, all in the index of their month."""
    decoder = flow_of("als_perf")

    documents = [
        document
        for line in SAMPLE.read_bytes().splitlines()
        for document in decoder.decode(Message(line, RECEIVED_MS, backfill=True), RECEIVED_MS).documents
    ]

    assert len({document.id for document in documents}) == 35
    assert {document.index for document in documents} == {"perf-marks-als-2016.02"}


def test_a_mark_is_lean(flow_of: Callable[..., Decoder], schema: Schema) -> None:
    """Beside the line itself and what tells of its copy, no document of the sample takes 450 bytes."""
    provenance = Provenance("als-node-17", "/data/logs/als/tomography-2016-02.log", 123456, "fluent-bit 5", "t/0/1")
    decoder = flow_of("als_perf")

    for line in SAMPLE.read_bytes().splitlines():
        (document,) = decoder.decode(Message(line, RECEIVED_MS, provenance, True), RECEIVED_MS).documents
        fact = without_provenance(document.body, schema)
        del fact["event"]["original"]

        assert len(orjson.dumps(fact)) < 450


@pytest.mark.parametrize(
    ("stamp", "offset_s"),
    [("PST", -28800), ("EST", -18000), ("UTC", 0), ("-0800", -28800), ("+08:00", 28800)],
)
def test_a_stamp_is_read_by_its_own_zone(stamp: str, offset_s: int, flow_of: Callable[..., Decoder]) -> None:
    """The zone is the line's or the source's table, never the process's."""
    value = 1454708377 - offset_s
    line = f"Fri Feb 5 21:39:37 {stamp} 2016: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={value}".encode()

    (document,) = flow_of("als_perf").decode(Message(line, RECEIVED_MS, backfill=True), 0).documents

    assert document.body["perf"]["mark"]["emit_lag_s"] == 0
    assert iso_ms(document.body["perf"]["mark"]["logged"]) == value * 1000
    assert "flags" not in document.body["perf"]


def test_a_stamp_without_a_zone_takes_the_intakes(flow_of: Callable[..., Decoder]) -> None:
    """An intake that declares -08:00 is believed; without, the reading that the epoch agrees with is, and flagged."""
    line = b"Fri Feb 5 21:39:37 2016: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE=1454737170"
    message = Message(line, RECEIVED_MS, backfill=True)

    (declared,) = flow_of("als_perf", zone=-28800).decode(message, 0).documents
    (inferred,) = flow_of("als_perf").decode(message, 0).documents

    assert declared.body["perf"]["mark"] == inferred.body["perf"]["mark"]
    assert "flags" not in declared.body["perf"]
    assert inferred.body["perf"]["flags"] == ["zone_inferred"]


def test_cosmetic_differences_do_not_make_another_fact(flow_of: Callable[..., Decoder]) -> None:
    """BOM, ANSI colours, CR and outer blanks are not part of a line's identity; a blank inside it is."""
    line = b"Fri Feb 5 21:39:37 PST 2016: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE=1454737177"
    dressed = [line, line + b"\r", b"\xef\xbb\xbf" + line, b"  " + line + b"\t", b"\x1b[31m" + line + b"\x1b[0m"]
    decoder = flow_of("als_perf")

    ids = {decoder.decode(Message(data, RECEIVED_MS, backfill=True), 0).documents[0].id for data in dressed}
    other = decoder.decode(Message(line.replace(b":PERF", b": PERF"), RECEIVED_MS, backfill=True), 0).documents[0].id

    assert len(ids) == 1
    assert other not in ids


def test_the_wait_in_a_queue_is_no_fault_of_the_zone(flow_of: Callable[..., Decoder]) -> None:
    """QSTART is printed after the wait: an hour between value and stamp is the wait, not a zone one hour off."""
    line = b"Fri Feb 5 21:39:37 PST 2016: a.sh:1:r:PERF:SUBMIT:QSTART_DATE=1454733577"

    (document,) = flow_of("als_perf").decode(Message(line, RECEIVED_MS, backfill=True), 0).documents

    assert "flags" not in document.body["perf"]
    assert document.body["perf"]["mark"]["emit_lag_s"] == 3600
