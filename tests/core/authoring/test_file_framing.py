"""One message or lines: files as a facility has them, read without naming a source."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.core.authoring.file_framing import LINE, MESSAGE, framing_of_file
from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message
from ingest.core.sources.framing import framing_of
from ingest.core.sources.source import Source

GRAMMARS = Path(__file__).parents[3] / "grammars"
NOW_MS = 1_772_652_000_000
DOCUMENT = (GRAMMARS / "perfsonar" / "samples.jsonl").read_bytes().splitlines()[0]
PRETTY = json.dumps(json.loads(DOCUMENT), indent=2).encode()
LINES = (GRAMMARS / "als_perf" / "samples.log").read_bytes()
PING = (GRAMMARS / "ping" / "samples.linux.txt").read_bytes()
TEXTS = sorted(path for path in GRAMMARS.glob("*/*.txt"))


@pytest.fixture
def framing_by_all(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> Callable[..., str]:
    """The framing of a file among all sources."""
    decoder = flow_of(*sources)

    def chosen(data: bytes, name: str = "some.out") -> str:
        return framing_of_file(
            sources.values(), name, data, lambda frame: decoder.decode(Message(frame.data, NOW_MS, backfill=True), 0)
        )

    return chosen


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_text_of_several_lines_is_one_message(path: Path, framing_by_all: Callable[..., str]) -> None:
    """Samples and rejects of every source of text; of other programs' text only what resembles a sample."""
    data = path.read_bytes()
    expected = LINE if path.name == "rejects.tracepath.txt" else MESSAGE

    assert data.strip().count(b"\n") == 0 or framing_by_all(data) == expected


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        (PRETTY, MESSAGE),
        (b"\xef\xbb\xbf" + PRETTY.replace(b"\n", b"\r\n"), MESSAGE),
        (PRETTY[: len(PRETTY) // 2], MESSAGE),
        (PRETTY + b"\ngarbage\n", MESSAGE),
        (PRETTY + b"\n" + PRETTY, MESSAGE),
        (b'{\n  "cpu": 3\n}\n', MESSAGE),
        (b"[\n" + PRETTY + b",\n" + PRETTY + b"\n]", MESSAGE),
        (PING.replace(b"\n", b"\r\n"), MESSAGE),
        (PING[:150], MESSAGE),
        (DOCUMENT + b"\n" + DOCUMENT + b"\n", LINE),
        (b"{torn\n" + DOCUMENT + b"\n" + DOCUMENT + b"\n", LINE),
        (b"\x1e" + DOCUMENT + b"\n\x1e" + DOCUMENT + b"\n", LINE),
        (LINES, LINE),
        (PING + LINES, LINE),
        (LINES + PRETTY, LINE),
        (PRETTY + b"\n" + LINES, LINE),
        (b"another program\nwrote this\n", LINE),
    ],
    ids=["pretty", "BOM, CRLF", "torn", "garbage behind", "two documents", "another's", "array", "text, CRLF",
         "text, torn", "JSON lines", "JSON lines, torn", "sequence", "lines", "text, then lines",
         "lines, then document", "document, then lines", "nobody's"],
)  # fmt: skip
def test_a_file_is_framed_by_what_it_holds(data: bytes, framing: str, framing_by_all: Callable[..., str]) -> None:
    """A mixture is read line by line, so that no line is lost; documents in a row are one message, as they are sent."""
    assert framing_by_all(data) == framing


def test_the_name_says_what_json_lines_are(framing_by_all: Callable[..., str]) -> None:
    """.jsonl and .ndjson hold one message a line, whatever else; an empty file holds nothing."""
    assert framing_by_all(PRETTY, "a.JSONL") == LINE
    assert framing_by_all(b"") in {LINE, MESSAGE}


def test_a_damaged_document_is_one_message_for_a_named_source_too(sources: dict[str, Source]) -> None:
    """One reject, not one for each of its lines."""
    source = sources["perfsonar"]

    assert framing_of(source, "a.json", PRETTY[: len(PRETTY) // 2]) == MESSAGE
    assert framing_of(source, "a.json", b"{torn\n" + DOCUMENT) == LINE
    assert framing_of(source, "a.json", DOCUMENT + b"\n" + DOCUMENT) == LINE
    assert framing_of(source, "a.json", DOCUMENT + b"\n") == framing_of(source, "a.json", b"") == MESSAGE
    assert framing_of(source, "a.json", b"hello\nworld\n") == LINE


def test_a_file_that_is_larger_than_any_message_is_read_line_by_line(framing_by_all: Callable[..., str]) -> None:
    """Whatever its first line opens."""
    assert framing_by_all(b"{\n" + b"x" * 5_000_000) == LINE
