"""A day of perfSONAR results between the ALS and NERSC, in the order of their ends, a few failed ones among them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from random import Random

from ingest.synthetic.network.delay import latency, rtt
from ingest.synthetic.network.path import PathConditions, generator, path_conditions
from ingest.synthetic.network.pscheduler import ALS_LATENCY, ALS_THROUGHPUT, NERSC, Report, Task, document, run_id
from ingest.synthetic.network.throughput import throughput
from ingest.synthetic.network.trace import trace

Measure = Callable[[Task, PathConditions, datetime, Random], Report]


@dataclass(frozen=True, slots=True)
class Series:
    """A task, when in its period it first runs, how a run is made up, and the shapes of its failures."""

    task: Task
    offset_s: int
    measure: Measure
    failures: tuple[Callable[[], Report], ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A result as it is sent, the task that it is of, its run id, and when that run began and ended."""

    data: bytes
    task: Task
    run: str
    start: datetime
    end: datetime


def day(start: datetime, hours: float = 24, seed: int = 1) -> Iterator[bytes]:
    """Yield the results of all tests that run in the window, as compact JSON, in time order of their ends.

    Args:
        start: first instant of the window, with a zone.
        hours: length of the window; 24 hours give some 3,600 documents, 40 MB.
        seed: the same seed and window give the same bytes.

    Raises:
        ValueError: start has no zone.
    """
    return (result.data for result in day_of_results(start, hours, seed))


def day_of_results(start: datetime, hours: float = 24, seed: int = 1) -> Iterator[Result]:
    """Yield the same, each with what is known of it without reading it. Raises ValueError: start has no zone."""
    if start.tzinfo is None:
        raise ValueError("start needs a time zone")
    path = path_conditions(start, hours, seed)
    runs = (_runs(series, start, hours, seed, path) for series in _all_series())
    yield from merge(*runs, key=lambda result: (result.end, result.run))


def _runs(series: Series, start: datetime, hours: float, seed: int, path: PathConditions) -> Iterator[Result]:
    task = series.task
    first = start + timedelta(seconds=series.offset_s)
    count = max(0, int((hours * 3600 - series.offset_s - 1) // task.repeat_s) + 1)
    plan = generator("failures", seed, task.test_type, task.source, task.dest)
    failing = dict(zip(plan.sample(range(count), min(count, len(series.failures))), series.failures, strict=False))
    for number in range(count):
        when = first + timedelta(seconds=number * task.repeat_s)
        rng = generator(seed, task.test_type, task.tool, task.source, task.dest, when.timestamp())
        report = failing[number]() if number in failing else series.measure(task, path, when, rng)
        data = json.dumps(document(task, when, report, seed), separators=(",", ":")).encode()
        yield Result(data, task, str(run_id(task, when, seed)), when, when + timedelta(seconds=task.slot_s))


def _all_series() -> Iterator[Series]:
    for number, (source, dest) in enumerate(((ALS_THROUGHPUT, NERSC), (NERSC, ALS_THROUGHPUT))):
        spec = {"duration": "PT10S", "interval": "PT1S", "parallel": 2}
        task = Task("throughput", "iperf3", source, dest, repeat_s=3600, slot_s=19, spec=spec)
        yield Series(task, 300 + 1800 * number, _throughput, (_connection_refused, _silent_lead))
    for number, (source, dest) in enumerate(((ALS_LATENCY, NERSC), (NERSC, ALS_LATENCY))):
        spec = {"packet-count": 600, "packet-interval": 0.1, "duration": "PT24H"}
        task = Task("latencybg", "powstream", source, dest, repeat_s=60, slot_s=60, spec=spec, background=True)
        yield Series(task, number, _latencybg, (_no_result,))
        task = Task("latency", "owping", source, dest, repeat_s=1800, slot_s=21, spec={"packet-count": 100})
        yield Series(task, 120 + 900 * number, _latency, (_silent_lead,))
        task = Task("rtt", "ping", source, dest, 600, 11, {"count": 10, "length": 64}, both_ends=False)
        yield Series(task, 30 + 300 * number, _rtt, (_text_lost_in_merging,))
        task = Task("trace", "traceroute", source, dest, 720, 15, {"ip-version": 4}, both_ends=False)
        yield Series(task, 45 + 360 * number, _trace, (_text_lost_in_merging,))


def _throughput(task: Task, path: PathConditions, when: datetime, rng: Random) -> Report:
    return throughput(task, path.load(when), path.congestion(when), rng)


def _latencybg(task: Task, path: PathConditions, when: datetime, rng: Random) -> Report:
    return latency(task, path, when, 600, rng)


def _latency(task: Task, path: PathConditions, when: datetime, rng: Random) -> Report:
    return latency(task, path, when, 100, rng)


def _rtt(task: Task, path: PathConditions, when: datetime, rng: Random) -> Report:
    return rtt(task, path, when, 10, rng)


def _trace(task: Task, path: PathConditions, when: datetime, rng: Random) -> Report:
    return trace(task, path.rerouted(when), rng)


def _connection_refused() -> Report:
    """Return a failure that the tool itself reports."""
    diags = '/usr/bin/iperf3 -p 5201 -t 10 --json\n\n{"error": "unable to connect to server: Connection refused"}'
    error = "iperf3 returned an error: unable to connect to server: Connection refused"
    merged = {"succeeded": False, "error": f"Tool failed: {error}", "diags": diags}
    return Report(merged, [{"succeeded": False, "error": error, "diags": diags}, None], "failed")


def _silent_lead() -> Report:
    """Return a failure where only the far end answered."""
    error = "Process took too long to run."
    far = {"succeeded": False, "error": error, "diags": ""}
    return Report({"succeeded": False, "error": f"Tool failed: {error}", "diags": ""}, [None, far], "failed")


def _no_result() -> Report:
    """Return a run that ended without any result."""
    return Report(None, [None, None], "failed", "Participant did not return a result")


def _text_lost_in_merging() -> Report:
    """Return a failure whose text stands in the participant's own result only, as of ping and traceroute."""
    own = {"succeeded": False, "error": "Network is unreachable", "diags": "connect: Network is unreachable"}
    return Report({"schema": 1, "succeeded": False}, [own], "failed")
