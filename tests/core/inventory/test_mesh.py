"""The old mesh JSON: hosts under sites, organisations and the top, and the tests of its four kinds of members."""

from typing import Any

import pytest

from ingest.core.inventory.expected import Description, ExpectedTest
from ingest.core.inventory.host import Host
from ingest.core.inventory.mesh import includes_of, is_mesh, read_mesh

MESH: dict[str, Any] = {
    "description": "Old mesh",
    "organizations": [
        {
            "description": "LBNL",
            "location": {"latitude": 37.0, "longitude": "-122.0"},
            "hosts": [{"description": "border", "addresses": ["border.example"], "tags": ["DMZ"]}],
            "sites": [
                {
                    "description": "ALS",
                    "location": {"city": "Berkeley", "latitude": "37.87", "longitude": -122.25},
                    "hosts": [
                        {"description": "ALS ps", "addresses": ["ps-als.example", {"address": "198.51.100.7"}]},
                        {"description": "none", "addresses": []},
                    ],
                }
            ],
        }
    ],
    "hosts": [{"addresses": "top.example"}],
    "tests": [
        {
            "description": "TCP",
            "members": {"type": "star", "center_address": "ps-als.example",
                        "members": ["ps-als.example", "ps-nersc.example"]},
            "parameters": {"type": "perfsonarbuoy/bwctl", "interval": "21600"},
        }
    ],
}  # fmt: skip


def pairs_of(**members: Any) -> list[tuple[str, str | None]]:
    """The ordered pairs of one test with these members."""
    parameters = {"type": "pinger", "test_interval": 60}
    tree = {"organizations": [], "tests": [{"members": members, "parameters": parameters}]}
    return [(test.source, test.destination) for test in read_mesh(tree).tests]


def test_a_mesh_is_told_from_other_json() -> None:
    """By its organisations, or its list of hosts (a template's is a map)."""
    assert is_mesh(MESH)
    assert is_mesh({"hosts": []})
    others: list[Any] = [{"hosts": {}}, {"addresses": {}}, [], None]
    assert not any(is_mesh(tree) for tree in others)


def test_site_and_facility_are_those_that_a_host_hangs_under() -> None:
    """Coordinates of the host, else of its site, else of its organisation; a host without address is told."""
    description = read_mesh(MESH)
    hosts = {host.name: host for host in description.hosts}

    assert hosts["ps-als.example"] == Host(
        ("ps-als.example", "198.51.100.7"), "ALS", "LBNL", ("throughput",), "ALS ps", 37.87, -122.25
    )
    assert hosts["border.example"] == Host(("border.example",), None, "LBNL", (), "border", 37.0, -122.0, True)
    assert hosts["top.example"] == Host(("top.example",))
    assert description.warnings == ["host none has no address that can be used"]


def test_types_and_intervals_are_those_of_today() -> None:
    """Bwctl is throughput, an interval in text is seconds; the centre of a star is not tested with itself."""
    assert read_mesh(MESH).tests == [
        ExpectedTest("TCP", "throughput", "ps-als.example", "ps-nersc.example", 21600),
        ExpectedTest("TCP", "throughput", "ps-nersc.example", "ps-als.example", 21600),
    ]


@pytest.mark.parametrize(
    ("members", "pairs"),
    [
        ({"type": "mesh", "members": ["a.example", "b.example"]}, "ab ba"),
        ({"type": "mesh", "members": ["a.example", "b.example", "c.example"],
          "no_agents": ["a.example", "b.example"]}, "ac bc ca cb"),
        ({"type": "disjoint", "a_members": ["a.example"], "b_members": ["b.example", "c.example"]}, "ab ac ba ca"),
        ({"type": "star", "center_address": "c.example", "members": ["a.example", "b.example"]}, "ca ac cb bc"),
        ({"type": "ordered_mesh", "members": ["a.example", "b.example", "c.example"]}, "ab ac bc"),
    ],
)  # fmt: skip
def test_each_kind_of_members_has_its_pairs(members: dict[str, Any], pairs: str) -> None:
    """Two hosts without an agent do not test each other."""
    expected = [(f"{pair[0]}.example", f"{pair[1]}.example") for pair in pairs.split()]
    assert sorted(pairs_of(**members)) == sorted(expected)


@pytest.mark.parametrize(
    ("members", "warning"),
    [
        ({"type": "ring"}, "members of type ring are not known"),
        ({"type": "mesh", "members": ["host_class::all", "a.example"]}, "the member `host_class::all` is no address"),
    ],
)
def test_what_cannot_be_used_is_told(members: dict[str, Any], warning: str) -> None:
    """The rest of the mesh is read all the same."""
    assert warning in read_mesh({**MESH, "tests": [{"members": members, "parameters": {}}]}).warnings


def test_a_disabled_test_is_not_expected() -> None:
    """Switched off, as 1, "1" or true."""
    for disabled in (1, "1", True):
        assert read_mesh({**MESH, "tests": [{**MESH["tests"][0], "disabled": disabled}]}).tests == []


def test_includes_are_its_urls() -> None:
    """What is no text is none."""
    assert includes_of({"include": ["https://mesh.example/a.json", 7]}) == ["https://mesh.example/a.json"]
    assert includes_of({}) == []


@pytest.mark.parametrize("tree", [{}, {"organizations": 7}, {"organizations": [7, {"sites": [{"hosts": [7, {}]}]}]}])
def test_trees_of_wrong_types_are_read_as_far_as_they_go(tree: dict[str, Any]) -> None:
    """No type of any value raises."""
    assert isinstance(read_mesh(tree), Description)
