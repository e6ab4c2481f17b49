"""The smaller tests of pScheduler: mtu, clock, dns, http, copies, name and address services and the like.

Their meaningful numbers are rows of a table. The rest of such a result, and the whole result of an unknown type (flag
`type_unknown`), is kept as data in perf.extra.result.
"""

from collections.abc import Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.network.fields import NETWORK, put
from ingest.core.sources.convert import boolean, integer, number, rounded
from ingest.core.sources.event import EventBuilder
from ingest.core.sources.flattened import fits_flattened
from ingest.core.sources.lenient import Convert, count_of, milliseconds, seconds

_RESPONSE: tuple[str, str, Convert] = ("time", "response_ms", milliseconds)
_NUMBERS: Mapping[str, tuple[tuple[str, str, Convert], ...]] = {
    "mtu": (("mtu", "mtu_bytes", integer),),
    "clock": (("difference", "clock_difference_ms", milliseconds),),
    "dns": (_RESPONSE,),
    "http": (_RESPONSE,),
    "disk-to-disk": (
        ("time", "elapsed_s", seconds),
        ("bytes-sent", "transferred_bytes", rounded),
        ("throughput", "disk_throughput_bps", number),
    ),
    "s3throughput": (
        ("time", "elapsed_s", seconds),
        ("average_put_time", "s3_put_mean_s", seconds),
        ("average_get_time", "s3_get_mean_s", seconds),
        ("average_delete_time", "s3_delete_mean_s", seconds),
        ("loops", "s3_loops", integer),
    ),
    "simplestream": (("elapsed-time", "elapsed_s", seconds), ("dawdled", "dawdled_s", seconds)),
    "psresponse": (_RESPONSE,),
    "netreach": (_RESPONSE,),
    "dhcp": (_RESPONSE,),
    "dot1x": (_RESPONSE,),
    "wifibssid": (_RESPONSE,),
    "snmpget": (_RESPONSE,),
    "snmpgetbgm": (_RESPONSE,),
    "openports": (),
    "snmpset": (),
    "idle": (),
    "idleex": (),
    "idlebgm": (),
    "noop": (),
}
_BOOLEANS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "http": (("found", "found"),),
    "netreach": (("gateway-up", "gateway_up"), ("network-up", "network_up")),
}
_LENGTHS = {"dns": ("record", "dns_records"), "wifibssid": ("ssid_list", "wifi_bssids")}
_NOT_DATA = {"schema", "succeeded", "error", "diags", "content"}  # stored elsewhere in the document, or not data
_SHAPES = {
    "intervals": "throughput",
    "histogram-latency": "latency",
    "paths": "trace",
    "roundtrips": "rtt",
    "difference": "clock",
    "record": "dns",
    "found": "http",
    "bytes-sent": "disk-to-disk",
    "average_put_time": "s3throughput",
    "dawdled": "simplestream",
    "gateway-up": "netreach",
    "ssid_list": "wifibssid",
    "ip_address": "dhcp",
    "mtu": "mtu",
}


def type_by_shape(result: Mapping[str, Any]) -> str | None:
    """The type of test whose key the result has; None if it has no such key."""
    return next((kind for key, kind in _SHAPES.items() if key in result), None)


def numbers(event: EventBuilder, result: Mapping[str, Any], kind: str) -> None:
    """Set the numbers of a smaller test; an unknown type has none."""
    for path, name, convert in _NUMBERS.get(kind, ()):
        put(event, name, lookup(result, path), convert)
    for path, name in _BOOLEANS.get(kind, ()):
        _put_boolean(event, name, lookup(result, path))
    if kind in _LENGTHS:
        path, name = _LENGTHS[kind]
        listed = result.get(path)
        if listed is not None:
            event.body[NETWORK + name] = len(listed) if isinstance(listed, list) else 1
    if kind == "clock":
        _clocks(event, result)
    status = count_of(result.get("status")) if kind == "http" else None
    if status is not None and status < 1000:
        event.body["http.response.status_code"] = status


def keep_result(event: EventBuilder, result: Mapping[str, Any], kind: str) -> None:
    """Keep the rest of the result as data; flag a type that the table does not list."""
    read = _NOT_DATA | {row[0] for row in (*_NUMBERS.get(kind, ()), *_BOOLEANS.get(kind, ()))}
    rest = {key: value for key, value in result.items() if key not in read and value is not None}
    if kind not in _NUMBERS and (kind or rest):
        event.flags.append("type_unknown")
    if rest and not fits_flattened({"result": rest}):
        event.flags.append("not_indexed")
    elif rest:
        event.body["perf.extra"] = {**event.body.get("perf.extra", {}), "result": rest}


def _clocks(event: EventBuilder, result: Mapping[str, Any]) -> None:
    """Set both ends' offsets from their own references, and whether both are synchronised."""
    for end in ("local", "remote"):
        put(event, f"clock_offset_{end}_ms", lookup(result, f"{end}.offset"), milliseconds, least=None)
    synchronized = [lookup(result, f"{end}.synchronized") for end in ("local", "remote")]
    if None not in synchronized:
        _put_boolean(event, "clock_synchronized", all(value is True or value == "true" for value in synchronized))


def _put_boolean(event: EventBuilder, name: str, value: Any) -> None:
    try:
        if value is not None:
            event.body[NETWORK + name] = boolean(value)
    except ValueError:
        event.flags.append("value_unreadable")
