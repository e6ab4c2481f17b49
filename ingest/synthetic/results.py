"""perfSONAR results of a workload, with their truth: a made-up day after the other at each facility."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import count, islice

from ingest.synthetic.day import Result, day_of_results
from ingest.synthetic.truth import RESULT, Fact, Made, Truth, Workload

SPOOL = "/var/spool/perfsonar/results.jsonl"


def results(workload: Workload) -> Iterator[Made]:
    """So many results as the workload asks for, in the order of their ends; each facility has tests of its own."""
    start = datetime.fromtimestamp(workload.start_ms // 1000, UTC)
    sites = [_site(facility, start, workload.seed * 1000 + n) for n, facility in enumerate(workload.facilities)]
    return islice(merge(*sites, key=lambda message: message.at_ms), workload.results)


def _site(facility: str, start: datetime, seed: int) -> Iterator[Made]:
    for number in count():
        for result in day_of_results(start + timedelta(days=number), 24, seed):
            yield _made(facility, result)


def _made(facility: str, result: Result) -> Made:
    at_ms, end_ms = (int(when.timestamp() * 1000) for when in (result.start, result.end))
    fact = Fact(None, at_ms, end_ms, result.run, result.task.test_type, "", "", 0)
    return Made(RESULT, facility, result.task.source, SPOOL, result.data, end_ms, Truth("stored", None, (fact,)))
