"""Measurements that cannot be: flagged, and nothing is computed from what is left of them."""

from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from tests.core.conftest import GRAMMARS
from tests.support.messages import document, flags, network, read, reject

FlowOf = Callable[..., Decoder]
LATENCY: dict[str, Any] = {
    "succeeded": True,
    "packets-sent": 100,
    "packets-received": 99,
    "packets-lost": 1,
    "max-clock-error": 0.37,
    "histogram-latency": {"2.51": 40, "2.60": 59},
}
RTT: dict[str, Any] = {"succeeded": True, "roundtrips": [], "sent": 5, "received": 5, "lost": 0}
TIMES = {"min": "PT0.002S", "mean": "PT0.003S", "max": "PT0.004S", "stddev": "PT0.001S"}
MACHINE = (GRAMMARS / "owping_machine" / "samples.both.txt").read_text().partition("\nSUMMARY")[0]
OWPING = (GRAMMARS / "owping" / "samples.both.txt").read_text()
RAW = (GRAMMARS / "owping_raw" / "samples.txt").read_text()
ROUTE = "traceroute to ps-nersc.example (192.0.2.20), 30 hops max, 60 byte packets\n"
HOPS = " 1  gw.example (198.51.100.1)  0.3 ms  0.2 ms  0.3 ms\n 2  192.0.2.20 (192.0.2.20)  9.1 ms  9.0 ms  9.2 ms"
PING = (GRAMMARS / "ping" / "samples.linux.txt").read_text()


def delays(fields: dict[str, Any]) -> list[str]:
    """What was computed from a histogram."""
    return [name for name in fields if name.startswith("delay_")]


def result_flags(flow_of: FlowOf, result: dict[str, Any]) -> set[str]:
    """The flags of a bare result beyond those that every bare result has."""
    return set(flags(document(flow_of("perfsonar_result"), result))) - {"test_missing", "time_captured"}


@pytest.mark.parametrize(
    ("bucket", "flag"),
    [
        ({"2.70": -1}, "value_range"),
        ({"2.70": 10**15}, "value_range"),
        ({"2.70": 2**62}, "value_range"),
        ({"1e300": 1}, "value_range"),
        ({"nan": 1}, "value_unreadable"),
        ({"x": 1}, "value_unreadable"),
        ({"2.70": "many"}, "value_unreadable"),
        ({"2.70": 0.5}, "value_unreadable"),
    ],
)
def test_of_a_histogram_with_a_bucket_that_cannot_be_nothing_is_computed(
    flow_of: FlowOf, bucket: dict[str, Any], flag: str
) -> None:
    """The rest of it is another distribution; the counts beside it are kept."""
    stored = document(
        flow_of("perfsonar_result"), {**LATENCY, "histogram-latency": {**LATENCY["histogram-latency"], **bucket}}
    )

    assert flag in flags(stored)
    assert delays(network(stored)) == []
    assert network(stored)["loss_ratio"] == 0.01


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        ({"packets-received": 98, "packets-lost": 2}, {"histogram_mismatch"}),
        ({"packets-sent": 101, "packets-received": 100}, {"histogram_mismatch"}),
        ({"packets-received": None}, set()),
        ({"packets-received": None, "packets-lost": 3}, {"histogram_mismatch"}),
        ({"histogram-latency": {}}, {"histogram_mismatch"}),
        ({"histogram-latency": None}, set()),
        # what came twice may be counted once or twice
        ({"packets-received": 97, "packets-lost": 3, "packets-duplicated": 2}, set()),
        ({"packets-received": 97, "packets-lost": 3, "packets-duplicated": 1}, {"histogram_mismatch"}),
        ({"packets-lost": 0}, {"counts_disagree"}),
        ({"packets-sent": 98, "packets-lost": 0}, {"value_range", "counts_disagree"}),
        ({"packets-lost": 101}, {"value_range", "counts_disagree"}),
    ],
)
def test_counts_of_a_latency_test_that_contradict_each_other_are_flagged(
    flow_of: FlowOf, change: dict[str, Any], expected: set[str]
) -> None:
    """Its histogram holds what was received; what was received and lost was sent."""
    assert result_flags(flow_of, {**LATENCY, **change}) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        ({"received": 6}, {"value_range", "counts_disagree"}),
        ({"received": 6, "duplicates": 1}, set()),
        ({"received": 6, "lost": None}, {"value_range", "loss_unknown"}),
        ({"received": 3}, {"counts_disagree"}),
        ({"lost": 6}, {"value_range", "counts_disagree"}),
    ],
)
def test_counts_of_a_ping_that_contradict_each_other_are_flagged(
    flow_of: FlowOf, change: dict[str, Any], expected: set[str]
) -> None:
    """No more is received than was sent, duplicates aside."""
    assert result_flags(flow_of, {**RTT, **TIMES, **change}) == expected


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"mean": "PT0.0019995S"}, True),  # rounded
        ({"min": "PT0.005S"}, False),
        ({"mean": "PT0.001S"}, False),
        ({"mean": "PT0.005S"}, False),
        ({"mean": None, "min": "PT0.005S"}, False),
    ],
)
def test_round_trips_out_of_order_are_left_out_and_flagged(flow_of: FlowOf, change: dict[str, Any], kept: bool) -> None:
    """Which of them is wrong nobody knows."""
    stored = document(flow_of("perfsonar_result"), {**RTT, **TIMES, **change})

    assert ("value_range" in flags(stored)) is not kept
    assert ("rtt_max_ms" in network(stored)) is kept


