"""Every source of measurements: whatever its bytes, a verdict that can be sent; both readers of a grammar agree."""

import copy
import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.model import Document, Intake, Outcomes, ParsedMessage
from ingest.core.sources.framing import frames, framing_of
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import sample_files
from ingest.core.sources.readers import JsonReader, canonical
from ingest.core.sources.source import Source
from tests.support.amount import examples
from tests.support.messages import read
from tests.support.work import assert_linear, executed_lines

TEXTS = ("owping", "owping_machine", "owping_raw", "ping", "traceroute", "iperf3_text")
CLOSED = ("owping", "owping_machine", "ping", "iperf3_text")  # the others are lines of one kind: some may be missing
JSONS = (
    "perfsonar", "perfsonar_plugin", "perfsonar_run", "perfsonar_result", "iperf3_json",
    "globus_task", "globus_event", "rucio", "fts", "xrootd_close", "xrootd_tpc", "xrootd_cache",
)  # fmt: skip
HOSTILE: tuple[Any, ...] = (
    None, True, False, -1, 0, 3.5, 1e308, -1e308, 2**63, 2**64 - 1, "", " ", "nan", "-inf", "1e400", "2026-03-04",
    "P9999999999D", "PT1S", "\x00", "é" * 40_000, [], {}, [[1]], [None], {"a": "b"}, {"": 1}, {"\x00": 1},
)  # fmt: skip
REPEATED = [b"\n", b" ", b"x\n", b"- ", b"0 ", b"(", b"[", b"--- ", b" 1  *\n", b"[  5] sender "]
REPEATED_CHARACTERS = 3_000  # and twice as many
PLACE = st.integers(0, 2**20)
FUZZ = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def messages(source: Source) -> list[bytes]:
    """The messages of a source's samples."""
    samples = []
    for path in sample_files(source.folder):
        if path.name.startswith("samples"):
            data = path.read_bytes()
            samples += [frame.data for frame in frames(data, framing_of(source, path.name, data)) if frame.data.strip()]
    return samples


