"""Identity, version, index name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core import ids


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=4), st.lists(st.binary(max_size=8), min_size=1, max_size=4))
def test_other_parts_other_id(one: list[bytes], two: list[bytes]) -> None:
    """Parts that differ in any way, also in where they are split, have other ids."""
    assert (ids.digest_id(*one) == ids.digest_id(*two)) == (one == two)


@given(
    st.tuples(st.integers(0, 127), st.integers(0, 2**43), st.integers(1, 4095)),
    st.tuples(st.integers(0, 127), st.integers(0, 2**43), st.integers(1, 4095)),
)
def test_versions_order_by_state_then_update_then_revision(
    one: tuple[int, int, int], two: tuple[int, int, int]
) -> None:
    """And fit a signed 64-bit integer."""
    assert (ids.version(*one) < ids.version(*two)) == (one < two)
    assert 0 < ids.version(*one) < 2**63


@pytest.mark.parametrize(
    ("period", "name"),
    [("month", "perf-marks-als-2016.02"), ("year", "perf-marks-als-2016"), ("none", "perf-marks-als")],
)
def test_the_period_of_an_index_is_that_of_utc(period: str, name: str) -> None:
    """The last millisecond of February belongs to it."""
    assert ids.index_name("marks", "als", period, 1456790399999) == name


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
