"""Lines behind a syslog prefix that the intake declares: the same facts as bare, at their place in the message."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_routing import LINES_BEFORE, OriginRoutes
from ingest.core.fields import Schema, without_provenance
from ingest.core.model import Intake, Message, Outcomes, Provenance
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.wrappers import load_wrappers
from tests.core.conftest import GRAMMARS

NOW_MS = 1454803200000
LINE = "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1-2:PERF:SUBMIT_NORM:START_DATE=1454737177"
OLD, NEW = (
    "<13>Feb  5 21:39:38 node-17 perf[42]: ",
    '<13>1 2016-02-06T05:39:38Z node-17 perf 42 - [x a="\u00e9"] \ufeff',
)
Decode = Callable[..., Outcomes]


@pytest.fixture
def decoder_of(schema: Schema, sources: dict[str, Source]) -> Callable[..., Decoder]:
    """A decoder for an intake of lines, with a prefix unless it says otherwise."""

    def build(*names: str, **declared: Any) -> Decoder:
        intake = Intake("i", "t", "als", names or ("als_perf",), **{"prefix": "syslog", **declared})
        return Decoder(intake, sources, schema, None, load_wrappers(GRAMMARS / "wrappers.toml"))

    return build


@pytest.fixture
def decode(decoder_of: Callable[..., Decoder]) -> Decode:
    """What text becomes."""

    def outcomes(text: str, **declared: Any) -> Outcomes:
        provenance = declared.pop("provenance", Provenance(kafka="t/0/1", offset_bytes=1000))
        return decoder_of(**declared).decode(Message(text.encode(), NOW_MS, provenance, backfill=True), NOW_MS)

    return outcomes


@pytest.mark.parametrize("prefix", [OLD, NEW])
def test_a_line_behind_a_prefix_is_the_fact_that_it_is_bare(decode: Decode, schema: Schema, prefix: str) -> None:
    """Same id, index, version and document; event.original is the line, log.offset is where it begins in the file."""
    (bare,) = decode(LINE, prefix="none").documents
    (document,) = decode(prefix + LINE).documents

    assert (document.id, document.index, document.version) == (bare.id, bare.index, bare.version)
    assert without_provenance(document.body, schema) == without_provenance(bare.body, schema)
    assert document.body["event"]["original"] == LINE
    assert document.body["log"]["offset"] == 1000 + len(prefix.encode())
    assert document.body["host"]["name"] == "node-17"


def test_the_host_of_a_prefix_counts_where_nothing_else_names_one(decode: Decode) -> None:
    """Neither the shipper's headers nor a wrapper; a host that is `-` is none."""
    (shipped,) = decode(OLD + LINE, provenance=Provenance(host="relay", offset_bytes=0)).documents
    (unknown,) = decode(f"<13>1 - - - - - - {LINE}").documents
    wrapped = orjson.dumps({"message": OLD + LINE, "host": "edge", "offset": 5}).decode()
    (through,) = decode(wrapped, wrapper="vector").documents
    (through_without_host,) = decode(orjson.dumps({"message": OLD + LINE}).decode(), wrapper="vector").documents

    assert shipped.body["host"]["name"] == "relay"
    assert "host" not in unknown.body
    assert (through.body["host"]["name"], through.body["log"]["offset"]) == ("edge", 5 + len(OLD))
    assert through_without_host.body["host"]["name"] == "node-17"


@pytest.mark.parametrize("prefix", [OLD, NEW])
def test_a_reject_behind_a_prefix_says_where_its_bytes_begin(decode: Decode, prefix: str) -> None:
    """The column counts in the line, which begins at a byte of the message, as any piece does."""
    (reject,) = decode(prefix + LINE.replace("PERF", "PREF")).rejects

    assert (reject.reason, reject.column) == ("syntax", LINE.index("PERF") + 1)
    assert reject.original == LINE.replace("PERF", "PREF").encode()
    assert reject.piece_byte == len(prefix.encode())
    assert reject.provenance is not None
    assert (reject.provenance.offset_bytes, reject.provenance.host) == (1000 + reject.piece_byte, "node-17")


@pytest.mark.parametrize("text", [LINE, LINE.replace("PERF", "PREF"), f"eb  5 21:39:38 node-17 perf: {LINE}"])
def test_a_line_of_ours_without_the_declared_prefix_is_rejected(decode: Decode, text: str) -> None:
    """By a reason of its own, with all of its bytes: never sniffed, never lost."""
    (reject,) = decode(text).rejects

    assert (reject.reason, reject.column, reject.original) == ("prefix", 1, text.encode())


@pytest.mark.parametrize("text", ["+ qsub", "", f"{OLD}oops", OLD, "PERFECT", "<13>1 - - - - - -"])
def test_foreign_and_empty_lines_stay_ignored(decode: Decode, text: str) -> None:
    """With a prefix or without."""
    outcomes = decode(text)

    assert (outcomes.documents, outcomes.rejects) == ((), ())
    assert outcomes.ignored


def test_without_the_declaration_a_prefix_is_never_sniffed(decode: Decode) -> None:
    """The line is a reject, since it holds the tag."""
    assert [reject.reason for reject in decode(OLD + LINE, prefix="none").rejects] == ["syntax"]


def test_each_of_several_lines_has_a_prefix_of_its_own(decode: Decode) -> None:
    """Where the forwarder joins lines; a line of ours among them that has none is rejected alone, at its place."""
    later = LINE.replace("7177", "7178")
    outcomes = decode(f"{OLD}{LINE}\n{later}\n{NEW}{later}\n", multiline=True)
    (reject,) = outcomes.rejects

    assert [d.body["log"]["offset"] - 1000 for d in outcomes.documents] == [
        len(OLD), len(OLD) + 2 * len(LINE) + 2 + len(NEW.encode())]  # fmt: skip
    assert (reject.reason, reject.piece_line, reject.piece_byte) == ("prefix", 2, len(OLD) + len(LINE) + 1)


def test_an_array_behind_a_prefix_is_split(decoder_of: Callable[..., Decoder]) -> None:
    """Each element keeps its own bytes and place."""
    message = Message(f'{OLD}[{{"a": 1}}, {{"b": 2}}]'.encode(), NOW_MS, Provenance(offset_bytes=0))
    first, second = decoder_of("perfsonar").decode(message, NOW_MS).rejects

    assert (first.original, second.original) == (b'{"a": 1}', b'{"b": 2}')
    assert (first.piece_byte, second.piece_byte) == (len(OLD) + 1, len(OLD) + 11)


def test_a_stored_line_that_is_sent_again_comes_without_its_prefix(decoder_of: Callable[..., Decoder]) -> None:
    """Its bytes are those of event.original, and it may begin like a prefix."""
    decoder = decoder_of()
    bare = decoder.decode(Message(LINE.encode(), NOW_MS, backfill=True, bare=True), NOW_MS)
    dated = LINE.removeprefix("Fri ").encode()  # `Feb 5 21:39:37 PST 2016:` is a prefix, too
    (document,) = decoder.decode(Message(dated, NOW_MS, backfill=True, bare=True), NOW_MS).documents

    assert len(bare.documents) == 1
    assert document.body["event"]["original"].encode() == dated


def test_only_lines_without_a_prefix_take_the_fast_path(decoder_of: Callable[..., Decoder]) -> None:
    """Stored lines that are sent again do."""
    routes, origin = OriginRoutes(decoder_of()), Provenance(host="a", path="/x", offset_bytes=0)

    assert routes.route(origin, LINES_BEFORE).read is None
    assert routes.route(origin, LINES_BEFORE, bare=True).read is not None
