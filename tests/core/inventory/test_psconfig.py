"""pSConfig templates: who is who, which tests are expected, and what a template lacks is told without failing."""

from functools import partial
from typing import Any

import pytest

from ingest.core.inventory.expected import Description, ExpectedTest
from ingest.core.inventory.host import Host
from ingest.core.inventory.psconfig import is_template, merged, read_template
from tests.support.work import function_calls

TEMPLATE: dict[str, Any] = {
    "_meta": {"display-name": "ALS-HPC mesh"},
    "addresses": {
        "ps-als": {"address": "ps-als.example", "host": "als-host", "_meta": {"organization": "not this one"}},
        "ps-als6": {"address": "2001:DB8:10::5", "host": "als-host"},
        "ps-nersc": {"address": "2001:db8:20::5", "host": "nersc-host"},
        "ps-alone": {"address": "PS-alone.example.", "_meta": {"display-name": "alone", "organization": "ESnet"}},
    },
    "hosts": {
        "als-host": {
            "tags": ["dmz", "dtn"],
            "_meta": {
                "display-name": "ALS perfSONAR", "site-display-name": "ALS", "organization-display-name": "LBNL",
                "site-location": {"latitude": "37.87", "longitude": "-122.25"},
            },
        },
        "nersc-host": {"_meta": {"site-display-name": "NERSC", "organization-display-name": "NERSC"}},
    },
    "groups": {"g": {"type": "disjoint", "a-addresses": [{"name": "ps-als"}], "b-addresses": [{"name": "ps-nersc"}]}},
    "tests": {
        "tp": {"type": "throughput", "spec": {"source": "{% address[0] %}", "dest": "{% address[1] %}"}},
        "rev": {"type": "latencybg", "spec": {"source": "{% address[1] %}", "dest": "{% address[0] %}"}},
    },
    "schedules": {"every6h": {"repeat": "PT21600S"}},
    "tasks": {"tp-als-nersc": {"group": "g", "test": "tp", "schedule": "every6h"}},
}  # fmt: skip


def changed(**maps: Any) -> dict[str, Any]:
    """The template with these maps (`address_classes` for address-classes) in place of its own."""
    return {**TEMPLATE, **{name.replace("_", "-"): entries for name, entries in maps.items()}}


def ends_of(**maps: Any) -> list[tuple[str, str | None]]:
    """Source and destination of the expected tests of the changed template."""
    return [(test.source, test.destination) for test in read_template(changed(**maps)).tests]


