"""iperf3's own output, JSON and text: units, ends, direction, loss that is not known, repairs, aborted tests.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.sources.readers import repaired
from tests.core.conftest import GRAMMARS
from tests.support.messages import document, ends, flags, network, read, reject

FlowOf = Callable[..., Decoder]
SAMPLE = json.loads((GRAMMARS / "iperf3_json" / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0])
UDP = json.loads((GRAMMARS / "iperf3_json" / "samples.jsonl").read_text(encoding="utf-8").splitlines()[1])
TEXT = (GRAMMARS / "iperf3_text" / "samples.tcp.txt").read_text(encoding="utf-8")
UDP_TEXT = (GRAMMARS / "iperf3_text" / "samples.udp.txt").read_text(encoding="utf-8")


def changed(tree: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy in which dotted paths, written with `__`, are set."""
    tree = copy.deepcopy(tree)
    for path, value in changes.items():
        *steps, last = path.split("__")
        node: Any = tree
        for step in steps:
            node = node[step]
        node[last] = value
    return tree


@pytest.fixture
def decoder(flow_of: FlowOf) -> Decoder:
    """A flow that reads iperf3 -J."""
    return flow_of("iperf3_json", sites={"192.0.2.20": "NERSC", "198.51.100.7": "ALS"})


@pytest.fixture
def text_flow(flow_of: FlowOf) -> Decoder:
    """A flow that reads iperf3's text."""
    return flow_of("iperf3_text")


def test_units_are_bits_bytes_seconds_and_milliseconds(decoder: Decoder) -> None:
    """Round trips are µs in the output; goodput is the receiver's [23]."""
    fields = network(document(decoder, SAMPLE))
    assert fields["throughput_bps"] == 9310306903.0
    assert fields["receiver_throughput_bps"] == 9258872000.0
    assert fields["transferred_bytes"] == 11638000000
    assert fields["measured_s"] == 10.0001
    assert fields["tcp_rtt_mean_ms"] == 12.1
    assert (fields["retransmits"], fields["parallel_streams"], fields["mss_bytes"]) == (14, 2, 1448)
    assert fields["tool_version"] == "3.17"


def test_time_is_iperf3s_own_stamp_in_ms_where_it_has_one(decoder: Decoder) -> None:
    """A stamp that cannot be gives way to the capture time, with a flag."""
    assert document(decoder, SAMPLE).body["@timestamp"] == "2026-03-04T19:20:06Z"
    assert document(decoder, UDP).body["@timestamp"] == "2026-03-04T19:20:06.123Z"
    for stamp in (
        None,
        {},
        {"timesecs": 0},
        {"timesecs": "now"},
        {"timesecs": 3981640006},
        {"timesecs": 2**40},
        {"timesecs": 2**63},
    ):
        outcomes = read(decoder, changed(SAMPLE, start__timestamp=stamp))
        if outcomes.documents:
            assert "time_captured" in flags(outcomes.documents[0])
        else:
            assert outcomes.rejects[0].reason == "time_ahead"


def test_identity_is_capture_time_and_bytes(decoder: Decoder) -> None:
    """The same capture again is the same fact; without one there is no identity."""
    assert document(decoder, SAMPLE).id == document(decoder, SAMPLE).id
    assert document(decoder, SAMPLE).id != read(decoder, SAMPLE, 1_772_600_000_000).documents[0].id
    assert reject(decoder, SAMPLE, captured_ms=None).reason == "identity"


def test_ends_are_those_of_the_connection_in_the_direction_of_the_bytes(decoder: Decoder) -> None:
    """A client sends, a server receives, and in reverse the other way round; names go before addresses."""
    server = changed(SAMPLE, start__accepted_connection={"host": "192.0.2.20", "port": 40000})
    del server["start"]["connecting_to"]
    assert ends(document(decoder, SAMPLE)) == ("198.51.100.7", "ps-nersc.example")
    assert ends(document(decoder, changed(SAMPLE, start__test_start__reverse=1))) == (
        "ps-nersc.example",
        "198.51.100.7",
    )
    assert ends(document(decoder, server)) == ("192.0.2.20", "198.51.100.7")
    assert ends(document(decoder, changed(server, start__test_start__reverse=1))) == ("198.51.100.7", "192.0.2.20")
    body = document(decoder, SAMPLE).body
    assert body["destination"]["ip"] == "192.0.2.20"
    assert (body["source"]["site"], body["destination"]["site"]) == ("ALS", "NERSC")


def test_scope_of_an_ipv6_address_is_dropped(decoder: Decoder) -> None:
    """The index's address type refuses it [20]."""
    connected = [{"local_host": "fe80::1%2", "remote_host": "2001:db8::1"}]
    stored = document(decoder, changed(SAMPLE, start__connected=connected, start__connecting_to__host="2001:db8::1"))
    assert stored.body["source"]["ip"] == "fe80::1"
    assert network(stored)["ip_version"] == 6


