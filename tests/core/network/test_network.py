"""What perfSONAR results need beyond a table: histograms, ends, routes, loss.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

import json
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.network.delay import latency, rtt
from ingest.core.network.route import trace
from ingest.core.network.throughput import throughput
from ingest.core.sources.endpoint import bare_host, ip_of, name_of, put_end
from ingest.core.sources.event import EventBuilder
from ingest.core.statistics import histogram

# Made for this test; has the statistics that the reference gives for pScheduler's own test of its latency results.
CHECK = [
    (2.51, 4), (2.55, 79), (2.57, 39), (2.59, 59), (2.6, 55), (2.62, 39), (2.64, 63), (2.7, 32), (2.76, 11), (5.35, 15),
    (88.21, 1),
]  # fmt: skip


def empty_event(**body: Any) -> EventBuilder:
    """An empty event, with fields that are filled before (`source_ip` for `source.ip`)."""
    return EventBuilder({}, 0, {}, body={name.replace("_", ".", 1): value for name, value in body.items()})


def measured(read: Any, result: dict[str, Any], spec: dict[str, Any] | None = None, **body: Any) -> EventBuilder:
    """The event after one reader of results, its fields without their common prefix."""
    event = empty_event(**body)
    read(event, result, spec or {})
    event.body = {name.removeprefix("perf.network."): value for name, value in event.body.items()}
    return event


def test_percentiles_agree_with_the_check_values_of_the_archive() -> None:
    """Median, quartiles, p95, mean, variance and deviation as perfSONAR's archive shows them for such a histogram."""
    distribution = histogram(CHECK)
    assert distribution is not None
    assert [round(distribution.percentile(q), 2) for q in (50, 25, 75, 95)] == [2.60, 2.57, 2.64, 2.76]
    assert (distribution.values[0], distribution.values[-1]) == (2.51, 88.21)
    assert round(distribution.mean, 2) == 2.93
    assert round(distribution.stddev**2, 2) == 18.64
    assert round(distribution.stddev, 2) == 4.32


def test_percentiles_interpolate_between_neighbours_as_nist_does() -> None:
    """Of 10 samples 1…10 the 25th percentile lies at rank 2.75; below rank 1 the smallest, from rank N the largest."""
    distribution = histogram([(float(n), 1) for n in range(1, 11)])
    assert distribution is not None
    assert [distribution.percentile(q) for q in (0, 25, 50, 75, 95, 100)] == [1, 2.75, 5.5, 8.25, 10, 10]


@given(st.lists(st.tuples(st.integers(-500, 5000), st.integers(1, 40)), min_size=1, max_size=30), st.integers(1, 99))
def test_histogram_tells_what_the_expanded_samples_tell(pairs: list[tuple[int, int]], percent: int) -> None:
    """Against the textbook on the expanded list: nothing is lost by never expanding."""
    distribution = histogram((value / 100, count) for value, count in pairs)
    samples = sorted(value / 100 for value, count in pairs for _ in range(count))
    assert distribution is not None
    assert distribution.total == len(samples)
    assert distribution.mean == pytest.approx(statistics.fmean(samples))
    assert distribution.stddev == pytest.approx(statistics.pstdev(samples), abs=1e-9)
    position = percent * (len(samples) + 1) / 100
    rank = int(position)
    if rank < 1 or rank >= len(samples):
        expected = samples[0] if rank < 1 else samples[-1]
    else:
        expected = samples[rank - 1] + (position - rank) * (samples[rank] - samples[rank - 1])
    assert distribution.percentile(percent) == pytest.approx(expected)


def test_histogram_of_a_billion_samples_costs_no_more_than_its_buckets() -> None:
    """Counts are never expanded: a hostile or long-running histogram cannot fill the memory."""
    distribution = histogram([(1.0, 10**12), (2.0, 10**12)])
    assert distribution is not None
    assert distribution.percentile(50) == 1.5
    assert histogram([]) is None
    assert histogram([(1.0, 0)]) is None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("ps.example", "ps.example"),
        ("ps.example:5201", "ps.example"),
        ("[2001:db8::1]:5201", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%2", "fe80::1"),
        ("https://user@[fe80::1%25eth0]:443/pscheduler?x=1", "fe80::1"),
        ("https://ps.example/pscheduler/tasks/1", "ps.example"),
        ("192.0.2.7:861", "192.0.2.7"),
    ],
)
def test_endpoint_is_stripped_to_its_host(text: str, host: str) -> None:
    """Scheme, user, port, brackets and scope are no part of an end [20]."""
    assert bare_host(text) == host


