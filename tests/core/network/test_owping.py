"""owping's text, whole, through the flow: two directions, times without a zone, units, nan, and what is refused.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Document, Message, Outcomes, ParsedMessage, Reject
from ingest.core.network.owping import MS_OF
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import sample_files
from ingest.core.sources.readers import Mismatch, canonical
from ingest.core.sources.source import Source
from tests.support.owping import owping_blocks
from tests.support.regex_steps import match_steps
from tests.support.work import assert_linear

RECEIVED_MS = 1_772_668_800_000  # 2026-03-05T00:00:00Z
NTP_1900_S = 2_208_988_800
PACKETS = (
    "seq_no=0          delay=0.571 ms\t(sync, err=0.389 ms)\nseq_no=1          *LOST*\n"
    "seq_no=0          delay=0.598 ms\t(unsync)\n"
    "seq_no=2 delay=2.593994e-01 ms (sync, err=0.389 ms) sent=1772652005.387000 recv=1772652005.387259\n"
)
INSTANT = datetime(2026, 3, 4, 19, 20, 3, tzinfo=UTC)
FlowOf = Callable[..., Decoder]


def session(at: datetime = INSTANT, random: int = 0x22CC33DD) -> str:
    """A session id: IPv4 address, NTP time, random bits."""
    return f"c6336407{int(at.timestamp()) + NTP_1900_S:08x}40000000{random:08x}"


def block(**changes: str) -> str:
    """One block of owping; each line may be replaced, or left out when empty."""
    lines = {
        "head": "--- owping statistics from [ps-als.example]:8915 to [192.0.2.20]:9270 ---",
        "sid": f"SID:\t{session()}",
        "first": "first:\t2026-03-04T11:20:05.387",
        "last": "last:\t2026-03-04T11:20:15.139",
        "counts": "100 sent, 1 lost (1.000%), 0 duplicates",
        "delay": "one-way delay min/median/max = 2.5/2.6/88.2 ms, (err=0.37 ms)",
        "jitter": "one-way jitter = 0.1 ms (P95-P50)",
        "percentiles": "",
        "hops": "hops = 6 (consistently)",
        "reordering": "no reordering",
    }
    return "".join(f"{line}\n" for line in {**lines, **changes}.values() if line)


def read(decoder: Decoder, text: str) -> Outcomes:
    """What a message becomes."""
    return decoder.decode(Message(text.encode(), RECEIVED_MS), RECEIVED_MS)


def only(outcomes: Outcomes) -> Document:
    """The one document of an outcome without rejects."""
    assert not outcomes.rejects, outcomes.rejects
    assert len(outcomes.documents) == 1
    return outcomes.documents[0]


def refused(outcomes: Outcomes) -> Reject:
    """The one reject of an outcome without documents."""
    assert not outcomes.documents
    assert len(outcomes.rejects) == 1
    return outcomes.rejects[0]


@pytest.fixture
def decoder(flow_of: FlowOf) -> Decoder:
    """An intake that declares no zone."""
    return flow_of("owping", sites={"ps-als.example": "ALS"})


def network(document: Document) -> dict[str, Any]:
    """The fields under perf.network."""
    fields: dict[str, Any] = document.body["perf"]["network"]
    return fields


def test_block_becomes_a_document_with_its_session_as_identity(decoder: Decoder) -> None:
    """Every line of the block is a field; the local time becomes UTC by the session id."""
    stored = only(read(decoder, block()))
    assert stored.id == session()
    body = stored.body
    assert body["@timestamp"] == body["event"]["start"] == "2026-03-04T19:20:05.387Z"
    assert (body["event"]["end"], body["event"]["duration"]) == ("2026-03-04T19:20:15.139Z", 9_752_000_000)
    assert body["source"] == {"address": "ps-als.example", "domain": "ps-als.example", "site": "ALS"}
    assert body["destination"] == {"address": "192.0.2.20", "ip": "192.0.2.20"}
    assert body["perf"]["flags"] == ["zone_inferred"]
    assert network(stored) == {
        "run_id": session(),
        "test_type": "latency",
        "tool": "owping",
        "ip_version": 4,
        "packets_sent": 100,
        "packets_lost": 1,
        "packets_received": 99,
        "packets_duplicated": 0,
        "packets_reordered": 0,
        "loss_ratio": 0.01,
        "delay_min_ms": 2.5,
        "delay_median_ms": 2.6,
        "delay_max_ms": 88.2,
        "max_clock_error_ms": 0.37,
        "delay_jitter_ms": 0.1,
        "clock_synchronized": True,
        "hops_min": 6,
        "hops_max": 6,
    }


def test_both_blocks_of_a_message_are_documents_of_their_own(decoder: Decoder) -> None:
    """The tool prints there and back at once; each has its own session, ends and numbers."""
    back = block(
        head="--- owping statistics from [2001:db8:20::5]:9271 to [ps-als.example]:8916 ---",
        sid=f"SID:\t{session(random=7)}",
        counts="50 sent, 0 lost (0.000%), 0 duplicates",
    )
    notice = "Approximately 13.2 seconds until results available\n\n"
    outcomes = read(decoder, f"{notice}{block()}\n{back}")
    assert [document.id for document in outcomes.documents] == [session(), session(random=7)]
    assert [network(document)["packets_sent"] for document in outcomes.documents] == [100, 50]
    assert outcomes.documents[1].body["source"]["ip"] == "2001:db8:20::5"


def test_block_that_cannot_be_placed_in_time_does_not_cost_the_other(decoder: Decoder) -> None:
    """One document and one reject, which keep their own bytes; the message counts as rejected."""
    text = block() + "\n" + block(sid="SID:\t" + "0" * 31 + "1")
    outcomes = read(decoder, text)
    assert len(outcomes.documents) == len(outcomes.rejects) == 1
    assert outcomes.rejects[0].reason == "zone_unknown"
    assert outcomes.rejects[0].original == block(sid="SID:\t" + "0" * 31 + "1").strip().encode()
    assert outcomes.rejects[0].piece_line == block().count("\n") + 2


@pytest.mark.parametrize(
    ("first", "minutes"),
    [("2026-03-04T19:20:05.387", 0), ("2026-03-05T01:05:05.387", 345), ("2026-03-05T09:20:05.387", 840)],
)
def test_zone_is_told_by_the_session_id(decoder: Decoder, first: str, minutes: int) -> None:
    """Quarter hours between -14 and +14 h; here UTC, Nepal and Kiritimati [22]."""
    stored = only(read(decoder, block(first=f"first:\t{first}", last="last:\tXXX")))
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05.387Z"
    assert minutes % 15 == 0


@pytest.mark.parametrize("first", ["2026-03-04T11:27:45.000", "2026-03-05T10:20:05.387", "2026-03-03T19:20:05.387"])
def test_time_that_no_zone_explains_is_refused(decoder: Decoder, first: str) -> None:
    """Off the quarter hours, or beyond 14 h: the instant is not guessed."""
    stored = refused(read(decoder, block(first=f"first:\t{first}")))
    assert (stored.reason, stored.line, stored.column) == ("zone_unknown", 3, 8)


def test_zone_of_the_intake_counts_where_the_session_id_tells_none(flow_of: FlowOf) -> None:
    """A session id without a time is no reason to refuse what the operator declared."""
    decoder = flow_of("owping", zone=-8 * 3600)
    stored = only(read(decoder, block(sid="SID:\t" + "0" * 31 + "1")))
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05.387Z"
    assert "flags" not in stored.body["perf"]


def test_zone_of_the_intake_yields_to_a_session_id_that_knows_better(flow_of: FlowOf) -> None:
    """A fixed offset is wrong for half the year: one hour off is the zone's fault, and flagged."""
    assert only(read(flow_of("owping", zone=-8 * 3600), block())).body["perf"].get("flags") is None
    stored = only(read(flow_of("owping", zone=-7 * 3600), block()))
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05.387Z"
    assert stored.body["perf"]["flags"] == ["zone_fault"]


