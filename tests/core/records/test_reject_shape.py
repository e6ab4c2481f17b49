"""The shape of rejects: one for a script's fault, whatever run, stage and time; another for another script or fault."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Provenance, Reject
from ingest.core.records import reject_shape
from ingest.core.records.reject_shape import MAX_CHARACTERS, MAX_SEARCHED, collapsed, shape
from tests.support.messages import RECEIVED_MS
from tests.support.regex_steps import search_steps
from tests.support.work import assert_linear, executed_lines

Made = Callable[..., Decoder]
PATTERNS = [value for value in vars(reject_shape).values() if isinstance(value, re.Pattern)]

# A fault is a way to print a line wrongly; {stamp} {script} {number} {run} {stage} {epoch} are filled in.
FAULTS = {
    "tag": "{stamp}: {script}:{number}:{run}:PREF:{stage}:START_DATE={epoch}",
    "no stage": "{stamp}: {script}:{number}:{run}:PERF:",
    "value": "{stamp}: {script}:{number}:{run}:PERF:{stage}:START_DATE=$(dat",
    "no equals": "{stamp}: {script}:{number}:{run}:PERF:{stage}:START_DATE {epoch}",
    "french": "Ven 5 fév 21:39:37 PST 2016: {script}:{number}:{run}:PERF:{stage}:START_DATE={epoch}",
    "no day": "Fri Feb 30 21:39:37 PST 2016: {script}:{number}:{run}:PERF:{stage}:START_DATE={epoch}",
}
LOOSE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

times = st.datetimes(datetime(2014, 1, 1), datetime(2026, 1, 1))  # noqa: DTZ001 - given its zone below
printed = st.fixed_dictionaries(
    {
        "at": times,
        "run": st.from_regex(r"[0-9]{5,8}-[0-9]{1,6}|run_[a-z]{1,8}", fullmatch=True),
        "stage": st.from_regex(r"SUBMIT_[A-Z]{2,8}(-[a-z]{2,8}){0,2}", fullmatch=True),
    }
)


def line(fault: str, script: str, number: int, printed_line: dict[str, object]) -> str:
    """A line as a script with that fault prints it."""
    at = printed_line["at"]
    assert isinstance(at, datetime)
    at = at.replace(tzinfo=UTC)
    stamp = f"{at:%a %b} {at.day} {at:%H:%M:%S} UTC {at:%Y}"
    values = {"stamp": stamp, "run": printed_line["run"], "stage": printed_line["stage"], "epoch": int(at.timestamp())}
    return FAULTS[fault].format(script=script, number=number, **values)


def reject(decoder: Decoder, text: str) -> Reject:
    """The one reject that a line becomes, whatever its age."""
    (only_reject,) = decoder.decode(_message(text), RECEIVED_MS).rejects
    return only_reject


@pytest.mark.parametrize("fault", FAULTS)
@LOOSE
@given(first_line=printed, second_line=printed, number=st.integers(1, 9999))
def test_one_script_at_one_fault_is_one_shape(
    flow_of: Made, fault: str, first_line: dict[str, object], second_line: dict[str, object], number: int
) -> None:
    """Other stamps, runs and stages change nothing; the shape names script and line."""
    decoder = flow_of("als_perf")
    first, second = (
        reject(decoder, line(fault, "submit_norm.sh", number, printed_line))
        for printed_line in (first_line, second_line)
    )

    assert shape(first) == shape(second)
    assert shape(first).startswith(f"submit_norm.sh:{number}: ")


@LOOSE
@given(printed_line=printed, faults=st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=2, unique=True))
def test_another_script_or_line_or_fault_is_another_shape(
    flow_of: Made, printed_line: dict[str, object], faults: list[str]
) -> None:
    """What a person mends at two places, or in two ways, is two lines of the list."""
    decoder = flow_of("als_perf")
    made = [
        line(faults[0], "a.sh", 7, printed_line),
        line(faults[0], "b.sh", 7, printed_line),
        line(faults[0], "a.sh", 8, printed_line),
        line(faults[1], "a.sh", 7, printed_line),
    ]
    rejects = [reject(decoder, text) for text in made]

    assert len({(other.reason, shape(other)) for other in rejects}) == 4


@LOOSE
@given(first_line=printed, second_line=printed)
def test_a_script_whose_name_has_no_ending_is_one_shape_too(
    flow_of: Made, first_line: dict[str, object], second_line: dict[str, object]
) -> None:
    """Then the place is what stood before the fault, without days, months and numbers."""
    decoder = flow_of("als_perf")
    first, second = (
        reject(decoder, line("tag", "submit", n, printed_line))
        for n, printed_line in ((5, first_line), (66, second_line))
    )

    assert "submit:#" in shape(first).replace(" ", "")
    numbered = all(str(printed_line["run"])[0].isdigit() for printed_line in (first_line, second_line))
    assert not numbered or shape(first) == shape(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            "[1:842] failed to parse [perf.run.id] in document with id 'FZlxf-_B'. Preview of field's value: 'it's'",
            "[1:9] failed to parse [perf.run.id] in document with id '7'. Preview of field's value: ''",
        ),
        ("not JSON: unexpected character at 12", "not JSON: unexpected character at 9"),
        ("`2026-03-04T11:20:05` names no zone", "`2016-12-24T00:00:00.25` names no zone"),
    ],
)
def test_values_and_numbers_do_not_make_another_shape(first: str, second: str) -> None:
    """What Elasticsearch and the readers of JSON say, document by document."""
    assert collapsed(first) == collapsed(second)


def test_elasticsearch_s_reason_keeps_the_name_of_the_field() -> None:
    """A refused document is told by the field, not by the script that printed the line."""
    reason = "[1:200] mapping set to strict, dynamic introduction of [variant] within [perf.stage] is not allowed"
    text = shape(Reject("strict_dynamic_mapping", reason, b"Fri: a.sh:1:2:PERF:X"), "index")

    assert text == "[#] mapping set to strict, dynamic introduction of [variant] within [perf.stage] is not allowed"


def test_the_half_of_two_glued_lines_that_broke_is_the_place(flow_of: Made) -> None:
    """Not the other script, whose line was read."""
    good = "Fri Feb 5 21:39:38 PST 2016: b.sh:65:1084664-62990:PERF:SUBMIT_ROT:START_DATE=1454737178"
    torn = "Fri Feb 5 21:39:37 PST 2016: a.sh:69:1084664-62990:PE"
    ahead, behind = (flow_of("als_perf").decode(_message(text), 0) for text in (torn + good, good + torn))

    assert [len(either.rejects) for either in (ahead, behind)] == [1, 1]
    assert all(shape(either).startswith("a.sh:69: ") for either in (*ahead.rejects, *behind.rejects))
    assert ahead.documents
    assert behind.documents


@given(
    data=st.binary(max_size=300),
    detail=st.text(st.characters(), max_size=300),
    line=st.integers(1, 5),
    column=st.none() | st.integers(1, 400),
    expected=st.lists(st.text(max_size=100), max_size=5),
    stage=st.sampled_from(["read", "index"]),
)
def test_any_reject_has_a_shape_that_a_keyword_can_hold(
    data: bytes, detail: str, line: int, column: int | None, expected: list[str], stage: str
) -> None:
    """Whatever the bytes: text, not empty, short, and the same when asked again."""
    made = Reject("value", detail, data, line=line, column=column, expected=tuple(expected))
    text = shape(made, stage)

    assert 0 < len(text) <= MAX_CHARACTERS
    assert shape(made, stage) == text
    text.encode()


def _message(text: str) -> Message:
    return Message(text.encode(), RECEIVED_MS, Provenance(), backfill=True)


@pytest.mark.parametrize("piece", ["'a ", "`a ", '"', "0-", "deadbeef-", "a.sh:", "2026-03-04T"])
def test_a_shape_takes_work_in_proportion_to_the_line(piece: str) -> None:
    """Whatever a message repeats; what lies beyond the part that is searched adds nothing."""

    def steps(count: int) -> int:
        text = piece * count
        made = Reject("value", text, text.encode(), column=4000)
        searched = text[:MAX_SEARCHED]
        return executed_lines(lambda: shape(made)) + sum(search_steps(pattern, searched) for pattern in PATTERNS)

    assert_linear(steps, MAX_SEARCHED // len(piece) // 2)
    assert steps(MAX_SEARCHED * 10) == steps(MAX_SEARCHED * 20)
