"""The four shapes in which pScheduler's results travel (perfsonar.md, 1.1), each brought to the first one's keys.

    pscheduler          the document that archivers send
    pscheduler_plugin   what an archiver's plug-in reads: that document, or what a jq transform left, beside addresses
    pscheduler_run      the run as REST tells it
    pscheduler_result   the result alone; when it happened is what its shipper says

The same run may come in all of them: it is one fact, and the shape that tells most of it stands.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ingest.core.network import read_run
from ingest.core.tolerant import object_of
from ingest.core.turn import Context, Refused, Turn, at_capture

_OF_DOCUMENT = {"id", "run", "test", "task", "schedule"}
_BARE, _RUN, _PLUGIN, _DOCUMENT = range(4)


def pscheduler(turn: Turn, context: Context) -> None:
    """Fill the fields of a document as archivers send it, also one that jq has stripped."""
    read_run(turn, context, _DOCUMENT)


def pscheduler_plugin(turn: Turn, context: Context) -> None:
    """Fill the fields of a plug-in's input. Raises Refused when a transform left no object, or no time is known."""
    inner = turn.values.get("result")
    if not isinstance(inner, Mapping):
        raise Refused("shape", "the transform of this archiver left no JSON object", "result", "JSON object")
    addresses: dict[str, Any] = {"href": turn.values.get("run-href"), "task-href": turn.values.get("task-href")}
    if _OF_DOCUMENT & inner.keys():
        turn.values = {**inner, "run": {**addresses, **object_of(inner.get("run"))}}
        read_run(turn, context, _PLUGIN)
        return
    at_capture(turn, context)
    turn.values = {"result": inner, "run": addresses}
    read_run(turn, context, _BARE)


def pscheduler_run(turn: Turn, context: Context) -> None:
    """Fill the fields of a run as REST tells it: no test, no tool."""
    run = turn.values
    turn.values = {"run": run, "result": run.get("result"), "participants": run.get("participants")}
    read_run(turn, context, _RUN)


def pscheduler_result(turn: Turn, context: Context) -> None:
    """Fill the fields of a result alone. Raises Refused without a capture time."""
    at_capture(turn, context)
    turn.values = {"result": turn.values}
    read_run(turn, context, _BARE)


SHAPES: Mapping[str, Callable[[Turn, Context], None]] = {
    "pscheduler": pscheduler,
    "pscheduler_plugin": pscheduler_plugin,
    "pscheduler_run": pscheduler_run,
    "pscheduler_result": pscheduler_result,
}