def test_endpoint_is_either_an_address_or_a_name() -> None:
    """An address goes into `.ip` in canonical form, a name into `.domain` lower case without the root's dot."""
    assert ip_of("[2001:DB8:0::1]:5201") == "2001:db8::1"
    assert name_of("PS.Example.") == "ps.example"
    assert name_of("192.0.2.7") is None
    assert ip_of("[LOCALHOST]") is None
    assert name_of("no name at all") is None
    event = empty_event()
    put_end(event, "source", "PS.Example.", {"ps.example": "EX"})
    assert event.body == {"source.address": "PS.Example.", "source.domain": "ps.example", "source.site": "EX"}
    put_end(event, "destination", "  ", {})
    assert "destination.address" not in event.body


def test_latency_buckets_of_another_width_are_converted_to_milliseconds() -> None:
    """Keys are delay / bucket-width: 25.1 at 0.0001 s is 2.51 ms [9]."""
    result = {"packets-sent": 2, "packets-lost": 0, "histogram-latency": {"25.10": 1, "26.00": 1}}
    event = measured(latency, result, {"bucket-width": 0.0001})
    assert event.body["delay_histogram"] == {"values_ms": [2.51, 2.6], "counts": [1, 1]}
    assert event.body["delay_max_ms"] == 2.6


@pytest.mark.parametrize("width", ["wide", -1, "nan"])
def test_latency_with_an_unreadable_bucket_width_has_no_delays(width: Any) -> None:
    """A guess of the width would be off by orders of magnitude; packets are still counted."""
    result = {"packets-sent": 2, "packets-lost": 0, "histogram-latency": {"25.10": 2}}
    event = measured(latency, result, {"bucket-width": width})
    assert "delay_min_ms" not in event.body
    assert "value_unreadable" in event.flags
    assert event.body["packets_sent"] == 2


def test_latency_buckets_are_sorted_merged_and_may_be_negative() -> None:
    """`0.9` and `0.90` are one delay; keys come in any order; negative delays are kept and flagged [10]."""
    result = {
        "packets-sent": "12",
        "packets-lost": 1,
        "max-clock-error": 27.47,
        "histogram-latency": {"0.9": 3, "-12.47": 1, "0.90": "4", "1.00": None, "7.00": 3},
    }
    event = measured(latency, result)
    assert event.body["delay_histogram"] == {"values_ms": [-12.47, 0.9, 7.0], "counts": [1, 7, 3]}
    assert event.body["delay_min_ms"] == -12.47
    assert event.body["packets_sent"] == 12
    assert event.body["loss_ratio"] == 1 / 12
    assert set(event.flags) == {"negative_delay", "within_clock_error"}


def test_latency_without_packets_has_no_loss_and_no_delay() -> None:
    """Nothing sent is no loss of 0; nothing received is no delay of 0."""
    event = measured(latency, {"packets-sent": 0, "packets-lost": 0, "packets-received": 0, "histogram-latency": {}})
    assert "loss_ratio" not in event.body
    assert not any(name.startswith("delay") for name in event.body)
    event = measured(latency, {"packets-sent": 10, "histogram-latency": None})
    assert "loss_ratio" not in event.body
    assert "loss_unknown" in event.flags


def test_latency_hops_come_from_the_time_to_live() -> None:
    """OWAMP sends with 255; a TTL that cannot be is left out and flagged, a bucket of nothing is left out."""
    event = measured(latency, {"histogram-ttl": {"249": 99, "248": "1", "300": 1, "7": 0, "x": 1}, "packets-lost": 0})
    assert (event.body["hops_min"], event.body["hops_max"]) == (6, 7)


def test_latency_duplicates_that_the_plug_in_cannot_count_are_absent() -> None:
    """The plug-in always writes 0; only another number was counted."""
    assert "packets_duplicated" not in measured(latency, {"packets-duplicated": 0, "packets-lost": 0}).body
    assert measured(latency, {"packets-duplicated": 2, "packets-lost": 0}).body["packets_duplicated"] == 2


def test_rtt_durations_become_milliseconds() -> None:
    """PT0.008612S is 8.612 ms, not 8.612000000000002."""
    result = {
        "sent": 2,
        "received": 2,
        "lost": 0,
        "loss": 0.0,
        "min": "PT0.008612S",
        "mean": "PT0.009197S",
        "max": "PT1M",
    }
    body = measured(rtt, result).body
    assert (body["rtt_min_ms"], body["rtt_mean_ms"], body["rtt_max_ms"]) == (8.612, 9.197, 60_000.0)
    assert body["loss_ratio"] == 0


