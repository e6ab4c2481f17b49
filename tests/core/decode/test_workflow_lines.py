"""The thirty ambiguities of an ALS line (als-perf.md 5.5), a test or more for each: its number, and what is done.

Lines are built from the sample's first one; `read` is the whole core with a flow for als_perf alone.
"""

import os
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import permutations

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema, without_provenance
from ingest.core.model import Document, Intake, Message, Outcomes, Provenance, Reject
from ingest.core.sources.source import Source
from ingest.core.timestamps import iso_ms
from tests.support.marks import figures_of, runs_in

RECEIVED_MS = 1454803200000
STAMP = "Fri Feb 5 21:39:37 PST 2016"
AT_S = 1454737177
HEAD = f"{STAMP}: submitNormJobs.sh:32:1086857-64636:PERF:"
LINE = f"{HEAD}SUBMIT_NORM:START_DATE={AT_S}"
OTHER = f"Fri Feb 5 21:39:38 PST 2016: submitRotJob.sh:65:1086857-64636:PERF:SUBMIT_ROT:START_DATE={AT_S + 1}"


def epoch_s(*parts: int) -> int:
    """Unix seconds of a date and time in UTC."""
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


class Read:
    """Reads lines as one intake would."""

    def __init__(self, flow_of: Callable[..., Decoder]) -> None:
        self._flow_of = flow_of

    def __call__(self, line: str | bytes, zone: int | None = None) -> Outcomes:
        """Everything that a line becomes."""
        data = line.encode() if isinstance(line, str) else line
        decoder = self._flow_of("als_perf", zone=zone)
        return decoder.decode(Message(data, RECEIVED_MS, backfill=True), RECEIVED_MS)

    def one(self, line: str | bytes, zone: int | None = None) -> dict:  # type: ignore[type-arg]
        """The one document that a line becomes."""
        outcomes = self(line, zone)
        assert not outcomes.rejects, outcomes.rejects
        (document,) = outcomes.documents
        return document.body

    def flags(self, line: str, zone: int | None = None) -> list[str]:
        """The flags of the one document that a line becomes."""
        return list(self.one(line, zone)["perf"].get("flags", []))

    def reject(self, line: str) -> Reject:
        """The one reject of a line."""
        (reject,) = self(line).rejects
        return reject

    def refused(self, line: str | bytes) -> str:
        """The reason for which a line is refused whole."""
        outcomes = self(line)
        assert not outcomes.documents
        (reject,) = outcomes.rejects
        return reject.reason


@pytest.fixture
def read(flow_of: Callable[..., Decoder]) -> Read:
    """The core, for one line."""
    return Read(flow_of)


@pytest.fixture(params=["UTC", "America/New_York", "America/Los_Angeles", "Asia/Manila"])
def process_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The process runs in another zone; it is set back afterwards."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.parametrize(("zone", "offset_h"), [("PST", -8), ("PDT", -7), ("CST", -6), ("EST", -5), ("UTC", 0)])
def test_01_an_abbreviation_means_what_the_sources_table_says(zone: str, offset_h: int, read: Read) -> None:
    """PST is Manila's too and CST has three meanings: the US zones of the table count, and the text is kept."""
    body = read.one(LINE.replace("PST", zone).replace(str(AT_S), str(AT_S - (8 + offset_h) * 3600)))

    assert body["perf"]["mark"]["emit_lag_s"] == 0
    assert body["event"]["timezone"] == zone


def test_01_an_abbreviation_that_the_table_lacks_is_told_by_the_epoch_and_flagged(read: Read) -> None:
    """Manila's PHT is in no table: the line's own epoch says which zone it is; without an epoch it is refused."""
    line = LINE.replace("PST", "PHT").replace(str(AT_S), str(AT_S - 16 * 3600))

    assert read.flags(line) == ["zone_unlisted"]
    assert read.one(line)["perf"]["mark"]["emit_lag_s"] == 0
    assert read.refused(f"{HEAD.replace('PST', 'PHT')}SUBMIT_NORM") == "zone_unknown"


def test_02_the_zone_of_the_process_is_never_asked(process_zone: str, read: Read) -> None:
    """`strptime %Z` refuses PST under UTC and reads it 16 hours wrong in Manila; here it is eight hours west always."""
    body = read.one(LINE)

    assert body["perf"]["mark"]["logged"] == "2016-02-06T05:39:37Z", process_zone
    assert body["perf"]["mark"]["emit_lag_s"] == 0
    assert "flags" not in body["perf"]


