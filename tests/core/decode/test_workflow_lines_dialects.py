"""The other dialects of workflow lines: LCLS's PSJobCompleted, NetLogger's best practice: data, not code."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Outcomes, ParsedMessage
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.source import Source
from ingest.core.timestamps import iso
from tests.core.conftest import GRAMMARS
from tests.support.amount import examples
from tests.support.marks import figures_of, runs_in

NOW_MS = 1772755200000
JOB = "PSJobCompleted TotalElapsed 431 1772651605 1772652036"
START = "ts=2026-03-04T19:20:05.123456Z event=als.transfer.start guid=736ee764 level=INFO"
END = "ts=2026-03-04T19:21:41.5Z event=als.transfer.end guid=736ee764 status=0"
LINES = ("als_perf", "lcls_psjob", "netlogger")


def outcomes(decoder: Decoder, line: str) -> Outcomes:
    """Everything a line becomes that came a day after the samples."""
    return decoder.decode(Message(line.encode(), NOW_MS), NOW_MS)


def bodies(decoder: Decoder, *lines: str) -> list[dict]:  # type: ignore[type-arg]
    """The documents of lines of which none is refused."""
    results = [outcomes(decoder, line) for line in lines]
    assert not any(outcomes.rejects for outcomes in results)
    return [document.body for outcomes in results for document in outcomes.documents]


def test_a_job_with_both_ends_known_has_an_exact_duration(flow_of: Callable[..., Decoder]) -> None:
    """One line, two instants of one stage in a run of its own: no bound, no guess."""
    documents = outcomes(flow_of("lcls_psjob"), JOB).documents

    (run,) = runs_in([outcomes(flow_of("lcls_psjob"), JOB)])

    assert [d.body["perf"]["mark"]["role"] for d in documents] == ["start", "end"]
    assert [d.body["@timestamp"] for d in documents] == ["2026-03-04T19:13:25Z", "2026-03-04T19:20:36Z"]
    assert len({d.id for d in documents}) == 2
    assert [stage[1:] for stage in figures_of(run)] == [("exact", 431, "end")]


def test_what_a_job_says_twice_must_agree(flow_of: Callable[..., Decoder]) -> None:
    """Seconds taken that are not the difference of the ends, and an end before the start, are flagged; ±1 s is not."""
    decoder = flow_of("lcls_psjob")

    def flags(numbers: str) -> list[str]:
        return list(bodies(decoder, f"PSJobCompleted TotalElapsed {numbers}")[0]["perf"].get("flags", []))

    assert flags("432 1772651605 1772652036") == []
    assert flags("433 1772651605 1772652036") == ["elapsed_mismatch"]
    assert flags("-431 1772652036 1772651605") == ["end_before_start"]


def test_a_job_that_prints_its_seconds_only_is_refused_for_want_of_a_time(flow_of: Callable[..., Decoder]) -> None:
    """Half of the public scripts leave the ends out: when it was cannot be made up."""
    (reject,) = outcomes(flow_of("lcls_psjob"), "PSJobCompleted TotalElapsed 431").rejects

    assert reject.reason == "no_time"


@pytest.mark.parametrize(
    "line", [f"+ echo {JOB}", "echo PSJobCompleted TotalElapsed $((t_end-t_start)) $t_start $t_end"]
)
def test_a_script_that_prints_itself_is_no_damaged_line(line: str, flow_of: Callable[..., Decoder]) -> None:
    """`set -x` and `cat $0` put the command into the log; it is ignored, the line that it printed is read."""
    result = outcomes(flow_of("lcls_psjob"), line)

    assert result.ignored
    assert not result.rejects


def test_start_and_end_of_one_guid_make_an_exact_stage(flow_of: Callable[..., Decoder]) -> None:
    """The event's stem is the stage, its ending the role, guid the run; the order of the lines does not matter."""
    decoder = flow_of("netlogger")
    for lines in ((START, END), (END, START)):
        (run,) = runs_in(outcomes(decoder, line) for line in lines)

        assert run.key.run == "736ee764"
        assert figures_of(run) == [("als.transfer", "exact", 96.377, "end")]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([*START.split(), 'msg="a \\"b\\" = c"', "empty=", "url=http://x/?a=b"]))
def test_the_order_of_pairs_does_not_matter(order: list[str], flow_of: Callable[..., Decoder]) -> None:
    """Any order is the same event; quotes and escapes are taken off; names that nobody knows are data."""
    (body,) = bodies(flow_of("netlogger"), " ".join(order))

    assert body["@timestamp"] == "2026-03-04T19:20:05.123Z"
    assert body["perf"]["stage"]["name"] == "als.transfer"
    assert body["perf"]["run"]["id"] == "736ee764"
    assert body["perf"]["extra"] == {"level": "INFO", "msg": 'a "b" = c', "empty": "", "url": "http://x/?a=b"}


@pytest.mark.parametrize(
    ("ts", "zone", "at"),
    [
        ("2026-03-04T19:20:05Z", None, "2026-03-04T19:20:05Z"),
        ("2026-03-04T11:20:05.25-08:00", None, "2026-03-04T19:20:05.250Z"),
        ("2026-03-04T11:20:05", -28800, "2026-03-04T19:20:05Z"),
        ("1772652005.123456", None, "2026-03-04T19:20:05.123Z"),
        ("1772652005", -28800, "2026-03-04T19:20:05Z"),
    ],
)
def test_a_time_is_iso_or_unix(ts: str, zone: int | None, at: str, flow_of: Callable[..., Decoder]) -> None:
    """A zone that is missing is the intake's; a unix time needs none."""
    (body,) = bodies(flow_of("netlogger", zone=zone), f"ts={ts} event=a.b.start id=1")

    assert body["@timestamp"] == at


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("event=a.start id=1", "no_time"),
        ("ts=2026-03-04T11:20:05 event=a.start id=1", "zone_unknown"),
        ("ts=yesterday event=a.start id=1", "value"),
        ('ts=2026-03-04T19:20:05Z msg="event=a"', "incomplete"),
        ('ts=2026-03-04T19:20:05Z event=a.start msg="open', "syntax"),
        ("ts=2026-03-04T19:20:05Z event=a.start gui", "torn"),
        ("ts=2036-03-04T19:20:05Z event=a.start id=1", "time_ahead"),
    ],
)
def test_an_event_that_lacks_what_it_needs_is_refused(line: str, reason: str, flow_of: Callable[..., Decoder]) -> None:
    """With a reason of README's table."""
    assert [reject.reason for reject in outcomes(flow_of("netlogger"), line).rejects] == [reason]


