"""Log lines: one line each, in UTC, and no character of a record that controls a terminal."""

import logging
import sys

import pytest

from ingest.telemetry import log_to_stderr, make_visible, name_worker, on_one_line

HOSTILE = "a\x1b[31m\x9b31m\u202eb\u200bc\nforged"


def test_controls_become_signs_one_for_one() -> None:
    """A newline stays, unless the text must be on one line."""
    assert make_visible(HOSTILE) == "a␛[31m�31m�b�c\nforged"
    assert on_one_line(HOSTILE) == "a␛[31m�31m�b�c␤forged"
    assert make_visible("µ ≤ é 漢 🙂") == "µ ≤ é 漢 🙂"


@pytest.mark.parametrize("worker", [None, 2])
def test_a_log_line_cannot_be_forged(worker: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by the message, nor by its arguments, nor by an error's text; also in lines that name their worker."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log_to_stderr()
        if worker is not None:
            name_worker(worker)
        for handler in root.handlers:
            assert isinstance(handler, logging.StreamHandler)
            handler.setStream(sys.stderr)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            root.exception("stage %s is slow", HOSTILE)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    err = capsys.readouterr().err

    assert "stage a␛[31m�31m�b�c␤forged is slow" in err.splitlines()[0]
    assert not {"\x1b", "\x9b", "\u202e", "\u200b"} & set(err)
