"""XRootD's close records and g-streams: every record against the truth by another hand, and each of their traps."""

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Outcomes
from tests.core.conftest import GRAMMARS
from tests.support.transfers import TRUTH, assert_is_truth

FlowOf = Callable[..., Decoder]
RECEIVED_MS = 1_772_700_000_000
T = 1_772_652_060  # s, 2026-03-04T19:21:00Z
PYTHON, LOST, GO, WLCG = range(4)  # lines of the close records' samples
NAMES = ("xrootd_close", "xrootd_tpc", "xrootd_cache")


def sample(source: str, line: int = 0, **changes: Any) -> dict[str, Any]:
    """A record of a source's shared samples with other values; `...` takes a key out, a dict changes an object."""
    lines = (GRAMMARS / source / "samples.jsonl").read_text().splitlines()
    tree: dict[str, Any] = json.loads(lines[line])
    for key, value in changes.items():
        tree[key] = {**tree[key], **value} if isinstance(value, dict) else value
        if isinstance(value, dict):
            tree[key] = {name: inner for name, inner in tree[key].items() if inner is not ...}
    return {key: value for key, value in tree.items() if value is not ...}


def close(line: int = PYTHON, **changes: Any) -> dict[str, Any]:
    """A close record with other values."""
    return sample("xrootd_close", line, **changes)


def copied(**changes: Any) -> dict[str, Any]:
    """A third-party copy with other values."""
    return sample("xrootd_tpc", 0, **changes)


def read(decoder: Decoder, record: dict[str, Any] | bytes) -> Outcomes:
    """What a message becomes, however old it is."""
    data = record if isinstance(record, bytes) else json.dumps(record).encode()
    return decoder.decode(Message(data, RECEIVED_MS, backfill=True), 0)


def document(decoder: Decoder, record: dict[str, Any]) -> dict[str, Any]:
    """The one document of a message."""
    outcomes = read(decoder, record)
    assert not outcomes.rejects, outcomes.rejects
    (only_document,) = outcomes.documents
    return only_document.body


@pytest.fixture
def decoder(flow_of: FlowOf) -> Decoder:
    """An intake that all of XRootD's monitoring goes to."""
    return flow_of(*NAMES)


def test_each_record_is_the_truth(decoder: Decoder) -> None:
    """Instants, bytes, rates, ends and outcomes of both collectors, of copies and of the cache.

    The truth has one column for rates; that of the time that a file was open is kept apart here. None has an id.
    """
    files = {"xrootd_close.jsonl": [close(line) for line in range(4)]}
    files["xrootd_gstream.jsonl"] = [copied(), sample("xrootd_tpc", 1), sample("xrootd_cache")]
    rows = [row for row in csv.DictReader(TRUTH.read_text().splitlines()) if row["file"] in files]
    for row in rows:
        body = document(decoder, files[row["file"]][int(row["record"]) - 1])
        fields = dict(body["perf"]["transfer"])
        if body["perf"]["source"] != "xrootd_tpc":
            assert "rate_bps" not in fields
            fields["rate_bps"] = fields.get("open_rate_bps")
        assert len(fields.pop("id")) == 22
        assert_is_truth({**body, "perf": {**body["perf"], "transfer": fields}}, row)
    assert len(rows) == 7


@pytest.mark.parametrize(("unit", "line"), [(1000, PYTHON), (1, PYTHON), (1000, GO), (1, GO), (1000, WLCG), (1, WLCG)])
def test_times_are_ms_or_seconds_by_their_size(decoder: Decoder, unit: int, line: int) -> None:
    """The Python collector counts ms, the Go collector seconds, and documents of its earlier commits ms."""
    body = document(decoder, close(line, start_time=T * unit, end_time=(T + 20) * unit, operation_time=20))

    assert (body["event"]["start"], body["event"]["end"]) == ("2026-03-04T19:21:00Z", "2026-03-04T19:21:20Z")
    assert body["perf"]["transfer"]["open_rate_bps"] == 4e9


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, ["start_unreliable"]),
        ({"serverID": "?#198.51.100.31#1"}, None),
        ({"serverID": "?#198.51.100.31#1", "operation_time": 30 * 86_400 + 1}, ["start_unreliable"]),
        ({"start_time": T, "operation_time": 20}, None),
    ],
)
def test_the_go_collector_s_start_is_the_server_s(
    decoder: Decoder, changes: dict[str, Any], flags: list[str] | None
) -> None:
    """Equal to the first part of serverID, or open for over 30 days: no start, no duration, no rate."""
    body = document(decoder, close(GO, **changes))

    assert body["perf"].get("flags") == flags
    assert ("start" in body["event"]) is (flags is None)
    assert ("duration" in body["event"]) is (flags is None)
    assert ("open_rate_bps" in body["perf"]["transfer"]) is (flags is None)