def test_03_an_abbreviation_of_the_other_half_of_the_year_is_believed_and_flagged(read: Read) -> None:
    """PST in July comes from a host of fixed offset: its offset counts, and the flag tells."""
    winter_in_july = (
        f"Wed Jul 15 21:39:37 PST 2015: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={epoch_s(2015, 7, 16, 5, 39, 37)}"
    )
    summer_in_july = (
        f"Wed Jul 15 21:39:37 PDT 2015: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={epoch_s(2015, 7, 16, 4, 39, 37)}"
    )

    assert read.flags(winter_in_july) == ["zone_unexpected"]
    assert read.one(winter_in_july)["perf"]["mark"]["logged"] == "2015-07-16T05:39:37Z"
    assert read.flags(summer_in_july) == []
    assert read.flags(LINE.replace("PST", "PDT").replace(str(AT_S), str(AT_S - 3600))) == ["zone_unexpected"]


def test_04_the_hour_that_comes_twice_in_autumn_is_told_apart_by_its_abbreviation(read: Read) -> None:
    """01:30 PDT and 01:30 PST lie an hour apart and neither is doubtful."""
    summer = f"Sun Nov 1 01:30:00 PDT 2015: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={epoch_s(2015, 11, 1, 8, 30)}"
    winter = f"Sun Nov 1 01:30:00 PST 2015: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={epoch_s(2015, 11, 1, 9, 30)}"

    for line in (summer, winter):
        assert read.flags(line) == []
        assert read.one(line)["perf"]["mark"]["emit_lag_s"] == 0


@pytest.mark.parametrize("hour_utc", [8, 9])
def test_04_without_an_abbreviation_the_reading_of_the_smallest_lag_is_taken(hour_utc: int, read: Read) -> None:
    """The line's own epoch decides which of the two hours it was; a stamp up to 2 s before it still counts."""
    for lag_s in (-2, 0, 40):
        at_s = epoch_s(2015, 11, 1, hour_utc, 30) - lag_s
        line = f"Sun Nov 1 01:30:00 2015: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={at_s}"

        assert read.one(line)["perf"]["mark"]["emit_lag_s"] == lag_s
        assert read.flags(line) == ["zone_inferred"]


def test_04_the_hour_that_is_missing_in_spring_is_flagged(read: Read) -> None:
    """02:30 on the night of the change is neither PST nor PDT: believed as printed, and doubtful."""
    at_s = epoch_s(2015, 3, 8, 10, 30)

    assert read.flags(f"Sun Mar 8 02:30:00 PST 2015: a.sh:1:r:PERF:S:START_DATE={at_s}") == ["zone_unexpected"]
    assert read.flags(f"Sun Mar 8 01:59:59 PST 2015: a.sh:1:r:PERF:S:START_DATE={at_s - 1801}") == []
    assert read.flags(f"Sun Mar 8 03:00:00 PDT 2015: a.sh:1:r:PERF:S:START_DATE={at_s - 1800}") == []


@pytest.mark.parametrize(
    ("lag_s", "flags"),
    [
        (-2, []), (0, []), (900, []), (899, []),
        (-3, ["clock_skew"]), (-60, ["clock_skew"]), (-400, ["clock_skew"]), (-779, ["clock_skew"]),
        (-780, ["zone_suspect"]), (-902, ["zone_suspect"]), (-903, ["clock_skew"]), (-3600, ["zone_suspect"]),
        (901, ["zone_suspect"]), (1020, ["zone_suspect"]), (1021, ["printed_late"]), (1300, ["printed_late"]),
        (1745, ["printed_late"]), (1797, ["printed_late"]), (1798, ["zone_suspect"]), (3720, ["zone_suspect"]),
        (57600, ["zone_suspect"]), (-21600, ["zone_suspect"]), (-22500, ["clock_skew"]), (86400, ["printed_late"]),
    ],
)  # fmt: skip
def test_05_a_stamp_that_does_not_follow_its_value_is_doubted_and_altered_by_nobody(
    lag_s: int, flags: list[str], read: Read
) -> None:
    """Within [-2, 900] s all is well; what is not has one flag, and all of its numbers as they were printed.

    Suspect is a zone -2 to 120 s beside a multiple of 900 s; not one that is none on earth: eight hours west, by which
    all of this is printed, 22,500 s further west are 14:15 hours, and 86,400 s east are 16 hours.
    """
    body = read.one(LINE.replace(str(AT_S), str(AT_S - lag_s)))

    assert body["perf"].get("flags", []) == flags
    assert iso_ms(body["@timestamp"]) == (AT_S - lag_s) * 1000
    assert iso_ms(body["perf"]["mark"]["logged"]) == AT_S * 1000
    assert body["perf"]["mark"]["emit_lag_s"] == lag_s