def test_udp_loss_is_the_receivers(decoder: Decoder) -> None:
    """The sender's block says 0 lost from 3.11 on [6, 7]."""
    fields = network(document(decoder, UDP))
    assert (fields["packets_sent"], fields["packets_lost"], fields["packets_received"]) == (862069, 690, 861379)
    assert fields["loss_ratio"] == 690 / 862069
    assert fields["jitter_ms"] == 0.012
    assert "retransmits" not in fields
    assert "mss_bytes" not in fields


def test_udp_loss_without_the_receivers_report_is_unknown_not_zero(decoder: Decoder) -> None:
    """Its block is then all zeros [6]."""
    silent = {"seconds": 0, "bytes": 0, "bits_per_second": 0, "packets": 0, "lost_packets": 0}
    tree = changed(UDP, end__sum_received=silent)
    del tree["end"]["sum"]
    stored = document(decoder, tree)
    assert "loss_unknown" in flags(stored)
    assert network(stored)["packets_sent"] == 862069
    assert not {"packets_lost", "loss_ratio", "receiver_throughput_bps"} & network(stored).keys()


def test_absurd_jitter_is_left_out_and_flagged(decoder: Decoder) -> None:
    """28 seconds of jitter are the tool's arithmetic, not the network [8]."""
    stored = document(decoder, changed(UDP, end__sum_received__jitter_ms=28487.0))
    assert "jitter_suspect" in flags(stored)
    assert "jitter_ms" not in network(stored)


@pytest.mark.parametrize("error", ["unable to connect to server: Connection refused", "x" * 100_000, {"a": 1}, 5])
def test_aborted_test_is_a_failure_with_its_text(decoder: Decoder, error: Any) -> None:
    """`end` is empty, there are no intervals, often no stamp either [15, 3]."""
    stored = document(decoder, {"start": {"connected": []}, "intervals": [], "end": {}, "error": error})
    assert stored.body["event"]["outcome"] == "failure"
    assert 0 < len(stored.body["error"]["message"]) <= 8192
    assert "throughput_bps" not in network(stored)


def test_end_without_numbers_and_without_error_is_a_failure(decoder: Decoder) -> None:
    """Nothing measured is not a rate of 0 [4, 15]."""
    stored = document(decoder, changed(SAMPLE, end={}, intervals=[]))
    assert stored.body["event"]["outcome"] == "failure"
    assert "empty_result" in flags(stored)


@pytest.mark.parametrize(
    ("broken", "value"),
    [
        ('{"start":{},"intervals":[],"end":{"sum_sent":{"bits_per_second":5.924e 06}}}', 5.924e6),
        ('{"start":{},"intervals":[],"end":{"sum_sent":{"bits_per_second":5,"x":-nan}}}', 5),
        ('{"start":{},"intervals":[],"end":{"sum_sent":{"bits_per_second":5,"x":nan,},},}', 5),
        ('{"start":{},"intervals":[],"end":{"sum_sent":{"bits_per_second":5,"x":[-inf, Infinity]}}}', 5),
        ('warning: too large, nan\n{"start":{},"intervals":[],"end":{"sum_sent":{"bits_per_second":5}}}', 5),
        ('{"start":{},"intervals":[],"end":{"sum_sent":{"bits_per_second":4,"bits_per_second":5}}}', 5),
    ],
)
def test_what_iperf3_writes_for_json_is_mended(decoder: Decoder, broken: str, value: float) -> None:
    """nan, a lost plus, a comma too many, warnings ahead, keys twice: the last one counts [14]."""
    assert network(document(decoder, broken))["throughput_bps"] == value


def test_json_that_is_merely_cut_is_refused_where_it_ends(decoder: Decoder) -> None:
    """Mending adds nothing [26]."""
    rejected = reject(decoder, json.dumps(SAMPLE)[:-5])
    assert rejected.reason == "json"
    assert rejected.column is not None
    assert rejected.column > 1000


def test_repair_leaves_text_alone() -> None:
    """What stands between quotes is nobody's number."""
    text = rb'{"a":"nan, ] 5e 06 \" nan,}","b":[1 , ]}'
    assert orjson.loads(repaired(text)) == {"a": 'nan, ] 5e 06 " nan,}', "b": [1]}


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_repair_does_not_change_json(tree: Any) -> None:
    """What parses means the same afterwards."""
    whole = {"x": tree}
    assert orjson.loads(repaired(orjson.dumps(whole))) == whole


def test_text_converts_bytes_by_1024_and_bits_by_1000(text_flow: Decoder) -> None:
    """And says that three printed digits are all there is [23]."""
    stored = document(text_flow, TEXT)
    assert network(stored)["throughput_bps"] == 942e6
    assert network(stored)["receiver_throughput_bps"] == 938e6
    assert network(stored)["transferred_bytes"] == round(1.10 * 1024**3)
    assert network(stored)["retransmits"] == 2
    assert flags(stored) == ["rounded", "time_captured"]
    assert ends(stored) == ("198.51.100.7", "ps-nersc.example")


