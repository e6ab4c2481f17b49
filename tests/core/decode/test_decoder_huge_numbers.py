"""Numbers that no field holds, at every place where a number stands: absent and flagged, or refused in words.

Every run of digits in the samples of a text, every number and every text with digits in the samples of a JSON source.
"""

import copy
import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.model import Intake, Outcomes, ParsedMessage
from ingest.core.network.iperf3 import in_diagnostics, udp_received
from ingest.core.sources.convert import MAX_LONG, OutOfRange, integer, number, rounded
from ingest.core.sources.readers import JsonReader, canonical
from ingest.core.sources.source import Source
from tests.core.network.test_network_sources import JSONS, TEXTS, messages, paths_within
from tests.support.amount import examples
from tests.support.messages import document, flags, network, read

LINES = ("als_perf", "lcls_psjob", "netlogger")
DIGITS = ("9" * 19, "9" * 20, "1" + "0" * 40, "9" * 400, "9" * 5000, "1e308", "1e400", "-5", "-" + "9" * 40, "-1e400")
OFTEN = 4  # so many of the runs or paths that are alike are tried, with --system
RUN = re.compile(rb"[0-9]+")


def leaves(node: Any) -> Iterator[Any]:
    """Every value of a tree that holds no others."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
    if inner is None:
        yield node
    else:
        for child in inner:
            yield from leaves(child)


def check(outcomes: Outcomes) -> None:
    """A verdict that is not our fault; documents that can be written, whose numbers Elasticsearch can hold."""
    assert outcomes.documents or outcomes.rejects or outcomes.ignored
    assert not {reject.reason for reject in outcomes.rejects} & {"fault", "not_json"}
    for made in outcomes.documents:
        assert orjson.loads(made.json)
        for value in leaves(made.body):
            if isinstance(value, int):
                assert -MAX_LONG <= value <= MAX_LONG
            elif isinstance(value, float):
                assert math.isfinite(value)


def seen_enough(counted: dict[Any, int], kind: Any) -> bool:
    """Whether a place of this kind was tried often enough."""
    counted[kind] = counted.get(kind, 0) + 1
    return counted[kind] > examples(OFTEN)


def damaged_texts(samples: list[bytes]) -> Iterator[bytes]:
    """Each sample with one run of digits replaced; runs behind the same letters are alike."""
    counted: dict[Any, int] = {}
    for raw in samples:
        for run in RUN.finditer(raw):
            before = re.sub(rb"[0-9]+", b"0", raw[max(run.start() - 12, 0) : run.start()])
            if not seen_enough(counted, before):
                for digits in DIGITS:
                    yield raw[: run.start()] + digits.encode() + raw[run.end() :]


def damaged_trees(samples: list[bytes]) -> Iterator[bytes]:
    """Each sample with one number replaced, bare and as text, or one run of digits inside a text."""
    counted: dict[Any, int] = {}
    for raw in samples:
        record = JsonReader(repair=True).read(canonical(raw))
        assert isinstance(record, ParsedMessage)
        tree = copy.deepcopy(dict(record.values) or [dict(item) for item in record.items])
        for path in list(paths_within(tree)):
            *steps, last = path
            holder: Any = tree
            for step in steps:
                holder = holder[step]
            value = holder[last]
            if isinstance(value, bool | dict | list) or value is None:
                continue
            if seen_enough(counted, tuple("#" if isinstance(step, int) else step for step in path)):
                continue
            for text in wholes(value):
                holder[last] = "@@"
                yield json.dumps(tree).replace('"@@"', text).encode()
            holder[last] = value


def wholes(value: Any) -> Iterator[str]:
    """What stands for a value instead, as JSON."""
    if not isinstance(value, str):
        for digits in DIGITS:
            yield digits
            yield f'"{digits}"'
        return
    counted: dict[Any, int] = {}
    for run in re.finditer("[0-9]+", value):
        if not seen_enough(counted, re.sub("[0-9]+", "0", value[max(run.start() - 12, 0) : run.start()])):
            for digits in DIGITS:
                yield json.dumps(value[: run.start()] + digits + value[run.end() :])


@pytest.mark.parametrize("name", [*LINES, *TEXTS, *JSONS])
def test_a_huge_number_anywhere_becomes_no_value(name: str, sources: dict[str, Source], schema: Schema) -> None:
    """Of no source, at no place, does one raise or reach a document."""
    decoder = Decoder(Intake("i", "t", "als", (name,)), sources, schema)
    samples = messages(sources[name])
    for raw in damaged_trees(samples) if name in JSONS else damaged_texts(samples):
        check(read(decoder, raw))


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, -(2**63), 10**400, "9" * 19, "9" * 5000, 1e19, "1e19"])
def test_an_integer_beyond_63_bits_is_out_of_range(value: Any) -> None:
    """However it is written; the words are short."""
    for convert in (integer, rounded):
        with pytest.raises(OutOfRange) as raised:
            convert(value)
        assert len(str(raised.value)) < 120


@pytest.mark.parametrize(("value", "expected"), [(MAX_LONG, MAX_LONG), ("9007199254740993", 2**53 + 1), (3.0, 3)])
def test_an_integer_of_63_bits_is_exact(value: Any, expected: int) -> None:
    """Also where a float would round it."""
    assert integer(value) == expected


def test_a_number_beyond_a_double_is_out_of_range_and_infinity_is_absent() -> None:
    """What a tool writes for "none" is none; what it wrote as a number cannot be."""
    assert [number(word) for word in ("nan", "-inf", "Infinity")] == [None] * 3
    assert number(2**63) == 2.0**63
    for value in ("1e400", "-" + "9" * 400, 10**400, math.inf):
        with pytest.raises(OutOfRange):
            number(value)


@pytest.mark.parametrize("text", ["1e400", "9" * 400, "9" * 5000, '"1e400"'])
def test_a_result_is_kept_without_the_one_number_that_no_double_holds(
    text: str, flow_of: Callable[..., Decoder]
) -> None:
    """Its field is absent and flagged, its neighbours are there."""
    result = '{"succeeded": true, "packets-sent": 5, "packets-lost": 0, "max-clock-error": %s, "histogram-latency": {}}'
    stored = document(flow_of("perfsonar_result"), result % text)

    assert "value_range" in flags(stored)
    assert network(stored)["packets_sent"] == 5
    assert "max_clock_error_ms" not in network(stored)


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_a_huge_integer_in_the_diagnostics_does_not_hide_the_rest(digits: int) -> None:
    """Iperf3's JSON is read all the same; no count is made of such a number."""
    huge = "9" * digits
    outcomes = in_diagnostics(
        f'iperf3 -J\n{{"end": {{"sum": {{"packets": {huge}, "lost_packets": 1}}, "seconds": 10}}}}'
    )

    assert outcomes["end"]["seconds"] == 10
    assert udp_received(outcomes["end"]) == {}


def test_more_than_all_packets_reordered_is_no_count(
    flow_of: Callable[..., Decoder], sources: dict[str, Source]
) -> None:
    """Owping's `1-reordering` of 10^21 % is left out and flagged."""
    raw = next(raw for raw in messages(sources["owping"]) if b"1-reordering = 2.020202%" in raw)
    outcomes = read(flow_of("owping"), raw.replace(b"2.020202%", b"999999999999999999999.0%"))

    assert "packets_reordered" not in network(outcomes.documents[0])
    assert "value_range" in flags(outcomes.documents[0])
