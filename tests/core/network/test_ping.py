"""ping's and traceroute's text: counts, units, nan, capture time, routes, what is refused.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Callable

import pytest

from ingest.core.decode.decoder import Decoder
from tests.support.messages import document, ends, flags, network, reject

FlowOf = Callable[..., Decoder]
HEAD = "PING ps-nersc.example (192.0.2.20) 56(84) bytes of data.\n"
STATISTICS = "\n--- ps-nersc.example ping statistics ---\n"
ROUTE = "traceroute to ps-nersc.example (192.0.2.20), 30 hops max, 60 byte packets\n"


@pytest.fixture
def decoder(flow_of: FlowOf) -> Decoder:
    """A flow that reads both."""
    return flow_of("ping", "traceroute", sites={"ps-nersc.example": "NERSC", "192.0.2.20": "NERSC"})


@pytest.mark.parametrize(
    ("summary", "counts"),
    [
        ("5 packets transmitted, 4 received, 20% packet loss, time 4005ms", (5, 4, 1, 0.2)),
        ("5 packets transmitted, 4 received, 20% packet loss, time 4005 ms", (5, 4, 1, 0.2)),
        ("5 packets transmitted, 4 packets received, 20.0% packet loss", (5, 4, 1, 0.2)),
        ("5 packets transmitted, 4 received, +2 duplicates, 20% packet loss, time 1ms", (5, 4, 1, 0.2)),
        ("5 packets transmitted, 4 received, +1 errors, 20% packet loss, time 1ms", (5, 4, 1, 0.2)),
        ("5 packets transmitted, 4 received, +1 duplicates, +1 corrupted, +2 errors, 20% packet loss", (5, 4, 1, 0.2)),
        ("3 packets transmitted, 2 received, 33.3333% packet loss, time 1ms", (3, 2, 1, 1 / 3)),
        ("5 packets transmitted, 0 received, 100% packet loss, time 1ms\npipe 4", (5, 0, 5, 1.0)),
    ],
)
def test_loss_is_a_ratio_of_the_counts(decoder: Decoder, summary: str, counts: tuple[float, ...]) -> None:
    """Whatever errors and duplicates stand between; percent is not kept [13, 23]."""
    fields = network(document(decoder, HEAD + STATISTICS + summary))
    assert tuple(fields[f"packets_{name}"] for name in ("sent", "received", "lost")) == counts[:3]
    assert fields["loss_ratio"] == counts[3]


def test_round_trips_are_ms(decoder: Decoder) -> None:
    """Linux calls the spread mdev, the BSDs stddev, BusyBox has none."""
    one = "1 packets transmitted, 1 received, 0% packet loss\n"
    fields = network(document(decoder, HEAD + STATISTICS + one + "rtt min/avg/max/mdev = 1.1/2.2/3.3/0.4 ms, pipe 2"))
    assert [fields[f"rtt_{name}_ms"] for name in ("min", "mean", "max", "stddev")] == [1.1, 2.2, 3.3, 0.4]
    fields = network(document(decoder, HEAD + STATISTICS + one + "round-trip min/avg/max = 1.1/2.2/3.3 ms"))
    assert "rtt_stddev_ms" not in fields
    fields = network(document(decoder, HEAD + STATISTICS + one + "rtt min/avg/max/mdev = nan/nan/nan/nan ms"))
    assert not any(name.startswith("rtt") for name in fields)


def test_nothing_sent_is_a_failure_without_a_loss(decoder: Decoder) -> None:
    """0 of 0 is no ratio [11]."""
    stored = document(decoder, HEAD + STATISTICS + "0 packets transmitted, 0 received")
    assert stored.body["event"]["outcome"] == "failure"
    assert "loss_ratio" not in network(stored)


def test_more_received_than_sent_is_no_negative_loss(decoder: Decoder) -> None:
    """Some old ping counts duplicates as received."""
    stored = document(decoder, HEAD + STATISTICS + "2 packets transmitted, 3 received, 0% packet loss")
    assert "loss_unknown" in flags(stored)
    assert "packets_lost" not in network(stored)


def test_time_is_the_shippers_unless_ping_stamps_its_replies(decoder: Decoder) -> None:
    """-D; without either there is no identity."""
    end = STATISTICS + "1 packets transmitted, 1 received, 0% packet loss, time 0ms"
    reply = "64 bytes from 192.0.2.20: icmp_seq=1 ttl=57 time=0.7 ms\n"
    stored = document(decoder, HEAD + reply + end)
    assert stored.body["@timestamp"] == "2026-03-04T23:59:00Z"
    assert flags(stored) == ["time_captured"]
    stored = document(decoder, HEAD + "[1772652005.123456] " + reply + end)
    assert stored.body["@timestamp"] == "2026-03-04T19:20:05.123Z"
    assert flags(stored) == []
    assert reject(decoder, HEAD + reply + end, captured_ms=None).reason == "identity"


def test_ends_are_the_host_asked_and_the_address_that_answers(decoder: Decoder) -> None:
    """A sending end only where ping names it."""
    end = STATISTICS + "1 packets transmitted, 1 received, 0% packet loss"
    stored = document(decoder, HEAD + end)
    assert ends(stored) == (None, "ps-nersc.example")
    assert stored.body["destination"]["ip"] == "192.0.2.20"
    assert stored.body["destination"]["site"] == "NERSC"
    six = "PING h.example(h.example (2001:db8:20::5%eth0)) from 2001:db8::1 eth0: 56 data bytes\n"
    stored = document(decoder, six + end)
    assert stored.body["destination"]["ip"] == "2001:db8:20::5"
    assert stored.body["source"]["ip"] == "2001:db8::1"
    assert network(stored)["ip_version"] == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "torn"), ("64 bytes from", "torn"), (STATISTICS, "syntax"), (STATISTICS + "5 packets tran", "syntax")],
)
def test_ping_without_its_statistics_is_refused(decoder: Decoder, text: str, reason: str) -> None:
    """What was lost is not known."""
    rejected = reject(decoder, HEAD + text)
    assert (rejected.reason, rejected.source) == (reason, "ping")


def test_hops_keep_their_places(decoder: Decoder) -> None:
    """A silent hop is a place in the route, `_gateway` no address of it [19]."""
    stored = document(decoder, ROUTE + " 1  _gateway (198.51.100.1)  0.3 ms\n 2  * * *\n 3  192.0.2.20  9.1 ms")
    fields = network(stored)
    assert fields["path_ips"] == ["198.51.100.1", "192.0.2.20"]
    assert (fields["hops_min"], fields["hops_max"], fields["hops_answered"]) == (3, 3, 2)
    assert fields["reached"] is True
    without = document(decoder, ROUTE + " 1  198.51.100.1  0.3 ms\n 2  192.0.2.20  9.1 ms")
    assert network(without)["path_hash"] != fields["path_hash"]


def test_route_is_the_same_from_every_tool(decoder: Decoder, flow_of: FlowOf) -> None:
    """PScheduler's trace of the same hops has the same path_hash."""
    text = "".join(f" {n}  {ip}  0.3 ms\n" for n, ip in enumerate(["198.51.100.1", "203.0.113.1", "192.0.2.20"], 1))
    paths = [[{"ip": "198.51.100.1"}, {"ip": "203.0.113.1"}, {"ip": "192.0.2.20"}]]
    traced = document(flow_of("perfsonar_result"), {"succeeded": True, "paths": paths})
    assert network(document(decoder, ROUTE + text))["path_hash"] == network(traced)["path_hash"]


