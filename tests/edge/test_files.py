"""Files as messages: every byte of them arrives, at the offset where it lies, or is named as not sent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.model import Problem
from ingest.core.sources import utf16
from ingest.core.sources.framing import lines
from ingest.edge import files


def read(path: Path, how: str, limit_bytes: int = 1000) -> list[tuple[int, bytes | None]]:
    """Offset and data of each piece."""
    return [(piece.offset_bytes, piece.data) for piece in files.pieces(path, how, limit_bytes)]


def test_a_line_keeps_everything_but_its_newline(tmp_path: Path) -> None:
    """CR, blanks, NUL, wrong UTF-8 and empty lines stay; the last line needs no newline."""
    path = tmp_path / "a.log"
    path.write_bytes(b" one \r\n\n\xff\x00\nlast")

    assert read(path, files.LINE) == [(0, b" one \r"), (7, b""), (8, b"\xff\x00"), (11, b"last")]


@given(data=st.binary(max_size=200), limit_bytes=st.integers(1, 40))
def test_nothing_between_the_lines_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, limit_bytes: int
) -> None:
    """Sent or named as too large: every piece lies where it says, and together they are the whole file."""
    path = tmp_path_factory.mktemp("any") / "a.log"
    path.write_bytes(data)

    pieces = list(files.pieces(path, files.LINE, limit_bytes))

    lines = data.split(b"\n")[: -1 if data.endswith(b"\n") or not data else None]
    assert [data[p.offset_bytes :].split(b"\n")[0] for p in pieces] == lines
    assert [p.data for p in pieces] == [line if len(line) <= limit_bytes else None for line in lines]


def test_a_line_that_is_too_large_is_named_and_the_next_one_is_read(tmp_path: Path) -> None:
    """The piece has its size and offset; memory does not grow with it."""
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 2500 + b"\nnext\n" + b"y" * 1001)

    pieces = list(files.pieces(path, files.LINE, 1000))

    assert [(p.offset_bytes, p.data) for p in pieces] == [(0, None), (2501, b"next"), (2506, None)]
    assert pieces[0].size_bytes == 2501
    assert pieces[2].size_bytes == 1001


def test_a_whole_file_is_one_message_or_too_large(tmp_path: Path) -> None:
    """Newlines inside and at the end belong to it."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"--- owping\nmore\n")

    assert read(path, files.FILE) == [(0, b"--- owping\nmore\n")]
    (piece,) = files.pieces(path, files.FILE, 5)
    assert (piece.data, piece.size_bytes) == (None, 16)


@pytest.mark.parametrize(
    ("name", "framings", "chosen", "expected"),
    [
        ("a.log", ("line",), None, "line"),
        ("a.json", ("message", "message"), None, "file"),
        ("a.txt", ("message",), None, "file"),
        ("day.jsonl", ("message", "message"), None, "line"),
        ("day.NDJSON", ("message",), None, "line"),
        ("a.json", ("message",), "line", "line"),
        ("a.log", ("line",), "file", "file"),
    ],
)
def test_framing_follows_from_the_sources_and_the_name(
    name: str, framings: tuple[str, ...], chosen: str | None, expected: str
) -> None:
    """It is declared, chosen, or given by the ending; the content is never read."""
    assert files.framing(Path(name), framings, chosen) == expected


def test_sources_that_disagree_ask_for_a_choice() -> None:
    """Guessing would cut messages to pieces."""
    with pytest.raises(Problem, match=r"a\.log") as caught:
        files.framing(Path("a.log"), ("line", "message"), None)

    assert caught.value.exit_code == 64
    assert "--framing" in caught.value.remedy


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_an_unreadable_file_is_named_before_anything_is_sent(tmp_path: Path, kind: str) -> None:
    """The second of two files is missing, or a folder: exit code 66, and nothing was sent."""
    good, bad = tmp_path / "good.log", tmp_path / kind
    good.write_bytes(b"x\n")
    if kind == "folder":
        bad.mkdir()

    with pytest.raises(Problem, match=kind) as caught:
        files.checked([good, bad])

    assert caught.value.exit_code == 66
    assert "Nothing was sent" in caught.value.remedy


def test_checked_files_give_the_total_for_a_progress_bar(tmp_path: Path) -> None:
    """In bytes, over all of them."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for n, path in enumerate(paths):
        path.write_bytes(b"x" * (n + 2))

    assert files.checked(paths) == 5


@pytest.mark.parametrize("mark", sorted(utf16.MARKS))
@pytest.mark.parametrize("limit_bytes", [1000, 24, 25])
def test_a_file_of_utf16_is_cut_at_its_own_newlines(tmp_path: Path, mark: bytes, limit_bytes: int) -> None:
    """Each line has the file's mark before it; offsets are the file's, and every byte of it is counted."""
    path = tmp_path / "a.log"
    data = mark + "one\r\n\nüber \u0a0a\u010a\u0a41\nlast".encode(utf16.ORDERS[mark])
    path.write_bytes(data)
    tally = files.ReadTally()

    pieces = list(files.pieces(path, files.LINE, limit_bytes, tally=tally))

    expected = [(frame.offset_bytes, frame.data) for frame in lines(data)]
    assert [(piece.offset_bytes, piece.data) for piece in pieces] == expected
    assert (tally.read_bytes, tally.lines) == (len(data), 4)


@pytest.mark.parametrize("mark", sorted(utf16.MARKS))
@pytest.mark.parametrize("size", [7, 8, 9, 100, 101])
def test_a_line_of_utf16_that_is_too_large_is_named_and_the_next_one_is_read(
    tmp_path: Path, mark: bytes, size: int
) -> None:
    """Wherever the limit falls, inside a character too."""
    path = tmp_path / "a.log"
    path.write_bytes(mark + f"{'x' * 200}\nok\n".encode(utf16.ORDERS[mark]))

    first, second = files.pieces(path, files.LINE, size)

    assert (first.data, first.size_bytes) == (None, 404)
    assert (second.offset_bytes, second.data) == (404, mark + "ok".encode(utf16.ORDERS[mark]))
