"""Runs as CSV: one row per run, with the columns of analysis/figures.py; values not seen are empty."""

import csv
import sys
from collections.abc import Callable, Iterable

from ingest.core.analysis.figures import COLUMNS, figures
from ingest.core.analysis.printed_zones import in_utc
from ingest.core.runs.stored import StoredRun


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
        writer.writerow("" if value is None else value for value in figures(run, *ends))
