"""UTF-16 is never ignored in silence: what has a byte order mark is read, what has none is rejected with the remedy."""

from collections.abc import Callable

import pytest

from ingest.core.decode.bodies import original_of
from ingest.core.decode.decoder import Decoder
from ingest.core.model import Message, Outcomes, Provenance
from ingest.core.sources import utf16
from ingest.core.sources.framing import lines

NOW_MS = 1454803200000
LINE = "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1-2:PERF:A\u00e9:START_DATE=1454737177"
MARKS = sorted(utf16.MARKS)
Decode = Callable[[bytes], Outcomes]


@pytest.fixture
def decode(flow_of: Callable[..., Decoder]) -> Decode:
    """What bytes become as workflow lines."""
    decoder = flow_of("als_perf")
    return lambda data: decoder.decode(Message(data, NOW_MS, Provenance(offset_bytes=100), backfill=True), NOW_MS)


def encoded(text: str, mark: bytes) -> bytes:
    """Text as UTF-16 with its mark."""
    return mark + text.encode(utf16.ORDERS[mark])


@pytest.mark.parametrize("mark", MARKS)
def test_a_line_with_a_mark_is_the_fact_that_it_is_in_utf8(decode: Decode, mark: bytes) -> None:
    """Same id; event.original is the text; the bytes as they came are kept beside it."""
    data = encoded(LINE, mark)
    (expected,) = decode(LINE.encode()).documents
    (document,) = decode(data).documents

    assert (document.id, document.index, document.version) == (expected.id, expected.index, expected.version)
    assert document.body["event"]["original"] == LINE
    assert original_of(document.body) == data


@pytest.mark.parametrize("mark", MARKS)
def test_a_reject_with_a_mark_points_into_its_text(decode: Decode, mark: bytes) -> None:
    """The column counts characters."""
    (reject,) = decode(encoded(LINE.replace("PERF", "PREF"), mark)).rejects

    assert (reject.line, reject.column) == (1, LINE.index("PERF") + 1)


@pytest.mark.parametrize("mark", MARKS)
def test_a_file_cut_at_newline_bytes_is_read_or_rejected_line_by_line(decode: Decode, mark: bytes) -> None:
    """As a forwarder cuts it: only its first line has a mark. Foreign and empty lines stay ignored."""
    sent = encoded("\n".join([LINE, LINE, "+ qsub", "", LINE]), mark).split(b"\n")
    first, second, foreign, empty, last = map(decode, sent)

    assert len(first.documents) == 1
    assert [reject.reason for outcomes in (second, last) for reject in outcomes.rejects] == ["encoding"] * 2
    assert "iconv" in second.rejects[0].detail
    assert second.rejects[0].original == sent[1]
    assert (foreign.rejects, empty.rejects) == ((), ())


def test_a_torn_line_without_a_mark_is_rejected(decode: Decode) -> None:
    """As in UTF-8: its header is ours."""
    (reject,) = decode(LINE.partition(":PERF")[0].encode("utf-16-le")).rejects

    assert reject.reason == "encoding"


def test_utf16_is_not_ignored_by_a_source_of_documents(flow_of: Callable[..., Decoder]) -> None:
    """JSON with a mark is read, JSON without one rejected."""
    decoder = flow_of("perfsonar")
    with_mark, without = (decoder.decode(Message(data, NOW_MS), NOW_MS) for data in (
        encoded('{"a": 1}', MARKS[0]), '{"a": 1}'.encode("utf-16-le")))  # fmt: skip

    assert [reject.reason for reject in with_mark.rejects] == ["shape"]
    assert [reject.reason for reject in without.rejects] == ["encoding"]


@pytest.mark.parametrize("mark", MARKS)
def test_every_line_of_a_file_is_read(decode: Decode, mark: bytes) -> None:
    """Where the file is cut at its own newlines."""
    frames = list(lines(encoded(f"{LINE}\r\n{LINE}\r\n", mark)))

    assert [len(decode(frame.data).documents) for frame in frames] == [1, 1]
