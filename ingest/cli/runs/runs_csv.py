"""Runs as CSV: one row per run, with the columns of analysis/figures.py; values not seen are empty.

CSV has no escapes for control and hidden characters, so a name shows them as signs, like a table does.
"""

import csv
import sys
from collections.abc import Callable, Iterable

from ingest.core.analysis.figures import COLUMNS, figures
from ingest.core.analysis.printed_zones import in_utc
from ingest.core.runs.stored import StoredRun
from ingest.telemetry import on_one_line


def write_csv(runs: Iterable[StoredRun], format_time: Callable[[StoredRun, int], str] = in_utc) -> None:
    """Write runs with their stages; `format_time` formats a time (unix ms) of a run, in UTC if its zone is unknown."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        ends = (
            (format_time(run, run.stages[0].start_ms), format_time(run, run.stages[-1].start_ms))
            if run.stages
            else (None, None)
        )
        writer.writerow(map(_format_value, figures(run, *ends)))
    sys.stdout.flush()


def _format_value(value: str | float | None) -> str | float:
    return "" if value is None else on_one_line(value) if isinstance(value, str) else value