def paths_within(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every position in a JSON tree, down to 30 levels."""
    if len(path) >= 30:
        return
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from paths_within(inner, (*path, step))


def numbers(node: Any) -> Iterator[float]:
    """Every number in a tree, without what is kept as data."""
    for name, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name not in {"spec", "extra"}:
            yield from numbers(inner)
    if isinstance(node, int | float) and not isinstance(node, bool):
        yield node


def check(outcomes: Outcomes, schema: Schema) -> None:
    """A verdict; documents that can be sent, whose numbers Elasticsearch can hold, whose fields are in the schema."""
    assert outcomes.documents or outcomes.rejects or outcomes.ignored
    for made in outcomes.documents:
        sent = orjson.loads(orjson.dumps(made.body))
        for number in numbers(sent):
            assert abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)
        assert made.id
        assert 0 < made.version < 2**63


@pytest.fixture(scope="module")
def decoder(sources: dict[str, Source], schema: Schema) -> Decoder:
    """A flow of all of them, as the example settings have it."""
    return Decoder(Intake("results", "perf.als.results.v1", "als", (*JSONS, *TEXTS)), sources, schema)


@pytest.mark.parametrize("name", JSONS)
@given(data=st.data())
@FUZZ
def test_json_with_anything_anywhere_gets_a_verdict(
    name: str, data: st.DataObject, decoder: Decoder, sources: dict[str, Source], schema: Schema
) -> None:
    """Up to three values replaced, removed or repeated: wrong types, null, huge numbers, NUL, deep nesting."""
    reader = JsonReader(repair=True)
    record = reader.read(canonical(data.draw(st.sampled_from(messages(sources[name])))))
    assert isinstance(record, ParsedMessage)
    tree = copy.deepcopy(dict(record.values) or [dict(item) for item in record.items])
    for _ in range(data.draw(st.integers(1, 3))):
        records = list(paths_within(tree))
        if not records:
            break
        *steps, last = data.draw(st.sampled_from(records))
        holder: Any = tree
        for step in steps:
            holder = holder[step]
        deep = st.integers(2, 900).map(nested)
        value = data.draw(st.sampled_from(HOSTILE) | deep | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=20))
        if value is None and isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = json.loads(json.dumps(value))  # a copy: a later change may go inside
    check(read(decoder, json.dumps(tree)), schema)


def nested(depth: int) -> Any:
    """Objects in arrays in objects."""
    tree: Any = 1
    for level in range(depth):
        tree = {"a": tree} if level % 2 else [tree]
    return tree


@pytest.mark.parametrize("name", [*TEXTS, *JSONS])
@given(data=st.data())
@FUZZ
def test_damaged_bytes_get_a_verdict(
    name: str, data: st.DataObject, decoder: Decoder, sources: dict[str, Source], schema: Schema
) -> None:
    """A piece of a sample replaced by other bytes, by another piece, or by nothing."""
    raw = data.draw(st.sampled_from(messages(sources[name])))
    for _ in range(data.draw(st.integers(1, 3))):
        begin, at = (position % (len(raw) + 1) for position in data.draw(st.tuples(PLACE, PLACE)))
        end = begin + data.draw(st.sampled_from([0, 1, 4, 60, 100_000]))
        new = data.draw(st.binary(max_size=8) | st.sampled_from([b"9" * 400, b"\n", b"nan", None]))
        raw = raw[:begin] + (raw[at : at + 60] if new is None else new) + raw[end:]
    check(read(decoder, raw), schema)
    check(read(decoder, raw, captured_ms=None), schema)


@pytest.mark.parametrize("name", TEXTS)
@given(data=st.data())
@FUZZ
def test_compiled_grammar_and_lark_agree_on_damaged_texts(
    name: str, data: st.DataObject, sources: dict[str, Source]
) -> None:
    """Lines dropped, doubled, swapped or spoilt by a letter: the same verdict, the same values."""
    reader = sources[name].reader
    assert isinstance(reader, GrammarReader)
    assert reader.compiled
    lines = canonical(data.draw(st.sampled_from(messages(sources[name])))).decode().split("\n")
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(lines) - 1))
        column = data.draw(st.integers(0, len(lines[at])))
        letter = data.draw(st.sampled_from(["", " ", "0", "9", "x", "-", "%", "\n", "(", "nan"]))
        change = data.draw(st.sampled_from(["drop", "double", "spoil", "cut"]))
        if change == "spoil":
            lines[at] = lines[at][:column] + letter + lines[at][column + 1 :]
        elif change == "cut":
            lines = [*lines[:at], lines[at][:column]]
        else:
            lines[at : at + 1] = [] if change == "drop" and len(lines) > 1 else [lines[at]] * 2
    text = "\n".join(lines).strip()
    fast, slow = reader.compiled.read(text), reader.read_slowly(text, text.encode())

    assert (fast is not None) == isinstance(slow, ParsedMessage)
    if fast is not None and isinstance(slow, ParsedMessage):
        assert (fast[0], tuple(fast[1])) == (slow.values, slow.items)


@pytest.mark.parametrize("name", CLOSED)
def test_a_text_that_is_cut_off_has_no_number_that_the_whole_has_not(
    name: str, sources: dict[str, Source], schema: Schema
) -> None:
    """Each sample, cut behind each of its characters: a reject, or a document with fewer fields, no 1 of a 12."""
    decoder = Decoder(Intake("i", "t", "als", (name,)), sources, schema)
    for sample in messages(sources[name]):
        measured = [measures(whole) for whole in read(decoder, sample).documents]
        for end in range(len(sample)):
            for number, cut in enumerate(read(decoder, sample[:end]).documents):
                assert measures(cut).items() <= measured[number].items(), sample[:end]


def measures(document: Document) -> dict[str, Any]:
    """The fields of a measurement and its times; not the outcome of a document that reads fewer."""
    body = document.body
    times = {name: body["event"].get(name) for name in ("start", "end", "duration") if name in body["event"]}
    return {**body["perf"]["network"], **times, "@timestamp": body["@timestamp"]}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("piece", REPEATED)
def test_a_text_that_repeats_itself_costs_no_more_than_its_length(
    name: str, piece: bytes, sources: dict[str, Source], schema: Schema
) -> None:
    """Behind beginnings of samples, twice the text takes at most 2.5 times the lines of code.

    What happens inside `re` is not counted here; `test_grammar_terminals` counts its steps.
    """
    decoder = Decoder(Intake("i", "t", "als", (name,)), sources, schema)
    for sample in messages(sources[name])[:2]:
        for share in (0.2, 0.5, 0.9):
            head = sample[: int(len(sample) * share)]
            assert_linear(partial(decode_lines, decoder, head, piece), REPEATED_CHARACTERS // len(piece))


def decode_lines(decoder: Decoder, head: bytes, piece: bytes, count: int) -> int:
    """What it takes to decode a text that repeats a piece so many times; it is a document or a reject."""
    decoded: list[Outcomes] = []
    spent = executed_lines(lambda: decoded.append(read(decoder, head + piece * count)))
    assert decoded[0].documents or decoded[0].rejects
    return spent
