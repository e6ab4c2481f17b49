"""Was a stage slow: by those like it that came before it, and by nothing else."""

from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.alerts.slow_stage import TimeSpan, counts, threshold_of, verdicts
from ingest.core.runs.stored import StoredStage, run_from, stage_from
from ingest.core.statistics import baseline_of
from tests.support.derived import documents_of, marks_of_sample
from tests.support.incidents import DAY_S, HOUR_S, at_ms, hourly, judged, shipped_rule, stage

RULE = shipped_rule()
USUAL = [100, 110, 90, 105, 95, 100, 102, 98]
TOOK = st.one_of(st.integers(1, 400), st.sampled_from([0, 5000]))


@pytest.mark.parametrize(
    ("took_s", "median_s", "mad_s", "p95_s"),
    [
        ([10], 10, 0, 10),
        ([10, 20], 15, 1.4826 * 5, 20),
        ([1, 2, 3, 100], 2.5, 1.4826 * 1, 100),
        (list(range(1, 21)), 10.5, 1.4826 * 5, 19.95),
        (list(range(1, 101)), 50.5, 1.4826 * 25, 95.95),
        ([0, 0, 0], 0, 0, 0),
    ],
)
def test_a_baseline_by_hand(took_s: list[float], median_s: float, mad_s: float, p95_s: float) -> None:
    """The median of an even count lies between the middle two; P95 is the NIST handbook's; a MAD is 1.4826 x MAD."""
    baseline = baseline_of(took_s, 1, 2)

    assert (baseline.n, baseline.median_s, baseline.first_ms, baseline.last_ms) == (len(took_s), median_s, 1, 2)
    assert baseline.mad_s == pytest.approx(mad_s)
    assert baseline.p95_s == pytest.approx(p95_s)


@pytest.mark.parametrize(
    ("took_s", "bound_s", "by"),
    [
        ([10.0] * 8, 70, "over_median_s"),
        ([1000.0] * 8, 1250, "times_p95"),
        ([100, 100, 400, 400, 700, 700, 700, 100], 400 + 5 * 1.4826 * 300, "mads"),
    ],
)
def test_the_highest_of_three_bounds_counts(took_s: list[float], bound_s: float, by: str) -> None:
    """1.25 x P95, median + 5 MADs, median + 60 s."""
    threshold = threshold_of(RULE, baseline_of(took_s, 0, 0))

    assert threshold.seconds == pytest.approx(bound_s)
    assert threshold.by == by


@pytest.mark.parametrize(
    ("took_s", "verdict", "severity"),
    [
        (160, "ok", ""),
        (161, "slow", "warning"),
        (409, "slow", "warning"),  # beyond 2 x P95, and 299 s over
        (410, "slow", "critical"),
        (0, "ok", ""),
    ],
)
def test_beyond_the_bound_is_slow(took_s: float, verdict: str, severity: str) -> None:
    """After eight of about 100 s, P95 110 s: more than 160 s (median + 60 s)."""
    verdicts = judged(hourly([*USUAL, took_s]))[-1]

    assert (verdicts.verdict, verdicts.severity, verdicts.n) == (verdict, severity, 8)
    assert verdicts.baseline is not None
    assert (verdicts.baseline.median_s, verdicts.baseline.p95_s) == (100, 110)


def test_fewer_than_eight_say_nothing() -> None:
    """`insufficient` is not ok, however slow it was; the eighth before it decides."""
    assert [v.verdict for v in judged(hourly([*USUAL[:7], 9999]))] == ["insufficient"] * 8
    assert judged(hourly([*USUAL, 9999]))[-1].verdict == "slow"


def test_what_is_compared_is_alike_in_everything() -> None:
    """Another facility, workflow, family, product, variant or kind of duration is another series."""
    for name, value in (
        ("facility", "aps"), ("workflow", "v"), ("product", "gal"), ("variant", "norm"), ("family", "H5"),
    ):  # fmt: skip
        other = stage(8 * HOUR_S, 9999, **{name: value})
        assert judged([*hourly(USUAL), other])[-1].verdict == "insufficient", name
    exact = stage(8 * HOUR_S, 9999, kind="exact", closed_by="end")
    assert judged([*hourly(USUAL), exact])[-1].verdict == "insufficient"
    renamed = stage(8 * HOUR_S, 9999, name="GAL", source="other")
    assert judged([*hourly(USUAL), renamed])[-1].verdict == "slow"


@pytest.mark.parametrize(
    "chosen",
    [
        {"closed_by": "run_end"},
        {"kind": "lower", "closed_by": "timeout"},
        {"kind": "lower", "closed_by": "open"},
        {"kind": "none", "closed_by": "open", "duration_s": None},
    ],
)
def test_what_was_not_seen_to_close_is_neither_judged_nor_a_baseline(chosen: dict[str, str]) -> None:
    """Lower bounds, unknown durations and what the end of the run cut off: `none` beside a baseline."""
    assert judged([*hourly(USUAL), stage(9 * HOUR_S, 9999, **chosen)])[-1].verdict == "none"
    padded = [*hourly(USUAL[:7]), stage(7.5 * HOUR_S, 100, **chosen), stage(9 * HOUR_S, 9999)]
    assert judged(padded)[-1].verdict == "insufficient"


def test_a_baseline_reaches_back_28_days_and_50_stages() -> None:
    """What is older does not count; of more than fifty the newest count."""
    old = [stage(n, 100) for n in range(8)]
    assert judged([*old, stage(28 * DAY_S, 300)])[-1].verdict == "slow"
    assert judged([*old, stage(28 * DAY_S + 1, 300)])[-1].n == 7
    slower = judged(hourly([10] * 60 + [200] * 50 + [280]))[-1]
    assert (slower.verdict, slower.n) == ("slow", 50)
    assert judged(hourly([10] * 60 + [200] * 50 + [250]))[-1].verdict == "ok"


