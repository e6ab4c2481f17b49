"""Forwarders' wrappers: a line is one fact bare and through each; where it came from is the wrapper's to say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema, without_provenance
from ingest.core.model import Intake, Message, Outcomes, Problem, Provenance
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.wrappers import Wrapper, load_wrappers, unwrapped
from tests.core.conftest import GRAMMARS
from tests.support.amount import examples

NOW_MS = 1454803200000
LINE = "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636: PERF:SUBMIT_NORM:START_DATE=1454737177"
HOST, PATH, OFFSET = "als-node-17", "/data/logs/als/tomography.log", 123456


def wrapped(name: str, line: str) -> dict[str, Any]:
    """A message as the forwarder of that name writes it to Kafka, with its usual company."""
    written: dict[str, dict[str, Any]] = {
        "filebeat": {
            "@timestamp": "2016-02-06T05:39:38.001Z",
            "@metadata": {"beat": "filebeat", "type": "_doc", "version": "9.1.0"},
            "agent": {"type": "filebeat", "version": "9.1.0", "name": HOST, "id": "f1"},
            "ecs": {"version": "8.0.0"}, "host": {"name": HOST}, "input": {"type": "filestream"},
            "log": {"offset": OFFSET, "file": {"path": PATH, "inode": "42"}}, "message": line,
        },
        "fluentbit": {"@timestamp": 1454737178.5, "path": PATH, "offset": OFFSET, "log": line, "host": HOST},
        "vector": {
            "file": PATH, "host": HOST, "message": line, "offset": OFFSET, "source_type": "file",
            "timestamp": "2016-02-06T05:39:38.001Z",
        },
        "rsyslog": {
            "msg": line, "host": HOST, "syslogtag": "perf:", "timestamp": "2016-02-05T21:39:38-08:00",
            "metadata": {"filename": PATH, "fileoffset": str(OFFSET)},
        },
    }  # fmt: skip
    return written[name]


FORWARDERS = ("filebeat", "fluentbit", "vector", "rsyslog")
RSYSLOG = Path(__file__).parents[3] / "data" / "rsyslog"
"""A file, and what rsyslog 8.2302 with deploy/forwarders/rsyslog.conf made of it, taken from the Kafka topic."""


@pytest.fixture(scope="session")
def wrappers() -> dict[str, Wrapper]:
    """The wrappers that ship."""
    return load_wrappers(GRAMMARS / "wrappers.toml")


@pytest.fixture
def through(schema: Schema, sources: dict[str, Source], wrappers: dict[str, Wrapper]) -> Callable[..., Outcomes]:
    """What bytes become that came through an intake of a wrapper."""

    def outcomes(wrapper: str, data: bytes, **provenance: Any) -> Outcomes:
        intake = Intake("i", "t", "als", ("als_perf",), wrapper=wrapper)
        message = Message(data, NOW_MS, Provenance(kafka="t/0/1", **provenance))
        return Decoder(intake, sources, schema, None, wrappers).decode(message, NOW_MS)

    return outcomes


def test_every_wrapper_that_ships_is_shown_here(wrappers: dict[str, Wrapper]) -> None:
    """A table without a test is a guess."""
    assert set(wrappers) == set(FORWARDERS)


@pytest.mark.parametrize("name", FORWARDERS)
def test_a_line_is_one_fact_bare_and_through_each_forwarder(
    name: str, through: Callable[..., Outcomes], schema: Schema
) -> None:
    """Id, index, version and document, apart from what tells of the copy; event.original is the line."""
    (bare,) = through("none", LINE.encode()).documents
    (inside,) = through(name, orjson.dumps(wrapped(name, LINE))).documents

    assert (inside.id, inside.index, inside.version) == (bare.id, bare.index, bare.version)
    assert without_provenance(inside.body, schema) == without_provenance(bare.body, schema)
    assert inside.body["event"]["original"] == LINE


@pytest.mark.parametrize("name", FORWARDERS)
def test_host_path_and_offset_are_the_wrappers(name: str, through: Callable[..., Outcomes]) -> None:
    """They stand before what the record's headers say; the Kafka coordinates stay the record's."""
    data = orjson.dumps(wrapped(name, LINE))
    (document,) = through(name, data, host="relay", path="/spool", offset_bytes=1).documents

    assert document.body["host"]["name"] == HOST
    assert document.body["log"]["file"]["path"] == PATH
    assert document.body["log"]["offset"] == OFFSET
    assert document.body["provenance"]["kafka"] == "t/0/1"


@pytest.mark.parametrize("name", FORWARDERS)
def test_a_wrapper_chooses_no_facility(name: str, through: Callable[..., Outcomes]) -> None:
    """Whatever fields a forwarder adds, the intake's facility, source and index stand."""
    body = {**wrapped(name, LINE), "facility": "aps", "perf": {"facility": "aps"}, "topic": "x", "_index": "y"}
    (document,) = through(name, orjson.dumps(body)).documents

    assert document.index == "perf-marks-als-2016.02"
    assert document.body["perf"]["facility"] == "als"