def test_a_record_whose_opening_was_lost_has_no_start_no_name_and_no_size(decoder: Decoder) -> None:
    """The size is the text "-1", the name "missing directory", start equals end, and the close was not seen."""
    body = document(decoder, close(LOST))

    assert body["perf"]["flags"] == ["start_missing"]
    assert "file" not in body
    assert "size_bytes" not in body["perf"]["transfer"]
    assert body["event"]["outcome"] == "unknown"


def test_a_close_that_was_not_seen_has_no_rate_and_no_outcome(decoder: Decoder) -> None:
    """Its bytes are those until then."""
    body = document(decoder, close(HasFileCloseMsg=0, read=123))

    assert (body["perf"]["transfer"]["bytes"], body["event"]["outcome"]) == (123, "unknown")
    assert "open_rate_bps" not in body["perf"]["transfer"]


@pytest.mark.parametrize(
    ("changes", "moved", "sends", "flags"),
    [
        ({"read": 5, "readv": 7, "write": 0}, 12, True, None),
        ({"read": 0, "readv": 0, "write": 9}, 9, False, None),
        ({"read": 5, "readv": 7, "write": 9}, 12, True, ["both_ways"]),
        ({"read": 5, "readv": 0, "write": 9}, 9, False, ["both_ways"]),
        ({"read": 0, "readv": 0, "write": 0}, 0, True, None),
        ({"read": "?", "readv": 7, "write": 0}, 7, True, ["value_unreadable"]),
        ({"read": 2**63 - 1, "readv": 2**63 - 1, "write": 0}, None, True, None),
    ],
)
def test_what_was_read_left_the_server_and_what_was_written_came_to_it(
    decoder: Decoder, changes: dict[str, Any], moved: int | None, sends: bool, flags: list[str] | None
) -> None:
    """Both ways: the larger one, flagged, the other is kept as data."""
    body = document(decoder, close(**changes))
    ends = [body[end]["address"] for end in ("source", "destination")]

    assert body["perf"]["transfer"].get("bytes") == moved
    assert ends == (["xrd.example.org", "wn7.example.org"] if sends else ["wn7.example.org", "xrd.example.org"])
    assert body["perf"]["transfer"]["observer"] == ("sender" if sends else "receiver")
    assert body["perf"].get("flags") == flags
    if flags == ["both_ways"]:
        other = {"write_bytes": 9} if sends else {"read_bytes": 5}
        assert body["perf"]["extra"].items() >= other.items()


def test_the_wlcg_flavour_s_random_id_tells_nothing(decoder: Decoder) -> None:
    """The same close sent twice is one fact; another instant, client or count another."""
    base = read(decoder, close(WLCG)).documents[0].id
    again = close(WLCG, unique_id="x", metadata={"timestamp": 1, "_id": "x"})

    assert read(decoder, again).documents[0].id == base
    for change in ({"end_time": (T + 21) * 1000}, {"client_host": "wn8.example.org"}, {"read_bytes": 1}):
        assert read(decoder, close(WLCG, **change)).documents[0].id != base


@pytest.mark.parametrize(
    "change",
    [
        {"serverID": "1772000001#198.51.100.31#34567"}, {"host": "wn8.example.org"}, {"user": "bob"}, {"read": 1},
        {"filename": "/als/b.h5"}, {"start_time": T * 1000 + 1000}, {"end_time": T * 1000 + 21_000}, {"write": 1},
        {"end_time": 0, "timestamp": 1},
    ],
)  # fmt: skip
def test_sessions_that_differ_in_one_respect_are_two_facts(decoder: Decoder, change: dict[str, Any]) -> None:
    """Instants are whole seconds: bytes and operations tell sessions of one second apart."""
    first = read(decoder, close()).documents[0].id
    assert read(decoder, close()).documents[0].id == first
    assert [made.id for made in read(decoder, close(**change)).documents] != [first]


def test_a_session_below_a_second_has_no_rate(decoder: Decoder) -> None:
    """Its end is its start: whole seconds are all that the f-stream tells."""
    body = document(decoder, close(start_time=(T + 20) * 1000, operation_time=0))

    assert body["perf"]["flags"] == ["zero_span"]
    assert "open_rate_bps" not in body["perf"]["transfer"]


