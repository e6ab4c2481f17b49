"""The protocol of a throughput test, as far as it is known; what its tool counted is kept, whatever the protocol."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from tests.core.conftest import GRAMMARS
from tests.support.messages import document, flags, network

FlowOf = Callable[..., Decoder]
UDP_COUNTS = {"sent": 1000, "lost": 5, "jitter": 0.02}
RUN = {
    "id": "0b7c6f0e-7c1d-4f0a-9c57-3f2b6a1d9e10",
    "run": {"start-time": "2026-03-04T19:20:05Z", "state": "finished"},
    "tool": {"name": "iperf2", "version": "1.0"},
}
IPERF3: dict[str, Any] = {
    "start": {"timestamp": {"timesecs": 1_772_652_005}, "test_start": {"num_streams": 1}},
    "intervals": [],
    "end": {"sum_sent": {"bits_per_second": 1e9, "bytes": 125, "seconds": 1}},
}


def result(datum: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A result of pScheduler with these numbers in its summary."""
    whole = {"start": 0, "end": 10, "throughput-bits": 1e9, "throughput-bytes": 1_250_000_000, **datum}
    return {"succeeded": True, "intervals": [], "summary": {"streams": [], "summary": whole}, "diags": "", **more}


def run(datum: dict[str, Any], spec: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A run of iperf2 with that specification."""
    return {**RUN, "test": {"type": "throughput", "spec": spec}, "result": result(datum, **more)}


def diags(protocol: str) -> str:
    """What iperf3's plug-in tells beside its numbers."""
    return f"iperf3 -c x --json\n\n{json.dumps({'start': {'test_start': {'protocol': protocol}}})}\n"


@pytest.mark.parametrize(
    ("datum", "more", "expected"),
    [
        (UDP_COUNTS, {}, "udp"),
        ({"jitter": 0.02}, {}, "udp"),
        ({"sent": 0, "lost": 0, "jitter": 0.0}, {}, "udp"),
        ({"sent": None, "lost": None, "jitter": None, "retransmits": 0}, {}, "tcp"),  # as iperf2 writes it of TCP
        ({"sent": 0, "lost": 0, "jitter": 0, "retransmits": 14}, {}, "tcp"),
        ({"sent": 0, "lost": 0, "jitter": 0, "retransmits": 0}, {}, None),
        ({**UDP_COUNTS, "retransmits": 14}, {}, None),
        ({}, {}, None),
        ({}, {"diags": diags("UDP")}, "udp"),
        ({}, {"diags": diags("TCP")}, "tcp"),
        ({}, {"intervals": [{"streams": [{"tcp-window-size": 14480}], "summary": {}}]}, "tcp"),
        ({}, {"tcp-window-size": 14480}, None),  # the socket's buffer, which UDP has too
    ],
)
def test_without_its_test_only_evidence_tells_the_protocol(
    flow_of: FlowOf, datum: dict[str, Any], more: dict[str, Any], expected: str | None
) -> None:
    """Of a bare result; what contradicts itself tells nothing."""
    assert network(document(flow_of("perfsonar_result"), result(datum, **more))).get("protocol") == expected


@pytest.mark.parametrize(
    ("spec", "datum", "expected"),
    [
        ({"udp": True}, {}, "udp"),
        ({"udp": "false"}, UDP_COUNTS, "tcp"),
        ({"dest": "h"}, {}, "tcp"),  # pScheduler's documented default
        ({"dest": "h", "udp": None}, UDP_COUNTS, "udp"),
        ({"dest": "h", "udp": "perhaps"}, {"retransmits": 1}, "tcp"),
        ({}, {}, None),
        (None, {}, None),
    ],
)
def test_what_was_asked_for_counts_before_what_is_evident(
    flow_of: FlowOf, spec: dict[str, Any] | None, datum: dict[str, Any], expected: str | None
) -> None:
    """A specification that names no protocol asks for TCP; one that is empty was taken out on the way."""
    assert network(document(flow_of("perfsonar"), run(datum, spec))).get("protocol") == expected


@pytest.mark.parametrize("spec", [None, {}, {"dest": "h"}, {"udp": True}, {"udp": False}])
def test_what_udp_counts_is_kept_whatever_was_asked_for(flow_of: FlowOf, spec: dict[str, Any] | None) -> None:
    """Jitter, packets and loss; no loss is unknown that was counted."""
    stored = document(flow_of("perfsonar"), run(UDP_COUNTS, spec))
    fields = network(stored)

    assert (fields["packets_sent"], fields["packets_lost"], fields["jitter_ms"]) == (1000, 5, 0.02)
    assert fields["loss_ratio"] == 0.005
    assert flags(stored) == []


def test_what_tcp_counts_is_kept_whatever_was_asked_for(flow_of: FlowOf) -> None:
    """A result that carries both keeps both."""
    fields = network(document(flow_of("perfsonar"), run({**UDP_COUNTS, "retransmits": 3}, {"udp": True})))

    assert (fields["retransmits"], fields["packets_lost"]) == (3, 5)


def test_only_the_loss_of_udp_is_unknown(flow_of: FlowOf) -> None:
    """TCP has none to count, and of what is not known to be UDP nothing is missed."""
    lost = {"sent": 1000, "jitter": 0.02}
    assert flags(document(flow_of("perfsonar"), run(lost, {"udp": True}))) == ["loss_unknown"]
    assert flags(document(flow_of("perfsonar"), run({"retransmits": 1}, {"dest": "h"}))) == []
    assert "loss_unknown" not in flags(document(flow_of("perfsonar_result"), result({})))


def test_more_lost_than_sent_is_flagged_and_makes_no_ratio(flow_of: FlowOf) -> None:
    """One of the two is wrong; nothing is computed from them."""
    stored = document(flow_of("perfsonar"), run({"sent": 10, "lost": 11}, {"udp": True}))

    assert "value_range" in flags(stored)
    assert not {"loss_ratio", "packets_received"} & network(stored).keys()


def test_packets_that_only_streams_count_are_added_up(flow_of: FlowOf) -> None:
    """The whole test's numbers lack them."""
    streams = [{"sent": 600, "lost": 1}, {"sent": 400, "lost": 4}]
    whole = {"start": 0, "end": 10, "throughput-bits": 1e9}
    made = run({}, {"udp": True}, summary={"streams": streams, "summary": whole})
    fields = network(document(flow_of("perfsonar"), made))

    assert (fields["packets_sent"], fields["packets_lost"]) == (1000, 5)


@pytest.mark.parametrize("size_bytes", [2049999999.9999998, "2049999999.9999998"])
def test_bytes_that_were_computed_in_floating_point_are_rounded(flow_of: FlowOf, size_bytes: Any) -> None:
    """As iperf2's plug-in computes them."""
    stored = document(flow_of("perfsonar"), run({"throughput-bytes": size_bytes, "retransmits": 1}, {"dest": "h"}))

    assert network(stored)["transferred_bytes"] == 2_050_000_000
    assert flags(stored) == []


def test_bytes_of_intervals_in_floating_point_are_rounded_when_added(flow_of: FlowOf) -> None:
    """A sum of them is known as well as they are."""
    parts = [{"start": n, "end": n + 1, "throughput-bits": 8.0, "throughput-bytes": 0.75} for n in (0, 1)]
    stored = document(
        flow_of("perfsonar"), run({}, {"dest": "h"}, summary=None, intervals=[{"summary": p} for p in parts])
    )

    assert network(stored)["transferred_bytes"] == 2


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ({}, None),
        ({"sum": {"packets": 9, "lost_packets": 1, "jitter_ms": 0.1}}, "udp"),
        ({"streams": [{"udp": {"packets": 9}}]}, "udp"),
        ({"streams": [{"sender": {"retransmits": 0}}]}, "tcp"),
    ],
)
def test_iperf3_that_names_no_protocol_is_told_by_what_it_counted(
    flow_of: FlowOf, end: dict[str, Any], expected: str | None
) -> None:
    """Nothing is taken for TCP because it does not say otherwise."""
    fields = network(document(flow_of("iperf3_json"), {**IPERF3, "end": {**IPERF3["end"], **end}}))

    assert fields.get("protocol") == expected
    assert fields.get("packets_lost") == (1 if "sum" in end else None)


def test_iperf3_text_without_retransmits_and_jitter_names_no_protocol(flow_of: FlowOf) -> None:
    """It may be SCTP, and TCP of a system that does not count them."""
    text = (GRAMMARS / "iperf3_text" / "samples.server.txt").read_text()

    assert "protocol" not in network(document(flow_of("iperf3_text"), text))