def test_rtt_all_lost_is_loss_of_one_without_times() -> None:
    """100 % loss is a success of the tool with no round trips."""
    body = measured(rtt, {"sent": 5, "received": 0, "lost": 5, "loss": 1.0, "roundtrips": []}).body
    assert body["loss_ratio"] == 1
    assert not any(name.startswith("rtt") for name in body)


def test_rtt_loss_of_an_unrecognised_summary_is_made_from_the_replies() -> None:
    """`+N errors` makes the plug-in write loss 100.0 and 0 sent; the replies tell better [13]."""
    trips = [{"seq": n, "rtt": f"PT0.00{n}S"} for n in (1, 2, 3)] + [{"seq": 4, "error": "host-unreachable"}]
    result = {"sent": 0, "received": 0, "lost": 0, "loss": 100.0, "roundtrips": trips}
    event = measured(rtt, result, {"count": 4})
    assert event.flags == ["loss_recomputed"]
    assert (event.body["packets_sent"], event.body["packets_received"], event.body["packets_lost"]) == (4, 3, 1)
    assert event.body["loss_ratio"] == 0.25
    assert (event.body["rtt_min_ms"], event.body["rtt_mean_ms"], event.body["rtt_max_ms"]) == (1.0, 2.0, 3.0)


def test_rtt_loss_of_an_unrecognised_summary_without_replies_is_total() -> None:
    """100.0 is a percentage there: 1, never 100; and 0 packets sent is not shown."""
    event = measured(rtt, {"sent": 0, "received": 0, "lost": 0, "loss": 100.0, "roundtrips": []})
    assert event.body == {"loss_ratio": 1.0}


def test_rtt_loss_that_cannot_be_told_is_unknown() -> None:
    """Replies came, but nobody says how many were asked for: no ratio, a flag."""
    event = measured(rtt, {"sent": 0, "loss": 100.0, "roundtrips": [{"seq": 1, "rtt": "PT0.001S"}]})
    assert "loss_ratio" not in event.body
    assert event.flags == ["loss_unknown"]


def test_rtt_loss_is_made_from_counts_not_from_the_ratio() -> None:
    """A wrong ratio beside right counts does not pass; missing losses follow from what came back."""
    assert measured(rtt, {"sent": 4, "received": 3, "lost": 1, "loss": 100.0}).body["loss_ratio"] == 0.25
    assert measured(rtt, {"sent": 4, "received": 3, "lost": None}).body["packets_lost"] == 1


def test_trace_keeps_places_and_normalises_hops() -> None:
    """A silent hop keeps its place, names are no addresses, scopes go, AS numbers come in two forms [19]."""
    path = [
        {"ip": "[LOCALHOST]", "hostname": "localhost", "mtu": 9000},
        {"ip": "fe80::1%2", "hostname": "_gateway", "rtt": "P0D", "as": 64500},
        {},
        None,
        {"ip": "192.0.2.1", "as": {"number": "64501", "owner": "X"}, "mtu": 1500},
        {"ip": "192.0.2.9", "hostname": "end.example.", "as": {"number": 64501}},
    ]
    event = measured(trace, {"paths": [path]}, destination_domain="end.example")
    assert event.body["path_ips"] == ["fe80::1", "192.0.2.1", "192.0.2.9"]
    assert event.body["path_as"] == [64500, 64501]
    assert (event.body["hops_min"], event.body["hops_max"], event.body["hops_answered"]) == (6, 6, 4)
    assert event.body["mtu_bytes"] == 1500
    assert event.body["reached"] is True


def test_trace_identity_is_that_of_the_route_with_its_places() -> None:
    """The same addresses make the same hash whatever the times; a hop fallen silent or moved makes another."""

    def hash_of(*hops: dict[str, Any]) -> Any:
        return measured(trace, {"paths": [list(hops)]}).body["path_hash"]

    answering, silent = {"ip": "192.0.2.1", "rtt": "PT0.001S"}, {"ip": "192.0.2.2"}
    assert hash_of(answering, silent) == hash_of({"ip": "192.0.2.1"}, silent)
    assert (
        len(
            {
                hash_of(answering, silent),
                hash_of(silent, answering),
                hash_of(answering, {}, silent),
                hash_of(answering, silent, {}),
            }
        )
        == 4
    )


