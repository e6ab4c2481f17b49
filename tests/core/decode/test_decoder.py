"""Verdicts: document, reject or ignored, whatever the bytes."""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.rejects import one_letter_off
from ingest.core.model import Message, Outcomes
from tests.support.amount import examples

NOW_MS = 1454803200000
LINE = b"Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636: PERF:SUBMIT_NORM:START_DATE=1454737177"


def outcomes(decoder: Decoder, data: bytes) -> Outcomes:
    """Of a message that arrives a day after the sample's lines were printed."""
    return decoder.decode(Message(data, NOW_MS), NOW_MS)


@pytest.mark.parametrize("end", range(1, len(LINE)))
def test_a_torn_line_is_never_ignored_once_script_and_number_stand(end: int, flow_of: Callable[..., Decoder]) -> None:
    """Every beginning of a real line: before `script:number` it is somebody's line, behind it a torn one of ours."""
    result = outcomes(flow_of("als_perf"), LINE[:end])

    if end < LINE.index(b":32") + 2:
        assert result.ignored
    elif b"PERF:S" not in LINE[:end]:
        assert result.rejects
    else:
        assert result.documents or result.rejects
        assert not result.ignored


@pytest.mark.parametrize("start", range(1, len(LINE) - len(b"_DATE=1454737177") + 1))
def test_the_tail_of_a_line_is_refused_with_column_and_expectation(start: int, flow_of: Callable[..., Decoder]) -> None:
    """A line without its beginning keeps `PERF` or `_DATE=`: it is refused and says where and why."""
    result = outcomes(flow_of("als_perf"), LINE[start:])
    parts = [*result.rejects, *result.documents]

    assert parts
    assert all(reject.column and reject.expected for reject in result.rejects)


@pytest.mark.parametrize(
    "line",
    [
        "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636:INFO: 12 files copied",
        "Fri Feb 5 21:39:37 PST 2016: disk is 93% full",
        "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32: command not found",
        "+ qsub -q debug submitRotJob.sh",
        "",
        "   ",
        "Traceback (most recent call last):",
        '{"level": "info", "msg": "performance is fine"}',
    ],
)
def test_somebody_elses_line_is_ignored(line: str, flow_of: Callable[..., Decoder]) -> None:
    """Shell logs are full of lines that are not ours, stamped or not; they never reach the dead letters."""
    decoded = outcomes(flow_of("als_perf"), line.encode())

    assert decoded.ignored
    assert not decoded.rejects


@pytest.mark.parametrize("tag", ["PREF", "PER", "PERFF", "PRF", "PERV", "perf", "EPRF"])
def test_a_tag_one_letter_off_is_refused(tag: str, flow_of: Callable[..., Decoder]) -> None:
    """It was meant for us and came damaged."""
    line = f"Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636:{tag}:SUBMIT_NORM"

    (reject,) = outcomes(flow_of("als_perf"), line.encode()).rejects

    assert reject.column
    assert 0 < reject.column - line.index(tag) <= len(tag)
    assert reject.expected in {("TAG",), ("COLON",)}


@pytest.mark.parametrize(
    ("word", "near"), [("PERF", True), ("PREF", True), ("INFO", False), ("", False), ("PE", False)]
)
def test_one_letter_off(word: str, near: bool) -> None:
    """One letter changed, added, dropped or swapped is near; more is another word."""
    assert one_letter_off(word, "PERF") is near