@pytest.mark.parametrize(
    ("printed", "bps"),
    [("942 bits/sec", 942), ("942 Kbits/sec", 942e3), ("9.42 Gbits/sec", 9.42e9), ("1.05 Tbits/sec", 1.05e12),
     ("112 MBytes/sec", 112 * 1024**2 * 8)],
)  # fmt: skip
def test_text_knows_every_unit_of_a_rate(text_flow: Decoder, printed: str, bps: float) -> None:
    """-f chooses them; bytes a second are of 1024."""
    fields = network(document(text_flow, re.sub(r"942 Mbits/sec(?=.*sender)", printed, TEXT)))
    assert fields["throughput_bps"] == bps


def test_text_omitted_intervals_do_not_enter(text_flow: Decoder) -> None:
    """Only the closing lines are read, and warm-up is not in them [29]."""
    assert "(omitted)" in TEXT
    assert network(document(text_flow, TEXT))["measured_s"] == 2


def test_text_udp_loss_is_the_receivers_and_nan_is_unknown(text_flow: Decoder) -> None:
    """`-nan%` is what 0 of 0 packets print [6, 11]."""
    counted = network(document(text_flow, UDP_TEXT))
    assert (counted["packets_sent"], counted["packets_lost"]) == (86207, 863)
    assert counted["loss_ratio"] == 863 / 86207
    silent = re.sub(r"118 MBytes   990 Mbits/sec  0.013 ms  863/86207 \(1%\)",
                    "0.00 Bytes  0.00 bits/sec  0.000 ms  0/0 (-nan%)", UDP_TEXT)  # fmt: skip
    stored = document(text_flow, silent)
    assert "loss_unknown" in flags(stored)
    assert not {"loss_ratio", "packets_lost", "receiver_throughput_bps", "jitter_ms"} & network(stored).keys()


def test_text_of_several_streams_is_their_sum(text_flow: Decoder) -> None:
    """And in reverse the other end sends."""
    stored = document(text_flow, (GRAMMARS / "iperf3_text" / "samples.streams.txt").read_text())
    assert network(stored)["throughput_bps"] == 9.4e9
    assert network(stored)["retransmits"] == 7
    assert ends(stored) == ("2001:db8:20::5", "2001:db8:10::7")


@pytest.mark.parametrize("behind", [" 3             sender\n", "receiver\n", "receiver\n[SUM]   0.00-1.00   sec"])
def test_text_of_several_streams_without_their_sum_is_torn(text_flow: Decoder, behind: str) -> None:
    """One stream's rate is not that of all."""
    text = (GRAMMARS / "iperf3_text" / "samples.streams.txt").read_text()
    rejected = reject(text_flow, text[: text.index(behind) + len(behind)])
    assert (rejected.reason, rejected.expected) == ("torn", ("[SUM]",))
    assert rejected.detail == "the text ends before the sum of its 2 streams"


def test_text_of_both_directions_has_no_sum_of_its_two_streams(text_flow: Decoder) -> None:
    """One stream there, one back; of two there the sum is printed."""
    text = (GRAMMARS / "iperf3_text" / "samples.bidir.txt").read_text()
    assert network(document(text_flow, text))["throughput_bps"] == 9.41e8
    more = "[  9] local 198.51.100.7 port 41616 connected to 192.0.2.20 port 5201\n"
    assert reject(text_flow, text.replace("[ ID][Role]", more * 2 + "[ ID][Role]", 1)).reason == "torn"


def test_text_of_a_server_without_its_own_row_has_no_rate(text_flow: Decoder) -> None:
    """The client's is printed as 0."""
    text = (GRAMMARS / "iperf3_text" / "samples.server.txt").read_text()
    stored = document(text_flow, text[: text.index("sender") + len("sender")])
    assert not {"throughput_bps", "transferred_bytes"} & network(stored).keys()
    assert "value_unreadable" in flags(stored)


def test_text_without_its_end_is_refused(text_flow: Decoder) -> None:
    """Intervals alone are not the test; the place where it broke off is named."""
    rejected = reject(text_flow, TEXT[: TEXT.index("- - -")])
    assert rejected.reason == "torn"
    assert "CLOSING" in rejected.expected


@pytest.mark.parametrize("printed", ["9" * 400 + " Mbits/sec", "9.4.2 Mbits/sec", "942 Xbits/sec"])
def test_text_whose_rate_is_no_number_is_refused(text_flow: Decoder, printed: str) -> None:
    """Never a traceback, never an infinity."""
    assert reject(text_flow, re.sub(r"942 Mbits/sec(?=.*sender)", printed, TEXT)).reason == "syntax"


def test_text_has_no_identity_without_a_capture_time(text_flow: Decoder) -> None:
    """It carries no time."""
    assert reject(text_flow, TEXT, captured_ms=None).reason == "identity"


@pytest.mark.parametrize("captured_ms", [-1, 2**60, 10**30])
def test_capture_time_that_no_calendar_has_is_refused(text_flow: Decoder, captured_ms: int) -> None:
    """It comes from outside, like everything else."""
    assert reject(text_flow, TEXT, captured_ms=captured_ms).reason == "identity"


def test_text_with_carriage_returns_is_the_same(text_flow: Decoder) -> None:
    """Captured logs have them."""
    assert document(text_flow, TEXT.replace("\n", "\r\n")).id == document(text_flow, TEXT).id