@pytest.mark.parametrize("blanks", [" ", "  ", "\t", "   \t "])
def test_06_a_day_may_be_padded_or_not(blanks: str, read: Read) -> None:
    """`date` pads with two blanks, the shell collapses them: any number of blanks or tabs is the same."""
    assert read.one(LINE.replace(" ", blanks, 5))["perf"]["mark"] == read.one(LINE)["perf"]["mark"]


@pytest.mark.parametrize(
    "stamp",
    [
        "Fri Feb  5 09:39:37 PM PST 2016",
        "Fri 05 Feb 2016 09:39:37 PM PST",
        "Fri Feb 5 09:39:37 PM -0800 2016",
        "Fri  5 Feb 21:39:37 PST 2016",
        "Fri, 05 Feb 2016 21:39:37 -0800",
    ],
)
def test_07_the_clock_of_twelve_hours_is_read_and_its_half_is_no_zone(stamp: str, read: Read) -> None:
    """Modern glibc prints `09:39:37 PM PST 2016`, others put the day first or the year before the clock."""
    body = read.one(LINE.replace(STAMP, stamp))

    assert body["perf"]["mark"]["emit_lag_s"] == 0
    assert body["event"]["timezone"] in {"PST", "-0800"}
    assert "flags" not in body["perf"]


def test_07_a_half_of_the_day_without_a_zone_is_not_taken_for_one(read: Read) -> None:
    """`PM` has two letters and zones at least three."""
    body = read.one(LINE.replace("21:39:37 PST", "09:39:37 PM"), zone=-28800)

    assert "timezone" not in body["event"]
    assert body["perf"]["mark"]["emit_lag_s"] == 0


@pytest.mark.parametrize(
    "date",
    [
        "2016-02-05T21:39:37{}-08:00", "2016-02-05 21:39:37{}-08:00", "2016-02-05 21:39:37{} -0800",
        "2016-02-05T21:39:37{}-08", "2016-02-05T21:39:37{}-0800", "2016-02-06T05:39:37{}Z", "2016-02-06 05:39:37{}Z",
        "2016-02-06T05:39:37{}+0000", "2016-02-05 21:39:37{} PST", "2016-02-06 05:39:37{} UTC",
        "2016-02-06 11:24:37{}+0545",
    ],
)  # fmt: skip
@pytest.mark.parametrize("fraction", ["", ".0", ".000", ".000999999", ",000999999"])
def test_08_an_iso_stamp_is_read(date: str, fraction: str, read: Read) -> None:
    """`date -Is`, `date --rfc-3339=seconds` (or `ns`), `date +%FT%T%z` and their like, with their own offset."""
    body = read.one(LINE.replace(STAMP, date.format(fraction)))

    assert body["perf"]["mark"]["logged"] == "2016-02-06T05:39:37Z"
    assert "flags" not in body["perf"]


@pytest.mark.parametrize("stamp", ["2016-02-05 21:39:37", "2016-02-05T21:39:37", "2016-02-05 21:39:37.000"])
def test_08_an_iso_stamp_without_a_zone_is_read_as_any_stamp_without_one(stamp: str, read: Read) -> None:
    """In the intake's zone; else by the epoch of the line, with a flag; with neither it is rejected at the stamp."""
    line = LINE.replace(STAMP, stamp)
    declared, inferred = read.one(line, zone=-28800), read.one(line)
    reject = read.reject(line.partition(":START_DATE")[0])

    assert declared["perf"]["mark"]["logged"] == inferred["perf"]["mark"]["logged"] == "2016-02-06T05:39:37Z"
    assert "flags" not in declared["perf"]
    assert inferred["perf"]["flags"] == ["zone_inferred"]
    assert (reject.reason, reject.column) == ("zone_unknown", 1)


