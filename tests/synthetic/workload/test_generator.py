"""The generator: lines of known truth, held against the core; the same every time, as many as asked, plausible.

The truth comes from the generator's plan, the outcomes from the core, which reads the bytes: a mistake of either shows.
What can be known of runs is held against what is derived in test_runs_truth.py.
"""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import Intake, Message, Outcomes, Problem, Provenance
from ingest.core.sources.loader import load_sources
from ingest.core.timestamps import iso
from ingest.synthetic.workload.generator import Made, RunTruth, Shares, Slowed, Workload, messages, runs_truth
from ingest.synthetic.workload.truth import INDEX, ExpectedDocument
from tests.support.amount import examples

GRAMMARS = Path(__file__).parents[3] / "grammars"
RECEIVED_MS = 1_790_000_000_000
RUNS = ("parallel", "retried", "stuck", "late", "skewed", "with_ends", "headless", "tailless", "reused")
EVERYTHING = Shares(
    **dict.fromkeys(RUNS, 0.2), torn=0.1, glued=0.1, refused=0.1, poisoned=0.05, foreign=0.1, repeated=0.1
)
SUMMER_ENDS_MS = int(datetime(2016, 11, 6, 6, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    """The core as an intake of lines has it."""
    schema = load_schema(GRAMMARS / "fields.toml")
    return Decoder(Intake("test", "t", "als", ("als_perf",), "w"), load_sources(GRAMMARS, schema), schema)


def outcomes(decoder: Decoder, made: Made) -> Outcomes:
    """What the core makes of a message."""
    return decoder.decode(Message(made.data, RECEIVED_MS, Provenance(), backfill=True), 0)


def fact_of(body: dict[str, Any]) -> ExpectedDocument:
    """A document as the generator tells it."""
    perf, log = body["perf"], body["log"]["origin"]["file"]
    return ExpectedDocument(
        body["event"]["original"],
        body["@timestamp"],
        perf["mark"]["logged"],
        perf["run"]["id"],
        perf["stage"]["name"],
        perf["mark"]["key"],
        log["name"],
        log["line"],
        tuple(perf.get("flags", ())),
    )


def with_iso_times(fact: ExpectedDocument) -> ExpectedDocument:
    """A fact with its times as a document has them."""
    return replace(fact, at_ms=iso(fact.at_ms), logged_ms=iso(fact.logged_ms))  # type: ignore[arg-type]


def assert_agree(decoder: Decoder, made: Made) -> None:
    """Outcome, reason and facts of one message are the same by plan and by reading."""
    decoded, truth = outcomes(decoder, made), made.truth
    if truth.reason == INDEX:
        assert (len(decoded.documents), decoded.rejects, truth.facts) == (1, (), ()), made
        assert decoded.documents[0].body["perf"]["stage"]["split"] == "guess"
        return
    assert [fact_of(document.body) for document in decoded.documents] == [
        with_iso_times(fact) for fact in truth.facts
    ], made
    assert [reject.reason for reject in decoded.rejects] == ([truth.reason] if truth.reason else []), made
    outcome = "rejected" if decoded.rejects else "stored" if decoded.documents else "ignored"
    assert outcome == truth.outcome, made


shares = st.builds(
    Shares,
    **{name: st.sampled_from([0.0, 0.3, 1.0]) for name in RUNS},
    **{name: st.floats(0, 0.25) for name in ("torn", "glued", "refused", "poisoned", "foreign", "repeated")},
)
starts = st.one_of(
    st.integers(1_000_086_400_000, 1_780_000_000_000), st.just(SUMMER_ENDS_MS), st.just(Workload().start_ms)
)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), chosen=shares, start_ms=starts, facility=st.sampled_from(["als", "aps", "nsls"]))
def test_truth_and_core_agree(decoder: Decoder, seed: int, chosen: Shares, start_ms: int, facility: str) -> None:
    """Whatever the seed, the shares, the season and the zone: same outcome, same reason, same facts."""
    for made in messages(Workload(seed, 200, (facility,), start_ms, shares=chosen)):
        assert_agree(decoder, made)


def test_truth_and_core_agree_on_thousands_of_lines_of_every_kind(decoder: Decoder) -> None:
    """Every reason and outcome that the generator knows comes up, and none that the core sees otherwise."""
    seen = Counter[tuple[str, str | None]]()
    for made in messages(Workload(7, examples(20_000), shares=EVERYTHING)):
        assert_agree(decoder, made)
        seen[made.truth.outcome, made.truth.reason] += 1

    reasons = {"torn", "syntax", "value", "tag", "time_ahead", "time_range", "stamp", "stamp_locale", INDEX}
    assert set(seen) == {("stored", None), ("ignored", None), *(("rejected", reason) for reason in reasons)}


