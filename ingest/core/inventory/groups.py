"""Which addresses of a pSConfig group test each other: selectors, labels, remote addresses, exclusions.

The rules are those of pSConfig's own task generator. A filter that needs what only an agent knows (DNS, jq) selects
nothing and is told as a warning, because an expected test that never comes is a false alarm each day.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any, NamedTuple

from ingest.core.inventory.expected import Description
from ingest.core.sources.lenient import is_true, object_of, objects_of

DEEPEST_FILTER = 32
Tree = Mapping[str, Any]


class Selected(NamedTuple):
    """An address that a selector names, by the name of its entry, with the label that it is to be used by."""

    name: str
    label: str | None


class GroupMember(NamedTuple):
    """An address as one side of a pair uses it.

    `parent` is the address of its entry, `host` the name of its host; neither tests where `disabled`, and it starts no
    test where `no_agent`.
    """

    address: str
    parent: str
    host: str | None
    disabled: bool
    no_agent: bool


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one template: `addresses`, `hosts`, `groups` and `classes` are its maps."""

    addresses: Mapping[str, Tree]
    hosts: Mapping[str, Tree]
    groups: Mapping[str, Tree]
    classes: Mapping[str, Tree]
    description: Description

    def pairs(self, name: str) -> Iterator[tuple[GroupMember, GroupMember | None]]:
        """Yield the pairs of a group in the template's order; of a list each address alone."""
        group = self.groups[name]
        kind = group.get("type")
        if kind == "list":
            yield from ((member, None) for member in self._alone(group))
        elif kind in {"mesh", "disjoint"}:
            yield from self._two_sided(group, kind)
        else:
            self.description.warn(f"group {name}: type {kind!s:.40} is not known")

    def _alone(self, group: Tree) -> Iterator[GroupMember]:
        for selector in objects_of(group.get("addresses")):
            for selected in self._select(selector):
                member = self._member(selected, None, group)
                if member is not None:
                    yield member

    def _two_sided(self, group: Tree, kind: str) -> Iterator[tuple[GroupMember, GroupMember]]:
        excluded = _excluded(group)
        for first, second in _selector_pairs(group, kind):
            if (_text(first), _text(second)) in excluded:
                continue
            for local, peer in product(self._select(first), self._select(second)):
                member, other = self._member(local, peer.name, group), self._member(peer, local.name, group)
                if member is not None and other is not None and not _is_self(member, other, group):
                    yield member, other

    def _select(self, selector: Tree) -> Sequence[Selected]:
        """The addresses of a selector, in the template's order."""
        if is_true(selector.get("disabled")):
            return ()
        if isinstance(selector.get("class"), str):
            return self._of_class(selector["class"])
        name = selector.get("name")
        if not isinstance(name, str) or name not in self.addresses:
            self.description.warn(f"a group names the address {name!s:.60}, which is not there")
            return ()
        label = selector.get("label")
        return (Selected(name, label if isinstance(label, str) else None),)

    def _of_class(self, name: str) -> Sequence[Selected]:
        entry = self.classes.get(name)
        if entry is None:
            self.description.warn(f"a group names the address class {name:.60}, which is not there")
            return ()
        if object_of(entry.get("data-source")).get("type", "current-config") != "current-config":
            self.description.warn(f"address class {name:.60}: only the agent that asks knows its addresses")
            return ()
        filters = Filters(self)
        match, exclude = object_of(entry.get("match-filter")), object_of(entry.get("exclude-filter"))
        return [
            Selected(key, None)
            for key, address in self.addresses.items()
            if (not match or filters.matches(match, address) is True)
            and (not exclude or filters.matches(exclude, address) is False)
        ]

    def _member(self, selected: Selected, peer: str | None, group: Tree) -> GroupMember | None:
        """The address that an entry uses towards a peer; None if it has none with the label asked for."""
        entry = self.addresses[selected.name]
        default = group.get("default-address-label")
        label = selected.label or (default if isinstance(default, str) else None)
        layers = _layers(entry, label, peer)
        if layers is None:
            return None
        address = layers[-1].get("address")
        if not isinstance(address, str) or not address.strip():
            self.description.warn(f"address {selected.name:.60} has no address")
            return None
        host_name = entry.get("host") if isinstance(entry.get("host"), str) else None
        host = self.hosts.get(host_name, {}) if host_name else {}
        return GroupMember(
            address,
            str(entry.get("address", address)),
            host_name,
            any(is_true(layer.get("disabled")) for layer in (*layers, host)),
            any(is_true(layer.get("no-agent")) for layer in (*layers, host)),
        )


def _layers(entry: Tree, label: str | None, peer: str | None) -> list[Tree] | None:
    """The entry and what it refines for a peer and a label, the outermost first; None if that label is not there."""
    remote = object_of(object_of(entry.get("remote-addresses")).get(peer)) if peer else {}
    if remote:
        labelled = object_of(object_of(remote.get("labels")).get(label)) if label else {}
        if labelled:
            return [entry, remote, labelled]
        if not label and remote.get("address"):
            return [entry, remote]
        if label and not remote.get("address"):
            return None
    if not label:
        return [entry]
    labelled = object_of(object_of(entry.get("labels")).get(label))
    return [entry, labelled] if labelled else None