def test_pings_text_out_of_order_is_left_out_and_flagged(flow_of: FlowOf) -> None:
    """As in pScheduler's result."""
    head, _, tail = PING.partition("mdev = ")
    stored = document(flow_of("ping"), f"{head}mdev = 9.000/8.000/7.000/0.1 ms")

    assert tail
    assert "value_range" in flags(stored)
    assert "rtt_min_ms" not in network(stored)


def test_more_answers_to_ping_than_requests_are_flagged(flow_of: FlowOf) -> None:
    """Unless they came twice."""
    for received, flagged in (("3 received,", True), ("3 received, +1 duplicates,", False)):
        text = (
            PING.partition("ping statistics ---")[0]
            + f"ping statistics ---\n2 packets transmitted, {received} 0% packet loss"
        )
        assert ("value_range" in flags(document(flow_of("ping"), text))) is flagged


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("owping_machine", MACHINE, None),
        ("owping_machine", MACHINE.replace("\t26\t50", "\t26\t51"), "histogram_mismatch"),
        ("owping_machine", MACHINE.replace("\t26\t50", "\t26\t51").replace("DUPS\t0", "DUPS\t1"), None),
        ("owping_machine", MACHINE.replace("LOST\t1", "LOST\t101"), "value_range"),
        ("owping_machine", MACHINE.replace("MIN\t-0.000120", "MIN\t0.1"), "value_range"),
        ("owping_machine", MACHINE.replace("PDV\t0.0001", "PDV\t-0.0001"), "value_range"),
        ("owping_machine", MACHINE.replace("BUCKET_WIDTH\t0.0001", "BUCKET_WIDTH\t0..01"), "value_unreadable"),
        ("owping_machine", MACHINE.replace("\t882\t1", "\t99999999999999"[:13] + "\t1"), "value_range"),
        ("owping", OWPING, None),
        ("owping", OWPING.replace("1 lost", "101 lost"), "value_range"),
        ("owping", OWPING.replace("-0.12/2.6/88.2", "88.2/2.6/1.2"), "value_range"),
        ("owping", OWPING.replace("min hops = 6", "min hops = 8"), "value_range"),
        ("owping", OWPING.replace("max hops = 7", "max hops = 999"), "value_range"),
        ("owping", OWPING.replace("jitter = 0.1", "jitter = -0.1"), "value_range"),
        ("owping_raw", RAW, None),
        ("owping_raw", RAW.replace("17101017041905278976", "99999999999999999999"), "value_range"),
    ],
)
def test_owping_that_contradicts_itself_is_flagged(
    flow_of: FlowOf, source: str, text: str, expected: str | None
) -> None:
    """The forms that people, machines and perflog read."""
    own_flags = flags(read(flow_of(source), text).documents[0])
    doubtful = {"value_range", "value_unreadable", "histogram_mismatch", "counts_disagree"}

    assert doubtful & set(own_flags) == ({expected} if expected else set())


def test_a_histogram_without_the_width_of_its_buckets_tells_nothing(flow_of: FlowOf) -> None:
    """All of them at 0 ms would be invented."""
    text = MACHINE.replace("BUCKET_WIDTH\t0.000100", "BUCKET_WIDTH\t0..01")

    assert "delay_histogram" not in network(document(flow_of("owping_machine"), text))


def test_a_traceroute_that_ends_inside_a_hop_is_torn(flow_of: FlowOf) -> None:
    """Wherever it was cut, behind no whole probe or before as many as the others have, it is no success."""
    whole, first = document(flow_of("traceroute"), ROUTE + HOPS), HOPS.index("\n")
    assert network(whole)["hops_answered"] == 2
    for end in range(first + 2, len(HOPS)):
        if HOPS[:end].rstrip() not in {HOPS[:first], HOPS}:
            assert reject(flow_of("traceroute"), ROUTE + HOPS[:end]).reason == "torn", HOPS[:end]


@pytest.mark.parametrize(
    "last",
    [
        " 2  * * *",
        " 2  * 192.0.2.9 [*]  3 ms *",
        " 2  192.0.2.9  3 ms !X  3 ms !X  3 ms !X",
        " 2  a (192.0.2.9)  3 ms  3 ms *",
        " 2  a (192.0.2.9)  1 ms  1 ms  1 ms (0% loss)",
    ],
)
def test_a_traceroute_that_ends_with_a_probe_is_whole(flow_of: FlowOf, last: str) -> None:
    """Silent ones, errors and what FreeBSD adds count."""
    assert document(flow_of("traceroute"), ROUTE + HOPS.partition("\n")[0] + "\n" + last)