HOSTILE = {
    "random": bytes(range(256)) * 8,
    "NUL": b"\0" * 100,
    "NUL in a line": LINE.replace(b"NORM", b"NO\0RM"),
    "bad UTF-8": LINE.replace(b"NORM", b"N\xff\xfeRM"),
    "1 MiB line": LINE + b"x" * 2**20,
    "1 MiB of blanks": b"Fri" + b" " * 2**20 + b"PERF",
    "1 MiB of colons": b"PERF" + b":" * 2**20,
    "deep JSON": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "30-digit epoch": LINE.replace(b"1454737177", b"145473717714547371771454737177"),
    "NaN": LINE.replace(b"1454737177", b"NaN"),
    "JSON NaN": b'{"id": NaN}',
    "year 1": LINE.replace(b"PST 2016", b"PST 0001"),
    "year 0": LINE.replace(b"PST 2016", b"PST 0000"),
    "hour 99": LINE.replace(b"21:39", b"99:39"),
    "zone of 99 hours": LINE.replace(b"PST", b"+9999"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_get_a_verdict_with_a_reason(
    name: str, flow_of: Callable[..., Decoder], sources: dict[str, object]
) -> None:
    """Never an exception, and never nothing, from any source."""
    for source in sources:
        result = outcomes(flow_of(source), HOSTILE[name])

        assert result.documents or result.rejects or result.ignored
        assert all(reject.reason and reject.detail and reject.original == HOSTILE[name] for reject in result.rejects)


@settings(max_examples=examples(600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), cut=st.integers(0, len(LINE)))
def test_random_and_mutated_bytes_never_raise(
    data: bytes, cut: int, flow_of: Callable[..., Decoder], sources: dict[str, object]
) -> None:
    """Random bytes, and a real line with random bytes inside it, get a verdict."""
    decoder = flow_of(*sources)

    for message in (data, LINE[:cut] + data + LINE[cut:], LINE[:cut] + data):
        result = outcomes(decoder, message)

        assert result.documents or result.rejects or result.ignored


def test_bad_utf8_survives(flow_of: Callable[..., Decoder]) -> None:
    """A document of undecodable bytes keeps them in base64 beside the readable text."""
    line = LINE.replace(b"submitNormJobs", b"submit\xffNorm")

    (document,) = outcomes(flow_of("als_perf"), line).documents

    assert document.body["event"]["original_b64"]
    assert "\ufffd" in document.body["event"]["original"]


def test_old_events_need_a_backfill(flow_of: Callable[..., Decoder]) -> None:
    """Older than the intake allows is a reject, unless the shipper said that old data is meant."""
    decoder, later_ms = flow_of("als_perf"), NOW_MS + 500 * 86_400_000

    live = decoder.decode(Message(LINE, later_ms), later_ms)
    backfill = decoder.decode(Message(LINE, later_ms, backfill=True), later_ms)

    assert [reject.reason for reject in live.rejects] == ["time_too_old"]
    assert len(backfill.documents) == 1


def test_events_from_the_future_are_refused(flow_of: Callable[..., Decoder]) -> None:
    """More than a day after it arrived, nothing can have happened; a backfill does not change that."""
    outcomes = flow_of("als_perf").decode(Message(LINE, NOW_MS - 3 * 86_400_000, backfill=True), 0)

    assert [reject.reason for reject in outcomes.rejects] == ["time_ahead"]


def test_the_core_reads_the_same_whatever_the_process_zone(flow_of: Callable[..., Decoder]) -> None:
    """The suite runs under three process zones; the id and the body are those written here once."""
    (document,) = outcomes(flow_of("als_perf"), LINE).documents

    assert document.id == "FZlxfBwnDvJ_S4HovhZVqA"
    assert document.body["@timestamp"] == "2016-02-06T05:39:37Z", os.environ.get("TZ")


@pytest.mark.parametrize("stamp", ["Fri Dec 31 23:59:59 PST 9999", "Mon Jan 1 00:00:00 +1400 0001"])
def test_a_stamp_that_no_calendar_reaches_in_utc_is_refused(flow_of: Callable[..., Decoder], stamp: str) -> None:
    """At the ends of the calendar a zone leads out of it: a reject, never an exception."""
    line = f"{stamp}: submitRotJob.sh:65:1-2:PERF:SUBMIT_ROT:START_DATE=1454737178".encode()

    (reject,) = flow_of("als_perf").decode(Message(line, 1_454_803_200_000, backfill=True), 0).rejects

    assert reject.reason == "stamp"