def test_times_of_hops_are_not_kept(decoder: Decoder) -> None:
    """PScheduler cuts them to 0.1 ms, so that none is shown rather than a wrong one [32]."""
    fields = network(document(decoder, ROUTE + " 1  192.0.2.20  0.098 ms"))
    assert not any(name.startswith(("rtt", "delay")) for name in fields)


def test_hop_of_several_hosts_is_its_first(decoder: Decoder) -> None:
    """The others stay in event.original; AS numbers and errors are read."""
    hop = " 1  a.example (203.0.113.1) [AS64500/AS64501]  1.4 ms b.example (203.0.113.2) [AS64502]  1.5 ms !X *\n"
    stored = document(decoder, ROUTE + hop + " 2  * 192.0.2.20 [*]  3 ms *")
    assert network(stored)["path_ips"] == ["203.0.113.1", "192.0.2.20"]
    assert network(stored)["path_as"] == [64500]
    assert "hop_error" in flags(stored)


def test_trace_that_begins_further_out_counts_from_the_start(decoder: Decoder) -> None:
    """-f 3: the first line is hop 3."""
    assert network(document(decoder, ROUTE + " 3  203.0.113.9  3 ms\n 4  192.0.2.20  3 ms"))["hops_max"] == 4


def test_trace_that_does_not_arrive_says_so(decoder: Decoder) -> None:
    """No length, and not reached."""
    fields = network(document(decoder, ROUTE + " 1  198.51.100.1  0.3 ms\n 2  *\n 3  *"))
    assert fields["reached"] is False
    assert "hops_max" not in fields
