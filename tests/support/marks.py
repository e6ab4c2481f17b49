"""Helpers of tests of runs: marks from a few words, marks of lines, and strategies for sets of marks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from ingest.core.fields import Schema
from ingest.core.ids import digest_id
from ingest.core.mark import MarkKind, RunKey, RunMark, key_of, mark_of
from ingest.core.model import Document, Outcomes
from ingest.core.runs.derive import derive, documents
from ingest.core.runs.run import Run, runs_of
from ingest.core.runs.state import RunState, union, with_marks

KEY = RunKey("als", "als_perf", "1-2")
BEGIN_MS = 1_454_737_177_000
ROLES = {
    "START": "start",
    "END": "end",
    "QSTART": "queued",
    "WSTART": "work",
    "QEND": "end",
    "WEND": "end",
    "X": "other",
}


def mark(at_s: float, word: str, stage: str = "", lag_s: float | None = 1, version: int = 2) -> RunMark:
    """A mark `at_s` seconds into the run; `word` is its key without `_DATE`."""
    role = ROLES.get(word) or ("end" if word.endswith("END") else "start")
    name = stage or ("SUBMIT" if word[0] in "QW" else "A")
    at_ms = BEGIN_MS + round(at_s * 1000)
    lag_ms = None if lag_s is None else round(lag_s * 1000)
    doc_id = digest_id(f"{word}/{name}/{at_ms}/{lag_ms}".encode())
    return RunMark(doc_id, version, at_ms, lag_ms, MarkKind(name, f"{word}_DATE", role, name))


def marks(text: str) -> list[RunMark]:
    """`0 START A, 5 END A` -> marks; a fourth word is the lag in seconds, or `-` for none."""
    run_marks = []
    for part in text.split(","):
        at_s, word, *rest = part.split()
        lag_s = None if rest[1:] == ["-"] else float(rest[1]) if rest[1:] else 1
        run_marks.append(mark(float(at_s), word, rest[0] if rest else "", lag_s))
    return run_marks


def run(text: str, watermark_s: float | None = None) -> Run:
    """The only run of marks in this notation."""
    (derived_run,) = runs_of(KEY, marks(text), None if watermark_s is None else BEGIN_MS + round(watermark_s * 1000))
    return derived_run


def figures_of(run: Run) -> list[tuple[Any, ...]]:
    """Stage, kind, seconds and closer of each stage."""
    return [(s.mark.what.stage, s.kind, in_s(s.duration_ms), s.closed_by) for s in run.stages]


def in_s(ms: int | None) -> float | None:
    """Seconds."""
    return None if ms is None else ms / 1000


def runs_in(outcomes: Iterable[Outcomes]) -> list[Run]:
    """The runs of the documents that lines became."""
    sets = marks_by_run(document for outcome in outcomes for document in outcome.documents)
    runs = [run for key, of_run in sets.items() for run in runs_of(key, of_run.values())]
    return sorted(runs, key=lambda run: (run.first_ms, run.key))


def marks_by_run(documents: Iterable[Document]) -> dict[RunKey, dict[str, RunMark]]:
    """The sets of many runs, from documents of kind marks; those of no run are skipped."""
    sets: dict[RunKey, list[RunMark]] = {}
    for document in documents:
        key, mark = key_of(document.body), mark_of(document.id, document.version, document.body)
        if key is not None and mark is not None:
            sets.setdefault(key, []).append(mark)
    return {key: union({}, of_run) for key, of_run in sets.items()}


def written(state: RunState, schema: Schema) -> dict[tuple[str, str], dict[str, Any]]:
    """(index, id) -> body of every document of a state, tombstones included."""
    return {(d.index, d.id): d.body for d in documents(derive(state), schema)}


def state_of_marks(run_marks: Iterable[RunMark], watermark_ms: int | None = None, issued: int = 0) -> RunState:
    """A state with these marks."""
    return with_marks(RunState(KEY, watermark_ms=watermark_ms, issued=issued), run_marks)


def is_retracted(body: Mapping[str, Any]) -> bool:
    """Whether it is a tombstone."""
    return bool(body["perf"].get("retracted"))


DAY_S = 86_400
# Few stages, keys and instants, so that ties, repeats, second attempts, overlaps and joined instances are frequent.
INSTANTS_S = st.one_of(
    st.integers(0, 40), st.integers(0, 40).map(lambda n: n * 600), st.integers(0, 9).map(lambda n: n * 4 * DAY_S)
)
ONE_MARK = st.builds(
    mark,
    INSTANTS_S,
    st.sampled_from(
        ["START", "START", "START", "END", "QSTART", "WSTART", "QEND", "WEND", "X", "XFER_START", "XFER_END"]
    ),
    st.sampled_from(["", "A", "B", "C", "SUBMIT"]),
    st.sampled_from([None, -1, 0, 1, 2, 14, 700]),
)
MARKS = st.lists(ONE_MARK, min_size=1, max_size=14)


@st.composite
def versions(draw: st.DrawFn, run_marks: Sequence[RunMark]) -> list[RunMark]:
    """Newer versions of some of the marks: another role, another instant (years away), or retracted."""
    newer = []
    for run_mark in run_marks:
        change = draw(st.sampled_from(["none", "none", "none", "role", "year", "gone", "lag"]))
        if change == "role":
            newer.append(run_mark._replace(version=3, what=run_mark.what._replace(role="other")))
        elif change == "year":
            newer.append(run_mark._replace(version=3, at_ms=run_mark.at_ms + 400 * DAY_S * 1000))
        elif change == "gone":
            newer.append(run_mark._replace(version=4, retracted=True))
        elif change == "lag":
            newer.append(run_mark._replace(version=3, lag_ms=5000))
    return newer
