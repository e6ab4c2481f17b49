"""Read the old mesh JSON (MeshConfig, until perfSONAR 4.0; sites still publish it): hosts and the tests it expects.

A host hangs under a site, an organisation or the top. Booleans come as 0 and 1, numbers as text.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.core.inventory.expected import MOST_TESTS, Description, ExpectedTest
from ingest.core.inventory.host import Host, canonical_address, inventory_of, with_roles
from ingest.core.inventory.psconfig import coordinates_of
from ingest.core.inventory.table import roles_of
from ingest.core.sources.lenient import is_true, number_of, object_of, objects_of

_TYPES = {
    "perfsonarbuoy/bwctl": "throughput",
    "perfsonarbuoy/owamp": "latencybg",
    "pinger": "rtt",
    "traceroute": "trace",
    "simplestream": "simplestream",
}
_INTERVALS = ("interval", "test_interval")
Tree = Mapping[str, Any]


def is_mesh(tree: Any) -> bool:
    """Whether a JSON value is an old mesh: an object with organisations, or with hosts in a list."""
    return isinstance(tree, Mapping) and any(isinstance(tree.get(key), list) for key in ("organizations", "hosts"))


def includes_of(tree: Tree) -> list[str]:
    """The URLs that a mesh includes."""
    listed = tree.get("include")
    return [url for url in listed if isinstance(url, str)] if isinstance(listed, list) else []


def read_mesh(tree: Tree) -> Description:
    """Read a mesh; at most 1,000,000 expected tests are made of it."""
    description = Description()
    hosts = list(_hosts(tree, None, None, ({},), description))
    for organisation in objects_of(tree.get("organizations")):
        facility = _text(organisation, "description")
        hosts += _hosts(organisation, facility, None, (organisation,), description)
        for site in objects_of(organisation.get("sites")):
            hosts += _hosts(site, facility, _text(site, "description"), (site, organisation), description)
    for test in objects_of(tree.get("tests")):
        if not is_true(test.get("disabled")):
            _add_tests(test, description)
    description.hosts = with_roles(inventory_of(hosts).hosts, description.roles)
    return description


def _hosts(
    parent: Tree, facility: str | None, site: str | None, parents: tuple[Tree, ...], description: Description
) -> Iterator[Host]:
    for node in objects_of(parent.get("hosts")):
        names = tuple(dict.fromkeys(_addresses(node)))
        if not names:
            description.warn(f"host {_text(node, 'description') or '?'} has no address that can be used")
            continue
        locations = (coordinates_of(object_of(part.get("location"))) for part in (node, *parents))
        latitude, longitude = next((place for place in locations if place[0] is not None), (None, None))
        tags = [str(tag) for tag in node.get("tags", ())] if isinstance(node.get("tags"), list) else []
        dmz = True if "dmz" in {tag.lower() for tag in tags} else None
        yield Host(
            names, site, facility, roles_of(",".join(tags)), _text(node, "description"), latitude, longitude, dmz
        )


def _addresses(node: Tree) -> Iterator[str]:
    listed = node.get("addresses")
    for entry in listed if isinstance(listed, list) else [listed]:
        address = canonical_address(entry.get("address") if isinstance(entry, Mapping) else entry)
        if address:
            yield address


def _text(node: Tree, key: str) -> str | None:
    value = node.get(key)
    return value.strip()[:1024] or None if isinstance(value, str) else None


def _add_tests(test: Tree, description: Description) -> None:
    parameters = object_of(test.get("parameters"))
    kind = _TYPES.get(str(parameters.get("type")), str(parameters.get("type")))
    every_s = next((value for key in _INTERVALS if (value := number_of(parameters.get(key))) is not None), None)
    name = _text(test, "description") or kind
    for source, destination in dict.fromkeys(_pairs(object_of(test.get("members")), description)):
        if len(description.tests) >= MOST_TESTS:
            description.warn(f"more than {MOST_TESTS:,} expected tests: the rest is left out")
            return
        description.tests.append(ExpectedTest(name, kind, source, destination, every_s))


def _pairs(members: Tree, description: Description) -> Iterator[tuple[str, str]]:
    """The ordered pairs of a test's members: all with all, two sides, a centre with all, or each with those behind."""
    kind = members.get("type")
    listed = _members(members, "members", description)
    without_agent = set(_members(members, "no_agents", description))
    if kind == "disjoint":
        left, right = (_members(members, key, description) for key in ("a_members", "b_members"))
        pairs = [(a, b) for a in left for b in right] + [(b, a) for a in left for b in right]
    elif kind == "star":
        centre = canonical_address(members.get("center_address"))
        pairs = [pair for other in listed if centre for pair in ((centre, other), (other, centre))]
    elif kind == "ordered_mesh":
        pairs = [(first, second) for number, first in enumerate(listed) for second in listed[number + 1 :]]
    elif kind == "mesh":
        pairs = [(first, second) for first in listed for second in listed]
    else:
        description.warn(f"members of type {kind!s:.40} are not known")
        pairs = []
    for first, second in pairs:
        if first != second and not {first, second} <= without_agent:
            yield first, second


def _members(members: Tree, key: str, description: Description) -> list[str]:
    listed = members.get(key)
    addresses = []
    for entry in listed if isinstance(listed, list) else []:
        address = canonical_address(entry)
        if address is None or ("::" in str(entry) and str(entry).startswith("host_class")):
            description.warn(f"the member `{entry!s:.60}` is no address")
        else:
            addresses.append(address)
    return addresses