def test_session_ids_of_the_ntp_era_after_2036_are_read(flow_of: FlowOf) -> None:
    """NTP seconds begin anew in February 2036."""
    decoder = flow_of("owping")
    at = datetime(2036, 3, 4, 19, 20, 3, tzinfo=UTC)
    sid = f"c6336407{(int(at.timestamp()) + NTP_1900_S) % 2**32:08x}4000000000000001"
    text = block(sid=f"SID:\t{sid}", first="first:\t2036-03-04T11:20:05.387", last="last:\tXXX")
    stored = only(decoder.decode(Message(text.encode(), int(at.timestamp()) * 1000), 0))
    assert stored.body["@timestamp"] == "2036-03-04T19:20:05.387Z"


def test_thousand_milliseconds_are_the_next_second(decoder: Decoder) -> None:
    """The tool rounds up without carrying."""
    stored = only(read(decoder, block(first="first:\t2026-03-04T11:20:04.1000")))
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05Z"


@pytest.mark.parametrize(
    ("first", "reason"),
    [("XXX", "no_time"), ("2026-02-30T11:20:05.387", "stamp"), ("2026-03-04T25:20:05.387", "stamp")],
)
def test_time_that_is_none_is_refused(decoder: Decoder, first: str, reason: str) -> None:
    """A failed session prints XXX; a day that does not exist is a damaged line."""
    assert refused(read(decoder, block(first=f"first:\t{first}"))).reason == reason