def test_appinfo_names_the_run(decoder: Decoder) -> None:
    """What the client sent as information, or its User-Agent."""
    perf = document(decoder, close())["perf"]
    assert (perf["run"]["id"], perf["stage"]["name"]) == ("20260304-1120-1", "TRANSFER")
    assert perf["transfer"]["label"].startswith("perflog run=")

    browser = document(decoder, close(appinfo="curl/8.5.0", filename="/als/SONAR/1"))["perf"]
    assert "run" not in browser
    assert browser["transfer"]["probe"] is True


def test_the_server_s_address_stands_beside_its_name(decoder: Decoder) -> None:
    """Also without a name, and with a port; an address of the client keeps its brackets out of the ip."""
    named = document(decoder, close(host="[2001:db8:20::7]"))
    unnamed = document(decoder, close(server_hostname=..., server="[2001:db8::1]:1094", server_ip=...))

    assert named["source"] == {"address": "xrd.example.org", "domain": "xrd.example.org", "ip": "198.51.100.31"}
    assert named["destination"]["ip"] == "2001:db8:20::7"
    written = document(decoder, close(read=0, write=5))
    assert (written["destination"]["ip"], "ip" in written["source"]) == ("198.51.100.31", False)
    assert unnamed["source"]["ip"] == "2001:db8::1"


@pytest.mark.parametrize(("ipv6", "version"), [(True, 6), (False, 4), (None, None), ("yes", None)])
def test_the_ip_version_is_that_of_the_session(decoder: Decoder, ipv6: Any, version: int | None) -> None:
    """Absent where the collector does not tell it."""
    assert document(decoder, close(ipv6=ipv6))["perf"]["transfer"].get("ip_version") == version


def test_the_collector_s_stamp_is_the_end_where_no_other_is_told(decoder: Decoder) -> None:
    """`timestamp` of the Python collector in ms, `@timestamp` of the Go collector with nine digits."""
    python = document(decoder, close(end_time=0, start_time=0, timestamp=T * 1000))
    go = document(decoder, close(GO, end_time=0, start_time=0))

    assert python["@timestamp"] == "2026-03-04T19:21:00Z"
    assert go["@timestamp"] == "2026-03-04T19:21:20.526Z"


@pytest.mark.parametrize(
    ("text", "instant", "flags"),
    [
        ("2026-03-04T19:21:00.5000Z", "2026-03-04T19:21:00.005Z", ["microseconds_unpadded"]),
        ("2026-03-04T19:21:00.050Z", "2026-03-04T19:21:00Z", ["microseconds_unpadded"]),
        ("2026-03-04T19:21:00.250000Z", "2026-03-04T19:21:00.250Z", None),
    ],
)
def test_fractions_of_copies_are_microseconds_without_leading_zeros(
    decoder: Decoder, text: str, instant: str, flags: list[str] | None
) -> None:
    """`.5000Z` is 5 ms, `.050Z` is 50 us, six digits are both."""
    body = document(decoder, copied(Xeq={"Beg": text, "End": "2026-03-04T19:21:20.000000Z"}))

    assert body["event"]["start"] == instant
    assert body["perf"].get("flags") == flags


@pytest.mark.parametrize(
    ("copy", "outcome", "moved", "flags"),
    [
        ((0, "xroot", 10**9), "success", 10**9, None),
        ((1, "xroot", 10**9), "failure", None, ["size_not_moved"]),
        ((1, "xroot", 0), "failure", 0, None),
        ((500, "https", 10**9), "failure", 10**9, None),
        ((-1, "http", 5), "failure", 5, None),
        ((0, "xroot", -1_474_836_480), "success", None, ["value_range"]),
        ((..., "xroot", 10**9), "unknown", None, ["size_not_moved"]),
    ],
)
def test_a_failed_copy_tells_what_moved_over_http_alone(
    decoder: Decoder, copy: tuple[Any, str, int], outcome: str, moved: int | None, flags: list[str] | None
) -> None:
    """Over root it tells the size of what lies at the destination; a size that wrapped below 0 is left out."""
    code, protocol, size_bytes = copy
    xeq = {"RC": code, "Beg": "2026-03-04T19:21:00.000000Z", "End": "2026-03-04T19:21:20.000000Z"}
    body = document(decoder, copied(TPC=protocol, Size=size_bytes, Xeq=xeq))

    assert body["event"]["outcome"] == outcome
    assert body["perf"]["transfer"].get("bytes") == moved
    assert ("rate_bps" in body["perf"]["transfer"]) is bool(moved)
    assert body.get("error", {}).get("code") == (str(code) if outcome == "failure" else None)
    assert body["perf"].get("flags") == flags


