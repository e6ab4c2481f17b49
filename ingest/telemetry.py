"""What is counted, each name once with its meaning; the form of log lines, and of untrusted characters in any text.

Touches the root logger only.
"""

import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

COUNTERS: Mapping[str, str] = {
    "records": "Kafka records that were read and committed",
    "stored": "records that made a new document",
    "duplicate": "records whose documents were all there already, from another record",
    "corrected": "records that replaced an older version of a document",
    "rejected": "records with at least one part that was refused; in the dead-letter topic and the rejects index",
    "ignored": "records that are not ours to read, e.g. other lines of a shell log",
    "documents": "documents made of the records, whatever became of them",
    "skipped_offsets": "offsets that were no records: transaction markers, compacted or expired ones",
}
LINE = "%(asctime)s %(levelname)s %(message)s"
WORKER_LINE = "%(asctime)s %(levelname)s worker {}: %(message)s"
_PICTURES = 0x2400
# Controls (C0 without the newline, DEL, C1), and what has no width or turns the direction of text: soft hyphens, marks,
# embeddings, overrides and isolates, zero-width characters, line separators, tags, lone surrogates.
HIDDEN = (
    r"\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN = re.compile(f"[{HIDDEN}]")
NOISY = ("kafka", "elastic_transport", "elasticsearch", "urllib3")


def make_visible(text: str) -> str:
    """Replace each control or hidden character but the newline by one sign, so that no text controls its reader."""
    return _HIDDEN.sub(_to_picture, text)


def on_one_line(text: str) -> str:
    """Make a text visible, its newlines too."""
    return make_visible(text).replace("\n", "␤")


def _to_picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\t":
        return "→"
    return chr(_PICTURES + code) if code < 0x20 else "␡" if code == 0x7F else "�"


class VisibleFormatter(logging.Formatter):
    """Formats log lines: UTC, a message on one line, and no character that controls a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """Format the line itself."""
        return on_one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that logging calls
        """Format a traceback, line by line."""
        return make_visible(super().formatException(ei))


class _Libraries:
    """Whether the client libraries are logged: set by `--verbose`, for whatever a command does afterwards."""

    logged = False


def log_libraries(wanted: bool) -> None:
    """Log the client libraries too from now on, or no more; commands that log nothing of their own log them as well."""
    _Libraries.logged = wanted
    if wanted:
        log_to_stderr()


def libraries_logged() -> bool:
    """Whether `log_libraries` was asked for: then the causes of a problem are of interest too."""
    return _Libraries.logged


def log_to_stderr() -> None:
    """One line an event, UTC, to stderr; the client libraries only after `log_libraries`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_form(LINE))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.INFO if _Libraries.logged else logging.CRITICAL)


def name_worker(number: int) -> None:
    """From now on every line of this process says which worker it is of."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_form(WORKER_LINE.format(number)))


def _form(line: str) -> logging.Formatter:
    form = VisibleFormatter(line, "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    return form