@pytest.mark.parametrize(
    ("stamp", "zone"),
    [
        ("Sat Feb  6 02:39:37 -03 2016", "-03"),
        ("Sat Feb  6 08:39:37 +03 2016", "+03"),
        ("Sat  6 Feb 13:39:37 +08 2016", "+08"),
        ("Sat 06 Feb 2016 01:39:37 PM +08", "+08"),
        ("Sat Feb  6 11:24:37 +0545 2016", "+0545"),
        ("Sat Feb  6 11:09:37 +0530 2016", "+0530"),
        ("Fri Feb  5 21:39:37 -08 2016", "-08"),
        ("Sat Feb  6 15:39:37 ChST 2016", "ChST"),
    ],
)
def test_01_a_zone_without_an_abbreviation_is_its_offset(stamp: str, zone: str, read: Read) -> None:
    """As `date` prints it in São Paulo, Istanbul, Singapore, Kathmandu and Colombo."""
    body = read.one(LINE.replace(STAMP, stamp))

    assert (body["perf"]["mark"]["logged"], body["event"]["timezone"]) == ("2016-02-06T05:39:37Z", zone)
    assert "flags" not in body["perf"]


@pytest.mark.parametrize("level", ["INFO", "ERROR", "DEBUG", "WARN"])
def test_08_the_level_of_a_log_is_no_zone(level: str, read: Read) -> None:
    """A logger's line that ends in `module:number` is somebody else's, not a torn line of ours."""
    assert read(f"2016-02-05 21:39:37,123 {level}: reader.py:12").ignored


@pytest.mark.parametrize(
    "stamp",
    [
        "Ven 5 fév 21:39:37 PST 2016",
        "Fr 5. Feb 21:39:37 PST 2016",
        "vie feb  5 21:39:37 PST 2016",
        "5 févr. 2016 21:39:37",
        "2016年 02月 05日 星期五 21:39:37 PST",
    ],
)
def test_08_a_stamp_in_another_language_is_refused_by_name_and_not_guessed(stamp: str, read: Read) -> None:
    """The remedy is the script's (LC_ALL=C), so the reason is one of its own; other damage is not called so."""
    assert read.refused(LINE.replace(STAMP, stamp)) == "stamp_locale"
    assert read.refused(LINE.replace("PERF:", "PERF?")) == "syntax"
    assert read.refused(LINE.replace("Feb ", "")) == "syntax"
    assert read.refused(f"orm:START_DATE={AT_S}") == "syntax"


def test_09_a_weekday_that_contradicts_its_date_is_kept_and_flagged(read: Read) -> None:
    """A copied line or a wrong year."""
    assert read.flags(LINE.replace("Fri", "Sat")) == ["weekday_mismatch"]
    assert read.one(LINE.replace("Fri", "Sat"))["perf"]["mark"] == read.one(LINE)["perf"]["mark"]


def test_10_a_stage_without_an_end_is_closed_by_the_next_start_or_stays_open(read: Read) -> None:
    """A duration says its kind and what closed it: an end is exact, the next start an upper bound, else a lower one."""
    lines = [
        f"{HEAD}A:START_DATE={AT_S - 50}:END_DATE={AT_S - 40}",
        f"{HEAD}B:START_DATE={AT_S - 30}",
        f"{HEAD}C:START_DATE={AT_S - 10}",
    ]

    (run,) = runs_in(map(read, lines))

    assert figures_of(run) == [
        ("A", "exact", 10, "end"),
        ("B", "upper", 20, "next_start"),
        ("C", "lower", 10, "open"),
    ]


@pytest.mark.parametrize(
    ("key", "role"),
    [
        ("END_DATE", "end"), ("QEND_DATE", "end"), ("START_DATE", "start"), ("QSTART_DATE", "queued"),
        ("WSTART_DATE", "work"), ("XFER_START_DATE", "start"), ("FLUSH_DATE", "other"),
    ],
)  # fmt: skip
def test_11_a_keys_ending_says_what_its_instant_is(key: str, role: str, read: Read) -> None:
    """Any upper-case key is read; START and END pair by their endings, whatever stands before."""
    mark = read.one(LINE.replace("START_DATE", key))["perf"]["mark"]

    assert (mark["key"], mark["role"]) == (key, role)


def test_11_an_unknown_key_is_kept_as_data(read: Read) -> None:
    """It names no instant, so it belongs to those of its line."""
    body = read.one(f"{LINE}:BYTES=10485760:NODES=16")

    assert body["perf"]["extra"] == {"BYTES": "10485760", "NODES": "16"}


def test_12_a_line_stands_for_the_instant_its_key_names_not_for_its_stamp(read: Read) -> None:
    """The stamp comes after the start: it is the emission lag, never the stage's end or duration."""
    body = read.one(LINE.replace(str(AT_S), str(AT_S - 12)))

    assert body["perf"]["mark"]["role"] == "start"
    assert body["@timestamp"] == "2016-02-06T05:39:25Z"
    assert body["perf"]["mark"]["emit_lag_s"] == 12