@pytest.mark.parametrize(("kind", "observer"), [("pull", "receiver"), ("push", "sender"), ("?", None), (..., None)])
def test_the_end_that_does_the_work_tells_of_the_copy(decoder: Decoder, kind: Any, observer: str | None) -> None:
    """Pull: the destination; push: the source. The direction of the bytes is that of the URLs either way."""
    body = document(decoder, copied(Xeq={"Type": kind}))

    assert body["perf"]["transfer"].get("observer") == observer
    assert (body["source"]["address"], body["destination"]["address"]) == ("lbl-diskpt1.es.net", "cern-diskpt1.es.net")


def test_urls_of_copies_have_two_slashes_or_no_host(decoder: Decoder) -> None:
    """`//` behind host and port belongs to the path; a local path alone names no end."""
    body = document(decoder, copied(Src="/als/a.h5"))
    perf = body["perf"]["transfer"]

    assert perf["destination_url"] == "xroot://cern-diskpt1.es.net:1094//als/a.h5"
    assert (perf["streams"], perf["ip_version"], perf["protocol"]) == (1, 6, "xroot")
    assert body["user"]["name"] == "alice"
    assert "source" not in body


def test_a_copy_delivered_twice_is_one_fact(decoder: Decoder) -> None:
    """Client, instants and URLs tell copies apart."""
    ids = [
        read(decoder, record).documents[0].id
        for record in (copied(), copied(Size=5), copied(Client="x"), copied(Xeq={"Beg": "2026-03-04T19:21:00.6000Z"}))
    ]
    assert len(set(ids)) == 3


def test_a_cache_took_from_its_origin_what_it_missed_and_what_went_past_it(decoder: Decoder) -> None:
    """Hits move from the cache alone and are kept as data; one remote is the source, two are none."""
    record = sample("xrootd_cache", b_hit=7 * 10**9, b_miss=2 * 10**9, b_bypass=10**9, n_cks_errs=2)
    body = document(decoder, record)
    two = document(decoder, sample("xrootd_cache", remotes=["a.example:1094", "root://b.example:1094"]))

    assert body["perf"]["transfer"]["bytes"] == 3 * 10**9
    assert body["perf"]["transfer"]["open_rate_bps"] == 1.2e9
    assert body["perf"]["transfer"]["faults"] == 2
    assert body["perf"]["extra"]["b_hit"] == 7 * 10**9
    assert body["source"]["domain"] == "origin.example.org"
    assert "source" not in two


@pytest.mark.parametrize(
    "change", [{"lfn": "/als/b.h5"}, {"detach_t": T + 21}, {"attach_t": T - 1}, {"b_miss": 1}, {"b_bypass": 1}]
)
def test_a_file_closed_by_a_cache_is_one_fact(decoder: Decoder, change: dict[str, Any]) -> None:
    """Delivered twice; another file, instant or count is another."""
    ids = [read(decoder, record).documents[0].id for record in [sample("xrootd_cache")] * 2]
    assert len(set(ids)) == 1
    assert read(decoder, sample("xrootd_cache", **change)).documents[0].id not in ids


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        (b'<statistics tod="1772652060" ver="v5.7.1"><stats id="info"></stats></statistics>', "xrootd_summary"),
        (b'{"HTTP_GET_200":{"count":12,"success":12},"HTTP_PUT_201":{"count":1}}', "xrootd_http_counters"),
        (b'{"code":"g","pseq":25,"src":{"host":"x"},"gs":{"type":"P","tbeg":1,"tend":2}}', "xrootd_gstream_head"),
    ],
)
def test_what_moves_nothing_is_ignored_by_its_shape(decoder: Decoder, message: bytes, shape: str) -> None:
    """Summaries, counters of requests, and the line ahead of a datagram's records."""
    outcomes = read(decoder, message)

    assert [ignored.shape for ignored in outcomes.ignored] == [shape]
    assert not outcomes.rejects


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (close(end_time=0, timestamp=...), "no_time"),
        (close(end_time=..., timestamp=...), "shape"),
        (close(read=..., readv=..., write=...), "shape"),
        (copied(Xeq={"End": ...}), "no_time"),
        (copied(Xeq={"End": "2026-13-04T19:21:00.5Z"}), "value"),
        (sample("xrootd_cache", detach_t=0), "no_time"),
        (json.dumps(copied()).encode()[:150], "json"),
        ({"HTTP_GET_200": {}, "other": 1}, "shape"),
        ({}, "shape"),
    ],
)
def test_what_tells_no_time_or_no_bytes_is_a_reject(decoder: Decoder, record: Any, reason: str) -> None:
    """A record cut at 8,191 bytes is one too."""
    assert [reject.reason for reject in read(decoder, record).rejects] == [reason]
