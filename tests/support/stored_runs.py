"""Marks -> the runs as they are stored and read again: the input of tests that show runs."""

from collections.abc import Iterable

from ingest.core.analysis.offline import stored
from ingest.core.fields import Schema, load_schema
from ingest.core.mark import RunKey, RunMark
from ingest.core.runs.state import union
from ingest.core.runs.stored import StoredRun
from tests.core.conftest import GRAMMARS
from tests.support.marks import KEY, marks

SCHEMA: Schema = load_schema(GRAMMARS / "fields.toml")


def stored_runs(run_marks: Iterable[RunMark], key: RunKey = KEY, newest_ms: int | None = None) -> list[StoredRun]:
    """The runs of one run id with their stages."""
    return list(stored(key, union({}, run_marks).values(), newest_ms, SCHEMA))


def run_of(text: str, newest_ms: int | None = None) -> StoredRun:
    """The last run of marks in words."""
    return stored_runs(marks(text), newest_ms=newest_ms)[-1]
