"""Generates the perfSONAR results of a workload, with their truth: whole days of tests at each facility."""

from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import merge
from itertools import islice

from ingest.synthetic.network.schedule import Result, day_of_results
from ingest.synthetic.workload.truth import RESULT, ExpectedDocument, Made, Truth, Workload

RESULTS_PER_DAY = 3552
SPOOL = "/var/spool/perfsonar/results.jsonl"


def results(workload: Workload) -> Iterator[Made]:
    """Yield the workload's number of results in the order of their ends; each facility has its own tests."""
    start = datetime.fromtimestamp(workload.start_ms // 1000, UTC)
    days = workload.results // (RESULTS_PER_DAY * len(workload.facilities)) + 1
    sites = [
        _results_of_site(facility, start, days, workload.seed * 1000 + n)
        for n, facility in enumerate(workload.facilities)
    ]
    return islice(merge(*sites, key=lambda message: message.at_ms), workload.results)


def _results_of_site(facility: str, start: datetime, days: int, seed: int) -> Iterator[Made]:
    return (_to_message(facility, result) for result in day_of_results(start, 24 * days, seed))


def _to_message(facility: str, result: Result) -> Made:
    at_ms, end_ms = (int(when.timestamp() * 1000) for when in (result.start, result.end))
    fact = ExpectedDocument(None, at_ms, end_ms, result.run, result.task.test_type, "", "", 0)
    return Made(RESULT, facility, result.task.source, SPOOL, result.data, end_ms, Truth("stored", None, (fact,)))
