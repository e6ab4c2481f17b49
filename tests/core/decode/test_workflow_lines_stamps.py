"""What the stamp of a workflow line tells: a lag as printed, or a flag; no number is altered and none invented."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.mark import RunMark, mark_of
from ingest.core.model import Document, Intake, Message
from ingest.core.runs.state import union
from ingest.core.timestamps import iso_ms
from tests.core.conftest import GRAMMARS
from tests.support.derived import RECEIVED_MS, marks_of_lines, shipped
from tests.support.stored_runs import stored_runs

KNOWN = shipped(GRAMMARS)
FLOW = Decoder(Intake("t", "t", "als", ("als_perf",)), KNOWN.sources, KNOWN.schema)
AT_S = 1_467_403_200
OFFSETS_S = {**KNOWN.sources["als_perf"].stamp.zones, **{f"{h:+03d}:{m:02d}": h * 3600 + (60 if h >= 0 else -60) * m  # type: ignore[union-attr]
             for h in range(-11, 14) for m in (0, 30)}}  # fmt: skip
CHECKED = {"zone_suspect", "printed_late", "clock_skew"}


def line_of(late_s: int, zone: str, offset_s: int, key: str = "START_DATE", at_s: int = AT_S) -> bytes:
    """A line that was printed so late, by the clock of a zone and with its name; an empty one is not printed."""
    local = datetime.fromtimestamp(at_s + late_s, UTC) + timedelta(seconds=offset_s)
    stamp = f"{local:%a %b} {local.day} {local:%H:%M:%S} {zone} {local.year}".replace("  ", " ")
    return f"{stamp}: s.sh:32:1-2:PERF:A:{key}={at_s}".encode()


def read(line: bytes) -> Document:
    """The one document of a line."""
    (document,) = FLOW.decode(Message(line, RECEIVED_MS, backfill=True), RECEIVED_MS).documents
    return document


def mark(document: Document) -> RunMark:
    """As runs hold it."""
    made_mark = mark_of(document.id, document.version, document.body)
    assert made_mark is not None
    return made_mark


def test_the_line_of_the_issue_was_printed_29_minutes_late() -> None:
    """Its lag was -55 s once, by a zone fault that nobody had seen."""
    document = read(b"Fri Jul 1 13:29:05 PDT 2016: s.sh:32:1-2:PERF:A:START_DATE=1467403200")
    perf = document.body["perf"]

    assert (perf["mark"]["emit_lag_s"], perf["mark"]["logged"]) == (1745, "2016-07-01T20:29:05Z")
    assert perf["flags"] == ["printed_late"]
    assert mark(document).lag_ms is None


@given(late_s=st.integers(0, 7200), zone=st.sampled_from(sorted(OFFSETS_S)))
def test_no_honest_print_is_altered(late_s: int, zone: str) -> None:
    """0 to 2 hours late, in any whole or half-hour zone: what it says is as it was, and without doubt within bounds."""
    document = read(line_of(late_s, zone, OFFSETS_S[zone]))
    mark_fields, flags = document.body["perf"]["mark"], set(document.body["perf"].get("flags", ()))

    assert iso_ms(document.body["@timestamp"]) == AT_S * 1000
    assert iso_ms(mark_fields["logged"]) == (AT_S + late_s) * 1000
    assert mark_fields["emit_lag_s"] == late_s
    assert flags <= {"zone_suspect", "printed_late", "zone_unexpected"}
    assert len(flags & CHECKED) == (late_s > 900)
    assert mark(document).lag_ms == (None if late_s > 900 else late_s * 1000)


@given(late_s=st.integers(-3, 7200), shown=st.sampled_from(sorted(OFFSETS_S)), true=st.sampled_from(sorted(OFFSETS_S)))
def test_what_no_flag_doubts_is_printed_minus_named(late_s: int, shown: str, true: str) -> None:
    """By the clock of one zone, with the name of another: exactly one flag out of bounds, the lag as printed always."""
    printed_s = late_s + OFFSETS_S[true] - OFFSETS_S[shown]
    document = read(line_of(late_s, shown, OFFSETS_S[true]))
    flags = set(document.body["perf"].get("flags", ())) & CHECKED

    assert document.body["perf"]["mark"]["emit_lag_s"] == printed_s
    assert len(flags) == (not -2 <= printed_s <= 900)
    if 0 <= late_s <= 120 and flags:
        assert flags == {"zone_suspect"}


@given(late_s=st.integers(0, 7200), zone=st.sampled_from(["", "PHT", "WIB"]), quarters=st.integers(-48, 48))
def test_a_lag_by_a_zone_that_the_stamp_does_not_tell_is_measured_by_nobody(
    late_s: int, zone: str, quarters: int
) -> None:
    """It is known up to quarters of an hour: the smallest is told, with a flag; no lag, no lower bound comes of it.

    In zones up to 12 hours off: two hours late in one further east, no zone on earth is told, and it is refused.
    """
    document = read(line_of(late_s, zone, quarters * 900))

    assert document.body["perf"]["flags"] == ["zone_unlisted" if zone else "zone_inferred"]
    assert (late_s - document.body["perf"]["mark"]["emit_lag_s"]) % 900 == 0
    assert (mark(document).lag_ms, mark(document).seen_ms) == (None, AT_S * 1000)


@pytest.mark.parametrize("late_s", [1300, 1810, 3600, -3600, -60])
def test_no_duration_and_no_statistic_rests_on_a_doubtful_stamp(late_s: int) -> None:
    """The last stage has no lower bound, the run no tail, the tables no lag; they have all when nothing is doubtful."""

    def figures_of(lag_s: int) -> tuple[object, ...]:
        lines = [line_of(1, "PDT", -25_200, "START_DATE"), line_of(lag_s, "PDT", -25_200, "START_DATE", AT_S + 60)]
        ((key, marks),) = marks_of_lines(lines, "als").items()
        (run,) = stored_runs(marks.values(), key, None)
        last = run.stages[-1]
        return [stage.lag_s for stage in run.stages], last.kind, last.duration_s, run.total_s

    assert figures_of(5) == ([1, 5], "lower", 5, 65)
    assert figures_of(late_s) == ([1, None], "none", None, 60)


def test_a_higher_revision_takes_back_what_a_lower_one_mended() -> None:
    """In whichever order a run hears of the two."""
    new = mark(read(line_of(1745, "PDT", -25_200)))
    old = new._replace(version=new.version - 1, lag_ms=-55_000)

    for order in ([old, new], [new, old]):
        assert union({}, order) == {new.id: new}


@pytest.mark.parametrize(("lag_s", "printed_s"), [(40, 0), (3600, -3600), (1300, -1300), (-60, 60)])
def test_a_key_without_a_value_does_not_happen_at_a_doubtful_stamp(lag_s: int, printed_s: int) -> None:
    """It happens when its line was printed; where that is doubtful, at the newest instant that the line names."""
    line = line_of(lag_s, "PDT", -25_200) + b":END_DATE="
    _, end = FLOW.decode(Message(line, RECEIVED_MS, backfill=True), RECEIVED_MS).documents

    assert "value_missing" in end.body["perf"]["flags"]
    assert iso_ms(end.body["@timestamp"]) == (AT_S + lag_s + printed_s) * 1000


def test_a_lag_in_a_queue_may_be_any_but_a_stamp_before_it_is_doubtful() -> None:
    """However long the wait; a stamp an hour before the entry is no wait."""
    waited = read(line_of(7200, "PDT", -25_200, "QSTART_DATE"))
    ahead = read(line_of(-3600, "PDT", -25_200, "QSTART_DATE"))

    assert "flags" not in waited.body["perf"]
    assert mark(waited).lag_ms == 7_200_000
    assert ahead.body["perf"]["flags"] == ["zone_suspect"]
    assert mark(ahead).lag_ms is None
