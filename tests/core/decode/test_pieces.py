"""A message is one or more pieces: each is read, kept, placed and identified as if it had come alone."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.bounds import MAX_DEPTH, MAX_ELEMENTS, is_too_deep, most_output_bytes
from ingest.core.decode.bodies import original_of
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.pieces import MessagePieces, blocks_of, pieces
from ingest.core.model import Intake, Message, Outcomes, Problem, Provenance
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import canonical
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.wrappers import load_wrappers
from tests.core.conftest import GRAMMARS
from tests.core.decode.test_workflow_lines import LINE, OTHER
from tests.core.decode.test_workflow_lines import RECEIVED_MS as LINE_MS
from tests.support.messages import CAPTURED_MS, RECEIVED_MS
from tests.support.work import assert_linear, executed_lines

PING = {"schema": 1, "succeeded": True, "sent": 5, "received": 5, "lost": 0, "min": "PT0.01S", "roundtrips": []}
RUN = {
    "id": "0b7c6f0e-7c1d-4f0a-9c57-3f2b6a1d9e52",
    "test": {"type": "rtt", "spec": {"dest": "ps-nersc.example"}},
    "schedule": {"start": "2026-03-04T11:20:05-08:00", "duration": "PT11S"},
    "result": PING,
}
PLACE = Provenance(path="/r.json", offset_bytes=1000, captured_ms=CAPTURED_MS)


def read(decoder: Decoder, data: bytes, provenance: Provenance = PLACE) -> Outcomes:
    """What a message becomes that lies at byte 1,000 of its file."""
    return decoder.decode(Message(data, RECEIVED_MS, provenance), RECEIVED_MS)


def runs(number: int) -> list[dict[str, Any]]:
    """So many runs, each with an id of its own and a text that is not ASCII."""
    return [{**RUN, "id": f"{n:08x}-7c1d-4f0a-9c57-3f2b6a1d9e52", "reference": "Ü" * (n % 7)} for n in range(number)]


def assert_each_is_as_alone(decoder: Decoder, whole: bytes, texts: list[str]) -> None:
    """Each text becomes a document as when it comes alone, with its own bytes and its place in the whole message."""
    documents = read(decoder, whole).documents

    assert len(documents) == len(texts) > 0
    for document, text in zip(documents, texts, strict=True):
        (alone,) = read(decoder, text.encode()).documents
        assert (document.id, document.version, document.index) == (alone.id, alone.version, alone.index)
        assert original_of(document.body) == text.encode()
        offset = document.body["log"]["offset"]
        assert whole[offset - 1000 :].startswith(text.encode())


@pytest.mark.parametrize("name", ["perfsonar", "perfsonar_result"])
@pytest.mark.parametrize(
    ("ahead", "between", "behind"),
    [("[", ",", "]"), ("\ufeff [\n ", "\n ,\t", "\n]\n"), ("\x1e[", ", ", "]"), ("[\r\n", ",\r\n", "\r\n]\r\n")],
)
def test_an_element_is_what_it_is_alone(
    name: str, ahead: str, between: str, behind: str, flow_of: Callable[..., Decoder]
) -> None:
    """The same id, its own bytes, and the place where they lie in the file."""
    decoder = flow_of(name)
    texts = [
        json.dumps(run if name == "perfsonar" else {**PING, "n": run["id"]}, ensure_ascii=False) for run in runs(9)
    ]
    whole = (ahead + between.join(texts) + behind).encode()

    assert_each_is_as_alone(decoder, whole, texts)


def test_equal_elements_merge(flow_of: Callable[..., Decoder]) -> None:
    """Nothing tells them apart: they are one fact, as the same message sent twice is."""
    documents = read(flow_of("perfsonar_result"), orjson.dumps([PING, PING, {**PING, "sent": 6}])).documents

    assert len(documents) == 3
    assert len({document.id for document in documents}) == 2


def test_a_bad_element_costs_no_other(flow_of: Callable[..., Decoder]) -> None:
    """Each reject keeps the element's bytes, tells where it lies and on which line; numbers beyond all bounds too."""
    parts = [orjson.dumps(RUN), b'{"a": 1e999}', b"7", b'{"weather":\n "fine"}', orjson.dumps(runs(1)[0])]
    whole = b"[" + b",\n".join(parts) + b"]"

    outcomes = read(flow_of("perfsonar"), whole)

    assert len(outcomes.documents) == 2
    assert [(r.reason, r.original, r.piece_line) for r in outcomes.rejects] == [
        ("shape", parts[1], 2),
        ("json", parts[2], 3),
        ("shape", parts[3], 4),
    ]
    for reject in outcomes.rejects:
        assert reject.provenance is not None
        assert reject.provenance.offset_bytes is not None
        assert whole[reject.provenance.offset_bytes - 1000 :].startswith(reject.original)


