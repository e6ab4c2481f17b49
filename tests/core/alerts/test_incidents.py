"""Verdicts -> incidents: one for each, however often and by whomever it is evaluated; over when it is over."""

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.alerts.documents import incident_body, incident_in
from ingest.core.alerts.incidents import Incident, mark_notified, transition, with_incidents
from ingest.core.alerts.messages import message
from ingest.core.alerts.slow_stage import TimeSpan, verdicts
from ingest.core.fields import Schema
from ingest.core.runs.stored import StoredStage
from tests.support.incidents import DAY_S, HOUR_S, at_ms, evaluated, hourly, shipped_rule, stage

USUAL = [100] * 8
SLOW, NORMAL = 500, 100
ALL = TimeSpan(0, at_ms(20 * DAY_S))
PATTERNS = st.text("sso", max_size=9)


def of(pattern: str) -> list[StoredStage]:
    """Eight usual stages, then one for each letter: s slow, o normal. Few enough that a slow one stays slow."""
    return hourly([*USUAL, *(round(SLOW * 1.3**n) if letter == "s" else NORMAL for n, letter in enumerate(pattern))])


def summaries(incidents: Sequence[Incident]) -> list[tuple[int, str, bool, int]]:
    """Which stage after the usual ones began it, how it stands, whether chronic, how many were slow."""
    return [
        (
            (incident.first.start_ms - at_ms(0)) // (HOUR_S * 1000) - 8,
            incident.closed_by or "firing",
            incident.chronic,
            incident.slow,
        )
        for incident in incidents
    ]


@pytest.mark.parametrize(
    ("pattern", "incidents"),
    [
        ("", []),
        ("oooo", []),
        ("s", [(0, "firing", False, 1)]),
        ("so", [(0, "over", False, 1)]),
        ("oso", [(1, "over", False, 1)]),
        ("ss", [(0, "firing", False, 2)]),
        ("sso", [(0, "over", False, 2)]),
        ("soso", [(0, "over", False, 1), (2, "over", False, 1)]),
        ("sss", [(0, "firing", True, 3)]),
        ("sssoooo", [(0, "firing", True, 3)]),
        ("sssooooo", [(0, "over", True, 3)]),
        ("sosos", [(0, "over", False, 1), (2, "over", False, 1), (4, "firing", True, 1)]),
        ("sososoooo", [(0, "over", False, 1), (2, "over", False, 1), (4, "firing", True, 1)]),
    ],
)
def test_from_the_first_slow_stage_to_the_normal_one_that_ends_it(
    pattern: str, incidents: list[tuple[int, str, bool, int]]
) -> None:
    """One normal ends it; three slow of the last five make it chronic, which takes five normal ones in a row."""
    assert summaries(evaluated(of(pattern), [], ALL)) == incidents


def test_a_stage_that_stays_slow_is_not_over_because_slow_became_usual() -> None:
    """Three times as slow from an instant on: one incident, chronic; after 28 days it is what is usual."""
    slowed = hourly([*USUAL, *[300] * 40])
    (incident,) = evaluated(slowed, [], ALL)
    daily = [stage(n * DAY_S, 100 if n < 20 else 300) for n in range(70)]
    (usual,) = evaluated(daily, [], TimeSpan(0, at_ms(80 * DAY_S)))

    assert (incident.state, incident.chronic, incident.slow) == ("firing", True, 40)
    assert usual.closed_by == "over"
    assert usual.closed_ms is not None
    assert 28 < (usual.closed_ms - usual.first.at_ms) / DAY_S / 1000 < 35


@given(PATTERNS)
def test_verdicts_are_restated_as_the_incidents_count_them(pattern: str) -> None:
    """As many slow stages as the incidents say, no more; and nothing else changes."""
    rule = shipped_rule()
    plain = verdicts(rule, of(pattern), ALL)
    incidents = evaluated(of(pattern), [], ALL)
    again = with_incidents(rule, plain, incidents)

    assert sum(verdict.verdict == "slow" for verdict in again) == sum(incident.slow for incident in incidents)
    assert [verdict.stage for verdict in again] == [verdict.stage for verdict in plain]
    assert all(
        a.verdict == b.verdict or (a.verdict, b.verdict) == ("ok", "slow") for a, b in zip(plain, again, strict=True)
    )
    for verdict in again:
        if verdict.verdict == "slow":
            assert verdict.threshold is not None
            assert (verdict.stage.duration_s or 0) > verdict.threshold.seconds


def test_series_have_incidents_of_their_own() -> None:
    """Another stage, and the same one by its ENDs, begin and end nothing here."""
    exact = {"kind": "exact", "closed_by": "end"}
    stages = [
        *of("s"),
        *hourly([*USUAL, NORMAL, NORMAL], "H5"),
        *hourly([*USUAL, NORMAL, SLOW], "GAL", **exact),
    ]
    incidents = evaluated(stages, [], ALL)

    assert [(incident.first.stage, incident.kind) for incident in incidents] == [
        ("SUBMIT_GAL", "upper"),
        ("SUBMIT_GAL", "exact"),
    ]