@pytest.mark.parametrize(
    "line",
    [
        LINE + "  \t", LINE + "\r", LINE + "\r\n", "\ufeff" + LINE, f"\x1b[1;31m{LINE}\x1b[0m",
        LINE.replace(":PERF:", " : PERF : "), LINE.replace("START_DATE=", "START_DATE = "), LINE + ":",
    ],
)  # fmt: skip
def test_13_stray_blanks_carriage_returns_bom_and_colours_are_no_reason_to_refuse(line: str, read: Read) -> None:
    """They change nothing of the fact; only the blank before the tag, which two real scripts print, is flagged."""
    body = read.one(line)

    assert body["perf"]["mark"] == read.one(LINE)["perf"]["mark"]
    assert body["perf"]["stage"] == read.one(LINE)["perf"]["stage"]
    assert body["perf"].get("flags", []) == (["blank_before_tag"] if " : PERF" in line else [])


@pytest.mark.parametrize("run", ["1086857-64636", "4711", "scan_17", "a-b-c", "1-2-3", "-", "α"])
def test_14_a_run_id_of_any_shape_is_one_opaque_word(run: str, read: Read) -> None:
    """The meaning of its halves is unknown: kept as written, taken apart by nobody."""
    assert read.one(LINE.replace("1086857-64636", run))["perf"]["run"] == {"id": run}


def test_14_a_line_of_no_run_is_indexed_and_flagged(read: Read) -> None:
    """An empty run id is no run id, and nothing is made up for it."""
    body = read.one(LINE.replace("1086857-64636", ""))

    assert "run" not in body["perf"]
    assert body["perf"]["flags"] == ["orphan"]


def test_15_a_run_id_belongs_to_its_facility(schema: Schema, sources: dict[str, Source]) -> None:
    """The same line from two facilities is two facts in two indices."""
    message = Message(LINE.encode(), RECEIVED_MS, backfill=True)
    documents: list[Document] = []
    for facility in ("als", "aps"):
        decoder = Decoder(Intake("i", "t", facility, ("als_perf",)), sources, schema)
        documents += decoder.decode(message, 0).documents

    assert documents[0].id != documents[1].id
    assert [document.index for document in documents] == ["perf-marks-als-2016.02", "perf-marks-aps-2016.02"]


def test_16_interleaved_runs_are_told_apart(read: Read) -> None:
    """Nothing depends on the line before: two runs mixed are the two runs alone."""
    lines = [f"{HEAD}S{n}:START_DATE={AT_S - n}" for n in range(6)]
    other = [line.replace("1086857-64636", "77-78") for line in lines]

    mixed = runs_in(read(line) for pair in zip(lines, other, strict=True) for line in pair)

    assert [run.key.run for run in mixed] == ["1086857-64636", "77-78"]
    assert figures_of(mixed[0]) == figures_of(mixed[1])
    assert mixed[:1] == runs_in(map(read, lines))


def test_17_the_same_again_is_one_fact_and_another_value_is_another_attempt(read: Read) -> None:
    """A repeated line has one id and version; with another value the stage was started twice, in order of value."""
    (first,), (again,) = read(LINE).documents, read(LINE + "\r").documents
    later = f"Fri Feb 5 21:45:00 PST 2016: submitNormJobs.sh:32:1086857-64636:PERF:SUBMIT_NORM:START_DATE={AT_S + 300}"

    assert (first.id, first.index, first.version) == (again.id, again.index, again.version)
    (run,) = runs_in(map(read, (later, LINE, LINE + "\r")))
    assert [(stage[0], stage[2]) for stage in figures_of(run)] == [("SUBMIT_NORM", 300), ("SUBMIT_NORM", 23)]
    assert [stage.attempt for stage in run.stages] == [1, 2]


def test_18_the_order_of_arrival_does_not_matter(read: Read, schema: Schema) -> None:
    """Shuffled and repeated: the same documents, and the same timeline."""
    lines = [f"{HEAD}S{n}:{key}_DATE={AT_S - n}" for n, key in enumerate(("START", "END", "QSTART", "WSTART"))]
    seen = set()
    for order in permutations([*lines, lines[0]]):
        documents = {d.id: without_provenance(d.body, schema) for line in order for d in read(line).documents}
        seen.add((repr(sorted(documents.items())), repr(runs_in(map(read, order)))))

    assert len(seen) == 1