def test_what_ends_later_is_no_baseline() -> None:
    """Parallel runs: a stage that began before and still ran is not known yet."""
    long = [stage(n, 5000) for n in range(8)]
    assert judged([*long, stage(10, 100)])[0].stage.start_ms < judged([*long, stage(10, 100)])[-1].stage.start_ms
    assert judged([*long, stage(10, 100)])[-1].n == 0
    assert judged([*long, stage(6000, 100)])[-1].n == 8


def test_only_what_lies_in_the_span_is_judged() -> None:
    """Closed from `since` on and up to now; the rest is baseline, or not there yet."""
    stages = hourly([*USUAL, 9999, 100])
    judged_stages = verdicts(RULE, stages, TimeSpan(at_ms(8 * HOUR_S), at_ms(8 * HOUR_S + 9999)))

    assert [(v.verdict, v.context) for v in judged_stages] == [("insufficient", True)] * 4 + [
        ("ok", False),
        ("slow", False),
    ]
    assert verdicts(RULE, stages, TimeSpan(at_ms(8 * HOUR_S), at_ms(8 * HOUR_S + 9998))) == judged_stages[:-1]


@given(st.lists(TOOK, min_size=1, max_size=30), st.data())
def test_the_order_of_reading_and_what_comes_later_change_nothing(took_s: list[float], data: st.DataObject) -> None:
    """Verdicts of the first stages are the same without the later ones, and in any order."""
    stages = hourly(took_s)
    shuffled = data.draw(st.permutations(stages))
    cut = data.draw(st.integers(0, len(stages)))
    closed_by_then = [s for s in stages[:cut] if s.until_ms <= stages[cut - 1].start_ms]

    whole = {v.stage.id: v for v in judged(shuffled)}

    assert list(whole.values()) == judged(stages)
    assert {v.stage.id: v for v in judged(closed_by_then)} == {s.id: whole[s.id] for s in closed_by_then}


@given(st.lists(TOOK, min_size=9, max_size=30), st.integers(0, 10_000))
def test_the_tested_stage_is_never_in_its_own_baseline(took_s: list[float], other_s: int) -> None:
    """However long it took, baseline and threshold are those of the others."""
    stages = hourly(took_s)
    changed = [*stages[:-1], stages[-1]._replace(duration_s=max(other_s, took_s[-1]))]
    before, after = judged(stages)[-1], judged(changed)[-1]
    if max(s.until_ms for s in stages[:-1]) <= stages[-1].until_ms:
        assert (before.baseline, before.threshold) == (after.baseline, after.threshold)


@given(st.lists(st.integers(50, 150), min_size=8, max_size=50), st.integers(0, 1000))
def test_the_verdict_is_the_formula(took_s: list[int], tested_s: int) -> None:
    """Slow exactly when it is beyond all three bounds, computed here by hand; one more second never makes it less."""
    verdict = judged([*hourly(took_s), stage(len(took_s) * HOUR_S, tested_s)])[-1]
    middle = median(took_s)
    mad = 1.4826 * median(abs(second - middle) for second in took_s)
    assert verdict.baseline is not None
    slow = tested_s > max(1.25 * verdict.baseline.p95_s, middle + 5 * mad, middle + 60)

    assert (verdict.verdict == "slow") == slow
    assert min(took_s) <= verdict.baseline.p95_s <= max(took_s)


def test_every_number_of_the_rule_counts() -> None:
    """Another rule, another verdict: nothing is fixed in the code."""
    stages = hourly([*USUAL, 161])
    for rule in (
        replace(RULE, slow=replace(RULE.slow, over_median_s=62)),
        replace(RULE, slow=replace(RULE.slow, mads=100)),
        replace(RULE, slow=replace(RULE.slow, times_p95=2)),
    ):
        assert judged(stages, rule)[-1].verdict == "ok"
    assert judged(stages, replace(RULE, baseline=replace(RULE.baseline, least=9)))[-1].verdict == "insufficient"
    assert judged(stages, replace(RULE, critical=replace(RULE.critical, times_p95=1, over_p95_s=51)))[-1].severity == (
        "critical"
    )


def sample() -> list[StoredStage]:
    """The stages of the 35 lines."""
    documents = documents_of(marks_of_sample())
    return [stage_from(d.id, d.body) for d in documents if d.index.startswith("perf-stages")]


def test_on_the_sample_nothing_can_be_said_of_any_stage() -> None:
    """`insufficient` for all 33, the two open ones too: at most five are alike."""
    judged_stages = judged(sample())

    assert [v.verdict for v in judged_stages] == ["insufficient"] * 33
    assert max(v.n for v in judged_stages) <= 5


def test_what_is_missing_of_a_run_spoils_its_total_and_no_stage_that_was_closed() -> None:
    """Head, tail and a stage of the sample's runs are gone: the others' durations count, the runs' totals do not."""
    sets = {
        key: {i: mark for i, mark in marks.items() if mark.what.role == "start" and mark.what.stage != "SUBMIT_NORM"}
        for key, marks in marks_of_sample().items()
    }
    living = [document for document in documents_of(sets) if "retracted" not in document.body["perf"]]
    stages = [
        stage_from(document.id, document.body) for document in living if document.index.startswith("perf-stages-")
    ]
    runs = [run_from(document.body) for document in living if document.index.startswith("perf-runs-")]

    assert all(run.not_seen for run in runs)
    assert sorted(stage.name for stage in stages if not counts(RULE, stage)) == [
        "SUBMIT_POST_GAL-render-rc-gridrec", "SUBMIT_SINO"
    ]  # fmt: skip