def test_last_that_is_no_time_leaves_the_length_open(decoder: Decoder) -> None:
    """The beginning is enough."""
    body = only(read(decoder, block(last="last:\tXXX"))).body
    assert "end" not in body["event"]
    assert "duration" not in body["event"]


@pytest.mark.parametrize(("unit", "value"), [("ns", 5.4e-4), ("us", 0.54), ("ms", 540), ("s", 540_000)])
def test_printed_units_become_milliseconds(decoder: Decoder, unit: str, value: float) -> None:
    """The unit is printed beside every number, and may differ between them."""
    delay = f"one-way delay min/median/max = 540/540/540 {unit}, (err=540 {unit})"
    fields = network(only(read(decoder, block(delay=delay, jitter=f"one-way jitter = 540 {unit} (P95-P50)"))))
    assert [fields[name] for name in ("delay_min_ms", "delay_max_ms", "max_clock_error_ms", "delay_jitter_ms")] == [
        value
    ] * 4
    assert MS_OF[unit] * 540 == pytest.approx(value)


def test_numbers_may_be_negative_exponential_and_out_of_order(decoder: Decoder) -> None:
    """Clocks that differ make negative delays [10]; three digits make 1e+03 and a min above the median [12]."""
    delay = "one-way delay min/median/max = -0.049/12.8/1e+03 ms, (err=0.37 ms)"
    stored = only(read(decoder, block(delay=delay)))
    assert (network(stored)["delay_min_ms"], network(stored)["delay_max_ms"]) == (-0.049, 1000)
    assert "negative_delay" in stored.body["perf"]["flags"]
    swapped = "one-way delay min/median/max = 12.9/12.8/12.8 ms, (err=0.37 ms)"
    assert network(only(read(decoder, block(delay=swapped))))["delay_min_ms"] == 12.9


def test_nothing_sent_has_neither_delay_nor_loss(decoder: Decoder) -> None:
    """Nan is nothing, not 0 [11]; that nothing was sent is a failure."""
    stored = only(
        read(
            decoder,
            block(
                counts="0 sent, 0 lost (nan%), 0 duplicates",
                delay="one-way delay min/median/max = nan/nan/nan ms, (err=0.37 ms)",
                jitter="one-way jitter = nan ms (P95-P50)",
                hops="TTL not reported",
                reordering="1-reordering = nan%",
            ),
        )
    )
    fields = network(stored)
    assert stored.body["event"]["outcome"] == "failure"
    assert not {name for name in fields if name.startswith(("delay", "loss", "hops"))}
    assert "packets_reordered" not in fields


def test_clocks_that_are_not_synchronised_are_named(decoder: Decoder) -> None:
    """(unsync) stands in the error's place: there is no error to show."""
    fields = network(only(read(decoder, block(delay="one-way delay min/median/max = 12.8/12.9/12.8 ms, (unsync)"))))
    assert fields["clock_synchronized"] is False
    assert "max_clock_error_ms" not in fields


def test_delay_within_the_clock_error_is_flagged(decoder: Decoder) -> None:
    """It says little about the network; nobody should be woken by it [10]."""
    delay = "one-way delay min/median/max = 0.2/0.3/0.4 ms, (err=0.37 ms)"
    assert "within_clock_error" in only(read(decoder, block(delay=delay))).body["perf"]["flags"]


@pytest.mark.parametrize(
    ("hops", "least", "most"),
    [
        ("hops = 6 (consistently)", 6, 6),
        ("Hops = 12", 12, 12),
        ("hops takes 2 values; min hops = 6, max hops = 7", 6, 7),
        ("TTL not reported", None, None),
        ("", None, None),
    ],
)
def test_hops_have_four_forms(decoder: Decoder, hops: str, least: int | None, most: int | None) -> None:
    """Old versions print a capital and no remark; without a TTL there are none."""
    fields = network(only(read(decoder, block(hops=hops))))
    assert (fields.get("hops_min"), fields.get("hops_max")) == (least, most)


