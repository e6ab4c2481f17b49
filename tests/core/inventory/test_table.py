"""Hosts in a tab-separated table; a fault names the line."""

import pytest

from ingest.core.inventory.host import Host
from ingest.core.inventory.table import read_table, roles_of
from ingest.core.model import ExitCode, Problem

HEAD = "host\tsite\tfacility\trole"


def test_the_columns_may_stand_in_any_order_and_most_may_be_missing() -> None:
    """Blank lines and comments are passed over; what is empty is unknown."""
    text = (
        "site\thost\taddresses\tlatitude\tlongitude\tdmz\n"
        "# a comment\n\n"
        "ALS\tPS-als.example\t198.51.100.7, 2001:db8::7\t37.87\t-122.25\tyes\n"
        "\t192.5.180.130\n"
    )
    assert read_table(text, "hosts.tsv").hosts == [
        Host(("ps-als.example", "198.51.100.7", "2001:db8::7"), "ALS", None, (), None, 37.87, -122.25, True),
        Host(("192.5.180.130",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "hosts.tsv, line 1: there is no column `host`"),
        ("host\trole\n", "hosts.tsv, line 1: there is no column `site`"),
        (f"{HEAD}\na.example\tA\n\tB\n", "hosts.tsv, line 3: there is no host"),
        (f"{HEAD}\nno host!\tA\n", "hosts.tsv, line 2: `no host!` is no host name"),
        ("host\tsite\tlatitude\na.example\tA\t91\n", "hosts.tsv, line 2: `91` is not within ±90 degrees"),
        ("host\tsite\tdmz\na.example\tA\tperhaps\n", "hosts.tsv, line 2: dmz is `perhaps`"),
    ],
)
def test_a_fault_names_file_and_line(text: str, message: str) -> None:
    """Nothing of a wrong table is taken: whoever wrote it mends the line."""
    with pytest.raises(Problem) as problem:
        read_table(text, "hosts.tsv")

    assert problem.value.message.startswith(message)
    assert problem.value.exit_code == ExitCode.BAD_DATA


def test_a_column_that_is_not_known_is_told() -> None:
    """A misspelt one would leave its field empty in silence."""
    assert read_table("host\tsite\tlattitude\n", "h").warnings == ["h, line 1: the column `lattitude` is not known"]


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("perfsonar-throughput", ("throughput",)), ("dtn", ("dtn",)), ("dtn, Latency", ("latency", "dtn")),
        ("perfsonar", ()), ("", ()),
    ],
)  # fmt: skip
def test_a_role_is_told_with_and_without_its_prefix(text: str, roles: tuple[str, ...]) -> None:
    """`perfsonar` alone says nothing of what it measures."""
    assert roles_of(text) == roles
