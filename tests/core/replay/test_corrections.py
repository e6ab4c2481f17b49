"""Stored lines that are read again: whatever the order, and whoever reads them, the newest reading is all that is left.

A little world of pure values: what Elasticsearch does with external versions, and what runs do with sets of marks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.decode.bodies import original_of
from ingest.core.ids import at_revision, revision_of, version
from ingest.core.mark import MarkKind, RunKey, RunMark
from ingest.core.replay.corrections import (
    CORRECTED,
    GONE,
    TO_INDEX,
    TO_RUN,
    TO_TIME,
    left_run,
    reconcile,
    tombstone,
)
from ingest.core.replay.stored_line import DocumentVersion, StoredLine, stored_line
from ingest.core.runs.derive import STATE_BITS
from ingest.core.runs.state import union
from tests.support.amount import examples

FACILITY, SOURCE = "als", "als_perf"
FEBRUARY, MARCH = "perf-marks-als-2016.02", "perf-marks-als-2016.03"
BEGIN_MS, LATER_MS = 1_454_737_177_000, 1_457_000_000_000
START = MarkKind("A", "START", "start")
RUNS = st.sampled_from(["1-1", "2-2", ""])
PLACES = st.sampled_from([(FEBRUARY, BEGIN_MS), (MARCH, LATER_MS)])


@st.composite
def readings(draw: st.DrawFn) -> dict[int, list[DocumentVersion]]:
    """What each of three revisions makes of one line: of its two pairs both, one, or none."""
    by_revision = {}
    for revision in (1, 2, 3):
        by_revision[revision] = [
            DocumentVersion(index, doc_id, version(0, 0, revision), SOURCE, draw(RUNS), at_ms)
            for doc_id in draw(st.sampled_from([["a", "b"], ["a"], ["b"], ["a", "b"], []]))
            for index, at_ms in [draw(PLACES)]
        ]
    return by_revision


@dataclass
class Pages:
    """What is stored, and what the runs hold. A stored body is an edition, or None for a tombstone.

    `apart`: the documents of a line lie so far apart that a replay sends it once for each month. `stages`: by id the
    version, and the run of which it is, None for a tombstone; `revisions` counts the changes of each run.
    """

    readings: dict[int, list[DocumentVersion]]
    apart: bool = True
    stored: dict[tuple[str, str], tuple[int, DocumentVersion | None]] = field(default_factory=dict)
    has_bytes: set[tuple[str, str]] = field(default_factory=set)
    runs: dict[RunKey, dict[str, RunMark]] = field(default_factory=dict)
    stages: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    revisions: dict[RunKey, int] = field(default_factory=dict)

    def write(self, index: str, doc_id: str, version_: int, body: DocumentVersion | None, bytes_: bool = True) -> int:
        """As Elasticsearch: what is not higher is not taken; the version that stands there then."""
        stored_version = self.stored.get((index, doc_id), (0, None))[0]
        if version_ > stored_version:
            self.stored[index, doc_id] = version_, body
            (self.has_bytes.add if bytes_ else self.has_bytes.discard)((index, doc_id))
        return max(version_, stored_version)

    def merge(self, key: RunKey | None, mark: RunMark) -> None:
        """As a worker merges a mark, and writes what follows."""
        if key is None:
            return
        before = self.runs.get(key, {})
        after = self.runs[key] = union(before, [mark])
        if after == before:
            return
        self.revisions[key] = self.revisions.get(key, 0) + 1
        self.derive(key)

    def derive(self, key: RunKey) -> None:
        """As a worker writes the stages of a run."""
        for mark in self.runs[key].values():
            version_ = (revision_of(mark.version) << STATE_BITS) + (0 if mark.retracted else self.revisions[key])
            if version_ > self.stages.get(mark.id, (-1, None))[0]:
                self.stages[mark.id] = version_, None if mark.retracted else key.run

    def ship(self, revision: int) -> None:
        """The line is read as a shipped one."""
        for made in self.readings[revision]:
            if self.write(made.index, made.id, made.version, made) == made.version:
                self.merge(made.key(FACILITY), _mark(made))

    def records(self) -> list[tuple[DocumentVersion, ...]]:
        """What a replay sends."""
        lists_by_index: dict[str, list[DocumentVersion]] = {}
        for (index, doc_id), (version_, body) in self.stored.items():
            if (index, doc_id) in self.has_bytes:
                stone = DocumentVersion(index, doc_id, version_, SOURCE, "", BEGIN_MS)
                lists_by_index.setdefault(index if self.apart else "", []).append(body or stone)
        return [tuple(documents) for documents in lists_by_index.values()]

    def read(self, previous: tuple[DocumentVersion, ...], revision: int) -> None:
        """A record of a replay is read."""
        made = self.readings[revision]
        verdict = reconcile(made, previous, FACILITY, {SOURCE: revision})
        for n, made_version in enumerate(made):
            if n in verdict.outdated:
                if n not in verdict.already_stored:
                    self.write(made_version.index, made_version.id, verdict.outdated[n], None, bytes_=False)
            elif (
                self.write(made_version.index, made_version.id, made_version.version, made_version)
                == made_version.version
            ):
                self.merge(made_version.key(FACILITY), _mark(made_version))
        for retraction in verdict.retractions:
            old = retraction.old
            self.write(old.index, old.id, retraction.version, None, not retraction.replaced)
        for key, mark in verdict.left_runs:
            self.merge(key, mark)

    def replay(self, revision: int) -> None:
        """Sent and read."""
        for previous in self.records():
            self.read(previous, revision)

    def take_out(self) -> None:
        """What was left behind in runs."""
        for key, marks in list(self.runs.items()):
            for mark in list(marks.values()):
                index = FEBRUARY if mark.at_ms == BEGIN_MS else MARCH
                version_, body = self.stored.get((index, mark.id), (0, None))
                gone = left_run(key, mark, version_, body.key(FACILITY) if body else None)
                if gone is not None:
                    self.merge(key, gone)

    @property
    def visible(self) -> set[DocumentVersion]:
        """What is not retracted."""
        return {body for _, body in self.stored.values() if body is not None}

    @property
    def counted(self) -> dict[tuple[str, str], int]:
        """Run and mark -> the version that counts."""
        return {
            (key.run, mark.id): mark.version
            for key, marks in self.runs.items()
            for mark in marks.values()
            if not mark.retracted
        }


def _mark(edition: DocumentVersion) -> RunMark:
    return RunMark(edition.id, edition.version, edition.at_ms, None, START)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ship"), st.integers(1, 3)),
        st.tuples(st.just("send"), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 3)),
    ),
    max_size=12,
)
MANY = settings(max_examples=examples(2000))


def played(
    pages: Pages, steps: list[tuple[str, int]], pick: Callable[[int], int], last: tuple[int, ...] = (1, 2, 3)
) -> Pages:
    """The line was read by the first revision; then what the steps say; then all that is under way is read."""
    under_way: list[tuple[DocumentVersion, ...]] = []
    pages.ship(1)
    for step, revision in steps:
        if step == "ship":
            pages.ship(revision)
        elif step == "send":
            under_way += pages.records()
        elif under_way:
            pages.read(under_way[pick(len(under_way))], revision)
    for previous in under_way:
        pages.read(previous, last[pick(len(last))])
    return pages


def assert_newest_is_left(pages: Pages) -> None:
    """Documents, and the marks that count; of a line that nothing was ever made of nothing is stored."""
    if pages.stored:
        assert pages.visible == set(pages.readings[3])
        assert pages.counted == {(m.run, m.id): m.version for m in pages.readings[3] if m.run}
        stages = {doc_id: run for doc_id, (_, run) in pages.stages.items() if run is not None}
        assert stages == {m.id: m.run for m in pages.readings[3] if m.run}


@given(readings(), STEPS, st.data())
@MANY
def test_in_any_order_the_newest_reading_is_all_that_is_left(
    by_revision: dict[int, list[DocumentVersion]], steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    """Shipped and replayed in any order, read by any revision, twice and late; then replayed by the newest."""
    pages = played(Pages(by_revision), steps, lambda of: data.draw(st.integers(0, of - 1)))

    for _ in range(2):  # what was overwritten without a word is found once it is
        pages.replay(3)
        pages.take_out()

    assert_newest_is_left(pages)
    before = dict(pages.stored), {key: dict(marks) for key, marks in pages.runs.items()}
    pages.replay(3)
    pages.take_out()
    assert (pages.stored, pages.runs) == before


@given(readings(), STEPS, st.data())
@MANY
def test_the_records_alone_tell_of_all_that_moved(
    by_revision: dict[int, list[DocumentVersion]], steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    """An old and a new revision, all that was shipped read by the old one, lines sent whole: nothing is left behind."""
    replays = [(step, 3 if revision == 3 else 1) for step, revision in steps if step != "ship"]
    pages = played(Pages(by_revision, apart=False), replays, lambda of: data.draw(st.integers(0, of - 1)), (1, 3))

    pages.replay(3)

    assert_newest_is_left(pages)


def edition(index: str = FEBRUARY, revision: int = 1, run: str = "1-1", at_ms: int = BEGIN_MS) -> DocumentVersion:
    """A document of a line."""
    return DocumentVersion(index, "a", version(0, 0, revision), SOURCE, run, at_ms)


def test_a_stage_outlives_an_older_reading_that_comes_late() -> None:
    """A revision takes back what the one before moved, and the one before reads the same record after it."""
    pages = Pages({1: [edition()], 2: [edition(MARCH, 2, "2-2", LATER_MS)], 3: [edition(revision=3)]})
    pages.ship(1)
    (record,) = pages.records()
    pages.read(record, 3)
    pages.read(record, 2)
    assert pages.stages["a"][1] == "1-1"

    pages.replay(3)

    assert_newest_is_left(pages)


def test_a_stage_outlives_the_run_that_hears_late_that_it_lost_the_mark() -> None:
    """Shipping moved it without a word; it was replayed where it is now before the former run is told of it."""
    by_revision = {1: [edition()], 2: [edition(revision=2, run="2-2")], 3: [edition(revision=3, run="2-2")]}
    pages = Pages(by_revision)
    pages.ship(1)
    pages.ship(2)

    for _ in range(2):
        pages.replay(3)
        pages.take_out()

    assert_newest_is_left(pages)


def test_the_same_revision_changes_nothing() -> None:
    """What is made is there."""
    reconciled = reconcile([edition()], [edition()], FACILITY, {SOURCE: 1})

    assert reconciled.already_stored == {0}
    assert [
        reconciled.outdated,
        reconciled.retractions,
        reconciled.left_runs,
        reconciled.changes,
        reconciled.added,
    ] == [{}, [], [], [], 0]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (edition(revision=2), {CORRECTED}),
        (edition(revision=2, run="2-2"), {CORRECTED, TO_RUN}),
        (edition(MARCH, 2, at_ms=LATER_MS), {CORRECTED, TO_INDEX, TO_TIME}),
        (edition(MARCH, 2, "2-2", LATER_MS), {CORRECTED, TO_INDEX, TO_RUN, TO_TIME}),
        (None, {GONE}),
    ],
)
def test_what_is_corrected_is_told(now: DocumentVersion | None, words: set[str]) -> None:
    """In place, to another run, index or time; or nothing is made any more."""
    reconciled = reconcile([now] if now else [], [edition()], FACILITY, {SOURCE: 2})

    assert {word for word, _, _ in reconciled.changes} == words
    assert bool(reconciled.retractions) == bool({TO_INDEX, GONE} & words)
    assert bool(reconciled.left_runs) == bool({TO_RUN, GONE} & words)


def test_what_is_gone_is_retracted_by_a_higher_revision_only() -> None:
    """A source that is not asked any more, or an older worker, takes nothing back."""
    for revisions in ({SOURCE: 1}, {}):
        reconciled = reconcile([], [edition()], FACILITY, revisions)
        assert [reconciled.retractions, reconciled.left_runs, reconciled.changes] == [[], [], []]
    assert revision_of(reconcile([], [edition()], FACILITY, {SOURCE: 2}).retractions[0].version) == 2
    assert revision_of(at_revision(version(3, 77, 5), 9)) == 9


@pytest.mark.parametrize(
    "index",
    ["perf-marks-nersc-2016.02", "perf-runs-als", "perf-marks-als-2016.02-", "perf-rejects-als-2016.02", "x", ""],
)
def test_a_record_may_take_back_facts_of_its_own_facility_only(index: str) -> None:
    """Anything else that it names is passed over."""
    reconciled = reconcile([edition(revision=2)], [edition(index)], FACILITY, {SOURCE: 2})

    assert [reconciled.retractions, reconciled.left_runs, reconciled.changes, reconciled.outdated] == [[], [], [], {}]


@pytest.mark.parametrize("index", ["perf-marks-als", "perf-marks-als-2016"])
def test_facts_of_an_earlier_period_are_taken_back_too(index: str) -> None:
    """The period of the kind may have changed since they were written."""
    (retraction,) = reconcile([edition(revision=2)], [edition(index)], FACILITY, {SOURCE: 2}).retractions

    assert (retraction.old.index, retraction.replaced) == (index, True)


def test_what_a_record_tells_is_read_back() -> None:
    """And is believed of its own past only."""
    line = StoredLine(BEGIN_MS, 17, True, (edition(), edition(run="")))

    assert stored_line(line.text, BEGIN_MS) == line
    assert stored_line(line.text, BEGIN_MS - 1) is None
    assert stored_line(StoredLine(0, None, False, ()).text, BEGIN_MS) is None


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[", b"{}", b"7", b"[1,2,3]", b'["x",0,false,[]]', b"[1454737177000,-1,false,[]]",
        b"[1454737177000,0,1,[]]", b"[1454737177000,0,false,[[1,2]]]",
        b'[1454737177000,0,false,[["i","d",true,"s","r",0]]]', b"[1454737177000,0,false,7]",
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_believed(text: bytes) -> None:
    """Foreign shippers write what they like."""
    assert stored_line(text, LATER_MS) is None


def test_a_tombstone_keeps_the_bytes_where_nobody_else_has_them() -> None:
    """So that a line of which no document is left can be read again."""
    body = {"event": {"original": "x", "created": "2016-02-06T00:00:00Z"}, "log": {"offset": 3}, "perf": {"a": 1}}

    bare, whole = tombstone(edition(), FACILITY), tombstone(edition(), FACILITY, body)

    assert bare["perf"] == whole["perf"]
    assert bare["perf"] == {"facility": "als", "source": SOURCE, "retracted": True}
    assert "event" not in bare
    assert (whole["event"], whole["log"]) == (body["event"], body["log"])
    assert (original_of(whole), original_of(bare)) == (b"x", b"")


def test_an_older_reading_loses_against_what_its_record_tells_of() -> None:
    """It is written as a tombstone of that version, or not counted where both stand at one place."""
    newer, own = edition(MARCH, 2, "2-2", LATER_MS), edition()

    elsewhere = reconcile([own], [newer], FACILITY, {SOURCE: 1})
    in_place = reconcile([own], [edition(revision=2, run="2-2")], FACILITY, {SOURCE: 1})

    for reconciled in (elsewhere, in_place):
        assert reconciled.outdated == {0: 2}
        assert [(key.run, mark.id, mark.version, mark.retracted) for key, mark in reconciled.left_runs] == [
            ("1-1", "a", 2, True)
        ]
        assert not reconciled.changes
    assert (elsewhere.already_stored, in_place.already_stored) == (set(), {0})


def test_of_equal_versions_the_one_that_stands_counts() -> None:
    """Settings that changed without a revision correct nothing, and leave nothing twice."""
    reconciled = reconcile([edition(MARCH, 1, "2-2", LATER_MS)], [edition()], FACILITY, {SOURCE: 1})

    assert reconciled.outdated == {0: 1}
    assert [reconciled.retractions, reconciled.left_runs, reconciled.changes] == [[], [], []]


def test_what_is_gone_leaves_its_bytes() -> None:
    """A line that a newer revision does not read any more may be read by the next; one with a successor is there."""
    gone = reconcile([], [edition()], FACILITY, {SOURCE: 2}).retractions
    moved = reconcile([edition(MARCH, 2, at_ms=LATER_MS)], [edition()], FACILITY, {SOURCE: 2}).retractions

    assert [retraction.replaced for retraction in (*gone, *moved)] == [False, True]