def test_results_become_what_is_told_of_them() -> None:
    """Run id, begin, type; failed ones too; two facilities have tests of their own."""
    schema = load_schema(GRAMMARS / "fields.toml")
    core = Decoder(Intake("test", "t", "als", ("perfsonar",)), load_sources(GRAMMARS, schema), schema)
    made = list(messages(Workload(lines=0, results=300, facilities=("als", "aps"))))
    runs = set()
    for message in made:
        (document,) = outcomes(core, message).documents
        (fact,) = message.truth.facts
        network = document.body["perf"]["network"]
        assert (network["run_id"], network["test_type"]) == (fact.run, fact.stage)
        assert document.body["@timestamp"] == iso(fact.at_ms)
        runs.add((message.facility, fact.run))

    assert (len(made), len(runs)) == (300, 300)
    assert {facility for facility, _ in runs} == {"als", "aps"}


@settings(max_examples=examples(60), deadline=None)
@given(seed=st.integers(0, 2**32), chosen=shares, lines=st.integers(0, 500), results=st.integers(0, 3))
def test_as_many_as_asked_in_order_and_the_same_again(seed: int, chosen: Shares, lines: int, results: int) -> None:
    """Exactly so many messages, by time of arrival; a second walk gives the same, another seed does not."""
    workload = Workload(seed, lines, ("als", "aps"), shares=chosen, results=results)
    made = list(messages(workload))

    assert Counter(message.kind for message in made) == +Counter(line=lines, result=results)
    assert [message.at_ms for message in made] == sorted(message.at_ms for message in made)
    assert made == list(messages(workload))
    assert not lines or made != list(messages(replace(workload, seed=seed + 1)))


@settings(max_examples=examples(20), deadline=None)
@given(seed=st.integers(0, 2**32), chosen=shares)
def test_the_same_bytes_come_twice_only_where_that_is_told(seed: int, chosen: Shares) -> None:
    """Ids are made of bytes: what is stored differs from all before it, unless it is a repeat, which does not."""
    seen: set[tuple[str, str | None]] = set()
    for message in messages(Workload(seed, 2_000, ("als", "aps"), shares=chosen)):
        if message.truth.outcome == "stored":
            told_before = {(message.facility, fact.original) for fact in message.truth.facts}
            assert message.truth.repeats == (told_before <= seen)
            assert message.truth.repeats or not told_before & seen
        seen |= {(message.facility, fact.original) for fact in message.truth.facts}


def of_every(**chosen: float) -> list[RunTruth]:
    """The runs of a workload with these shares, its last one apart, which the number of lines cuts."""
    return list(runs_truth(Workload(3, 3_000, shares=Shares(**chosen))))[:-1]


def test_plain_runs_follow_the_sample() -> None:
    """Every stage of the sample with its script and line; one stage after another, no start within 10 s of a line."""
    sample = (GRAMMARS / "als_perf" / "samples.log").read_text().splitlines()
    statements = {
        (line.split(": ", 1)[1].split(":")[:2][0], int(line.split(": ", 1)[1].split(":")[1])) for line in sample
    }
    facts = [made.truth.facts[0] for made in messages(Workload(3, 3_000))]
    assert {(fact.script, fact.script_line) for fact in facts} == statements
    assert {line.split("PERF:")[1].split(":")[0] for line in sample} <= {fact.stage for fact in facts}
    for run in of_every():
        assert all(a.end_ms <= b.start_ms for a, b in pairwise(run.stages) if a.end_ms)
        assert {stage.kind for stage in run.stages[:-1]} == {"upper"}
        assert all(stage.known_s >= stage.duration_s for stage in run.stages[:-1] if stage.known_s and stage.duration_s)


def test_parallel_runs_overlap_and_only_ends_count() -> None:
    """No next start closes a stage; most runs really have two stages at once."""
    runs = of_every(parallel=1.0)
    overlapping = [run for run in runs if any(a.end_ms > b.start_ms for a, b in pairwise(run.stages) if a.end_ms)]
    assert len(overlapping) > 0.9 * len(runs)
    assert {stage.kind for run in runs for stage in run.stages} == {"exact"}
    damaged = [stage.closed_by for run in of_every(parallel=1.0, torn=0.3) for stage in run.stages]
    assert set(damaged) == {"end", "open", "unseen"}
    assert {stage.lane for run in runs for stage in run.stages} == {0, 1, 2, 3}


def test_a_retried_stage_is_started_again_after_it_failed() -> None:
    """The same name twice, the second later by value; neither overlaps the other, in lanes either."""
    for run in of_every(retried=1.0, parallel=0.5):
        (name,) = {stage.stage for stage in run.stages if stage.attempt == 2}
        first, second = (stage for stage in run.stages if stage.stage == name)
        assert first.end_ms is not None
        assert first.end_ms < second.start_ms
        assert not first.end_written


def test_a_stuck_run_is_silent_after_a_stage() -> None:
    """The last stage that started never ends, and remains open."""
    runs = of_every(stuck=1.0, with_ends=0.5)
    assert all(run.stages[-1].end_ms is None for run in runs)
    assert {run.stages[-1].closed_by for run in runs} == {"open"}
    assert len({len(run.stages) for run in runs}) > 10