def _selector_pairs(group: Tree, kind: str) -> Iterator[tuple[Tree, Tree]]:
    if kind == "mesh":
        selectors = objects_of(group.get("addresses"))
        yield from ((first, second) for first in selectors for second in selectors)
        return
    left, right = objects_of(group.get("a-addresses")), objects_of(group.get("b-addresses"))
    seen: set[tuple[str, str]] = set()
    sides = [(left, right)] if is_true(group.get("unidirectional")) else [(left, right), (right, left)]
    for firsts, seconds in sides:
        for first in firsts:
            for second in seconds:
                key = (_text(first), _text(second))
                if key not in seen:
                    seen.add(key)
                    yield first, second


def _excluded(group: Tree) -> set[tuple[str, str]]:
    return {
        (_text(object_of(pair.get("local-address"))), _text(target))
        for pair in objects_of(group.get("excludes"))
        for target in objects_of(pair.get("target-addresses"))
    }


def _text(selector: Tree) -> str:
    return json.dumps({key: value for key, value in selector.items() if key != "_meta"}, sort_keys=True)


def _is_self(first: GroupMember, second: GroupMember, group: Tree) -> bool:
    """Whether a pair tests a host with itself, in the sense that the group excludes."""
    scope = group.get("excludes-self", "host")
    if scope == "host" and first.host and second.host and first.host.lower() == second.host.lower():
        return True
    return scope in {"host", "address"} and first.parent == second.parent


@dataclass(frozen=True, slots=True)
class Filters:
    """Evaluates the filters of address classes; None stands for "cannot be told here"."""

    template: Groups

    def matches(self, spec: Tree, address: Tree, depth: int = 0) -> bool | None:
        """Whether an address passes a filter."""
        kind = spec.get("type")
        if depth > DEEPEST_FILTER:
            return self._unknown("filters nest too deep")
        if kind in {"and", "or"}:
            parts = [self.matches(part, address, depth + 1) for part in objects_of(spec.get("filters"))]
            return _all(parts) if kind == "and" else _any(parts)
        if kind == "not":
            inner = self.matches(object_of(spec.get("filter")), address, depth + 1)
            return None if inner is None else not inner
        return self._simple(str(kind), spec, address, depth)

    def _simple(self, kind: str, spec: Tree, address: Tree, depth: int) -> bool | None:
        host = self.template.hosts.get(str(address.get("host")), {})
        if spec.get("jq"):
            return self._unknown("a filter needs jq")
        if kind == "tag":
            return not spec.get("tag") or _has_tag(spec["tag"], address) or _has_tag(spec["tag"], host)
        if kind == "host":
            return bool(host) and _host_matches(spec, host)
        if kind == "address-class":
            entry = self.template.classes.get(str(spec.get("name")))
            return (
                self._unknown("a filter names a class that is not there")
                if entry is None
                else self._in_class(entry, address, depth)
            )
        if kind in {"netmask", "ip-version"}:
            return self._of_ip(kind, spec, str(address.get("address")))
        return self._unknown(f"a filter of type {kind:.40}")

    def _in_class(self, entry: Tree, address: Tree, depth: int) -> bool | None:
        match, exclude = object_of(entry.get("match-filter")), object_of(entry.get("exclude-filter"))
        inside = self.matches(match, address, depth + 1) if match else True
        outside = self.matches(exclude, address, depth + 1) if exclude else False
        return _all([inside, None if outside is None else not outside])

    def _of_ip(self, kind: str, spec: Tree, text: str) -> bool | None:
        try:
            ip = ip_address(text)
        except ValueError:
            return self._unknown(f"a filter of type {kind} needs DNS for {text:.60}")
        try:
            return ip in ip_network(str(spec.get(kind)), False) if kind == "netmask" else ip.version == spec.get(kind)
        except ValueError:
            return self._unknown(f"{spec.get(kind)!s:.60} is no network")

    def _unknown(self, why: str) -> bool | None:
        """Warn that a filter cannot be evaluated here."""
        self.template.description.warn(f"address classes: {why}; its addresses are left out")
        return None


def _all(parts: Sequence[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def _any(parts: Sequence[bool | None]) -> bool | None:
    return True if True in parts else None if None in parts else False


def _has_tag(tag: Any, node: Tree) -> bool:
    tags = node.get("tags")
    return isinstance(tags, list) and str(tag).lower() in {str(item).lower() for item in tags}


def _host_matches(spec: Tree, host: Tree) -> bool:
    if spec.get("tag") and not _has_tag(spec["tag"], host):
        return False
    return is_true(spec.get("no-agent")) == is_true(host.get("no-agent"))