def test_each_element_finds_its_own_source(flow_of: Callable[..., Decoder]) -> None:
    """Of an array with documents of two shapes none is lost: each element is asked of all sources, as it is alone."""
    outcomes = read(flow_of("perfsonar", "perfsonar_result"), orjson.dumps([RUN, PING]))

    assert [document.body["perf"]["source"] for document in outcomes.documents] == ["perfsonar", "perfsonar_result"]
    assert not outcomes.rejects


def test_an_array_in_a_string_has_pieces_too(flow_of: Callable[..., Decoder]) -> None:
    """Some relays send JSON as a JSON string: an element has its bytes as they are written inside, and no place."""
    documents = read(flow_of("perfsonar"), json.dumps(json.dumps(runs(3))).encode()).documents

    assert [original_of(document.body) for document in documents] == [json.dumps(run).encode() for run in runs(3)]
    assert {document.body["log"]["offset"] for document in documents} == {1000}


def test_a_mended_message_is_one_piece(flow_of: Callable[..., Decoder]) -> None:
    """What was no JSON when it came (here in colours) has elements without bytes of their own: all keep the message."""
    decoder = flow_of("perfsonar_result")
    coloured = b"\x1b[0m[" + b",".join([orjson.dumps(PING)] * 3) + b"]"

    few = read(decoder, coloured).documents
    many = read(decoder, coloured.replace(b"[{", b"[" + (orjson.dumps(PING) + b",") * 300 + b"{"))

    assert [original_of(document.body) for document in few] == [coloured] * 3
    assert not many.documents
    assert [reject.reason for reject in many.rejects] == ["too_many_elements"]


@pytest.mark.parametrize(
    "text",
    [b"[]", b"[1,2]", b"[[{}]]", b"[{},]", b"[{} {}]", b"[,{}]", b"[{}", b"[{}]x", b'["{}"]', b'"[1]"', b"[nan]"],
)
def test_what_is_no_array_of_objects_is_one_reject(text: bytes, flow_of: Callable[..., Decoder]) -> None:
    """The message is refused as a whole."""
    outcomes = read(flow_of("perfsonar"), text)

    assert [(reject.reason, reject.original) for reject in outcomes.rejects] == [("json", text)]


@pytest.mark.parametrize(("elements", "documents"), [(MAX_ELEMENTS, MAX_ELEMENTS), (MAX_ELEMENTS + 1, 0)])
def test_an_array_has_at_most_4000_elements(elements: int, documents: int, flow_of: Callable[..., Decoder]) -> None:
    """One more, and the message is one reject that says so."""
    outcomes = read(flow_of("perfsonar"), orjson.dumps(runs(elements)))

    assert len(outcomes.documents) == documents
    assert [reject.reason for reject in outcomes.rejects] == ([] if documents else ["too_many_elements"])


@pytest.mark.parametrize("wrap", ["{}", "[{}]", '"[{}]"', '"{}"'])
def test_objects_lie_at_most_64_deep(wrap: str, flow_of: Callable[..., Decoder]) -> None:
    """A level more, ten thousand, and a million are one reject that says so; brackets in text are no level."""
    decoder = flow_of("perfsonar")

    def message(levels: int) -> bytes:
        text = '{"id":"%s","x":' % RUN["id"] + "[" * (levels - 1) + "]" * (levels - 1)  # noqa: UP031 - braces
        text += ',"t":"[[[{{{\\"","test":{},"schedule":{"start":"2026-03-04T11:20:05-08:00"}}'
        return wrap.replace("{}", text if wrap[0] != '"' else json.dumps(text)[1:-1]).encode()

    assert len(read(decoder, message(MAX_DEPTH)).documents) == 1
    for levels in (MAX_DEPTH + 1, 10_000, 1_000_000):
        outcomes = read(decoder, message(levels))
        assert [reject.reason for reject in outcomes.rejects] == ["too_deep"]
        assert "more than 64 deep" in outcomes.rejects[0].detail


