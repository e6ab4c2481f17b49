"""Edits of scripts, told by the line numbers that they print from: one marker each."""

from collections import Counter
from collections.abc import Iterable, Iterator
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.analysis.script_changes import ScriptChange, Spell, script_changes
from ingest.core.decode.decoder import Decoder
from ingest.core.model import Intake, Message
from ingest.core.timestamps import iso_ms
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Made, Shares, Workload
from ingest.synthetic.workload.workflow_model import WHOLE
from tests.core.conftest import GRAMMARS
from tests.support.amount import examples
from tests.support.derived import RECEIVED_MS, shipped


def seen(script: str, stage: str, line: int, *at: int) -> list[Spell]:
    """Marks of a stage's start, each by itself."""
    return [Spell(script, stage, "START_DATE", line, at_ms, at_ms) for at_ms in at]


def test_one_edit_of_a_script_that_prints_many_stages_is_one_marker() -> None:
    """submitSuperGalJob.sh:91 -> :97 moves all its stages, which are seen again one by one; its ENDs too."""
    ends = [Spell("gal.sh", "A", "END_DATE", 100, 12, 12), Spell("gal.sh", "A", "END_DATE", 106, 33, 33)]
    before = [*seen("gal.sh", "A", 91, 10), *seen("gal.sh", "B", 91, 20), *seen("norm.sh", "N", 32, 5, 35)]
    after = [*seen("gal.sh", "A", 97, 30), *seen("gal.sh", "B", 97, 40)]

    assert script_changes([*before, *after, *ends]) == [ScriptChange("gal.sh", 91, 97, 20, 30, 3)]


def test_each_edit_has_its_own_also_one_that_is_taken_back() -> None:
    """91, 97, 91 are two; two scripts edited at once are two."""
    gal = [*seen("gal.sh", "A", 91, 10), *seen("gal.sh", "A", 97, 20), *seen("gal.sh", "A", 91, 30)]
    norm = [*seen("norm.sh", "N", 32, 9), *seen("norm.sh", "N", 33, 20)]

    assert [(change.script, change.before, change.after) for change in script_changes([*gal, *norm])] == [
        ("gal.sh", 91, 97), ("norm.sh", 32, 33), ("gal.sh", 97, 91)
    ]  # fmt: skip


def test_a_stage_that_comes_seldom_adds_no_edit() -> None:
    """It was seen before two edits and after them: both are known from others."""
    often = [*seen("gal.sh", "A", 91, 10), *seen("gal.sh", "A", 92, 20), *seen("gal.sh", "A", 95, 30)]
    seldom = [*seen("gal.sh", "B", 191, 5), *seen("gal.sh", "B", 195, 40)]

    assert [(change.before, change.after) for change in script_changes([*often, *seldom])] == [(91, 92), (92, 95)]


def test_different_lines_of_one_script_are_no_edit() -> None:
    """The two lines of the queue, 1143 and 1144, stand in each run; stages of one script may have a line each."""
    queue = [
        Spell("rabbit.sh", "SUBMIT", key, line, at, at)
        for at in range(0, 100, 10)
        for key, line in (("QSTART_DATE", 1143), ("WSTART_DATE", 1144))
    ]

    assert script_changes([*queue, *seen("gal.sh", "A", 91, 1, 9), *seen("gal.sh", "B", 95, 2, 8)]) == []


def marks(lines: Iterable[bytes]) -> list[Spell]:
    """What marks of these lines tell."""
    registry = shipped(GRAMMARS)
    decoder = Decoder(Intake("test", "t", "als", ("als_perf",), "w"), registry.sources, registry.schema)
    stage_marks = []
    for line in lines:
        for document in decoder.decode(Message(line, RECEIVED_MS, backfill=True), 0).documents:
            body = document.body
            file, at_ms = body["log"]["origin"]["file"], iso_ms(body["@timestamp"])
            stage, key = body["perf"]["stage"]["name"], body["perf"]["mark"]["key"]
            stage_marks.append(Spell(file["name"], stage, key, file["line"], at_ms, at_ms))
    return stage_marks


@settings(deadline=None, max_examples=examples(24))
@given(st.integers(0, 2**32), st.sampled_from([0.0, 1.0]))
def test_edits_planted_between_generated_runs_are_found_each_once(seed: int, with_ends: float) -> None:
    """Runs of all stages that follow one another; before some of them scripts are edited, or an edit is taken back.

    Exactly these, each once and between the right two runs; shuffled and repeated the same.
    """
    rng = Random(seed)
    moved: dict[str, int] = {}
    planted: list[tuple[str, int, int]] = []
    lines: list[bytes] = []
    ended_ms = 0
    for run in following_runs(seed, with_ends):
        at_ms = [spell.first_ms for spell in marks(run)]
        scripts = sorted({line.split(b": ")[1].split(b":")[0].decode() for line in run})
        for script in rng.sample(scripts, rng.choice([0, 0, 1, 2])) if lines else ():
            moved[script] = rng.choice([n for n in range(4) if n != moved.get(script, 0)])
            planted.append((script, ended_ms, max(at_ms)))
        lines += [shifted(line, moved) for line in run]
        ended_ms = max(at_ms)

    changes = script_changes(marks(lines))

    assert Counter(change.script for change in changes) == Counter(script for script, *_ in planted)
    for script, before_ms, behind_ms in planted:
        assert any(
            change.script == script and change.since_ms <= before_ms < change.at_ms <= behind_ms for change in changes
        )
    again = [*lines, *lines[::3]]
    assert script_changes(marks(rng.sample(again, len(again)))) == changes


def following_runs(seed: int, with_ends: float) -> Iterator[list[bytes]]:
    """The lines of runs of all stages, each behind the end of the one before."""
    workload = Workload(seed, 1_500, span_s=40 * 86_400.0, shares=Shares(with_ends=with_ends))
    by_run: dict[str, list[Made]] = {}
    for made in messages(workload):
        by_run.setdefault(made.truth.facts[0].run or "", []).append(made)
    ended_ms = 0
    for run in by_run.values():
        stages = {made.truth.facts[0].stage for made in run} - {"SUBMIT"}
        at_ms = [made.truth.facts[0].at_ms for made in run]
        if len(stages) == len(WHOLE) and min(at_ms) > ended_ms:
            yield [made.data for made in run]
            ended_ms = max(at_ms)


def shifted(line: bytes, moved: dict[str, int]) -> bytes:
    """The line as the edited script prints it."""
    stamp, _, rest = line.partition(b": ")
    script, number, *more = rest.split(b":")
    now = int(number) + moved.get(script.decode(), 0)
    return stamp + b": " + b":".join([script, str(now).encode(), *more])