def test_trace_that_does_not_arrive_has_no_length() -> None:
    """Thirty silent hops are no path of thirty hops."""
    event = measured(trace, {"paths": [[{"ip": "192.0.2.1"}, *[{}] * 29]]}, destination_ip="192.0.2.9")
    assert "hops_max" not in event.body
    assert event.body["reached"] is False
    assert event.body["hops_answered"] == 1


def test_trace_arrival_is_unknown_where_names_would_have_to_be_looked_up() -> None:
    """An address alone says nothing of a destination given by name; an error of the last hop says no."""
    assert "reached" not in measured(trace, {"paths": [[{"ip": "192.0.2.9"}]]}, destination_domain="end.example").body
    refused = {"paths": [[{"ip": "192.0.2.9", "error": "host-unreachable"}]]}
    event = measured(trace, refused, destination_ip="192.0.2.9")
    assert event.body["reached"] is False
    assert event.flags == ["hop_error"]
    assert measured(trace, {"paths": [[{"ip": "192.0.2.9"}]]}, destination_ip="192.0.2.9").body["reached"] is True


def test_trace_over_several_paths_counts_all_and_shows_the_first() -> None:
    """Paris traceroute gives several; `first-ttl` skips hops that count all the same."""
    paths = [[{"ip": "192.0.2.1"}, {"ip": "192.0.2.9"}], [{"ip": "192.0.2.9"}]]
    body = measured(trace, {"paths": paths}, {"first-ttl": 3}).body
    assert (body["hops_min"], body["hops_max"]) == (3, 4)
    assert body["path_ips"] == ["192.0.2.1", "192.0.2.9"]


@pytest.mark.parametrize("paths", [None, [], [[]], "x", [None], [{}]])
def test_trace_without_a_path_is_flagged(paths: Any) -> None:
    """No path is no route; nothing raises."""
    event = measured(trace, {"paths": paths})
    assert event.flags == ["empty_result"]
    assert "path_hash" not in event.body


def interval(start: float, bits: float, **more: Any) -> dict[str, Any]:
    """One interval of a second with a summary."""
    datum = {"start": start, "end": start + 1, "throughput-bits": bits, "throughput-bytes": bits / 8, "retransmits": 1}
    return {"streams": [{**datum, "rtt": 1500}], "summary": {**datum, **more}}


def test_throughput_units_are_bits_bytes_and_milliseconds() -> None:
    """throughput-bytes is the total, rtt is microseconds per stream."""
    streams = [{"rtt": 1200}, {"rtt": 1800}, {"rtt": None}]
    whole = {"start": 0, "end": 10.0016, "throughput-bits": 9.31e9, "throughput-bytes": 11638000000, "retransmits": 14}
    result = {"intervals": [interval(0, 9e9)], "summary": {"streams": streams, "summary": whole}, "mss": 8948}
    body = measured(throughput, result, {"parallel": "3"}).body
    assert body == {
        "protocol": "tcp",
        "parallel_streams": 3,
        "throughput_bps": 9.31e9,
        "transferred_bytes": 11638000000,
        "measured_s": 10.0016,
        "retransmits": 14,
        "mss_bytes": 8948,
        "tcp_rtt_mean_ms": 1.5,
    }


@pytest.mark.parametrize("summary", [None, [], [{"summary": {"throughput-bits": 1}}], {"streams": [], "summary": None}])
def test_throughput_without_a_usable_summary_is_summed_from_the_intervals(summary: Any) -> None:
    """A null or an array in its place; omitted warm-up seconds do not count, and overlap the others [5, 29]."""
    warm_up = {**interval(0, 1e9), "summary": {**interval(0, 1e9)["summary"], "omitted": True}}
    result = {"intervals": [warm_up, interval(0, 8e9), interval(1, 4e9)], "summary": summary}
    event = measured(throughput, result)
    assert event.flags == ["summary_recomputed"]
    assert event.body["throughput_bps"] == 6e9
    assert event.body["transferred_bytes"] == 1_500_000_000
    assert event.body["measured_s"] == 2
    assert event.body["retransmits"] == 2
    assert event.body["tcp_rtt_mean_ms"] == 1.5


def test_throughput_intervals_without_a_summary_are_summed_from_their_streams() -> None:
    """Two streams of an interval add up; what one does not know, the sum does not know."""
    stream = {"start": 0, "end": 1, "throughput-bits": 1e9, "throughput-bytes": 125_000_000}
    result = {"intervals": [{"streams": [stream, {**stream, "retransmits": 3}], "summary": None}], "summary": None}
    body = measured(throughput, result).body
    assert body["throughput_bps"] == 2e9
    assert body["transferred_bytes"] == 250_000_000
    assert "retransmits" not in body


