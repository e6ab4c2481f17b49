"""owping -M and -R: NTP times, seconds to ms, buckets, loss, what cannot be known.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Callable

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.timestamps import NTP_TO_UNIX_S, ntp_s
from tests.core.conftest import GRAMMARS
from tests.support.messages import document, ends, flags, network, rank, read, reject

FlowOf = Callable[..., Decoder]
MACHINE = (GRAMMARS / "owping_machine" / "samples.both.txt").read_text(encoding="utf-8").partition("\nSUMMARY")[0]
RAW = (GRAMMARS / "owping_raw" / "samples.txt").read_text(encoding="utf-8")
AT_S = 1_772_652_005


def ntp(unix_s: float) -> int:
    """Unix seconds -> 64-bit NTP time."""
    return int((unix_s + NTP_TO_UNIX_S) * 2**32)


def packet(seq: int, sent_s: float, delay_s: float | None, ttl: int = 249) -> str:
    """A line of -R."""
    received = 0 if delay_s is None else ntp(sent_s) + round(delay_s * 2**32)
    return f"{seq} {ntp(sent_s):020d} 1 0.000187 {received:020d} 1 0.000183 {ttl}\n"


@pytest.fixture
def decoder(flow_of: FlowOf) -> Decoder:
    """A flow that reads both."""
    return flow_of("owping_machine", "owping_raw", "owping")


def test_ntp_times_are_unix_times_of_both_eras() -> None:
    """The high half counts seconds since 1900, and starts anew in 2036."""
    assert ntp_s(ntp(AT_S + 0.5)) == AT_S + 0.5
    assert ntp_s(NTP_TO_UNIX_S << 32) == 0
    assert ntp_s(0) == 2**32 - NTP_TO_UNIX_S


def test_machine_form_is_read_in_seconds(decoder: Decoder) -> None:
    """Delays, error and jitter are s there, ms here; buckets are index times width [9, 23]."""
    stored = document(decoder, MACHINE)
    fields = network(stored)
    assert stored.id == "c6336407ed531ce5400000002c33dd01"
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05.387Z"
    assert [fields[f"delay_{name}_ms"] for name in ("min", "median", "max", "jitter")] == [-0.12, 2.6, 88.2, 0.1]
    assert fields["max_clock_error_ms"] == 0.37
    assert fields["delay_histogram"] == {"values_ms": [-0.1, 2.5, 2.6, 88.2], "counts": [8, 40, 50, 1]}
    assert (fields["hops_min"], fields["hops_max"]) == (6, 7)
    assert (fields["packets_sent"], fields["packets_lost"], fields["packets_reordered"]) == (100, 1, 2)
    assert fields["loss_ratio"] == 0.01
    assert fields["clock_synchronized"] is True
    assert ends(stored) == ("ps-als.example", "ps-nersc.example")
    assert stored.body["source"]["ip"] == "198.51.100.7"


def test_histogram_of_delays_never_becomes_fields(decoder: Decoder, schema: Schema) -> None:
    """600 buckets a document would be as many mappings: two arrays, kept and not indexed [30]."""
    mapped = schema.mappings("network")["properties"]["perf"]["properties"]["network"]["properties"]
    assert mapped["delay_histogram"] == {"type": "object", "enabled": False}
    stored_histogram = network(document(decoder, MACHINE))["delay_histogram"]
    assert set(stored_histogram) == {"values_ms", "counts"}
    assert stored_histogram["values_ms"] == sorted(stored_histogram["values_ms"])


def test_negative_delay_is_kept_and_flagged(decoder: Decoder) -> None:
    """Clocks differ [10]; a median within their error says nothing either."""
    assert "negative_delay" in flags(document(decoder, MACHINE))
    stored = document(decoder, MACHINE.replace("MAXERR\t0.00037", "MAXERR\t0.02747"))
    assert "within_clock_error" in flags(stored)


def test_min_may_exceed_the_median(decoder: Decoder) -> None:
    """Rounding does that; nothing is asserted of their order [12]."""
    fields = network(document(decoder, MACHINE.replace("MEDIAN\t0.002600", "MEDIAN\t-0.000130")))
    assert (fields["delay_min_ms"], fields["delay_median_ms"]) == (-0.12, -0.13)


def test_undefined_values_are_absent(decoder: Decoder) -> None:
    """MIN, MEDIAN, MAX, PDV and LOST are left out, or nan [11]."""
    lines = [line for line in MACHINE.split("\n") if line.split("\t")[0] not in {"LOST", "MIN", "PDV"}]
    stored = document(decoder, "\n".join(lines).replace("MAX\t0.088200", "MAX\tnan"))
    assert "loss_unknown" in flags(stored)
    assert "packets_lost" not in network(stored)
    assert network(stored)["delay_max_ms"] == 88.2  # as the buckets tell


def test_nothing_sent_is_a_failure_without_numbers(decoder: Decoder) -> None:
    """No loss of 0 of 0."""
    stored = document(decoder, (GRAMMARS / "owping_machine" / "samples.nothing.txt").read_text())
    assert stored.body["event"]["outcome"] == "failure"
    assert not {"loss_ratio", "delay_min_ms", "hops_min"} & network(stored).keys()


def test_machine_form_stands_over_the_text_of_the_same_session(decoder: Decoder) -> None:
    """Both name the session; the one with the buckets tells more."""
    text = (GRAMMARS / "owping" / "samples.both.txt").read_text()
    assert rank(document(decoder, MACHINE)) > rank(read(decoder, text).documents[0])


def test_both_directions_of_a_message_are_documents(decoder: Decoder) -> None:
    """One block each."""
    outcomes = read(decoder, (GRAMMARS / "owping_machine" / "samples.both.txt").read_bytes())
    assert [ends(document) for document in outcomes.documents] == [
        ("ps-als.example", "ps-nersc.example"),
        ("ps-nersc.example", "ps-als.example"),
    ]


def test_notice_and_packets_of_verbose_may_precede_the_machine_form(decoder: Decoder) -> None:
    """Owping prints its notice first, and with -v the packets behind their header: the same document."""
    notice = "Approximately 3.4 seconds until results available\n"
    head = "\n--- owping statistics from [a.example]:8915 to [b.example]:9270 ---\nSID:\tc633\n"
    packets = "seq_no=0          delay=2.6 ms\t(unsync)\nseq_no=1          *LOST*\n"
    plain = document(decoder, MACHINE)
    for front in (notice, notice + head + packets, head, head + packets):
        stored = document(decoder, front + MACHINE)
        assert (stored.id, network(stored), ends(stored)) == (plain.id, network(plain), ends(plain))


def test_twping_and_torn_machine_forms_are_refused(decoder: Decoder) -> None:
    """Its columns mean other things; half a block counts nothing."""
    assert reject(decoder, MACHINE.replace("MIN\t", "MIN_FWD\t")).source == "owping_machine"
    assert reject(decoder, MACHINE[: MACHINE.index("SENT")]).reason == "torn"


@pytest.mark.parametrize("last", ["MAXERR\t0.0003", "LOST\t1", "MAX\t0.0", "</BUCKETS>", "MAXTTL\t24", "</TTLBUCKETS>"])
def test_machine_form_without_its_last_line_is_torn(decoder: Decoder, last: str) -> None:
    """Its last number may be the beginning of another: `</NREORDERING>` always ends it."""
    rejected = reject(decoder, MACHINE[: MACHINE.index(last) + len(last)])
    assert (rejected.reason, rejected.source) == ("torn", "owping_machine")


def test_raw_ttl_that_no_newline_ends_is_not_read(decoder: Decoder) -> None:
    """24 may be the beginning of 249; the packet itself is read."""
    text = packet(0, AT_S, 0.002) + packet(1, AT_S + 1, 0.002)
    for cut in (text[:-1], text[:-2], text[:-3]):
        fields = network(document(decoder, cut))
        assert (fields["hops_min"], fields["hops_max"], fields["packets_received"]) == (6, 6, 2)
    assert "hops_min" not in network(document(decoder, packet(0, AT_S, 0.002)[:-2]))
    assert network(document(decoder, text.replace("249\n", "249\r\n")))["hops_min"] == 6


def test_raw_packets_become_delay_and_loss(decoder: Decoder) -> None:
    """A delay is the difference of two NTP numbers, exact to a microsecond; times of 0 are lost packets."""
    delays_s = [0.0026, 0.0027, None, 0.0025, 0.0031]
    stored = document(decoder, "".join(packet(n, AT_S + n / 10, delay) for n, delay in enumerate(delays_s)))
    fields = network(stored)
    assert (fields["packets_sent"], fields["packets_lost"], fields["loss_ratio"]) == (5, 1, 0.2)
    assert (fields["delay_min_ms"], fields["delay_median_ms"], fields["delay_max_ms"]) == (2.5, 2.65, 3.1)
    assert fields["max_clock_error_ms"] == 0.187
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05Z"
    assert stored.body["event"]["duration"] == 400_000_000


def test_raw_duplicates_are_counted_once(decoder: Decoder) -> None:
    """The same sequence number again is a duplicate, not a packet sent."""
    fields = network(document(decoder, packet(0, AT_S, 0.002) + packet(0, AT_S, 0.003) + packet(1, AT_S + 1, 0.002)))
    assert (fields["packets_sent"], fields["packets_duplicated"], fields["packets_lost"]) == (2, 1, 0)
    assert fields["delay_max_ms"] == 2


def test_raw_ttl_of_255_is_unknown(decoder: Decoder) -> None:
    """It would be 0 hops."""
    assert "hops_min" not in network(document(decoder, packet(0, AT_S, 0.002, ttl=255)))
    assert network(document(decoder, packet(0, AT_S, 0.002, ttl=250)))["hops_min"] == 5


def test_raw_packets_are_the_same_fact_whenever_they_are_captured(decoder: Decoder) -> None:
    """Their times are in the bytes."""
    assert read(decoder, RAW, None).documents[0].id == read(decoder, RAW, 1_772_600_000_000).documents[0].id


@pytest.mark.parametrize("text", [RAW[:-3].rstrip("0123456789"), RAW.replace(" 1 ", " 2 ", 1), "0 1 1 0 1 1 0 249"])
def test_raw_lines_of_another_form_are_refused(decoder: Decoder, text: str) -> None:
    """Torn, or no 20 digits."""
    assert reject(decoder, text).reason == "syntax"


def test_raw_packet_without_a_time_is_refused(decoder: Decoder) -> None:
    """A session that was never sent happened at no time."""
    zero = "0" * 20
    assert reject(decoder, f"0 {zero} 1 0 {zero} 1 0 255").reason == "no_time"
