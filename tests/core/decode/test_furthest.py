"""Of several sources that cannot read a message: which of them is to blame, or whether it is none of theirs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Outcomes
from ingest.core.sources.source import Source

GRAMMARS = Path(__file__).parents[3] / "grammars"
NOW_MS = 1_772_652_000_000
JSON_SOURCES = ("iperf3_json", "perfsonar", "perfsonar_plugin", "perfsonar_result", "perfsonar_run")


@pytest.fixture
def decode(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> Callable[..., Outcomes]:
    """Decode by every source, or by those named."""

    def decoded(data: bytes, *names: str) -> Outcomes:
        return flow_of(*(names or tuple(sources))).decode(Message(data, NOW_MS, backfill=True), NOW_MS)

    return decoded


def sample(name: str, without: str = "", indent: int | None = 2) -> bytes:
    """The first sample of a source of JSON, without a key."""
    tree: dict[str, Any] = json.loads((GRAMMARS / name / "samples.jsonl").read_text().splitlines()[0])
    return json.dumps({key: value for key, value in tree.items() if key != without}, indent=indent).encode()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("key", ["start", "end", "intervals"])
def test_the_source_whose_keys_are_there_is_blamed_by_the_missing_one(
    key: str, indent: int | None, decode: Callable[..., Outcomes]
) -> None:
    """It is not another that failed at once, nor the first by alphabet."""
    (reject,) = decode(sample("iperf3_json", key, indent), *JSON_SOURCES, "iperf3_text", "ping", "als_perf").rejects

    assert (reject.source, reject.reason) == ("iperf3_json", "shape")
    assert key in reject.expected[0].split(" or ")


def test_a_plugins_input_lacks_its_key_whatever_comes_before_by_alphabet(decode: Callable[..., Outcomes]) -> None:
    """`result` alone is what the archiver's plug-in needs most of."""
    (reject,) = decode(b'{"result": {"succeeded": true}, "spec": {}}').rejects

    assert reject.source == "perfsonar_plugin"
    assert "lacks run-href" in reject.detail


@pytest.mark.parametrize("name", ["iperf3_json", "perfsonar"])
def test_a_torn_document_is_blamed_on_the_source_whose_keys_it_has(name: str, decode: Callable[..., Outcomes]) -> None:
    """By the keys at its top, for it cannot be parsed; the position is where parsing stopped."""
    whole = sample(name)
    (reject,) = decode(whole[: len(whole) * 2 // 3]).rejects

    assert (reject.source, reject.reason) == (name, "json")
    assert reject.line > 20


@pytest.mark.parametrize("data", [b'{"cpu": 3, "host": "a"}', b'{\n  "cpu": 3\n}', b'{"cpu": ', b'["a", 1]'])
def test_json_of_nobody_blames_nobody(data: bytes, decode: Callable[..., Outcomes]) -> None:
    """None of the sources has anything in common with it; with one source alone it is that source's reject."""
    (reject,) = decode(data).rejects

    assert reject.source is None
    assert decode(data, "perfsonar").rejects[0].source == "perfsonar"
    if reject.reason == "shape":
        assert all(f"{name} needs" in reject.detail for name in JSON_SOURCES)


@pytest.mark.parametrize(
    "line", [b"hello world", b"7 files copied", b"+ qsub a.sh", b"  1?: [LOCALHOST]", b"- 5 -", b"[INFO] ok"]
)
def test_another_programs_line_is_ignored_beside_sources_without_a_gate(
    line: bytes, decode: Callable[..., Outcomes]
) -> None:
    """A source of lines knows what is not its own; a source of documents that read nothing of it does not decide."""
    assert decode(line, "als_perf", *JSON_SOURCES, "ping").ignored
    assert not decode(line, "als_perf", *JSON_SOURCES, "ping").rejects


@pytest.mark.parametrize(
    "data",
    [
        b'oughput": 12, "retransmits": 3}}', b'Mar  4 11:20:05 host pscheduler: {"id": "1"}', b'"succeeded": true,',
        b"}", b"PING a (192.0.2.1) 56(84) bytes of data.", b"somebody\nelse's\nlines",
    ],
)  # fmt: skip
def test_what_may_be_part_of_a_document_is_never_ignored(data: bytes, decode: Callable[..., Outcomes]) -> None:
    """Pieces of JSON, beginnings of text, and messages of several lines are rejects."""
    assert decode(data, "als_perf", *JSON_SOURCES, "ping").rejects


def test_a_line_that_no_source_can_disown_is_a_reject(decode: Callable[..., Outcomes]) -> None:
    """On a topic of documents alone nothing is ignored."""
    assert decode(b"hello world", *JSON_SOURCES).rejects
    assert decode(b"hello world", "ping", "traceroute").rejects


def test_several_lines_of_which_no_source_reads_any_blame_nobody(decode: Callable[..., Outcomes]) -> None:
    """Not the first source by alphabet."""
    text = (GRAMMARS / "owping" / "rejects.twping.txt").read_bytes()
    (reject,) = decode(text).rejects

    assert (reject.source, reject.detail) == (None, "no source reads its beginning")


def test_the_text_that_was_read_furthest_is_blamed(decode: Callable[..., Outcomes]) -> None:
    """A ping that was killed, among sources of every format."""
    (reject,) = decode((GRAMMARS / "ping" / "rejects.killed.txt").read_bytes()).rejects

    assert (reject.source, reject.line) == ("ping", 3)