def test_excerpts_lack_their_beginning_or_their_end() -> None:
    """Lines are missing there and nowhere else; what really happened is told all the same."""
    for run in of_every(headless=1.0):
        stamps_s = [run.queued_written, run.work_written, *(stage.start_written for stage in run.stages)]
        assert not stamps_s[0]
        assert stamps_s == sorted(stamps_s)
    for run in of_every(tailless=1.0):
        stamps_s = [run.queued_written, run.work_written, *(stage.start_written for stage in run.stages)]
        assert not stamps_s[-1]
        assert stamps_s == sorted(stamps_s, reverse=True)


def test_an_id_is_used_again_after_a_week_of_silence_only() -> None:
    """Two instances of each id; more than seven days lie between the last line of one and the first of the other."""
    runs = of_every(reused=1.0)
    pairs = list(zip(runs[::2], runs[1::2], strict=False))
    assert len(pairs) > 10
    for first, second in pairs:
        assert (first.run, first.instance, second.run, second.instance) == (second.run, 1, first.run, 2)
        assert first.last_ms is not None
        assert second.first_ms is not None
        assert second.first_ms - first.last_ms > 7 * 86_400_000


def test_late_lines_arrive_hours_after_they_were_printed_and_others_at_once() -> None:
    """Some lines of every late run; without that share no line takes longer than two seconds."""
    lags_s: dict[str, list[float]] = {}
    for late in (0.0, 1.0):
        made = messages(Workload(3, 3_000, shares=Shares(late=late)))
        lags_s[str(late)] = [(message.at_ms - message.truth.facts[0].logged_ms) / 1000 for message in made]
    assert max(lags_s["0.0"]) < 2
    assert 0.2 < sum(lag > 3600 for lag in lags_s["1.0"]) / 3_000 < 0.5


def test_skewed_runs_are_seen_where_the_clock_is_ahead(decoder: Decoder) -> None:
    """The core flags about half of them; values and stamps are told as they are printed."""
    flagged = defaultdict(set)
    for made in messages(Workload(3, 3_000, shares=Shares(skewed=1.0))):
        (document,) = outcomes(decoder, made).documents
        flagged[document.body["perf"]["run"]["id"]].update(document.body["perf"].get("flags", ()))
    seen = {run for run, flags in flagged.items() if "clock_skew" in flags}
    assert 0.3 < len(seen) / len(flagged) < 0.7
    assert seen <= {run.run for run in runs_truth(Workload(3, 3_000, shares=Shares(skewed=1.0))) if run.skew_s > 0}


def test_stage_times_are_heavy_tailed_and_days_have_a_rhythm() -> None:
    """A few stages take very long; in the afternoon at the ALS more runs begin than before dawn."""
    runs = list(runs_truth(Workload(3, 60_000)))
    renders = [s.duration_s for run in runs for s in run.stages if s.stage == "SUBMIT_GAL-render-raw" and s.duration_s]
    hours = Counter((run.first_ms // 3_600_000 - 8) % 24 for run in runs if run.first_ms)
    assert max(renders) > 5 * median(renders)
    assert sum(hours[hour] for hour in range(12, 17)) > 3 * sum(hours[hour] for hour in range(5))


def test_a_workload_of_any_size_begins_at_once() -> None:
    """Nothing is made before it is wanted."""
    assert len(list(islice(messages(Workload(lines=10**8, span_s=10**7)), 1_000))) == 1_000


@pytest.mark.parametrize(
    "build",
    [
        lambda: Shares(torn=1.5),
        lambda: Shares(torn=0.6, glued=0.6),
        lambda: Shares(foreign=0.6, repeated=0.4),
        lambda: Workload(facilities=()),
        lambda: Workload(facilities=("als", "als")),
        lambda: Workload(facilities=("../als",)),
        lambda: Workload(lines=-1),
        lambda: Workload(start_ms=0),
    ],
)
def test_what_cannot_be_made_is_refused(build: Any) -> None:
    """In words, with the exit code of a wrong use."""
    with pytest.raises(Problem) as refused:
        build()
    assert refused.value.exit_code == 64


def test_a_slowed_stage_is_slow_from_its_instant_on_and_nothing_else_is() -> None:
    """So many times its median from then on, its median before; of steady runs all others stay within a tenth."""
    begin_ms = Workload().start_ms + 43_200_000
    slowed = (Slowed("SUBMIT_NORM", 4, begin_ms),)
    took: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for run in runs_truth(Workload(3, 3_000, slowed=slowed, steady=True)):
        for stage in run.stages:
            if stage.duration_s is not None:
                took[stage.stage, stage.start_ms >= begin_ms].append(stage.duration_s)

    assert all(4 * 168 <= duration_s <= 4 * 206 for duration_s in took.pop(("SUBMIT_NORM", True)))
    assert all(168 <= duration_s <= 206 for duration_s in took["SUBMIT_NORM", False])
    assert all(max(durations_s) <= max(1.25 * min(durations_s), min(durations_s) + 16) for durations_s in took.values())


@pytest.mark.parametrize("times", [0, -1, 101, float("nan"), float("inf")])
def test_a_stage_takes_no_impossible_time(times: float) -> None:
    """Said at once."""
    with pytest.raises(Problem, match="times as long"):
        Slowed("SUBMIT_NORM", times)
