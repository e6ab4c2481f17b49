"""The generator: lines of known truth, held against the core; the same every time, as many as asked, plausible.

The truth comes from the generator's plan, the outcomes from the core, which reads the bytes: a mistake of either shows.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.clock import iso
from ingest.core.fields import load_schema
from ingest.core.flow import Flow
from ingest.core.model import Intake, Message, Outcomes, Provenance
from ingest.core.sources import load_sources
from ingest.synthetic.truth import INDEX
from ingest.synthetic.workload import Fact, Made, Shares, Workload, messages

GRAMMARS = Path(__file__).parents[1] / "grammars"
RECEIVED_MS = 1_790_000_000_000
RUNS = ("parallel", "retried", "stuck", "late", "skewed", "with_ends", "headless", "tailless", "reused")
EVERYTHING = Shares(
    **dict.fromkeys(RUNS, 0.2), torn=0.1, glued=0.1, refused=0.1, poisoned=0.05, foreign=0.1, repeated=0.1
)
SUMMER_ENDS_MS = int(datetime(2016, 11, 6, 6, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def flow() -> Flow:
    """The core as an intake of lines has it."""
    schema = load_schema(GRAMMARS / "fields.toml")
    return Flow(Intake("test", "t", "als", ("als_perf",), "w"), load_sources(GRAMMARS, schema), schema)


def outcomes(flow: Flow, made: Made) -> Outcomes:
    """What the core makes of a message."""
    return flow.outcomes(Message(made.data, RECEIVED_MS, Provenance(), backfill=True), 0)


def fact_of(body: dict[str, Any]) -> Fact:
    """A document as the generator tells it."""
    perf, log = body["perf"], body["log"]["origin"]["file"]
    return Fact(
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


def told(fact: Fact) -> Fact:
    """A fact with its times as a document has them."""
    return replace(fact, at_ms=iso(fact.at_ms), logged_ms=iso(fact.logged_ms))  # type: ignore[arg-type]


def assert_agree(flow: Flow, made: Made) -> None:
    """Outcome, reason and facts of one message are the same by plan and by reading."""
    found, truth = outcomes(flow, made), made.truth
    if truth.reason == INDEX:
        assert (len(found.documents), found.rejects, truth.facts) == (1, (), ()), made
        assert found.documents[0].body["perf"]["stage"]["split"] == "guess"
        return
    assert [fact_of(document.body) for document in found.documents] == [told(fact) for fact in truth.facts], made
    assert [reject.reason for reject in found.rejects] == ([truth.reason] if truth.reason else []), made
    outcome = "rejected" if found.rejects else "stored" if found.documents else "ignored"
    assert outcome == truth.outcome, made


shares = st.builds(
    Shares,
    **{name: st.sampled_from([0.0, 0.3, 1.0]) for name in RUNS},
    **{name: st.floats(0, 0.25) for name in ("torn", "glued", "refused", "poisoned", "foreign", "repeated")},
)
starts = st.one_of(
    st.integers(1_000_000_000_000, 1_780_000_000_000), st.just(SUMMER_ENDS_MS), st.just(Workload().start_ms)
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), chosen=shares, start_ms=starts, facility=st.sampled_from(["als", "aps", "nsls"]))
def test_truth_and_core_agree(flow: Flow, seed: int, chosen: Shares, start_ms: int, facility: str) -> None:
    """Whatever the seed, the shares, the season and the zone: same outcome, same reason, same facts."""
    for made in messages(Workload(seed, 200, (facility,), start_ms, shares=chosen)):
        assert_agree(flow, made)


def test_truth_and_core_agree_on_thousands_of_lines_of_every_kind(flow: Flow) -> None:
    """Every reason and outcome that the generator knows comes up, and none that the core sees otherwise."""
    seen = Counter[tuple[str, str | None]]()
    for made in messages(Workload(7, 10_000, shares=EVERYTHING)):
        assert_agree(flow, made)
        seen[made.truth.outcome, made.truth.reason] += 1

    reasons = {"torn", "syntax", "value", "tag", "time_ahead", "time_range", "stamp", "stamp_locale", INDEX}
    assert set(seen) == {("stored", None), ("ignored", None), *(("rejected", reason) for reason in reasons)}
