"""What is counted, each name once with its meaning, and the form of log lines. Touches the root logger only."""

import logging
import sys
import time
from collections.abc import Mapping

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
NOISY = ("kafka", "elastic_transport", "elasticsearch", "urllib3")


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
    form = logging.Formatter(line, "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    return form
