"""UTF-16: known by its mark, cut at its own newlines; without a mark it is recognised, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.sources import utf16
from ingest.core.sources.framing import Frame, lines
from ingest.core.sources.readers import canonical

MARKS = sorted(utf16.MARKS)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20)


def encoded(text: str, mark: bytes) -> bytes:
    """A file of UTF-16."""
    return mark + text.encode(utf16.ORDERS[mark])


@pytest.mark.parametrize("mark", MARKS)
def test_each_line_of_a_file_is_a_message_with_the_files_mark(mark: bytes) -> None:
    """Offsets are those of the file; a character with the byte of a newline in it ends no line."""
    data = encoded("one\r\n\nthree \u0a0a\u010a\u0a41 \U0001f600\nlast", mark)

    frames = list(lines(data))

    assert [frame.line for frame in frames] == [1, 2, 3, 4]
    texts = [utf16.text_of(frame.data) for frame in frames]
    assert texts == ["one\r", "", "three \u0a0a\u010a\u0a41 \U0001f600", "last"]
    assert [frame.offset_bytes for frame in frames] == [0, 12, 14, 40]
    assert all(frame.data.removeprefix(mark) in data[frame.offset_bytes :] for frame in frames)


@given(texts=st.lists(TEXT, min_size=2, max_size=5), mark=st.sampled_from(MARKS))
def test_a_file_is_cut_as_its_text_is(texts: list[str], mark: bytes) -> None:
    """Any characters, in both byte orders; canonical bytes are those of UTF-8."""
    whole = "\n".join(f"x{text}" for text in texts)  # of a text without ASCII nobody can say what it is
    frames = list(lines(encoded(whole, mark)))
    expected = list(lines(whole.encode()))

    assert [(f.line, utf16.text_of(f.data) or "") for f in frames] == [(f.line, f.data.decode()) for f in expected]
    assert [canonical(f.data) for f in frames] == [canonical(f.data) for f in expected]


@pytest.mark.parametrize(
    "data", [b"\xff\xfePERF:", b"\xfe\xff", b"PE\0RF", b"\0\0\0\0", b"\0\0\0\0Fri Feb", b"", b"a\0"]
)
def test_other_bytes_are_not_taken_for_utf16(data: bytes) -> None:
    """Two odd bytes before ASCII, a hole of NULs in a file, a single NUL; a mark alone is an empty text."""
    assert utf16.text_of(data) == ("" if data in utf16.MARKS else None)
    assert not utf16.is_likely(data)
    if not utf16.mark_of(data):
        assert list(lines(data)) == ([Frame(1, 0, data)] if data else [])


@pytest.mark.parametrize("encoding", sorted(utf16.ORDERS.values()))
def test_a_line_without_a_mark_is_recognised(encoding: str) -> None:
    """Cut at newline bytes: the second half of the newline before begins it, or the first half of the next ends it."""
    data = "one line\nanother line\n".encode(encoding)

    assert all(utf16.is_likely(line) for line in data.split(b"\n")[:2])
