"""Read a pSConfig template: hosts with site and facility, and the tests that it expects.

Organisation and site stand in two places, by who wrote the template: with the host or with the address; the host's
counts first. What a template refers to and does not hold is a warning, not an error: published templates do so.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ingest.core.inventory.expected import MOST_TESTS, Description, ExpectedTest
from ingest.core.inventory.groups import GroupMember, Groups
from ingest.core.inventory.host import Host, canonical_address, inventory_of, with_roles
from ingest.core.inventory.table import roles_of
from ingest.core.sources.lenient import is_true, number_of, object_of
from ingest.core.timestamps import TimestampError, iso_duration_s

MAPS = (
    "addresses",
    "hosts",
    "groups",
    "address-classes",
    "tests",
    "schedules",
    "tasks",
    "archives",
    "contexts",
    "subtasks",
)
_VARIABLE = re.compile(r"\{%\s+(?:pscheduler_)?address\[([01])\]\s+%\}")
Tree = Mapping[str, Any]


def is_template(tree: Any) -> bool:
    """Whether a JSON value is a pSConfig template: an object with a map of addresses, or with includes."""
    return isinstance(tree, Mapping) and (
        isinstance(tree.get("addresses"), Mapping) or (isinstance(tree.get("includes"), list) and "tests" not in tree)
    )


def merged(templates: Iterable[Tree]) -> dict[str, Any]:
    """Return one template of several: of two entries of one name the earlier template's counts."""
    whole: dict[str, Any] = {name: {} for name in MAPS}
    for template in templates:
        for name in MAPS:
            for key, entry in object_of(template.get(name)).items():
                whole[name].setdefault(key, entry)
    return whole


def read_template(tree: Tree) -> Description:
    """Read a template whose includes are merged already; at most 1,000,000 expected tests are made of it."""
    description = Description()
    maps = {name: _objects(tree, name, description) for name in MAPS}
    groups = Groups(maps["addresses"], maps["hosts"], maps["groups"], maps["address-classes"], description)
    for name, task in maps["tasks"].items():
        if not is_true(task.get("disabled")):
            for test in _tests_of(name, task, maps, groups):
                if len(description.tests) >= MOST_TESTS:
                    description.warn(f"more than {MOST_TESTS:,} expected tests: the rest is left out")
                    break
                description.tests.append(test)
    hosts = _hosts(maps["addresses"], maps["hosts"], description)
    description.hosts = with_roles(inventory_of(hosts).hosts, description.roles)
    return description


def _objects(tree: Tree, name: str, description: Description) -> dict[str, Tree]:
    entries = object_of(tree.get(name))
    for key, entry in entries.items():
        if not isinstance(entry, Mapping):
            description.warn(f"{name}.{key:.60} is no object")
    return {key: entry for key, entry in entries.items() if isinstance(entry, Mapping)}


def _hosts(addresses: Mapping[str, Tree], hosts: Mapping[str, Tree], description: Description) -> Iterator[Host]:
    of_host: dict[str, list[tuple[str, Tree]]] = {}
    for key, entry in addresses.items():
        name = entry.get("host")
        if isinstance(name, str) and name not in hosts:
            description.warn(f"address {key:.60} names the host {name:.60}, which is not there")
        of_host.setdefault(f"host {name}" if isinstance(name, str) else f"address {key}", []).append((key, entry))
    for name, entries in of_host.items():
        node = hosts.get(name.removeprefix("host "), {}) if name.startswith("host ") else {}
        names = tuple(dict.fromkeys(address for _, entry in entries for address in _addresses_of(entry)))
        if names:
            yield _host(names, node, [entry for _, entry in entries])
        else:
            description.warn(f"{name:.80} has no address that can be used")


def _addresses_of(entry: Tree) -> Iterator[str]:
    """Every name and address of an entry: its own, those of its labels, and those that single peers use."""
    nodes = [entry, *object_of(entry.get("labels")).values()]
    for remote in object_of(entry.get("remote-addresses")).values():
        nodes += [remote, *object_of(object_of(remote).get("labels")).values()]
    for node in nodes:
        address = canonical_address(object_of(node).get("address"))
        if address:
            yield address


def _host(names: tuple[str, ...], node: Tree, entries: list[Tree]) -> Host:
    metas = [object_of(part.get("_meta")) for part in (node, *entries)]
    tags = {str(tag).lower() for part in (node, *entries) for tag in _list(part.get("tags"))}
    latitude, longitude = _coordinates(metas)
    flagged = next((meta["dmz"] for meta in metas if meta.get("dmz") is not None), None)
    return Host(
        names,
        _first(metas, "site-display-name", "site"),
        _first(metas, "organization-display-name", "organization"),
        roles_of(",".join(tags)),
        _first(metas, "display-name"),
        latitude,
        longitude,
        is_true(flagged) if flagged is not None else True if "dmz" in tags else None,
    )


def _first(metas: list[Tree], *keys: str) -> str | None:
    values = (meta.get(key) for key in keys for meta in metas)
    return next((value.strip()[:1024] for value in values if isinstance(value, str) and value.strip()), None)


def _coordinates(metas: list[Tree]) -> tuple[float | None, float | None]:
    """Latitude and longitude of the host, else of its site, else of its organisation."""
    for key in ("location", "host-location", "site-location", "organization-location"):
        for meta in metas:
            place = coordinates_of(object_of(meta.get(key)))
            if place[0] is not None:
                return place
    return None, None


def coordinates_of(location: Tree) -> tuple[float | None, float | None]:
    """Latitude and longitude of a location, also as text; both None if one is missing or no such place exists."""
    latitude, longitude = number_of(location.get("latitude")), number_of(location.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None, None
    return latitude, longitude


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _tests_of(name: str, task: Tree, maps: Mapping[str, Mapping[str, Tree]], groups: Groups) -> Iterator[ExpectedTest]:
    """The expected tests of one task: those whose two sides are enabled, and of which one has an agent."""
    group, test = task.get("group"), maps["tests"].get(str(task.get("test")))
    if not isinstance(group, str) or group not in groups.groups or test is None:
        groups.description.warn(f"task {name:.60} names a group or test that is not there")
        return
    kind, reverse = test.get("type"), _is_reverse(object_of(test.get("spec")))
    every_s = _every_s(task, maps["schedules"], groups.description)
    for first, second in groups.pairs(group):
        sides = [first] if second is None else [first, second]
        if any(side.disabled for side in sides) or all(side.no_agent for side in sides):
            continue
        ends = [_end(side, groups.description) for side in (reversed(sides) if reverse else sides)]
        if isinstance(kind, str) and ends[0] and (second is None or ends[1]):
            yield ExpectedTest(name, kind, ends[0], ends[1] if second else None, every_s)


def _end(side: GroupMember, description: Description) -> str | None:
    address = canonical_address(side.address)
    if address is None:
        description.warn(f"`{side.address:.60}` is no host name and no IP address")
    return address


def _is_reverse(spec: Tree) -> bool:
    """Whether the second address of a pair is the source: by the variables of the specification."""
    for end, of_reverse in (("source", "1"), ("dest", "0")):
        match = _VARIABLE.search(str(spec.get(end, "")))
        if match:
            return match[1] == of_reverse
    return False


def _every_s(task: Tree, schedules: Mapping[str, Tree], description: Description) -> float | None:
    name = task.get("schedule")
    if not isinstance(name, str):
        return None
    repeat = schedules.get(name, {}).get("repeat")
    try:
        return iso_duration_s(repeat) if isinstance(repeat, str) else None
    except TimestampError as error:
        description.warn(f"schedule {name:.60}: {error}")
        return None