@pytest.mark.parametrize("hops", ["Hops = 1", "hops = 1", "hops takes 2 values; min hops = 6, max hops = 1"])
def test_number_of_hops_at_the_end_of_a_text_is_torn(decoder: Decoder, hops: str) -> None:
    """It may be the beginning of 12; the line of reordering always follows."""
    rejected = refused(read(decoder, block(hops=hops, reordering="")))
    assert (rejected.reason, rejected.line, "NL" in rejected.expected) == ("torn", 8, True)


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        ("no reordering", 0),
        ("1-reordering = 2.020202%\nno 2-reordering", 2),
        ("1-reordering = 2.020202%\n2-reordering = 1.010101%\n3-reordering not handled", 2),
        ("1-reordering not handled", None),
        ("", None),
    ],
)
def test_reordered_packets_are_counted_from_the_share_of_those_received(
    decoder: Decoder, lines: str, count: int | None
) -> None:
    """2.020202 % of 99 received are 2 packets; what is not handled is unknown, not 0."""
    assert network(only(read(decoder, block(reordering=lines)))).get("packets_reordered") == count


def test_percentiles_are_read_where_asked_for(decoder: Decoder) -> None:
    """Those that documents know; the others stay in event.original."""
    lines = "Percentiles:\n\t25.0: 551 us\n\t50.0: 566 us\n\t75.0: nan us\n\t95.0: 0.588 ms"
    fields = network(only(read(decoder, block(percentiles=lines))))
    assert (fields["delay_p25_ms"], fields["delay_p95_ms"]) == (0.551, 0.588)
    assert "delay_p75_ms" not in fields
    assert fields["delay_median_ms"] == 2.6


def listed(text: str, sid: str = session(), packets: str = PACKETS) -> str:
    """A block as -v prints it: its header and session id, its packets, then the block."""
    head = text.partition("\n")[0]
    return f"{head}\nSID:\t{sid}\n{packets}\n{text}"


@pytest.mark.parametrize("packets", ["", PACKETS, PACKETS * 2000])
def test_packets_of_verbose_are_of_the_block_behind_them(decoder: Decoder, packets: str) -> None:
    """Header and session id, no packet or many, lost and duplicate ones, then the same document as without."""
    plain = only(read(decoder, block()))
    stored = only(
        read(decoder, f"Approximately 3.9 seconds until results available\n\n{listed(block(), packets=packets)}")
    )
    assert (stored.id, network(stored), stored.version) == (plain.id, network(plain), plain.version)
    assert stored.body["source"] == plain.body["source"]
    assert packets.strip() in stored.body["event"]["original"]


def test_both_directions_of_verbose_are_documents_with_their_own_packets(decoder: Decoder) -> None:
    """Each keeps the lines of its own direction."""
    back = block(sid=f"SID:\t{session(random=7)}", counts="50 sent, 0 lost (0.000%), 0 duplicates")
    outcomes = read(decoder, listed(block()) + "\n" + listed(back, session(random=7)))
    assert [document.id for document in outcomes.documents] == [session(), session(random=7)]
    assert [network(document)["packets_sent"] for document in outcomes.documents] == [100, 50]
    assert [document.body["event"]["original"].count("*LOST*") for document in outcomes.documents] == [1, 1]


def test_packets_without_their_statistics_are_torn(decoder: Decoder) -> None:
    """The text ends among the packets, or another session's statistics follow."""
    text = listed(block())
    for end in (text.index("*LOST*"), text.index("\n\n---")):
        assert refused(read(decoder, text[:end])).reason == "torn"
    rejected = refused(read(decoder, listed(block(), session(random=7))))
    assert (rejected.reason, rejected.line, rejected.column) == ("torn", 9, 6)
    assert rejected.detail == f"the packets of session {session(random=7)} come without its statistics"


def test_packets_are_read_in_steps_in_proportion_to_their_number(sources: dict[str, Source]) -> None:
    """Whole, cut off among them, or followed by something else."""
    reader = sources["owping"].reader
    assert isinstance(reader, GrammarReader)
    assert reader.compiled is not None
    text = listed(block(), packets="{}")
    for end in (len(text), text.index("{}") + 2):
        work = partial(listing_steps, reader.compiled.line, text[:end])
        assert_linear(work, 8)


