"""What transfer sources share: phases, rate, ends, the run id in a label; nothing is measured that was not told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.model import Intake, Message
from ingest.core.sources.event import Context, EventBuilder
from ingest.core.sources.source import Source
from ingest.core.timestamps import LATEST_MS
from ingest.core.transfers import fields

SECOND_US = 1_000_000
BEGIN_US = 1_772_652_000 * SECOND_US


def event(**body: Any) -> EventBuilder:
    """An event of a transfer, with fields that are set before (`bytes` for `perf.transfer.bytes`)."""
    return EventBuilder({}, 0, {}, body={fields.TRANSFER + name: value for name, value in body.items()})


def test_rate_is_bits_over_the_span_and_the_span_keeps_microseconds() -> None:
    """10 GB in 20.000017 s; the dates are cut to milliseconds, the duration and the rate are not."""
    transfer = event(bytes=10**10)
    fields.put_rate(transfer, fields.put_span(transfer, BEGIN_US + 5, BEGIN_US + 20 * SECOND_US + 22))

    assert transfer.body["event.start"] == BEGIN_US // 1000
    assert transfer.body["event.duration"] == 20_000_017_000
    assert transfer.body["perf.transfer.rate_bps"] == pytest.approx(8e10 / 20.000017, rel=1e-12)
    assert transfer.flags == []


@pytest.mark.parametrize(
    ("start_us", "end_us", "flags", "set_fields"),
    [
        (BEGIN_US, BEGIN_US, ["zero_span"], {"event.start", "event.end", "event.duration"}),
        (BEGIN_US, BEGIN_US + 999, [], {"event.start", "event.end", "event.duration"}),
        (BEGIN_US, BEGIN_US - 1, ["negative_span"], {"event.end"}),
        (0, BEGIN_US, ["value_range"], {"event.end"}),
        (None, BEGIN_US, [], {"event.end"}),
        (BEGIN_US, None, [], {"event.start"}),
        (None, None, [], set()),
    ],
)
def test_no_rate_without_a_span_of_a_millisecond(
    start_us: int | None, end_us: int | None, flags: list[str], set_fields: set[str]
) -> None:
    """Unknown, empty, reversed or too short a span has no rate, and says why."""
    transfer = event(bytes=47)
    fields.put_rate(transfer, fields.put_span(transfer, start_us, end_us))

    assert set(transfer.body) - {"perf.transfer.bytes"} == set_fields
    assert transfer.flags == flags


def test_without_bytes_there_is_no_rate() -> None:
    """A failure that does not say what moved has none, and so has one that moved nothing."""
    unknown, nothing = event(), event(bytes=0)
    for transfer in (unknown, nothing):
        fields.put_rate(transfer, fields.put_span(transfer, BEGIN_US, BEGIN_US + SECOND_US))

    assert "perf.transfer.rate_bps" not in unknown.body
    assert "perf.transfer.rate_bps" not in nothing.body


def test_a_phase_that_ends_before_it_starts_is_left_out() -> None:
    """Flagged; one whose begin or end was not told is absent."""
    transfer = event()
    fields.put_phase(transfer, "queue_wait_s", BEGIN_US, BEGIN_US + 1_500_000)
    fields.put_phase(transfer, "prepare_s", BEGIN_US, BEGIN_US - 1)
    fields.put_phase(transfer, "checksum_s", None, BEGIN_US)

    assert transfer.body == {"perf.transfer.queue_wait_s": 1.5}
    assert transfer.flags == ["negative_span"]


@pytest.mark.parametrize(
    ("text", "run", "stage"),
    [
        ("perflog run=20260304-1120-1 stage=TRANSFER", "20260304-1120-1", "TRANSFER"),
        ("ALS beamtime, perflog run=R1", "R1", None),
        ("perflog:R1:S_2", "R1", "S_2"),
        ("perflog:R1", "R1", None),
        ("perflog+R1+S", "R1", "S"),
        ("myperflog run=R1", None, None),
        ("perflog run= R1", None, None),
        ("perflog", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_a_label_names_run_and_stage_by_the_published_token(text: Any, run: str | None, stage: str | None) -> None:
    """In free text, where blanks are forbidden, and where colons are too; nothing else names a run."""
    transfer = event()
    fields.put_run(transfer, [None, text])

    assert (transfer.body.get("perf.run.id"), transfer.body.get("perf.stage.name")) == (run, stage)


def test_both_ends_and_the_protocol_come_from_the_urls(sources: dict[str, Source]) -> None:
    """Host without scheme, port and path; the site of the table; one protocol only where both schemes agree."""
    context = Context(sources["ping"], Intake("t", "t", "als", ("ping",)), Message(b"", 0), {"dtn.als.example": "ALS"})
    transfer, mixed = event(), event()
    fields.put_urls(transfer, context, "davs://DTN.als.example:443/a.h5", "davs://[2001:db8::5]:443/a.h5")
    fields.put_urls(mixed, context, "davs://a.example/x", "root://b.example//x")

    assert transfer.body["source.domain"] == "dtn.als.example"
    assert transfer.body["source.site"] == "ALS"
    assert transfer.body["destination.ip"] == "2001:db8::5"
    assert transfer.body["perf.transfer.protocol"] == "davs"
    assert "perf.transfer.protocol" not in mixed.body


@pytest.mark.parametrize(
    ("value", "unit_us", "us"),
    [
        (1_772_652_060_000, 1000, 1_772_652_060 * SECOND_US),
        ("1466632860151.000000", 1000, 1_466_632_860_151_000),
        (1_772_652_060, SECOND_US, 1_772_652_060 * SECOND_US),
        (0, 1000, None), ("", 1000, None), (None, 1000, None), (-1, 1000, None), ("soon", 1000, None), ([], 1000, None),
        (LATEST_MS, 1000, None), (10**400, 1, None), (True, 1000, None),
    ],
)  # fmt: skip
def test_an_epoch_of_0_or_of_no_calendar_is_unknown(value: Any, unit_us: int, us: int | None) -> None:
    """Services write 0 for what never happened."""
    assert fields.scaled_us(value, unit_us) == us


@given(st.text(max_size=300))
def test_no_text_makes_a_field_that_cannot_be_stored(text: str) -> None:
    """Whatever a label, a path or an error says, each value is text of at most 1,024 characters, or a long message."""
    transfer = event()
    fields.put_name(transfer, "label", text * 5)
    fields.put_failure(transfer, text * 5, text * 5, text)
    fields.put_run(transfer, [text])
    fields.put_probe(transfer, [text])

    assert all(
        len(value) <= 1024
        for field, value in transfer.body.items()
        if isinstance(value, str) and field != "error.message"
    )


@pytest.mark.parametrize(("activity", "is_probe"), [("SONAR", True), ("1gbtestfile-7", True), ("sonarium", False)])
def test_tests_of_the_service_are_marked(activity: str, is_probe: bool) -> None:
    """They are no production data."""
    transfer = event()
    fields.put_probe(transfer, [None, activity])

    assert transfer.body.get("perf.transfer.probe", False) is is_probe