@pytest.mark.parametrize("name", FORWARDERS)
@pytest.mark.parametrize(
    ("data", "column"),
    [
        (LINE.encode(), 1),
        (b'{"message": "cut o', 13),
        (b"[1]", 1),
        (b"{}", 1),
        (b'{"message": 7, "log": 7, "msg": {}}', 1),
    ],
)
def test_what_is_not_wrapped_as_declared_is_refused(
    name: str, data: bytes, column: int, through: Callable[..., Outcomes]
) -> None:
    """A wrapper is never sniffed: a bare line in a wrapped intake is refused too, its bytes kept."""
    (reject,) = through(name, data).rejects

    assert reject.reason == "wrapper"
    assert reject.original == data
    assert reject.expected
    assert reject.column is not None
    assert reject.column >= column


def test_a_wrapped_message_in_a_bare_intake_is_nobodys_line(through: Callable[..., Outcomes]) -> None:
    """It keeps the tag, so it is refused and not ignored."""
    (reject,) = through("none", orjson.dumps(wrapped("filebeat", LINE))).rejects

    assert reject.reason == "syntax"


def test_a_refused_line_keeps_line_column_and_place(through: Callable[..., Outcomes]) -> None:
    """Behind the wrapper all is as if the line had come bare; where it came from goes with the reject."""
    torn = LINE[:70]
    (bare,) = through("none", torn.encode()).rejects
    (inside,) = through("filebeat", orjson.dumps(wrapped("filebeat", torn))).rejects

    assert (inside.reason, inside.column, inside.original) == (bare.reason, bare.column, torn.encode())
    assert inside.provenance == Provenance(HOST, PATH, OFFSET, "filebeat 9.1.0", "t/0/1", generation="42")


def test_an_empty_wrapped_line_and_an_empty_record_are_blank(through: Callable[..., Outcomes]) -> None:
    """Files have empty lines, topics have tombstones."""
    for data in (b"", b" \n", orjson.dumps(wrapped("vector", "")), orjson.dumps(wrapped("vector", "  "))):
        assert [ignored.shape for ignored in through("vector", data).ignored] == ["blank"]


def test_dotted_names_are_read_as_paths(through: Callable[..., Outcomes]) -> None:
    """Some processors write `host.name` as one key."""
    body = {"message": LINE, "host.name": HOST, "log.file.path": PATH, "log": {"offset": OFFSET}}
    (document,) = through("filebeat", orjson.dumps(body)).documents

    assert (document.body["host"]["name"], document.body["log"]["file"]["path"]) == (HOST, PATH)


def test_a_newline_that_a_forwarder_leaves_is_no_part_of_the_line(through: Callable[..., Outcomes]) -> None:
    """Fluent Bit's container logs end in one."""
    (document,) = through("fluentbit", orjson.dumps({"log": LINE + "\n"})).documents

    assert document.body["event"]["original"] == LINE


def test_undecodable_bytes_come_through_where_the_forwarder_passes_them_on(through: Callable[..., Outcomes]) -> None:
    """The id is that of the same bytes bare, and they are kept in base64."""
    line = LINE.encode().replace(b"submitNorm", b"submit\xff\xfeNorm")
    (bare,) = through("none", line).documents
    (inside,) = through("vector", b'{"message": "' + line + b'", "host": "h\xff"}').documents

    assert inside.id == bare.id
    assert inside.body["event"]["original_b64"] == bare.body["event"]["original_b64"]
    assert inside.body["host"]["name"] == "h?"


@pytest.mark.parametrize("offset", [-1, 2**63, 1.5, True, "-1", "x", "9" * 30, None, [], {}])
def test_an_offset_that_is_none_is_left_out(offset: Any, through: Callable[..., Outcomes]) -> None:
    """Provenance is worth having, and not worth losing a line for."""
    body = {"message": LINE, "offset": offset, "host": 7, "file": []}
    (document,) = through("vector", orjson.dumps(body)).documents

    assert "offset" not in document.body["log"]
    assert "host" not in document.body