@pytest.mark.parametrize("end", ["SUBMIT_NORM:START_DATE=", "SUBMIT_NORM:START_DATE", "SUBMIT_NORM"])
def test_19_a_line_without_a_value_is_an_event_without_an_instant(end: str, read: Read) -> None:
    """It happened when it was printed; nothing may be measured from it, so it has neither lag nor role."""
    outcomes = read(HEAD + end)
    if outcomes.rejects:
        assert end == "SUBMIT_NORM:START_DATE"
        assert [(reject.reason, reject.expected) for reject in outcomes.rejects] == [("torn", ("EQUALS",))]
        return
    body = read.one(HEAD + end)

    assert body["@timestamp"] == "2016-02-06T05:39:37Z"
    assert body["perf"]["flags"] == ["value_missing"]
    assert body["perf"]["mark"]["role"] == "other"
    assert "emit_lag_s" not in body["perf"]["mark"]


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("1454737177", "2016-02-06T05:39:37Z"), ("1454737177.5", "2016-02-06T05:39:37.500Z"),
        ("1454737177123", "2016-02-06T05:39:37.123Z"), ("1454737177123456", "2016-02-06T05:39:37.123Z"),
        ("1454737177123456789", "2016-02-06T05:39:37.123Z"),
    ],
)  # fmt: skip
def test_20_the_unit_of_a_value_follows_from_its_digits(value: str, at: str, read: Read) -> None:
    """10 digits are seconds, 13 milli-, 16 micro-, 19 nanoseconds; decimals are read too."""
    assert read.one(LINE.replace(str(AT_S), value))["@timestamp"] == at


@pytest.mark.parametrize(
    ("value", "reason"),
    [("946684799", "value"), ("0946684799", "value"), ("145473717", "value"), ("14547371771", "value"),
     ("-1454737177", "value"), ("1e9", "value"), ("4000000000", "time_ahead"), ("1454976001", "time_ahead")],
)  # fmt: skip
def test_20_a_value_out_of_range_is_refused(value: str, reason: str, read: Read) -> None:
    """Before 2000, more than a day ahead of its arrival, or no number of digits that is a unit."""
    outcomes = read(LINE.replace(str(AT_S), value))

    assert [reject.reason for reject in outcomes.rejects] == [reason]
    assert outcomes.rejects[0].column == LINE.index(str(AT_S)) + 1


def test_21_a_value_ahead_of_its_stamp_by_more_than_rounding_is_skew(read: Read) -> None:
    """Two seconds are rounding; three are a clock that is wrong. The value is never altered."""
    assert read.flags(LINE.replace(str(AT_S), str(AT_S + 2))) == []
    assert read.flags(LINE.replace(str(AT_S), str(AT_S + 3))) == ["clock_skew"]
    assert read.one(LINE.replace(str(AT_S), str(AT_S + 30)))["@timestamp"] == "2016-02-06T05:40:07Z"


@pytest.mark.parametrize("between", [":", ",", ";", " ", " : "])
def test_22_each_pair_of_a_line_is_an_instant_of_its_own(between: str, read: Read) -> None:
    """One document a pair, of the same stage and run; only the latest was taken just before printing and has a lag."""
    documents = read(f"{HEAD}SUBMIT_NORM:START_DATE={AT_S - 65}{between}END_DATE={AT_S}").documents

    assert [d.body["perf"]["mark"]["role"] for d in documents] == ["start", "end"]
    assert [d.body["perf"]["mark"].get("emit_lag_s") for d in documents] == [None, 0]
    assert len({d.id for d in documents}) == 2
    assert documents[0].body["perf"]["stage"] == documents[1].body["perf"]["stage"]


@pytest.mark.parametrize("between", ["", " ", "\r", "  "])
def test_23_two_lines_glued_are_split_and_each_is_the_fact_it_is_alone(
    between: str, read: Read, schema: Schema
) -> None:
    """The ids are those of the two lines had they come alone; a flag says how they came."""
    outcomes = read(LINE + between + OTHER)
    alone = [*read(LINE).documents, *read(OTHER).documents]

    assert not outcomes.rejects
    assert [d.id for d in outcomes.documents] == [d.id for d in alone]
    for glued, single in zip(outcomes.documents, alone, strict=True):
        body = without_provenance(glued.body, schema)
        assert body["perf"].pop("flags") == ["glued"]
        assert body["event"].pop("original").strip() == single.body["event"]["original"]
        expected = without_provenance(single.body, schema)
        del expected["event"]["original"]
        assert body == expected


