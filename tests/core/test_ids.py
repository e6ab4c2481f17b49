"""Identity, version, index name."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core import ids


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=4), st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_other_parts_other_id(first: list[bytes], second: list[bytes]) -> None:
    """Parts that differ in any way, also in where they are split, have other ids."""
    assert (ids.digest_id(*first) == ids.digest_id(*second)) == (first == second)


@given(
    st.tuples(st.integers(0, 127), st.integers(0, 2**43), st.integers(1, 4095)),
    st.tuples(st.integers(0, 127), st.integers(0, 2**43), st.integers(1, 4095)),
)
def test_versions_order_by_state_then_update_then_revision(
    first: tuple[int, int, int], second: tuple[int, int, int]
) -> None:
    """And fit a signed 64-bit integer."""
    assert (ids.version(*first) < ids.version(*second)) == (first < second)
    assert 0 < ids.version(*first) < 2**63


@pytest.mark.parametrize(
    ("period", "name"),
    [("month", "perf-marks-als-2016.02"), ("year", "perf-marks-als-2016"), ("none", "perf-marks-als")],
)
def test_the_period_of_an_index_is_that_of_utc(period: str, name: str) -> None:
    """The last day of February belongs to it."""
    assert ids.index_name("marks", "als", period, 1456790399999 // 86_400_000) == name


def test_a_given_id_is_taken_in_lower_case() -> None:
    """UUIDs come in both cases and mean the same."""
    assert ids.plain_id(" 0B7C6F0E-7C1D ") == "0b7c6f0e-7c1d"


@pytest.mark.parametrize("text", ["", "a b", "a/b", "ä", "x" * 129, "a\n"[:1] + "\0"])
def test_what_cannot_identify_is_refused(text: str) -> None:
    """Content must not choose odd or overlong ids."""
    with pytest.raises(ValueError, match="cannot identify"):
        ids.plain_id(text)


@pytest.mark.parametrize(
    ("name", "fits"), [("als", True), ("nsls_2", True), ("ALS", False), ("a-b", False), ("", False), ("a*", False)]
)
def test_a_facilitys_name_goes_into_index_names(name: str, fits: bool) -> None:
    """Lower case, no dash: the index name can be taken apart again."""
    assert ids.is_facility(name) is fits


KINDS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
FACILITIES = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)
PERIODS = st.sampled_from(["month", "year", "none"])
DAYS = st.integers(0, 50_000)


@given(KINDS, FACILITIES, PERIODS, DAYS)
def test_an_index_name_is_taken_apart_into_what_it_was_made_of(kind: str, facility: str, period: str, day: int) -> None:
    """Whatever the kind, the facility and the period."""
    name = ids.index_name(kind, facility, period, day)

    assert ids.parse_index(name)[:2] == (kind, facility)
    assert (ids.parse_index(name).period == "") == (period == "none")


@pytest.mark.parametrize(
    "name",
    [
        "perf-marks",
        "perf-marks-als-2016.2",
        "perf-marks-als-2016.02-1",
        "perf-marks-als,perf-runs-als",
        "perf-marks-*",
        "perf-Marks-als",
        "xperf-marks-als",
        ".kibana",
        "",
    ],
)
def test_other_names_are_no_indices_of_ours(name: str) -> None:
    """A name that comes with a record must not reach an index of somebody else."""
    with pytest.raises(ValueError, match="no index of perflog"):
        ids.parse_index(name)


@given(st.tuples(KINDS, FACILITIES), st.tuples(KINDS, FACILITIES), PERIODS, DAYS)
def test_a_pattern_covers_all_periods_of_its_kind_and_facility_and_nothing_else(
    queried: tuple[str, str], stored: tuple[str, str], period: str, day: int
) -> None:
    """Kinds and facilities that begin alike included: `als` and `als_2`, `run` and `runs`."""
    name = ids.index_name(*stored, period, day)

    def is_covered(pattern: str) -> bool:
        return any(fnmatchcase(name, part) for part in pattern.split(","))

    assert is_covered(ids.index_pattern(queried[0], (queried[1],))) == (queried == stored)
    assert is_covered(ids.index_pattern(queried[0])) == (queried[0] == stored[0])
    assert is_covered(ids.index_pattern(queried[0], (queried[1], stored[1]))) == (queried[0] == stored[0])


def test_a_pattern_lists_the_index_and_its_periods() -> None:
    """As Elasticsearch is queried: for each facility, or for all."""
    assert (
        ids.index_pattern("runs", ("als", "als_2")) == "perf-runs-als,perf-runs-als-*,perf-runs-als_2,perf-runs-als_2-*"
    )
    assert ids.index_pattern("runs") == "perf-runs-*"