def test_an_unknown_wrapper_is_bad_configuration(schema: Schema, sources: dict[str, Source]) -> None:
    """The message lists those there are; the table may be missing where no intake needs one."""
    intake = Intake("als-lines", "t", "als", ("als_perf",), wrapper="filebeet")

    with pytest.raises(Problem, match=r"filebeet.*none, vector") as caught:
        Decoder(intake, sources, schema, None, {"vector": Wrapper("vector", ("message",))})

    assert caught.value.exit_code == 78
    assert load_wrappers(GRAMMARS / "nowhere.toml") == {}


@pytest.mark.parametrize(
    "text", ["[vector]\nmessage = 'message'\n", "[vector]\nmesage = ['m']\n", "vector = 1\n", "[v"]
)
def test_a_wrong_table_is_bad_configuration(text: str, tmp_path: Any) -> None:
    """A typing error in it is told with the file's name."""
    (tmp_path / "wrappers.toml").write_text(text)

    with pytest.raises(Problem, match=r"wrappers\.toml"):
        load_wrappers(tmp_path / "wrappers.toml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(LINE),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "log", "msg", "host", "name", "file", "path", "offset", "x"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=examples(600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=JSON, noise=st.binary(max_size=12), at=st.integers(0, 200), name=st.sampled_from(FORWARDERS))
def test_no_wrapper_raises(tree: Any, noise: bytes, at: int, name: str, through: Callable[..., Outcomes]) -> None:
    """Any JSON, any bytes in the middle of one: a verdict each time."""
    try:
        whole = orjson.dumps(tree)
    except TypeError:
        whole = b'{"message": ' + str(tree).encode("utf-8", "replace")
    real = orjson.dumps(wrapped(name, LINE))

    for data in (whole, noise, whole[:at] + noise + whole[at:], real[:at] + noise + real[at:], real[:at]):
        outcomes = through(name, data)

        assert outcomes.documents or outcomes.rejects or outcomes.ignored


@pytest.mark.parametrize(
    "data", [b'{"message":' * 3000, b'{"a":' * 3000 + b"1" + b"}" * 3000, b'{"message":"\\ud800"}', b"\xff" * 10]
)
def test_hostile_json_is_refused(data: bytes, through: Callable[..., Outcomes]) -> None:
    """Nesting beyond any reader, half a surrogate pair, no text at all."""
    (reject,) = through("vector", data).rejects

    assert reject.reason == "wrapper"


@pytest.mark.parametrize("form", ["template.jsonl", "jsonmesg.jsonl"])
def test_what_the_real_rsyslog_sends_is_read_to_the_byte(
    form: str, wrappers: dict[str, Wrapper], through: Callable[..., Outcomes]
) -> None:
    """Every line of the file but the empty one: its bytes, host, path, and where it begins; read as if it came bare.

    Among them quotes, backslashes, tabs, escapes, bytes that are no UTF-8, 9 KiB, JSON, and what looks like syslog.
    """
    file = (RSYSLOG / "tomography.log").read_bytes()
    lines = [line for line in file.split(b"\n") if line]
    messages = (RSYSLOG / form).read_bytes().splitlines(keepends=True)

    inside = [unwrapped(Message(data, NOW_MS, Provenance()), wrappers["rsyslog"]) for data in messages]

    assert len(inside) == len(lines)
    for inner, line, data in zip(inside, lines, messages, strict=True):
        assert isinstance(inner, Message)
        at = inner.provenance.offset_bytes
        assert at is not None
        whole = line if form == "template.jsonl" else line.partition(b"\0")[0]  # %jsonmesg% knows no NUL
        assert inner.data == whole
        assert file[at : at + len(line) + 1] == line + b"\n"
        assert (inner.provenance.host, inner.provenance.path) == (HOST, PATH)
        bare, through_it = through("none", whole), through("rsyslog", data)
        assert [document.id for document in through_it.documents] == [document.id for document in bare.documents]
        assert [reject.reason for reject in through_it.rejects] == [reject.reason for reject in bare.rejects]
        assert [ignored.shape for ignored in through_it.ignored] == [ignored.shape for ignored in bare.ignored]


def test_rsyslogs_all_json_alone_holds_no_message(through: Callable[..., Outcomes]) -> None:
    """So it is refused, and the reject says where a text was looked for; with a message set in it, it is read."""
    data = (RSYSLOG / "all-json.jsonl").read_bytes().splitlines()[1]
    (reject,) = through("rsyslog", data).rejects
    assert (reject.reason, reject.expected) == ("wrapper", ("message", "msg"))

    body = {**orjson.loads(data), "message": LINE, "host": HOST}
    (document,) = through("rsyslog", orjson.dumps(body)).documents
    assert (document.body["log"]["file"]["path"], document.body["log"]["offset"]) == (PATH, 103)
