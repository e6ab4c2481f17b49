"""Outliers of some runs: by the alarms' rule and statistics, each stage beside those like it before it."""

from collections import Counter

import pytest

from ingest.core.alerts.outliers import ALL_TIME, outliers
from ingest.core.alerts.slow_stage import INSUFFICIENT, NOTHING, OK, SLOW, verdicts
from ingest.core.mark import RunKey
from ingest.core.runs.stored import StoredRun
from ingest.synthetic.workload.truth import Shares, Workload
from tests.support.derived import marks_of
from tests.support.incidents import shipped_rule
from tests.support.marks import mark
from tests.support.stored_runs import stored_runs


def runs_taking(*took_s: int) -> list[StoredRun]:
    """A run an hour, of a stage A that takes so long and an open B."""
    runs = []
    for n, seconds in enumerate(took_s):
        at_s = 3600 * n
        key = RunKey("als", "als_perf", f"r{n}")
        runs += stored_runs([mark(at_s, "START", "A"), mark(at_s + seconds, "START", "B")], key)
    return runs


def test_the_first_of_a_kind_are_insufficient_and_never_ok() -> None:
    """Eight like it must come before; an open stage has no duration to compare, and fewer than eight before it."""
    verdicts = outliers(shipped_rule(), runs_taking(*[100] * 10))

    assert verdicts.counts == {INSUFFICIENT: 8 + 10, OK: 2}
    assert not verdicts.slow


def test_what_takes_much_longer_than_those_before_it_is_slow() -> None:
    """The one that exceeds its threshold most stands first; what comes later does not excuse it."""
    verdicts = outliers(shipped_rule(), runs_taking(*[100] * 10, 300, 100, 900, 100))

    assert [verdict.stage.run for verdict in verdicts.slow] == ["r12", "r10"]
    assert verdicts.counts[SLOW] == 2
    assert verdicts.slow[0].baseline is not None
    assert verdicts.slow[0].baseline.median_s == 100


def test_what_is_usual_is_told_of_kinds_of_which_there_are_enough() -> None:
    """Number, median and P95 of all of them, the longest and its run, how many were slow; of seven nothing."""
    (usual,) = outliers(shipped_rule(), runs_taking(*[100] * 10, 300)).usual

    assert (usual.name, usual.kind, usual.baseline.n, usual.baseline.median_s) == ("A", "upper", 11, 100)
    assert (usual.longest.run, usual.longest.duration_s, usual.slow) == ("r10", 300, 1)
    assert not outliers(shipped_rule(), runs_taking(*[100] * 7)).usual


def test_the_verdicts_are_those_of_all_stages_at_once() -> None:
    """Kind by kind as an alarm would judge all of them together."""
    runs = [
        run
        for key, run_marks in marks_of(Workload(8, 6_000, span_s=900_000, shares=Shares(with_ends=0.5))).items()
        for run in stored_runs(run_marks.values(), key)
    ]
    at_once = verdicts(shipped_rule(), [stage for run in runs for stage in run.stages], ALL_TIME)
    outlier_verdicts = outliers(shipped_rule(), runs)

    assert outlier_verdicts.counts == Counter(verdict.verdict for verdict in at_once)
    assert len(outlier_verdicts.slow) > 10
    assert sorted(outlier_verdicts.slow, key=repr) == sorted((v for v in at_once if v.verdict == SLOW), key=repr)


@pytest.mark.parametrize("runs", [[], runs_taking(100)])
def test_few_stages_or_none_say_nothing(runs: list[StoredRun]) -> None:
    """No verdict but insufficient."""
    verdicts = outliers(shipped_rule(), runs)

    assert set(verdicts.counts) <= {INSUFFICIENT, NOTHING}
    assert not verdicts.slow
    assert not verdicts.usual
