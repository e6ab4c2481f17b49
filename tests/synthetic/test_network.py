"""The made-up day: whole, marked, plausible, the same every time, with the failures that real days have."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import Intake, Message
from ingest.core.sources.loader import load_sources
from ingest.synthetic.network.path import path_conditions
from ingest.synthetic.network.schedule import day
from tests.support.owping import owping_blocks

GRAMMARS = Path(__file__).parents[2] / "grammars"
START = datetime(2016, 2, 5, 12, tzinfo=UTC)
ALS = {"ps-sr1-als-bwctl.lbl.gov", "ps-sr1-als-owamp.lbl.gov"}


@pytest.fixture(scope="module")
def messages() -> list[bytes]:
    """A whole day, made once."""
    return list(day(START))


@pytest.fixture(scope="module")
def documents(messages: list[bytes]) -> list[dict[str, Any]]:
    """The same day, decoded."""
    return [json.loads(message) for message in messages]


def of(documents: list[dict[str, Any]], test_type: str) -> list[dict[str, Any]]:
    """Select the successful results of a type."""
    chosen = [document for document in documents if document["test"]["type"] == test_type]
    return [document["result"] for document in chosen if document["run"]["state"] == "finished"]


def test_day_has_all_five_types_and_fits_its_size(messages: list[bytes], documents: list[dict[str, Any]]) -> None:
    """About 4,000 documents of five types, far below 60 MB, throughput documents of tens of KB, none near 1 MB."""
    counts = Counter(document["test"]["type"] for document in documents)
    assert counts == {"latencybg": 2880, "rtt": 288, "trace": 240, "latency": 96, "throughput": 48}
    assert sum(map(len, messages)) < 60_000_000
    sizes = [
        len(message)
        for message, document in zip(messages, documents, strict=True)
        if document["test"]["type"] == "throughput" and document["run"]["state"] == "finished"
    ]
    assert min(sizes) > 20_000
    assert max(map(len, messages)) < 500_000


def test_every_document_is_marked_synthetic_and_runs_between_the_two_ends(documents: list[dict[str, Any]]) -> None:
    """No made-up result can pass for a measured one, and none strays to other hosts."""
    for document in documents:
        assert document["reference"]["synthetic"] is True
        ends = {document["test"]["spec"]["source"], document["test"]["spec"]["dest"]}
        assert "perfsonar.nersc.gov" in ends
        assert len(ends & ALS) == 1


def test_same_seed_gives_the_same_bytes_and_another_seed_other_runs() -> None:
    """Shipping the demo twice must give duplicates, not new facts."""
    first = list(day(START, hours=1))
    assert first == list(day(START, hours=1))
    ids = {json.loads(message)["id"] for message in first}
    assert ids.isdisjoint(json.loads(message)["id"] for message in day(START, hours=1, seed=2))


def test_results_come_in_the_order_of_their_ends_each_with_its_own_id(documents: list[dict[str, Any]]) -> None:
    """An archiver sends a result when its run has ended; a run id names one run only."""
    ends = [datetime.fromisoformat(document["run"]["end-time"]) for document in documents]
    assert ends == sorted(ends)
    assert len({document["id"] for document in documents}) == len(documents)
    assert all(document["run"]["href"].endswith(document["id"]) for document in documents)


def test_starts_lie_in_the_window_and_both_zones_occur(documents: list[dict[str, Any]]) -> None:
    """Pacific offsets and Z stand in one fleet; the instants are those of the window all the same."""
    texts = [document["run"]["start-time"] for document in documents]
    assert {text[19:] for text in texts} == {"-08:00", "Z"}
    assert all(START <= datetime.fromisoformat(text) < START + timedelta(hours=24) for text in texts)


def test_naive_start_is_refused() -> None:
    """A start without a zone would mean another instant on another machine."""
    with pytest.raises(ValueError, match="time zone"):
        next(day(datetime(2016, 2, 5)))  # noqa: DTZ001 - the very mistake


def test_throughput_is_plausible_and_its_sums_agree(documents: list[dict[str, Any]]) -> None:
    """Most tests reach 7 to 9.4 Gb/s, none more than the line; streams and intervals add up to the summary."""
    rates = []
    for result in of(documents, "throughput"):
        summary = result["summary"]["summary"]
        rates.append(summary["throughput-bits"])
        assert summary["throughput-bytes"] * 8 / 10 == pytest.approx(summary["throughput-bits"], rel=1e-6)
        assert summary["receiver-throughput-bits"] <= summary["throughput-bits"]
        assert summary["retransmits"] == sum(part["summary"]["retransmits"] for part in result["intervals"])
        assert all(1_000 <= stream["rtt"] <= 4_000 for stream in result["summary"]["streams"])
        tool = json.loads(result["diags"].partition("\n\n")[2])
        assert tool["end"]["sum_sent"]["bytes"] == summary["throughput-bytes"]
    assert max(rates) < 9.6e9
    assert sum(7e9 <= rate <= 9.5e9 for rate in rates) >= 0.85 * len(rates)


def test_one_way_delays_are_those_of_a_metro_path(documents: list[dict[str, Any]]) -> None:
    """Histogram counts equal the packets received; delays lie between 0.4 and 3 ms; loss is rare and at most 2 %."""
    losses = []
    for result in of(documents, "latencybg") + of(documents, "latency"):
        histogram = result["histogram-latency"]
        assert sum(histogram.values()) == result["packets-received"] == sum(result["histogram-ttl"].values())
        assert result["packets-sent"] == result["packets-received"] + result["packets-lost"]
        assert all(0.4 < float(key) < 3 and len(key.partition(".")[2]) == 2 for key in histogram)
        losses.append(result["packets-lost"] / result["packets-sent"])
    assert max(losses) <= 0.03
    assert 0.001 < sum(loss > 0 for loss in losses) / len(losses) < 0.2
    assert any(loss >= 0.005 for loss in losses)


def test_round_trips_are_iso_durations_of_one_to_two_milliseconds(documents: list[dict[str, Any]]) -> None:
    """Ping's times come as ISO durations; a lost packet leaves no round trip."""
    for result in of(documents, "rtt"):
        assert len(result["roundtrips"]) == result["received"] == result["sent"] - result["lost"]
        assert result["loss"] == result["lost"] / result["sent"]
        assert 0.001 <= float(result["mean"].removeprefix("PT").removesuffix("S")) <= 0.003


