"""Which addresses a class of a pSConfig template selects."""

from typing import Any

import pytest

from ingest.core.inventory.expected import Description
from ingest.core.inventory.groups import DEEPEST_FILTER, Groups


@pytest.mark.parametrize(
    ("match", "exclude", "selected"),
    [
        ({"type": "tag", "tag": "DMZ"}, {}, {"a"}),
        ({"type": "tag", "tag": "lhc"}, {}, {"b"}),
        ({}, {"type": "tag", "tag": "dmz"}, {"b", "c"}),
        ({"type": "host", "tag": "dmz"}, {}, {"a"}),
        ({"type": "host", "no-agent": True}, {}, {"c"}),
        ({"type": "netmask", "netmask": "198.51.100.0/25"}, {}, {"a"}),
        ({"type": "ip-version", "ip-version": 6}, {}, {"c"}),
        ({"type": "or", "filters": [{"type": "tag", "tag": "dmz"}, {"type": "tag", "tag": "lhc"}]}, {}, {"a", "b"}),
        ({"type": "and", "filters": [{"type": "tag", "tag": "dmz"}, {"type": "tag", "tag": "lhc"}]}, {}, set()),
        ({"type": "not", "filter": {"type": "tag", "tag": "dmz"}}, {}, {"b", "c"}),
        ({"type": "address-class", "name": "v6"}, {}, {"c"}),
        ({"type": "jq", "jq": {"script": "."}}, {}, set()),
        ({"type": "not", "filter": {"type": "jq", "jq": {"script": "."}}}, {}, set()),
        ({}, {"type": "jq", "jq": {"script": "."}}, set()),
        ({"type": "moon"}, {}, set()),
    ],
)
def test_address_classes_select_by_their_filters(
    match: dict[str, Any], exclude: dict[str, Any], selected: set[str]
) -> None:
    """What cannot be told here (jq, DNS, an unknown filter) selects nothing, so that no test is missed in vain."""
    addresses: dict[str, dict[str, Any]] = {
        "a": {"address": "198.51.100.7", "host": "ha"},
        "b": {"address": "198.51.100.200", "host": "hb", "tags": ["LHC"]},
        "c": {"address": "2001:db8::c", "host": "hc"},
    }
    hosts: dict[str, dict[str, Any]] = {"ha": {"tags": ["dmz"]}, "hb": {}, "hc": {"no-agent": True}}
    classes = {
        "k": {"data-source": {"type": "current-config"}, "match-filter": match, "exclude-filter": exclude},
        "v6": {"match-filter": {"type": "ip-version", "ip-version": 6}},
    }
    description = Description()
    template = Groups(addresses, hosts, {"g": {"type": "list", "addresses": [{"class": "k"}]}}, classes, description)
    names = {entry["address"]: name for name, entry in addresses.items()}

    assert {names[member.address] for member, _ in template.pairs("g")} == selected
    assert bool(description.warnings) == ("jq" in str((match, exclude)) or match.get("type") == "moon")


def test_filters_that_nest_without_end_select_nothing() -> None:
    """A class that names itself, and a filter of a thousand levels: told once, in bounded time."""
    nested: dict[str, Any] = {"type": "ip-version", "ip-version": 4}
    for _ in range(10 * DEEPEST_FILTER):
        nested = {"type": "not", "filter": nested}
    circle = {"type": "address-class", "name": "circle"}
    for match in (nested, circle):
        description = Description()
        classes = {"circle": {"match-filter": match}}
        groups = {"g": {"type": "list", "addresses": [{"class": "circle"}]}}
        template = Groups({"a": {"address": "198.51.100.7"}}, {}, groups, classes, description)

        assert list(template.pairs("g")) == []
        assert description.warnings == ["address classes: filters nest too deep; its addresses are left out"]