@given(st.recursive(st.none() | st.text(max_size=4), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_depth_is_that_of_the_tree(tree: Any) -> None:
    """Of objects and arrays alike; what lies beside them does not count."""

    def levels(node: Any) -> int:
        inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
        return 0 if inside is None else 1 + max(map(levels, inside), default=0)

    inner: Any = [tree, {"a": []}]
    for _ in range(MAX_DEPTH - 3):
        inner = [inner]

    assert is_too_deep(inner) == (levels(inner) > MAX_DEPTH)


def test_pairs_of_a_line_keep_it_as_long_as_they_are_few(flow_of: Callable[..., Decoder]) -> None:
    """Their identity is made of its bytes. More than may be written for it are one reject; 16 of the longest fit."""
    decoder = flow_of("als_perf")

    def line(pairs: int, size_bytes: int) -> bytes:
        text = LINE.replace("submitNormJobs.sh", "/s.sh") + "".join(f":K{n}_DATE=1454737177" for n in range(pairs - 1))
        return text.replace("/s.sh", "/" + "p" * (size_bytes - len(text) - 1) + "/s.sh", 1).encode()

    for pairs, size_bytes in ((16, 65_536), (17, 65_536), (2900, 65_536), (30, 1500)):
        data = line(pairs, size_bytes)
        assert len(data) == size_bytes
        fits = pairs * (len(data) + 512) <= 16 * len(data) + 65_536
        outcomes = decoder.decode(Message(data, LINE_MS, Provenance(), backfill=True), LINE_MS)
        assert len(outcomes.documents) == (pairs if fits else 0)
        assert [(r.reason, r.original) for r in outcomes.rejects] == ([] if fits else [("too_many_pairs", data)])


def test_a_block_is_what_it_is_alone(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> None:
    """Its own bytes, the place where they lie, and the document that it becomes when it is sent alone."""
    for name in ("owping", "owping_machine"):
        decoder, text = flow_of(name), (sources[name].folder / "samples.both.txt").read_bytes()
        documents = read(decoder, text).documents
        assert len(documents) == 2
        for document in documents:
            original = original_of(document.body)
            provenance = Provenance(
                path="/r.json", offset_bytes=document.body["log"]["offset"], captured_ms=CAPTURED_MS
            )
            assert text[document.body["log"]["offset"] - 1000 :].startswith(original)
            assert read(decoder, original, provenance).documents == (document,)
        assert original_of(documents[0].body) != original_of(documents[1].body)


def test_both_readers_tell_the_same_blocks(sources: dict[str, Source]) -> None:
    """The compiled expression and Lark."""
    for name in ("owping", "owping_machine"):
        reader, text = sources[name].reader, (sources[name].folder / "samples.both.txt").read_bytes()
        assert isinstance(reader, GrammarReader)
        message, raw = Message(text, RECEIVED_MS, PLACE), canonical(text)
        fast, slow = reader.read(raw), reader.read_slowly(raw.decode(), raw)
        assert blocks_of(fast, message) == blocks_of(slow, message)  # type: ignore[arg-type]
        assert len(blocks_of(fast, message)) == 2  # type: ignore[arg-type]


def joined(lines: list[str], schema: Any, sources: dict[str, Source], multiline: bool = True) -> Outcomes:
    """What lines become that a forwarder joined."""
    intake = Intake("test", "perf.als.test.v1", "als", ("als_perf",), multiline=multiline)
    message = Message("\n".join(lines).encode(), LINE_MS, Provenance(path="/a.log", offset_bytes=1000), backfill=True)
    return Decoder(intake, sources, schema).decode(message, LINE_MS)


def test_joined_lines_are_read_one_by_one_where_the_intake_says_so(schema: Any, sources: dict[str, Source]) -> None:
    """Each is the fact that it is alone, a bad one is refused by itself, one that is not ours is ignored."""
    lines = [LINE, "", "make: done", OTHER, LINE[:60], ""]

    outcomes = joined(lines, schema, sources)

    alone = [joined([line], schema, sources).documents[0].id for line in (LINE, OTHER)]
    assert [document.id for document in outcomes.documents] == alone
    assert [document.body["log"]["offset"] for document in outcomes.documents] == [1000, 1000 + len(LINE) + 13]
    assert [(r.original, r.piece_line) for r in outcomes.rejects] == [(LINE[:60].encode(), 5)]
    assert not joined(lines, schema, sources, multiline=False).documents


def test_lines_that_filebeat_joined_are_placed_in_their_file(schema: Any, sources: dict[str, Source]) -> None:
    """The wrapper tells where the first begins."""
    wrappers = load_wrappers(GRAMMARS / "wrappers.toml")
    intake = Intake("test", "perf.als.test.v1", "als", ("als_perf",), wrapper="filebeat", multiline=True)
    wrapped = {"message": f"{LINE}\n{OTHER}", "log": {"offset": 500, "file": {"path": "/a.log"}}, "host": {"name": "h"}}

    outcomes = Decoder(intake, sources, schema, None, wrappers).decode(
        Message(orjson.dumps(wrapped), LINE_MS, backfill=True), LINE_MS
    )

    assert [original_of(document.body) for document in outcomes.documents] == [LINE.encode(), OTHER.encode()]
    assert [document.body["log"]["offset"] for document in outcomes.documents] == [500, 500 + len(LINE) + 1]


def test_lines_that_are_all_somebody_elses_are_ignored(schema: Any, sources: dict[str, Source]) -> None:
    """Once for each shape; more lines than are read of a message are one reject."""
    assert [piece.shape for piece in joined(["a", "b", "c"], schema, sources).ignored] == ["other"]
    assert [piece.shape for piece in joined([" ", "", "\t"], schema, sources).ignored] == ["blank"]
    assert joined(["a"] * MAX_ELEMENTS, schema, sources).ignored
    assert [r.reason for r in joined(["a"] * (MAX_ELEMENTS + 1), schema, sources).rejects] == ["too_many_lines"]


def test_lines_cannot_be_told_apart_from_blocks(schema: Any, sources: dict[str, Source]) -> None:
    """An intake that says so of a source whose messages have several lines is refused."""
    intake = Intake("both", "perf.als.test.v1", "als", ("als_perf", "owping"), multiline=True)

    with pytest.raises(
        Problem, match=r"both: `multiline = true`, but one message of owping may have several lines"
    ) as at:
        Decoder(intake, sources, schema)
    assert at.value.exit_code == 78


@settings(max_examples=60, deadline=None)
@given(tiny=st.sampled_from([b"{}", b'{"id":1}', b'{"succeeded":0}', b"1"]), number=st.integers(1, 4000))
def test_tiny_elements_become_no_flood(tiny: bytes, number: int, sources: dict[str, Source], schema: Any) -> None:
    """What stands beside each of them counts: the message is one reject when that is more than it may become."""
    intake = Intake("test", "perf.als.test.v1", "als", ("perfsonar", "perfsonar_result"))
    data = b"[" + b",".join([tiny] * number) + b",{}]"

    outcomes = read(Decoder(intake, sources, schema), data)

    assert (len(outcomes.documents) + len(outcomes.rejects)) * 700 <= most_output_bytes(len(data)) or len(
        outcomes.rejects
    ) == 1


def task(number: int) -> dict[str, Any]:
    """A task of Globus of its own number, with a label that is not ASCII."""
    return {
        "task_id": f"6f0d6b1e-0000-4000-8000-{number:012d}", "status": "SUCCEEDED", "label": "Ü" * (number % 7),
        "request_time": "2026-03-04T19:20:00+00:00", "completion_time": "2026-03-04T19:24:10+00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ahead", "between", "behind"),
    [
        ('{"DATA":[', ",", "]}"),
        ('\ufeff {\n "total": 9, "x": {"DATA": [1]}, "DATA" :\t[\n ', "\n ,\t", '\n] , "DATA_TYPE": "task_list"\n}\n'),
        ('\x1e{"é":"DATA","DATA":[', ", ", "]}"),
        ('{"DATA":[7],"DATA":null,\r\n"DATA":[\r\n', ",\r\n", "\r\n]\r\n}\r\n"),
    ],
)
def test_an_element_of_a_list_in_an_object_is_what_it_is_alone(
    ahead: str, between: str, behind: str, flow_of: Callable[..., Decoder]
) -> None:
    """Where the source names the list: the same id, its own bytes and place; of a name that stands twice the last."""
    decoder = flow_of("globus_task")
    texts = [json.dumps(task(number), ensure_ascii=False) for number in range(9)]
    whole = (ahead + between.join(texts) + behind).encode()

    assert_each_is_as_alone(decoder, whole, texts)


def test_a_bad_element_of_a_list_costs_no_other_and_tells_its_line(flow_of: Callable[..., Decoder]) -> None:
    """As in an array."""
    parts = [orjson.dumps(task(1)), b"7", b'{"weather":\n "fine"}', orjson.dumps(task(2))]
    whole = b'{"DATA_TYPE":"task_list",\n"DATA":[' + b",\n".join(parts) + b"]}"

    outcomes = read(flow_of("globus_task"), whole)

    assert len(outcomes.documents) == 2
    assert [(r.reason, r.original, r.piece_line) for r in outcomes.rejects] == [
        ("json", parts[1], 3),
        ("shape", parts[2], 4),
    ]


def test_a_list_is_split_only_where_a_source_names_it(flow_of: Callable[..., Decoder]) -> None:
    """An intake whose sources name none keeps the object whole; one that shares sources asks all of each element."""
    page = orjson.dumps({"DATA": [task(1), RUN]})

    assert [reject.original for reject in read(flow_of("perfsonar"), page).rejects] == [page]
    documents = read(flow_of("perfsonar", "globus_task"), page).documents
    assert [document.body["perf"]["source"] for document in documents] == ["globus_task", "perfsonar"]


def test_a_list_in_a_string_has_pieces_too(flow_of: Callable[..., Decoder]) -> None:
    """Their bytes are those inside the string, their place is the message's."""
    tasks = [task(number) for number in range(3)]
    documents = read(flow_of("globus_task"), json.dumps(json.dumps({"DATA": tasks})).encode()).documents

    assert [original_of(document.body) for document in documents] == [json.dumps(one).encode() for one in tasks]
    assert {document.body["log"]["offset"] for document in documents} == {1000}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"DATA":[1,2]}', "shape"), ('{"DATA":[[{}]]}', "shape"), ('{"DATA":{"a":1}}', "shape"),
        ('{"DATA":[{}],"DATA":7}', "shape"), ('{"x":{"DATA":[{}]}}', "shape"), ('{"x":["DATA",[{}]]}', "shape"),
        ('{"DATA":[{}]', "json"), ('{"DATA":[{}]}}', "json"), ('{"DATA":[{}],}', "json"), ('{"DATA" [{}]}', "json"),
        ('{"DATA":[{},]}', "json"), ('{"DATA":[{} {}]}', "json"), ('{7:1,"DATA":[{}]}', "json"),
        ('{,"DATA":[{}]}', "json"),
    ],
)  # fmt: skip
def test_what_is_no_object_with_a_list_of_objects_is_one_reject(
    text: str, reason: str, flow_of: Callable[..., Decoder]
) -> None:
    """The message is refused as a whole."""
    outcomes = read(flow_of("globus_task"), text.encode())

    assert [(reject.reason, reject.original) for reject in outcomes.rejects] == [(reason, text.encode())]


