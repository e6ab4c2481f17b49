"""The smaller types of test: numbers with units in their names, the rest kept as data, unknown types whole.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.network.other_tests import type_by_shape
from tests.support.messages import document, flags, network

FlowOf = Callable[..., Decoder]


@pytest.fixture
def read(flow_of: FlowOf) -> Callable[..., Any]:
    """The document of a run of that type with that result."""
    decoder = flow_of("perfsonar")

    def document_of(kind: str, result: dict[str, Any], **members: Any) -> Any:
        test = {"type": kind, "spec": {"schema": 1, "dest": "ps-nersc.example"}}
        schedule = {"start": "2026-03-04T19:20:05Z"}
        merged = {"succeeded": True, **result}
        return document(decoder, {"id": "0b7c6f0e-1", "test": test, "schedule": schedule, "result": merged, **members})

    return document_of


@pytest.mark.parametrize(
    ("kind", "result", "numbers"),
    [
        ("mtu", {"mtu": 9000}, {"mtu_bytes": 9000}),
        ("clock", {"difference": "PT0.0125S"}, {"clock_difference_ms": 12.5}),
        (
            "dns",
            {"time": "PT0.031422S", "record": ["192.0.2.5", "192.0.2.6"]},
            {"response_ms": 31.422, "dns_records": 2},
        ),
        ("dns", {"time": "PT1M", "record": {"serial": 1}}, {"response_ms": 60_000, "dns_records": 1}),
        ("http", {"time": "PT1.234S", "found": "true"}, {"response_ms": 1234, "found": True}),
        (
            "disk-to-disk",
            {"time": "PT25.3S", "bytes-sent": "1234567", "throughput": 390376},
            {"elapsed_s": 25.3, "transferred_bytes": 1234567, "disk_throughput_bps": 390376},
        ),
        (
            "s3throughput",
            {
                "time": "PT12S",
                "average_put_time": 1.5,
                "average_get_time": 0.75,
                "average_delete_time": 0.1,
                "loops": 4,
            },
            {"elapsed_s": 12, "s3_put_mean_s": 1.5, "s3_get_mean_s": 0.75, "s3_delete_mean_s": 0.1, "s3_loops": 4},
        ),
        ("simplestream", {"dawdled": "PT1.5S", "elapsed-time": "PT2S"}, {"dawdled_s": 1.5, "elapsed_s": 2}),
        ("psresponse", {"time": "PT0.25S"}, {"response_ms": 250}),
        (
            "netreach",
            {"time": "PT3S", "gateway-up": True, "network-up": False},
            {"response_ms": 3000, "gateway_up": True, "network_up": False},
        ),
        ("dhcp", {"time": "PT0.5S"}, {"response_ms": 500}),
        ("dot1x", {"time": "PT0.5S"}, {"response_ms": 500}),
        ("wifibssid", {"time": "PT2S", "ssid_list": [{}, {}, {}]}, {"response_ms": 2000, "wifi_bssids": 3}),
        ("snmpget", {"time": "PT0.04S"}, {"response_ms": 40}),
        ("idle", {}, {}),
        ("noop", {}, {}),
    ],
)
def test_numbers_become_fields_with_their_unit(
    read: Callable[..., Any], kind: str, result: dict[str, Any], numbers: dict[str, Any]
) -> None:
    """ISO durations become ms or s, text that holds a number counts [21, 23, 31]."""
    fields = network(read(kind, result))
    about = {"run_id", "test_type", "spec"}

    assert {name: value for name, value in fields.items() if name not in about} == numbers
    assert fields["test_type"] == kind


def test_http_status_is_ecs_own_field(read: Callable[..., Any]) -> None:
    """ECS has a name for it."""
    stored = read("http", {"status": 200, "time": "PT1S"})
    assert stored.body["http"]["response"]["status_code"] == 200
    assert "http" not in read("http", {"status": "teapot"}).body


def test_offsets_of_clocks_keep_their_sign(read: Callable[..., Any]) -> None:
    """The difference is absolute, an offset is not [10]."""
    ends = {"local": {"offset": 0.00011, "synchronized": True}, "remote": {"offset": -0.0003, "synchronized": True}}
    fields = network(read("clock", {**ends, "difference": "PT0.0004S"}))
    assert (fields["clock_offset_local_ms"], fields["clock_offset_remote_ms"]) == (0.11, -0.3)
    assert fields["clock_synchronized"] is True
    ends["remote"]["synchronized"] = False
    assert network(read("clock", ends))["clock_synchronized"] is False


def test_rate_from_disk_to_disk_is_not_the_networks(read: Callable[..., Any]) -> None:
    """It stands apart, so that no board mixes the two."""
    assert "throughput_bps" not in network(read("disk-to-disk", {"throughput": 1e6}))


def test_rest_of_a_small_result_is_kept_as_data(read: Callable[..., Any]) -> None:
    """A record may be text, array or object: flattened takes them all."""
    for record in ("name.example", ["192.0.2.5"], {"serial": 1}, [{"pref": 10, "mx": "mail.example"}]):
        assert read("dns", {"record": record}).body["perf"]["extra"]["result"] == {"record": record}


def test_unknown_type_is_kept_whole_and_flagged(read: Callable[..., Any]) -> None:
    """Its type is counted by perf.network.test_type, and all of them by the flag."""
    stored = read("teleport", {"fidelity": 0.93, "qubits": [1, 2], "time": "PT1S"})
    assert network(stored)["test_type"] == "teleport"
    assert flags(stored) == ["type_unknown"]
    assert stored.body["perf"]["extra"]["result"] == {"fidelity": 0.93, "qubits": [1, 2], "time": "PT1S"}
    assert "type_unknown" not in flags(read("openports", {"ports": [22]}))


def test_unknown_result_that_flattened_refuses_stays_in_the_original(read: Callable[..., Any]) -> None:
    """Too deep an object would cost the whole document."""
    deep: dict[str, Any] = {}
    for _ in range(25):
        deep = {"a": deep}
    stored = read("teleport", deep, reference={"display-task-name": "x", "colour": "red"})
    assert "not_indexed" in flags(stored)
    assert stored.body["perf"]["extra"] == {"reference": {"colour": "red"}}
    twenty: dict[str, Any] = {}
    for _ in range(19):
        twenty = {"a": twenty}
    assert "not_indexed" in flags(read("teleport", twenty | {"b": {"c": twenty}}))


def test_unknown_result_of_a_million_values_stays_in_the_original(read: Callable[..., Any]) -> None:
    """Each would be a term of the index."""
    assert "not_indexed" in flags(read("teleport", {"values": list(range(100_000))}))
    assert "not_indexed" not in flags(read("teleport", {"values": list(range(1000))}))


def test_failed_small_test_has_its_reason_and_no_numbers(read: Callable[..., Any]) -> None:
    """Some types say `reason` where others say `error`."""
    stored = read("dot1x", {"succeeded": False, "time": "PT30S", "reason": "no answer"})
    assert stored.body["event"]["outcome"] == "failure"
    assert stored.body["error"]["message"] == "no answer"
    assert "response_ms" not in network(stored)


@pytest.mark.parametrize("value", ["soon", -1, [], {}, "P1Y", "PT-3S", True])
def test_time_that_cannot_be_is_left_out_and_flagged(read: Callable[..., Any], value: Any) -> None:
    """Years and months have no fixed length [21]."""
    stored = read("dns", {"time": value})
    assert "response_ms" not in network(stored)
    assert set(flags(stored)) & {"value_unreadable", "value_range"}


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (("intervals", "summary", "mtu"), "throughput"),
        (("histogram-latency",), "latency"),
        (("paths",), "trace"),
        (("roundtrips", "time"), "rtt"),
        (("mtu",), "mtu"),
        (("difference", "local"), "clock"),
        (("record", "time"), "dns"),
        (("time",), None),
    ],
)
def test_type_is_told_by_the_keys_of_a_result(keys: tuple[str, ...], kind: str | None) -> None:
    """Where no test is named [2]; a time alone tells nothing."""
    assert type_by_shape(dict.fromkeys(keys)) == kind
