"""Read one run of pScheduler, in any of its shapes: its ends, its outcome, its slot.

The numbers of each type of test are read in throughput.py, delay.py, route.py and other_tests.py.
Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Callable, Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.network.delay import latency, rtt
from ingest.core.network.fields import put
from ingest.core.network.other_tests import keep_result, numbers, type_by_shape
from ingest.core.network.pscheduler_ends import TYPE, put_run_ends
from ingest.core.network.route import trace
from ingest.core.network.throughput import throughput
from ingest.core.sources.convert import message, time
from ingest.core.sources.event import CAPTURED, Context, EventBuilder, InvalidRecord, at_capture
from ingest.core.sources.flattened import fits_flattened
from ingest.core.sources.lenient import is_true, object_of, objects_of, put_slot, put_text, seconds

SPEC = "perf.network.spec"
NOT_FINAL = ("scheduling", "pending", "on-deck", "running", "cleanup")
FAILED = {"overdue", "missed", "failed", "preempted", "nonstart"}
_ENVELOPE = {"id", "schedule", "test", "tool", "participants", "result", "reference", "run", "task"}
_STEP = 8  # between the ranks of states; within a step, 4 for a known test and 0 to 3 for the shape
_OVER, _WITH_RESULT = (len(NOT_FINAL) + 1) * _STEP, (len(NOT_FINAL) + 2) * _STEP
_TYPES: Mapping[str, Callable[[EventBuilder, Mapping[str, Any], Mapping[str, Any]], None]] = {
    "throughput": throughput,
    "latency": latency,
    "latencybg": latency,
    "rtt": rtt,
    "trace": trace,
}


def read_run(event: EventBuilder, context: Context, shape: int) -> None:
    """Fill the fields of a run, and the numbers of its result unless it failed.

    `shape` (0 to 3) ranks how much detail the shape has: of two documents of the same run, the richer one wins.
    """
    result = object_of(lookup(event.values, "result")) or object_of(lookup(event.values, "run.result-merged"))
    spec = object_of(event.body.get(SPEC))
    _test_type(event, result)
    _slot(event, context.intake.zone)
    _outcome(event, result)
    event.rank += shape + (4 if spec else 0)
    put_run_ends(event, spec, result, context.sites)
    _reference(event)
    _keep_as_data(event)
    put(event, "repeat_s", lookup(event.values, "task.schedule.repeat"), seconds)
    _numbers(event, result, spec)


def _numbers(event: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Set the numbers of a successful result; for the smaller tests also keep the rest of it as data."""
    kind = event.body.get(TYPE, "")
    read = _TYPES.get(kind)
    failed = event.body["event.outcome"] == "failure"
    if read and result and not failed:
        read(event, result, spec)
    if read is None and result:
        if not failed:
            numbers(event, result, kind)
        keep_result(event, result, kind)


def _test_type(event: EventBuilder, result: Mapping[str, Any]) -> None:
    """Infer a missing test type from the shape of the result [2]."""
    if TYPE not in event.body:
        shape = type_by_shape(result)
        event.flags.append("test_missing")
        if shape:
            event.body[TYPE] = shape


def _slot(event: EventBuilder, zone_s: int | None) -> None:
    """Set when the run began and ended: from its own timestamps (in the intake's zone), else from its length."""
    start = event.body.get("@timestamp")
    if start is None or CAPTURED in event.flags:
        return
    event.body["event.start"] = start
    end_text = lookup(event.values, "run.end-time")
    length = lookup(event.values, "run.duration") or lookup(event.values, "schedule.duration")
    try:
        length_s = seconds(length) if end_text is None and length is not None else None
        end = (
            time(end_text, zone_s)
            if end_text is not None
            else None
            if length_s is None
            else start + round(length_s * 1000)
        )
    except (ValueError, OverflowError):
        event.flags.append("value_unreadable")
        return
    if end is not None:
        put_slot(event, start, end)


