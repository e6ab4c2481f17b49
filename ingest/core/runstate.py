"""What is kept of a run id: the set of its marks, and three numbers. A document of kind runstate.

It is written by compare-and-swap only, before anything that is derived from it, so that of two workers one sees the
other's marks. Everything derived is a function of one runstate document: a revision has one watermark, and whoever
writes the documents of a revision writes the same ones. That is why a worker lets no time pass: `grown` keeps the
watermark, and only the sweeper's `swept` moves it on, each with the next revision. Time does not go back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ingest.core.clock import EARLIEST_MS, iso, iso_ms
from ingest.core.runmarks import RunKey, RunMark, as_json, of_json, union

LARGE = 10_000
AT_ONCE_MS = EARLIEST_MS  # a `due` that no watermark is needed for: what follows from the state was not written yet


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a run id.

    Attributes:
        marks: id -> mark; the set only grows.
        revision: counts its changes; the external version of what is derived from it. 0: never written.
        issued: the highest instance that any revision had.
        watermark_ms: up to when a sweep has let time pass; None before the first.
    """

    key: RunKey
    marks: Mapping[str, RunMark] = field(default_factory=dict)
    revision: int = 0
    issued: int = 0
    watermark_ms: int | None = None

    @property
    def large(self) -> bool:
        """Whether it is left to the sweeper: more than LARGE marks."""
        return len(self.marks) > LARGE


def grown(state: RunState, marks: Iterable[RunMark]) -> RunState:
    """The state with more marks, at the next revision; the very same state when they add nothing."""
    merged = union(state.marks, marks)
    return state if merged == state.marks else replace(state, marks=merged, revision=state.revision + 1)


def swept(state: RunState, watermark_ms: int) -> RunState:
    """The state at a later watermark, at the next revision; the very same state when it is no later."""
    if state.watermark_ms is not None and watermark_ms <= state.watermark_ms:
        return state
    return replace(state, watermark_ms=watermark_ms, revision=state.revision + 1)


def again(state: RunState) -> RunState:
    """The same at the next revision, so that what is derived from it by a newer template replaces what was."""
    return replace(state, revision=state.revision + 1)


def json_of(state: RunState, issued: int, due_ms: int | None) -> str:
    """The document to write before what was derived, of at least one mark; `issued` and `due_ms` as derived from it."""
    told: dict[str, Any] = {
        "revision": state.revision,
        "issued": max(issued, state.issued),
        "marks": len(state.marks),
        "set": orjson.Fragment(as_json(state.marks)),
    }
    for name, ms in (("watermark", state.watermark_ms), ("due", due_ms)):
        if ms is not None:
            told[name] = iso(ms)
    facility, source, run = state.key
    newest_ms = max([mark.at_ms for mark in state.marks.values()])
    perf = {"facility": facility, "source": source, "run": {"id": run}, "runstate": told}
    return orjson.dumps({"@timestamp": iso(newest_ms), "perf": perf}).decode()


def state_of(body: Mapping[str, Any]) -> RunState:
    """The state in a document of kind runstate."""
    perf = body["perf"]
    told = perf["runstate"]
    watermark = told.get("watermark")
    return RunState(
        RunKey(perf["facility"], perf["source"], perf["run"]["id"]),
        of_json(told["set"]),
        told["revision"],
        told["issued"],
        iso_ms(watermark) if watermark else None,
    )