def listing_steps(pattern: re.Pattern[str], text: str, count: int) -> int:
    """The steps on a listing of so many packets, then a line that is none."""
    return match_steps(pattern, text.replace("{}", "seq_no=1   delay=2.5 ms\t(unsync)\n" * count) + "\0")


def test_line_ends_blank_lines_and_packet_lines_do_not_matter(decoder: Decoder) -> None:
    """CRLF, a mark of byte order, blank lines around, packets listed before: the same document."""
    plain = only(read(decoder, block()))
    packets = "seq_no=0          delay=0.571 ms\t(sync, err=0.389 ms)\nseq_no=1          *LOST*\n"
    for text in (block().replace("\n", "\r\n"), "\ufeff\n\n" + block() + "\n\n", packets + block(), block().rstrip()):
        stored = only(read(decoder, text))
        assert (stored.id, network(stored), stored.body["@timestamp"]) == (
            plain.id,
            network(plain),
            plain.body["@timestamp"],
        )


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        (block(head="--- twping statistics from [a]:1 to [b]:2 ---"), 1, 1, "STATISTICS"),
        (block(sid="SID:\tc633"), 2, 6, "SID"),
        (block(counts="100 sent, one lost (1.000%), 0 duplicates"), 5, 11, "LOST"),
        (block(delay="one-way delay min/median/max = 2.5/2.6/88.2 min, (err=0.37 ms)"), 6, 45, "DELAY_UNIT"),
        (block(counts=""), 5, 1, "SENT"),
        (block().split("one-way jitter")[0] + "one-way jit", 7, 1, "JITTER"),
        (block() + "send jitter = 1 ms (P95-P50)\n", 9, 14, "end of text"),
    ],
)
def test_damaged_block_is_refused_where_it_breaks(
    decoder: Decoder, text: str, line: int, column: int, expected: str
) -> None:
    """Line, column and what was expected there."""
    stored = refused(read(decoder, text))
    assert stored.reason in {"syntax", "torn"}
    assert (stored.line, stored.column, expected in stored.expected) == (line, column, True), stored
    assert stored.original == text.encode()


def test_grammar_is_regular_and_both_readers_agree(sources: dict[str, Source]) -> None:
    """The compiled expression and Lark read the same from every sample and every made-up block."""
    source = sources["owping"]
    reader = source.reader
    assert isinstance(reader, GrammarReader)
    assert reader.compiled is not None, reader.why_slow
    texts = [path.read_bytes() for path in sample_files(source.folder)]
    texts += list(owping_blocks(INSTANT, 24, 1))
    for text in texts:
        raw = canonical(text)
        slow, fast = reader.read_slowly(raw.decode(), raw), reader.read(raw)
        assert slow == fast


def test_both_readers_agree_on_near_misses(sources: dict[str, Source]) -> None:
    """Each character of a message left out, doubled or replaced: the same verdict, the same values."""
    reader = sources["owping"].reader
    assert isinstance(reader, GrammarReader)
    assert reader.compiled is not None
    last = block(
        hops="hops takes 2 values; min hops = 6, max hops = 7", reordering="1-reordering = 2.02%\nno 2-reordering"
    )
    whole = (block(percentiles="Percentiles:\n\t25.0: 551 us\n\t95.0: 588 us") + "\n" + last).strip()
    read = 0
    for at in range(len(whole)):
        for middle in ("", whole[at] * 2, "\n", " ", "7"):
            text = whole[:at] + middle + whole[at + 1 :]
            fast, slow = reader.compiled.read(text), reader.read_slowly(text, b"")
            assert (fast is None) == isinstance(slow, Mismatch), text
            if fast is not None and isinstance(slow, ParsedMessage):
                read += 1
                assert (fast[0], tuple(fast[1])) == (slow.values, slow.items), text
    assert 100 < read < 5 * len(whole)


def test_made_up_blocks_are_read_whole(decoder: Decoder) -> None:
    """What the synthetic path prints is owping's form: two documents a message, no rejects."""
    for text in owping_blocks(INSTANT, 24, 3):
        outcomes = decoder.decode(Message(text, RECEIVED_MS + 86_400_000), RECEIVED_MS)
        assert len(outcomes.documents) == 2
        assert not outcomes.rejects