@given(PATTERNS, st.data())
def test_however_it_is_cut_into_evaluations_the_incidents_are_the_same(pattern: str, data: st.DataObject) -> None:
    """Once over all, or again and again as stages come, each time judging the last ones only: same ids and ends."""
    stages = of(pattern)
    whole = evaluated(stages, [], ALL)

    incidents: list[Incident] = []
    until = data.draw(st.lists(st.integers(0, len(stages) * HOUR_S), max_size=5).map(sorted))
    since = 0
    for now in [*until, 20 * DAY_S]:
        back = data.draw(st.integers(0, since))
        incidents = evaluated(stages, incidents, TimeSpan(at_ms(back), at_ms(now)))
        since = now

    assert summaries(incidents) == summaries(whole)
    assert [incident.id for incident in incidents] == [incident.id for incident in whole]


@given(PATTERNS)
def test_a_second_evaluation_has_no_news(pattern: str) -> None:
    """What was told is not told again; the incidents are what they were, through their documents too."""
    rule, stages = shipped_rule(), of(pattern)
    first = [mark_notified(incident) for incident in evaluated(stages, [], ALL)]
    stored = [incident_in(incident.id, orjson.loads(orjson.dumps(incident_body(incident, rule)))) for incident in first]

    again = evaluated(stages, stored, ALL)

    assert stored == first
    assert again == first
    assert [transition(incident) for incident in again] == [""] * len(again)


def test_news_are_told_once_each() -> None:
    """Fired; worse when critical or chronic; closed. Nothing in between."""
    incidents: list[Incident] = []
    transitions = []
    for length in range(1, 10):
        stages = of("ssssooooo"[:length])
        stages[8] = stages[8]._replace(duration_s=161)  # only a warning
        incidents = evaluated(stages, incidents, ALL)
        transitions.append([transition(incident) for incident in incidents])
        incidents = [mark_notified(incident) for incident in incidents]

    assert transitions == [["fired"], ["worse"], ["worse"], [""], [""], [""], [""], [""], ["closed"]]


def test_a_late_line_withdraws_what_was_not_slow() -> None:
    """The bound shrank, or the stage is gone: it is closed as withdrawn; what lies before the span is left alone."""
    (fired,) = (mark_notified(incident) for incident in evaluated(of("s"), [], ALL))
    shrunk = [*of(""), of("s")[-1]._replace(duration_s=NORMAL)]
    for now in (shrunk, of("")):
        (incident,) = evaluated(now, [fired], ALL)
        assert (incident.closed_by, transition(incident)) == ("withdrawn", "closed")
    later = TimeSpan(at_ms(5 * DAY_S), ALL.now_ms)
    assert summaries(evaluated(of(""), [fired], later)) == [(0, "firing", False, 1)]


def test_silence_closes_in_the_end() -> None:
    """No such stage for more than 28 days."""
    (fired,) = evaluated(of("s"), [], ALL)
    (still,) = evaluated([], [fired], TimeSpan(at_ms(27 * DAY_S), at_ms(28 * DAY_S)))
    (silent,) = evaluated([], [fired], TimeSpan(at_ms(29 * DAY_S), at_ms(30 * DAY_S)))

    assert (still.state, silent.closed_by) == ("firing", "silent")


def test_a_late_run_before_a_known_incident_leaves_nothing_open() -> None:
    """It has an incident of its own, which ends where the known one begins at the latest."""
    earlier = evaluated(of("os"), [], ALL)
    late = stage(7.1 * HOUR_S, 390, id="late")
    incidents = evaluated([*of("")[:8], late, *of("os")[9:]], earlier, ALL)

    assert [(incident.first.stage_id, incident.state) for incident in incidents] == [
        ("late", "closed"), (earlier[0].first.stage_id, "firing")
    ]  # fmt: skip


def test_the_words_are_the_numbers() -> None:
    """What is told holds the rule's own bound and the evidence, and says ≤ of an upper bound."""
    rule = shipped_rule()
    (fired,) = evaluated(of("s"), [], ALL)
    (chronic,) = evaluated(of("sssooooo"), [], ALL)

    assert message(fired, rule) == (
        "A1 stage slow (critical): SUBMIT_GAL of als/w took ≤ 500 s in run r28800. "
        "Slow is more than 160 s (median + 60 s); usual is 100 s (median of 8; P95 100 s, MAD 0 s)."
    )
    assert message(chronic, rule).endswith(
        "Slow 3 times since 2016-02-06T13:39:37Z, 845 s at worst. Over since 2016-02-06T20:41:17Z."
    )
    assert "(critical chronic)" in message(chronic, rule)


def leaves(body: object, prefix: str = "") -> set[str]:
    """Dotted names of what a document holds."""
    if not isinstance(body, dict):
        return {prefix[:-1]}
    return {name for key, value in body.items() for name in leaves(value, f"{prefix}{key}.")}


def test_every_field_of_an_incident_is_declared(schema: Schema) -> None:
    """And every declared field of an alert comes up."""
    rule = shipped_rule()
    whole = stage(0, 0, family="GAL", product="gal", variant="raw")
    stages = [stage._replace(product=whole.product, variant=whole.variant) for stage in of("sssooooo")]
    bodies = [incident_body(mark_notified(incident), rule) for incident in evaluated(stages, [], ALL)]

    declared = {name for name, field in schema.fields.items() if "alerts" in field.kinds}
    assert leaves(bodies[0]) == declared