def _outcome(event: EventBuilder, result: Mapping[str, Any]) -> None:
    """Set the outcome, the error, and the rank by which a final result replaces a pending run [1]."""
    state = event.body.get("perf.network.state")
    succeeded = result.get("succeeded")
    if succeeded is not None:
        outcome = "success" if is_true(succeeded) else "failure"
    else:
        outcome = "failure" if state in FAILED else "unknown"
    event.body["event.outcome"] = outcome
    final = state not in NOT_FINAL if state else bool(result)
    if final:
        event.rank = _WITH_RESULT if result else _OVER
    else:
        event.rank = (NOT_FINAL.index(state) + 1) * _STEP if state else 0
    text = _error(event, result) if outcome != "success" else None
    if text:
        event.body["error.message"] = text


def _error(event: EventBuilder, result: Mapping[str, Any]) -> str | None:
    """The first error text: the merged one, a participant's, the run's; diagnostics only if there is no other."""
    own = objects_of(lookup(event.values, "run.result-full"))
    candidates = [result.get("error"), result.get("reason"), *(part.get("error") for part in own)]
    candidates.append(lookup(event.values, "run.errors"))
    candidates += [part.get("diags") for part in (result, *own)]
    return next((words for text in candidates if text is not None and (words := message(text))), None)


def _reference(event: EventBuilder) -> None:
    """Read the user's reference: the task's name and the marker of synthetic results; keep the rest as data."""
    reference = event.values.get("reference")
    known = object_of(reference)
    put_text(event, "perf.network.task_name", known.get("display-task-name"))
    if is_true(known.get("synthetic")):
        event.body["perf.synthetic"] = True
    rest: Any = {key: value for key, value in known.items() if key not in {"display-task-name", "synthetic"}}
    extra = {key: value for key, value in event.values.items() if key not in _ENVELOPE and value is not None}
    if rest or (reference is not None and not isinstance(reference, Mapping)):
        extra["reference"] = rest or reference
    if extra:
        event.body["perf.extra"] = extra


def _keep_as_data(event: EventBuilder) -> None:
    """Flag data that the index cannot store; it stays in event.original only."""
    for name in (SPEC, "perf.extra"):
        if name in event.body and not fits_flattened(event.body[name]):
            del event.body[name]
            event.flags.append("not_indexed")


_OF_DOCUMENT = {"id", "run", "test", "task", "schedule"}

_BARE, _RUN, _PLUGIN, _DOCUMENT = range(4)


def pscheduler(event: EventBuilder, context: Context) -> None:
    """Fill the fields of a document as archivers send it, also if jq has stripped it."""
    read_run(event, context, _DOCUMENT)


def pscheduler_plugin(event: EventBuilder, context: Context) -> None:
    """Fill the fields of a plug-in's input. Raises InvalidRecord if a transform left no object, or no time is known."""
    inner = event.values.get("result")
    if not isinstance(inner, Mapping):
        raise InvalidRecord("shape", "the transform of this archiver left no JSON object", "result", "JSON object")
    addresses: dict[str, Any] = {"href": event.values.get("run-href"), "task-href": event.values.get("task-href")}
    if _OF_DOCUMENT & inner.keys():
        event.values = {**inner, "run": {**addresses, **object_of(inner.get("run"))}}
        read_run(event, context, _PLUGIN)
        return
    at_capture(event, context)
    event.values = {"result": inner, "run": addresses}
    read_run(event, context, _BARE)


def pscheduler_run(event: EventBuilder, context: Context) -> None:
    """Fill the fields of a run as the REST API returns it: without test and tool."""
    run = event.values
    event.values = {"run": run, "result": run.get("result"), "participants": run.get("participants")}
    read_run(event, context, _RUN)


def pscheduler_result(event: EventBuilder, context: Context) -> None:
    """Fill the fields of a result alone. Raises InvalidRecord without a capture time."""
    at_capture(event, context)
    event.values = {"result": event.values}
    read_run(event, context, _BARE)


SHAPES: Mapping[str, Callable[[EventBuilder, Context], None]] = {
    "pscheduler": pscheduler,
    "pscheduler_plugin": pscheduler_plugin,
    "pscheduler_run": pscheduler_run,
    "pscheduler_result": pscheduler_result,
}
