"""The state of a run id: the set of its marks, and three numbers. Stored as a document of kind runstate.

The state is changed by compare-and-swap only, before anything derived from it is written, so that of two workers one
sees the other's marks. Everything derived is a function of one runstate document: a revision has one watermark, and all
writers of a revision's documents write the same ones. That is why a worker never moves time: `with_marks` keeps the
watermark, and only the sweeper's `at_watermark` moves it on; both make the next revision. Time never goes back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import orjson

from ingest.core.mark import MarkKind, RunKey, RunMark, year_of
from ingest.core.timestamps import EARLIEST_MS, iso, iso_ms

LARGE = 10_000
AT_ONCE_MS = EARLIEST_MS  # due at any watermark: the documents that follow from the state are not written yet


@dataclass(frozen=True, slots=True)
class RunState:
    """The state of a run id.

    Attributes:
        marks: id -> mark; the set only grows.
        revision: counts the changes; the external version of the derived documents. 0: never written.
        issued: the highest instance number that any revision had.
        watermark_ms: the watermark of the last sweep that changed the state; None before the first.
    """

    key: RunKey
    marks: Mapping[str, RunMark] = field(default_factory=dict)
    revision: int = 0
    issued: int = 0
    watermark_ms: int | None = None

    @property
    def large(self) -> bool:
        """Whether the run has more than LARGE marks, so that only the sweeper derives it."""
        return len(self.marks) > LARGE


def with_marks(state: RunState, marks: Iterable[RunMark]) -> RunState:
    """The state with more marks, at the next revision; the very same state if they add nothing."""
    merged = union(state.marks, marks)
    return state if merged == state.marks else replace(state, marks=merged, revision=state.revision + 1)


def at_watermark(state: RunState, watermark_ms: int) -> RunState:
    """The state at a later watermark, at the next revision; the very same state if it is no later."""
    if state.watermark_ms is not None and watermark_ms <= state.watermark_ms:
        return state
    return replace(state, watermark_ms=watermark_ms, revision=state.revision + 1)


def next_revision(state: RunState) -> RunState:
    """The same state at the next revision, so that documents judged by a newer template replace the earlier ones."""
    return replace(state, revision=state.revision + 1)


def json_of(state: RunState, issued: int, due_ms: int | None) -> str:
    """The document of a state with at least one mark; `issued` and `due_ms` come from its derivation."""
    fields: dict[str, Any] = {
        "revision": state.revision,
        "issued": max(issued, state.issued),
        "marks": len(state.marks),
        "set": orjson.Fragment(marks_to_json(state.marks)),
    }
    for name, ms in (("watermark", state.watermark_ms), ("due", due_ms)):
        if ms is not None:
            fields[name] = iso(ms)
    facility, source, run = state.key
    newest_ms = max([mark.at_ms for mark in state.marks.values()])
    perf = {"facility": facility, "source": source, "run": {"id": run}, "runstate": fields}
    return orjson.dumps({"@timestamp": iso(newest_ms), "perf": perf}).decode()


def state_of(body: Mapping[str, Any]) -> RunState:
    """The state stored in a document of kind runstate."""
    perf = body["perf"]
    fields = perf["runstate"]
    watermark = fields.get("watermark")
    return RunState(
        RunKey(perf["facility"], perf["source"], perf["run"]["id"]),
        marks_from_json(fields["set"]),
        fields["revision"],
        fields["issued"],
        iso_ms(watermark) if watermark else None,
    )


def union(stored: Mapping[str, RunMark], marks: Iterable[RunMark]) -> dict[str, RunMark]:
    """The set with more marks added; equal to `known` if they add nothing."""
    merged = dict(stored)
    for mark in marks:
        before = merged.get(mark.id)
        if before is None:
            merged[mark.id] = mark
        elif before != mark:
            merged[mark.id] = _newest(before, mark)
    return merged


def _newest(one: RunMark, other: RunMark) -> RunMark:
    """The higher version, with all years in which either mark opened a stage. Ties break the same way always."""
    if one[2:] == other[2:]:  # nearly all marks: read again with the same result
        return one if one.version > other.version else other
    if one.version == other.version:
        newest = max(one, other, key=lambda mark: (mark.retracted, repr(mark)))
    else:
        newest = one if one.version > other.version else other
    own = {year_of(newest.at_ms)} if newest.opens else set()
    opened = tuple(sorted((one.years | other.years) - own))
    return newest if opened == newest.opened else newest._replace(opened=opened)


def marks_to_json(marks: Mapping[str, RunMark]) -> str:
    """The set as JSON, some 60 bytes a mark: what marks share is stored once. Equal sets give equal texts.

    Text, since every change of a run writes its whole set: dictionaries would take three times as long.
    """
    numbers: dict[MarkKind, int] = {}
    texts = []
    for key in sorted(marks):
        doc_id, version, at_ms, lag_ms, kind, retracted, opened = marks[key]
        number = numbers.setdefault(kind, len(numbers))
        past = f",{retracted:d},{list(opened)}" if retracted or opened else ""
        texts.append(f'["{doc_id}",{version},{at_ms},{"null" if lag_ms is None else lag_ms},{number}{past}]')
    return f'{{"what":[{",".join(map(_kind_json, numbers))}],"marks":[{",".join(texts)}]}}'


@lru_cache(maxsize=8192)
def _kind_json(kind: MarkKind) -> str:
    return orjson.dumps(tuple(kind)).decode()


def marks_from_json(form: Mapping[str, Any]) -> dict[str, RunMark]:
    """Parse a set that `marks_to_json` wrote."""
    kinds = [MarkKind(*fields) for fields in form["what"]]
    marks = {}
    for doc_id, version, at_ms, lag_ms, kind_number, *rest in form["marks"]:
        past = (bool(rest[0]), tuple(rest[1])) if rest else ()
        marks[doc_id] = RunMark(doc_id, version, at_ms, lag_ms, kinds[kind_number], *past)
    return marks