def mesh(*addresses: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A group of all with all."""
    return {"g": {"type": "mesh", "addresses": list(addresses), **more}}


def test_a_template_is_told_from_other_json() -> None:
    """By its map of addresses; one that only includes others is one too."""
    assert is_template(TEMPLATE)
    assert is_template({"includes": ["https://mesh.example/a.json"]})
    others: list[Any] = [{"organizations": []}, {"tests": []}, [], None, {"addresses": []}]
    assert not any(is_template(tree) for tree in others)


def test_hosts_have_what_their_host_entry_says_first_then_their_address() -> None:
    """Two addresses of one host are one host; roles come from tags and from the tests of its addresses."""
    hosts = {host.name: host for host in read_template(TEMPLATE).hosts}

    assert hosts["ps-als.example"] == Host(
        ("ps-als.example", "2001:db8:10::5"),
        "ALS",
        "LBNL",
        ("throughput", "dtn"),
        "ALS perfSONAR",
        37.87,
        -122.25,
        True,
    )
    assert hosts["2001:db8:20::5"] == Host(("2001:db8:20::5",), "NERSC", "NERSC", ("throughput",))
    assert hosts["ps-alone.example"] == Host(("ps-alone.example",), None, "ESnet", (), "alone")


def test_both_directions_of_a_disjoint_group_are_expected() -> None:
    """Every six hours, each way; of a unidirectional one way only."""
    (forward, reverse) = read_template(TEMPLATE).tests
    assert forward == ExpectedTest("tp-als-nersc", "throughput", "ps-als.example", "2001:db8:20::5", 21600)
    assert (reverse.source, reverse.destination) == ("2001:db8:20::5", "ps-als.example")

    one_way = {"g": {**TEMPLATE["groups"]["g"], "unidirectional": True}}
    assert ends_of(groups=one_way) == [("ps-als.example", "2001:db8:20::5")]


def test_the_specification_says_which_address_sends() -> None:
    """`{% address[1] %}` as source turns the pair around."""
    one_way = {"g": {**TEMPLATE["groups"]["g"], "unidirectional": True}}
    tasks = {"back": {"group": "g", "test": "rev"}}
    assert ends_of(groups=one_way, tasks=tasks) == [("2001:db8:20::5", "ps-als.example")]


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({}, 4),  # als and als6 are one host: not with each other
        ({"excludes-self": "address"}, 6),
        ({"excludes-self": "disabled"}, 9),
        ({"excludes": [{"local-address": {"name": "ps-als"}, "target-addresses": [{"name": "ps-nersc"}]}]}, 3),
    ],
)
def test_a_mesh_is_all_with_all_but_what_is_excluded(more: dict[str, Any], count: int) -> None:
    """A host is not tested with itself, unless the group says so; an exclusion holds one way."""
    members = [{"name": name} for name in ("ps-als", "ps-als6", "ps-nersc")]
    assert len(ends_of(groups=mesh(*members, **more))) == count


def test_a_list_tests_each_address_alone() -> None:
    """Tests of one host have no destination."""
    groups = {"g": {"type": "list", "addresses": [{"name": "ps-als"}, {"name": "ps-nersc"}]}}
    assert ends_of(groups=groups) == [("ps-als.example", None), ("2001:db8:20::5", None)]


def test_labels_and_remote_addresses_choose_the_address() -> None:
    """By the selector's label, the group's default label, and what an entry uses towards one peer."""
    addresses = {
        "a": {
            "address": "a.example",
            "labels": {"v6": {"address": "2001:db8::a"}},
            "remote-addresses": {"c": {"address": "a-to-c.example", "labels": {"v6": {"address": "2001:db8::ac"}}}},
        },
        "b": {"address": "b.example", "labels": {"v6": {"address": "2001:db8::b"}}},
        "c": {"address": "c.example"},
    }
    members = [{"name": "a"}, {"name": "b"}, {"name": "c"}]

    assert set(ends_of(addresses=addresses, groups=mesh(*members))) == {
        ("a.example", "b.example"), ("b.example", "a.example"), ("b.example", "c.example"), ("c.example", "b.example"),
        ("a-to-c.example", "c.example"), ("c.example", "a-to-c.example"),
    }  # fmt: skip
    by_label = mesh({"name": "a", "label": "v6"}, {"name": "b", "label": "v6"})
    by_default = mesh({"name": "a"}, {"name": "b"}, {"name": "c"}, **{"default-address-label": "v6"})
    both = [("2001:db8::a", "2001:db8::b"), ("2001:db8::b", "2001:db8::a")]
    assert ends_of(addresses=addresses, groups=by_label) == both
    assert ends_of(addresses=addresses, groups=by_default) == both  # c has no such label


@pytest.mark.parametrize(
    ("entry", "host", "expected"),
    [
        ({"disabled": True}, {}, 0),
        ({}, {"disabled": "true"}, 0),
        ({"no-agent": True}, {}, 2),  # the other side starts the test
        ({}, {"no-agent": 1}, 2),
    ],
)
def test_disabled_is_not_expected_and_one_agent_is_enough(
    entry: dict[str, Any], host: dict[str, Any], expected: int
) -> None:
    """Of two sides without an agent nobody starts a test."""
    addresses = {**TEMPLATE["addresses"], "ps-als": {"address": "ps-als.example", "host": "als-host", **entry}}
    hosts = {"als-host": host, "nersc-host": {}}
    assert len(ends_of(addresses=addresses, hosts=hosts)) == expected

    neither = {**addresses, "ps-nersc": {"address": "ps-nersc.example", "no-agent": True}}
    assert len(ends_of(addresses=neither, hosts=hosts)) == 0


def test_a_disabled_task_or_selector_expects_nothing() -> None:
    """Both are how people switch a test off for a while."""
    assert ends_of(tasks={"t": {"group": "g", "test": "tp", "disabled": True}}) == []
    assert ends_of(groups=mesh({"name": "ps-als", "disabled": True}, {"name": "ps-nersc"})) == []


@pytest.mark.parametrize(
    ("maps", "warning"),
    [
        ({"hosts": {}}, "address ps-als names the host als-host, which is not there"),
        ({"groups": mesh({"name": "gone"})}, "a group names the address gone, which is not there"),
        ({"groups": mesh({"class": "gone"})}, "a group names the address class gone, which is not there"),
        ({"groups": {"g": {"type": "ring"}}}, "group g: type ring is not known"),
        ({"tasks": {"t": {"group": "gone", "test": "tp"}}}, "task t names a group or test that is not there"),
        ({"tasks": {"t": "tp"}}, "tasks.t is no object"),
        ({"schedules": {"every6h": {"repeat": "P1M"}}}, "schedule every6h: "),
        ({"addresses": {"x": {"address": "no host!"}}}, "address x has no address that can be used"),
        (
            {"groups": mesh({"class": "k"}), "address_classes": {"k": {"data-source": {"type": "requesting-agent"}}}},
            "address class k: only the agent that asks knows its addresses",
        ),
    ],
)
def test_what_a_template_lacks_is_a_warning(maps: dict[str, Any], warning: str) -> None:
    """Published templates have dangling references: the rest of them is read all the same."""
    description = read_template(changed(**maps))

    assert any(text.startswith(warning) for text in description.warnings)
    assert description.hosts or "addresses" in maps


def test_of_included_templates_the_first_entry_of_a_name_counts() -> None:
    """The including template before the included ones, map by map."""
    first = {"addresses": {"a": {"address": "one.example"}}}
    second = {"addresses": {"a": {"address": "two.example"}, "b": {"address": "b.example"}}, "hosts": {"h": {}}}

    assert {key: entry["address"] for key, entry in merged([first, second])["addresses"].items()} == {
        "a": "one.example", "b": "b.example",
    }  # fmt: skip
    assert merged([first, second])["hosts"] == {"h": {}}


def big(hosts: int) -> dict[str, Any]:
    """A mesh of so many hosts, of which two are the sides that test with all others."""
    addresses = {f"a{n}": {"address": f"h{n}.example", "host": f"h{n}"} for n in range(hosts)}
    group = {
        "type": "disjoint",
        "a-addresses": [{"name": "a0"}, {"name": "a1"}],
        "b-addresses": [{"name": f"a{n}"} for n in range(hosts)],
    }
    return changed(addresses=addresses, hosts={f"h{n}": {} for n in range(hosts)}, groups={"g": group})


def test_the_work_grows_with_the_pairs() -> None:
    """Twice the pairs, at most 2.5 times the calls."""
    small, large = (function_calls(partial(read_template, big(hosts))) for hosts in (100, 200))
    assert large <= 2.5 * small


@pytest.mark.parametrize("tree", [{}, {"addresses": 7}, {"addresses": {"a": {"address": 7, "labels": [], "tags": {}}}}])
def test_trees_of_wrong_types_are_read_as_far_as_they_go(tree: dict[str, Any]) -> None:
    """No type of any value raises."""
    assert isinstance(read_template(tree), Description)