@pytest.mark.parametrize("end", range(1, len(LINE)))
def test_23_behind_a_torn_half_the_whole_one_is_stored_and_the_torn_one_refused(end: int, read: Read) -> None:
    """Wherever the first line was torn: the second is never lost, and nothing is made of what is left of the first.

    A stage without a value is one only where its line ended so; here the glue proves that it did not.
    """
    outcomes = read(LINE[:end] + OTHER)

    assert [document.id for document in outcomes.documents] == [read(OTHER).documents[0].id]
    (reject,) = outcomes.rejects
    assert reject.original == LINE[:end].encode()
    assert reject.column is not None
    assert 0 < reject.column <= end + 1


@pytest.mark.parametrize("torn", ["SUBMIT_NO", "SUBMIT_NORM:START_DATE=", "SUBMIT_NORM:START_DATE=145473717:END_DATE"])
def test_23_a_stage_that_was_torn_is_refused_as_torn(torn: str, read: Read) -> None:
    """What is missing is said, and where."""
    outcomes = read(HEAD + torn + OTHER)

    assert [(r.reason, r.column) for r in outcomes.rejects] == [("torn", len(HEAD + torn) + 1)]
    assert len(outcomes.documents) == 1


@pytest.mark.parametrize("end", range(len(STAMP) + 2, len(OTHER)))
def test_23_before_a_torn_half_the_whole_one_is_stored_and_the_torn_one_refused(end: int, read: Read) -> None:
    """Once the second stamp stands, the first line is safe; the reject of the other has its bytes alone."""
    outcomes = read(LINE + OTHER[:end])
    first = read(LINE).documents[0].id

    assert first in {document.id for document in outcomes.documents}
    assert len(outcomes.documents) + len(outcomes.rejects) == 2
    assert [reject.original for reject in outcomes.rejects] in ([], [OTHER[:end].encode()])


@pytest.mark.parametrize("between", ["", " "])
def test_23_a_message_is_split_wherever_a_line_begins(between: str, read: Read) -> None:
    """However many were glued, each is the fact that it is alone; a torn one among them is refused by itself."""
    third = LINE.replace("NORM", "ROT")
    alone = [read(line).documents[0].id for line in (LINE, OTHER, third)]

    whole = read(between.join((LINE, OTHER, third)))
    torn = read(between.join((LINE, OTHER[:-8], third)))

    assert [d.id for d in whole.documents] == alone
    assert not whole.rejects
    assert [d.id for d in torn.documents] == [alone[0], alone[2]]
    assert [reject.original.strip() for reject in torn.rejects] == [OTHER[:-8].encode()]


def test_23_bytes_and_places_of_both_halves_survive(flow_of: Callable[..., Decoder]) -> None:
    """What was not valid UTF-8 is kept in base64, half by half; the second half begins further on in the file."""
    first, second = LINE.encode().replace(b"NORM", b"N\xffRM"), OTHER.encode()
    message = Message(first + second, RECEIVED_MS, Provenance(path="/a.log", offset_bytes=1000), backfill=True)

    documents = flow_of("als_perf").decode(message, 0).documents

    assert (
        b64decode(documents[0].body["event"]["original_b64"]) + documents[1].body["event"]["original"].encode()
        == message.data
    )
    assert [d.body["log"]["offset"] for d in documents] == [1000, 1000 + len(first)]


def test_23_a_message_of_several_lines_is_not_split(read: Read) -> None:
    """Who ships a file as one message framed it wrongly: that is refused, not read in part, and the remedy is named."""
    assert read.refused(f"{LINE}\n{OTHER}") == "syntax"
    assert "the message holds 2 lines: an intake with `multiline = true`" in read(f"{LINE}\n{OTHER}").rejects[0].detail


def test_23_a_prefix_before_a_stamp_is_no_second_line(read: Read) -> None:
    """`ri Feb 5 …` and a syslog head before a stamp are one damaged line each: refused whole."""
    assert read.refused(LINE[1:]) == "syntax"
    assert read.refused(f"Feb  5 21:39:38 als-node-17 logger: {LINE}") == "syntax"