def test_a_refused_time_is_shown_where_it_stands(flow_of: Callable[..., Decoder]) -> None:
    """The column is that of the value, or of its name where pairs come in any order."""
    (of_pair,) = outcomes(flow_of("netlogger"), "id=1 ts=yesterday event=a.start").rejects
    of_place = outcomes(flow_of("lcls_psjob"), "PSJobCompleted TotalElapsed 4 17726516 1772652036").rejects

    assert of_pair.column == 6
    assert of_place[0].column == 31


def test_the_last_of_a_repeated_name_counts_and_is_flagged(flow_of: Callable[..., Decoder]) -> None:
    """As NetLogger's own readers do."""
    (body,) = bodies(flow_of("netlogger"), START + " guid=last")

    assert body["perf"]["run"]["id"] == "last"
    assert body["perf"]["flags"] == ["name_repeated"]


def test_names_that_the_index_cannot_take_stay_in_the_line(flow_of: Callable[..., Decoder]) -> None:
    """Elasticsearch would refuse the whole document for one name of 20,000 letters."""
    (body,) = bodies(flow_of("netlogger"), f"{START} {'n' * 20_000}=1")

    assert "extra" not in body["perf"]
    assert body["perf"]["flags"] == ["not_indexed"]


def test_dialects_share_an_intake(flow_of: Callable[..., Decoder]) -> None:
    """Each line is read by the one source it is for; somebody else's stays ignored."""
    decoder = flow_of(*LINES)
    sample = (GRAMMARS / "als_perf" / "samples.log").read_text().splitlines()[0]

    sources_read = [d.body["perf"]["source"] for x in (sample, JOB, START) for d in _backfilled(decoder, x).documents]

    assert sources_read == ["als_perf", "lcls_psjob", "lcls_psjob", "netlogger"]
    assert _backfilled(decoder, "ts=2026-03-04T19:20:05Z caller=main.go msg=listening").ignored


def _backfilled(decoder: Decoder, line: str) -> Outcomes:
    return decoder.decode(Message(line.encode(), NOW_MS, backfill=True), NOW_MS)


def test_no_dialect_is_named_in_the_code() -> None:
    """A dialect is a folder: neither its name nor its words stand in the core."""
    code = "\n".join(path.read_text() for path in (Path(__file__).parents[3] / "ingest" / "core").rglob("*.py"))

    assert not [word for word in ("PSJob", "lcls", "netlogger", "guid", "filebeat", "rsyslog") if word in code]


def samples(name: str) -> list[bytes]:
    """Every line of a source's samples and rejects."""
    files = sorted([*(GRAMMARS / name).glob("samples*.log"), *(GRAMMARS / name).glob("rejects*.log")])
    return [line for path in files for line in path.read_bytes().splitlines()]


@st.composite
def mutated(draw: st.DrawFn, name: str) -> bytes:
    """A sample line with pieces of it (or of others) cut out, doubled, moved, or made random."""
    data = draw(st.sampled_from(samples(name)))
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        piece = draw(
            st.one_of(
                st.just(b""),
                st.just(data[at:end] * 2),
                st.binary(max_size=8),
                st.sampled_from(samples(name)),
                st.sampled_from([b"=", b":", b'"', b"\\", b" ", b"\0", b"\xff", b"9" * 30, b"-", b"\n", "ß".encode()]),
            )
        )
        data = data[:at] + piece + data[end:]
    return data


@pytest.mark.parametrize("name", LINES)
@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_samples_never_raise(name: str, data: st.DataObject, flow_of: Callable[..., Decoder]) -> None:
    """Whatever became of a line: it has a verdict, and what is refused keeps its bytes and says why."""
    line = data.draw(mutated(name))
    for zone in (None, 3600):
        outcomes = flow_of(name, zone=zone).decode(Message(line, NOW_MS, backfill=True), NOW_MS)

        assert outcomes.documents or outcomes.rejects or outcomes.ignored
        assert all(reject.original in line and reject.reason and reject.detail for reject in outcomes.rejects)
        assert outcomes.documents or all(reject.original == line for reject in outcomes.rejects)
        assert all(iso(0) < document.body["@timestamp"] for document in outcomes.documents)


@pytest.mark.parametrize("name", LINES)
@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_compiled_grammar_and_lark_agree(name: str, data: st.DataObject, sources: dict[str, Source]) -> None:
    """Same verdict and same values, on mutated samples of every dialect; all of them are regular."""
    reader = sources[name].reader
    assert isinstance(reader, GrammarReader)
    assert reader.compiled is not None
    text = data.draw(mutated(name)).decode("utf-8", "replace")

    quick, slow = reader.compiled.read(text), reader.read_slowly(text, b"")

    assert (quick is None) == (not isinstance(slow, ParsedMessage))
    if quick is not None and isinstance(slow, ParsedMessage):
        assert (quick[0], tuple(quick[1])) == (slow.values, slow.items)