@pytest.mark.parametrize(("elements", "documents"), [(MAX_ELEMENTS, MAX_ELEMENTS), (MAX_ELEMENTS + 1, 0)])
def test_a_list_has_at_most_4000_elements(elements: int, documents: int, flow_of: Callable[..., Decoder]) -> None:
    """One more, and the message is one reject that says so."""
    outcomes = read(flow_of("globus_task"), orjson.dumps({"DATA": [task(number) for number in range(elements)]}))

    assert len(outcomes.documents) == documents
    assert [reject.reason for reject in outcomes.rejects] == ([] if documents else ["too_many_elements"])


@pytest.mark.parametrize("levels", [10_000, 1_000_000])
@pytest.mark.parametrize("form", ['{"DATA":[*]}', '{"x":*,"DATA":[{}]}'])
def test_a_list_that_nests_too_deep_is_one_reject(levels: int, form: str, flow_of: Callable[..., Decoder]) -> None:
    """In the list or beside it."""
    outcomes = read(flow_of("globus_task"), form.replace("*", "[" * levels + "]" * levels).encode())

    assert [reject.reason for reject in outcomes.rejects] == ["too_deep"]


@pytest.mark.parametrize("form", ['{"DATA":[*]}', '{*,"DATA":[]}', '{"DATA":*}', '{"x":"*","DATA":[{}]}'])
@pytest.mark.parametrize("piece", ['{"a":1}', '"DATA":[{}]', "[", '"DATA":', "\\\\", " ", "7"])
def test_a_list_costs_no_more_than_its_length(form: str, piece: str, flow_of: Callable[..., Decoder]) -> None:
    """Twice the pieces take at most 2.5 times the lines of code, whether or not they make a list."""
    decoder = flow_of("globus_task")
    assert_linear(
        lambda count: executed_lines(lambda: read(decoder, form.replace("*", ",".join([piece] * count)).encode())), 300
    )


@given(st.recursive(st.none() | st.text(max_size=4), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_whatever_a_list_holds_its_pieces_are_its_elements(tree: Any) -> None:
    """Each with the bytes that it has in the message."""
    elements = [tree, {"a": tree}]
    message = Message(json.dumps({"b": tree, "DATA": elements, "c": [tree]}, ensure_ascii=False).encode(), RECEIVED_MS)

    split = pieces(message, multiline=False, json=True, lists=("DATA",))

    assert isinstance(split, MessagePieces)
    parts = list(split.pieces)
    assert [orjson.loads(part.message.data) for part in parts] == elements
    assert all(message.data[part.byte :].startswith(part.message.data) for part in parts)