def test_route_changes_once_and_has_a_silent_hop_and_a_name_with_its_root_dot(documents: list[dict[str, Any]]) -> None:
    """Two routes in the day, the longer one after the shorter, in both directions."""
    traces = [
        document for document in documents if document["test"]["type"] == "trace" and document["result"].get("paths")
    ]
    for source in ("ps-sr1-als-owamp.lbl.gov", "perfsonar.nersc.gov"):
        lengths = [
            len(document["result"]["paths"][0]) for document in traces if document["test"]["spec"]["source"] == source
        ]
        assert lengths == sorted(lengths)
        assert set(lengths) == {6, 7}
    hops = traces[0]["result"]["paths"][0]
    assert {} in hops
    assert any(hop.get("hostname", "").endswith(".") for hop in hops)


def test_each_shape_of_failure_occurs(documents: list[dict[str, Any]]) -> None:
    """No result at all, a tool's error, an error lost in merging, a silent lead: at least one of each, all rare."""
    failed = [document for document in documents if document["run"]["state"] == "failed"]
    assert len(failed) < 0.01 * len(documents)
    assert any(document["result"] is None and document["run"]["errors"] for document in failed)
    merged = [document for document in failed if document["result"] is not None]
    assert all(document["result"]["succeeded"] is False for document in merged)
    assert any("error" in document["result"] for document in merged)
    assert any(document["result"] == {"schema": 1, "succeeded": False} for document in merged)
    assert any(document["run"]["result-full"][0] is None and document["run"]["result-full"][1] for document in merged)


def test_load_follows_the_local_day() -> None:
    """The afternoon is busier than the night."""
    path = path_conditions(START, 24, 1)
    quiet = [START + timedelta(minutes=minute) for minute in range(24 * 60)]
    quiet = [when for when in quiet if not path.congestion(when)]
    by_hour = {hour: [path.load(when) for when in quiet if when.hour == (hour + 8) % 24] for hour in (3, 14)}
    assert max(by_hour[3]) < min(by_hour[14])


def test_core_reads_every_made_up_result(messages: list[bytes]) -> None:
    """Each becomes one document, marked; the successful ones with the number their type is run for."""
    schema = load_schema(GRAMMARS / "fields.toml")
    intake = Intake("results", "perf.als.results.v1", "als", ("perfsonar",))
    decoder = Decoder(intake, load_sources(GRAMMARS, schema), schema)
    received_ms = int((START + timedelta(days=2)).timestamp() * 1000)
    field_by_test = {"throughput": "throughput_bps", "rtt": "rtt_mean_ms", "trace": "path_hash"}
    for message in messages:
        decoded = decoder.decode(Message(message, received_ms), received_ms)
        assert not decoded.rejects
        (document,) = decoded.documents
        perf = document.body["perf"]
        assert perf["synthetic"] is True
        assert "flags" not in perf
        number = field_by_test.get(perf["network"]["test_type"], "delay_median_ms")
        assert (number in perf["network"]) == (document.body["event"]["outcome"] == "success")
        assert ("error" in document.body) == (document.body["event"]["outcome"] == "failure")


def test_owping_text_has_two_directions_and_local_times_that_agree_with_the_session_id() -> None:
    """The printed time is Pacific without a zone; the NTP time inside the session id tells the same instant."""
    blocks = list(owping_blocks(START, 24, 1))
    assert len(blocks) == 6
    assert blocks == list(owping_blocks(START, 24, 1))
    for block in blocks:
        lines = block.decode().splitlines()
        sessions = [line.removeprefix("SID:\t") for line in lines if line.startswith("SID:")]
        firsts = [line.removeprefix("first:\t") for line in lines if line.startswith("first:")]
        assert len(sessions) == len(set(sessions)) == len(firsts) == 2
        for session, first in zip(sessions, firsts, strict=True):
            assert len(session) == 32
            unix_s = int(session[8:16], 16) - 2_208_988_800
            printed_s = datetime.fromisoformat(first + "-08:00").timestamp()
            assert 0 <= printed_s - unix_s < 10