@pytest.mark.parametrize(
    ("script", "name"),
    [("/opt/als bin/submit.sh", "submit.sh"), ("./a.sh", "a.sh"), ("my script.sh", "my script.sh"), ("a", "a")],
)
def test_24_a_script_may_have_a_path_and_blanks(script: str, name: str, read: Read) -> None:
    """Its name is told apart; the path as a whole stays in the line."""
    body = read.one(LINE.replace("submitNormJobs.sh", script))

    assert body["log"]["origin"]["file"] == {"name": name, "line": 32}
    assert script in body["event"]["original"]


def test_25_another_tag_is_ignored_and_counted_by_shape(read: Read) -> None:
    """Shell logs are full of them; stamped lines without script and number are another shape."""
    assert [i.shape for i in read(LINE.replace("PERF:SUBMIT_NORM:START_DATE=", "INFO:")).ignored] == ["tag:INFO"]
    assert [i.shape for i in read(f"{STAMP}: a.sh:12: command not found").ignored] == ["stamped"]
    assert [i.shape for i in read(f"{STAMP}: disk is full").ignored] == ["other"]


def test_26_a_line_of_64_kib_is_read_and_a_longer_one_is_refused(read: Read) -> None:
    """The limit is stated, and the column is where it was crossed."""
    room = 65536 - len(LINE) - len(":X=")

    assert len(read(f"{LINE}:X={'x' * room}").documents) == 1
    (reject,) = read(f"{LINE}:X={'x' * (room + 1)}").rejects
    assert (reject.reason, reject.column) == ("too_long", 65537)


def test_26_nul_and_bad_utf8_keep_their_bytes(read: Read) -> None:
    """A NUL is refused with the bytes untouched; undecodable bytes are read with a replacement and kept in base64."""
    bad = LINE.encode().replace(b"NORM", b"N\xff\xfeRM")

    body = read.one(bad)

    assert b64decode(body["event"]["original_b64"]) == bad
    assert body["perf"]["stage"]["name"] == "SUBMIT_N\ufffd\ufffdRM"
    assert [r.original for r in read(LINE.replace("NORM", "N\0RM")).rejects] == [LINE.replace("NORM", "N\0RM").encode()]


def test_27_facility_and_host_come_from_intake_and_shipper_only(flow_of: Callable[..., Decoder]) -> None:
    """Nothing in a line chooses them: a line that names others keeps that as data, and a missing host stays missing."""
    message = Message(f"{LINE}:FACILITY=aps:HOST=evil".encode(), RECEIVED_MS, Provenance(host="als-node-17"), True)
    decoder = flow_of("als_perf")

    (document,) = decoder.decode(message, 0).documents
    bare = decoder.decode(Message(LINE.encode(), RECEIVED_MS, backfill=True), 0).documents[0]

    assert document.body["perf"]["facility"] == "als"
    assert document.body["host"] == {"name": "als-node-17"}
    assert document.body["perf"]["extra"] == {"FACILITY": "aps", "HOST": "evil"}
    assert "host" not in bare.body


def test_28_what_of_a_run_was_not_seen_is_unknown_and_not_nothing(read: Read) -> None:
    """An excerpt from mid-run has no queue wait and no dispatch: None, never 0; its last stage is a lower bound."""
    (run,) = runs_in(map(read, (LINE, OTHER)))

    assert (run.part_lengths_ms.get("queue"), run.part_lengths_ms.get("dispatch")) == (None, None)
    assert (run.head_seen, run.tail_seen) == (False, False)
    assert [stage.kind for stage in run.stages] == ["upper", "lower"]


def test_29_a_stage_with_an_end_is_measured_by_it_also_when_others_run_beside_it(read: Read) -> None:
    """Parallel stages: a start before the other's end takes nothing from the exact duration."""
    lines = [f"{HEAD}A:START_DATE={AT_S - 60}:END_DATE={AT_S}", f"{HEAD}B:START_DATE={AT_S - 50}:END_DATE={AT_S - 5}"]

    (run,) = runs_in(map(read, lines))

    assert run.parallel
    assert figures_of(run) == [("A", "exact", 60, "end"), ("B", "exact", 45, "end")]


def test_30_a_leap_second_is_read_as_the_one_before_and_flagged(read: Read) -> None:
    """Unix time has no 23:59:60."""
    at_s = epoch_s(2015, 12, 31, 23, 59, 59)
    line = f"Thu Dec 31 23:59:60 UTC 2015: a.sh:1:r:PERF:SUBMIT_NORM:START_DATE={at_s}"

    assert read.flags(line) == ["leap_second"]
    assert read.one(line)["perf"]["mark"]["logged"] == "2015-12-31T23:59:59Z"