def test_throughput_success_with_nothing_moved_is_a_failure() -> None:
    """0 bit/s without an interval was never measured [4]; 0 bit/s with intervals was."""
    event = measured(throughput, {"intervals": [], "summary": {"summary": {"throughput-bits": 0}}})
    assert event.body["event.outcome"] == "failure"
    assert event.flags == ["empty_result"]
    assert "throughput_bps" not in event.body
    stalled = {"intervals": [interval(0, 0)], "summary": {"summary": {"throughput-bits": 0}}}
    assert measured(throughput, stalled).body["throughput_bps"] == 0


def tool_turn(tool: str, diags: Any = "", **summary: Any) -> EventBuilder:
    """A UDP throughput test of that tool, with these numbers in its summary."""
    datum = {"start": 0, "end": 10, "throughput-bits": 1e9, "sent": 1000, "jitter": 0.02, **summary}
    result = {"intervals": [interval(0, 1e9)], "summary": {"streams": [], "summary": datum}, "diags": diags}
    event = EventBuilder({}, 0, {}, body={"perf.network.tool": tool})
    throughput(event, result, {"udp": "true"})
    event.body = {name.removeprefix("perf.network."): value for name, value in event.body.items()}
    return event


def test_throughput_udp_loss_of_iperf3_is_unknown_not_zero() -> None:
    """The summary's 0 is a constant since iperf 3.11; without the receiver's count the loss is unknown [6]."""
    event = tool_turn("iperf3", lost=0)
    assert "loss_ratio" not in event.body
    assert "packets_lost" not in event.body
    assert event.flags == ["loss_unknown"]
    assert event.body["jitter_ms"] == 0.02
    assert event.body["protocol"] == "udp"


def test_throughput_udp_loss_is_taken_from_the_receiver_in_the_diagnostics() -> None:
    """iperf3's own JSON stands in the diagnostics, behind its command line."""
    end = {"sum": {"lost_packets": 0, "packets": 990}, "sum_received": {"lost_packets": 10, "packets": 1000}}
    diags = f"iperf3 -c x --json\n\n{json.dumps({'end': end})}\n"
    event = tool_turn("iperf3", diags, lost=0)
    assert (event.body["packets_lost"], event.body["loss_ratio"]) == (10, 0.01)
    assert not event.flags


@pytest.mark.parametrize(
    "diags", [None, "", "{", "iperf3\n\n{]", "{" * 5000, '{"end":[]}', '{"end":{"sum":{"packets":0,"lost_packets":0}}}']
)
def test_throughput_diagnostics_that_tell_nothing_do_no_harm(diags: Any) -> None:
    """Cut, empty or nested without end: the loss stays unknown."""
    assert tool_turn("iperf3", diags, lost=0).flags == ["loss_unknown"]


def test_throughput_udp_loss_of_other_tools_is_believed() -> None:
    """iperf2 counts at the receiver; a count above 0 is believed of iperf3 too."""
    assert tool_turn("iperf2", lost=0).body["loss_ratio"] == 0
    assert tool_turn("iperf3", lost=5).body["loss_ratio"] == 0.005


def test_throughput_absurd_jitter_is_left_out_and_flagged() -> None:
    """28,487 ms of jitter is an error of the tool's arithmetic [8]."""
    event = tool_turn("iperf2", lost=0, jitter=28_487)
    assert "jitter_ms" not in event.body
    assert event.flags == ["jitter_suspect"]


def test_throughput_values_that_cannot_be_are_left_out_and_flagged() -> None:
    """A negative rate, text for a number: the rest of the result is kept."""
    whole = {"start": 0, "end": 10, "throughput-bits": -1, "throughput-bytes": "many", "retransmits": "7"}
    event = measured(throughput, {"intervals": [interval(0, 1e9)], "summary": {"summary": whole}})
    assert event.flags == ["value_range", "value_unreadable"]
    assert "throughput_bps" not in event.body
    assert event.body["retransmits"] == 7


def test_throughput_stamps_since_1900_still_give_the_length() -> None:
    """Old tools write NTP seconds for start and end; their difference is what counts [4]."""
    whole = {"start": 3_900_000_000.5, "end": 3_900_000_010.5, "throughput-bits": 1e9}
    assert (
        measured(throughput, {"intervals": [interval(0, 1e9)], "summary": {"summary": whole}}).body["measured_s"] == 10
    )
