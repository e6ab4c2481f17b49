"""A host with its site, facility and role, and the table that finds it by any of its names and addresses.

Nothing here asks DNS: a host is found by what its inventory says of it, the same on every day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ingest.core.sources.endpoint import bare_host, ip_of, name_of

THROUGHPUT, LATENCY, DTN = "throughput", "latency", "dtn"
ROLES = (THROUGHPUT, LATENCY, DTN)


@dataclass(frozen=True, slots=True)
class Host:
    """One host.

    Attributes:
        addresses: its names and IP addresses in canonical form, the one it is known by first.
        roles: what it is for: throughput, latency, dtn; empty if unknown.
        dmz: whether it stands in the facility's Science DMZ; None if unknown.
    """

    addresses: tuple[str, ...]
    site: str | None = None
    facility: str | None = None
    roles: tuple[str, ...] = ()
    display_name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    dmz: bool | None = None

    @property
    def name(self) -> str:
        """The name or address that it is known by."""
        return self.addresses[0]


def canonical_address(text: object) -> str | None:
    """Return a host name in lower case or an IP address in canonical form; None if the text is neither."""
    if not isinstance(text, str) or not text.strip():
        return None
    return ip_of(text) or name_of(bare_host(text))


@dataclass(slots=True)
class Inventory:
    """Hosts by name and address; what is added first counts, what is added later fills what it left open."""

    _by_address: dict[str, Host] = field(default_factory=dict)

    def add(self, host: Host) -> None:
        """Add a host; join it with the hosts that share one of its addresses."""
        for known in {self._by_address[address] for address in host.addresses if address in self._by_address}:
            host = joined(known, host)
        for address in host.addresses:
            self._by_address[address] = host

    def find(self, text: str) -> Host | None:
        """Find a host by a name or address as a user wrote it."""
        address = canonical_address(text)
        return self._by_address.get(address) if address else None

    @property
    def hosts(self) -> list[Host]:
        """Every host once, by name."""
        return sorted(set(self._by_address.values()), key=lambda host: host.name)

    @property
    def sites(self) -> dict[str, str]:
        """Name or address -> site, of every host whose site is known."""
        return {address: host.site for address, host in self._by_address.items() if host.site}


def inventory_of(hosts: Iterable[Host]) -> Inventory:
    """Return the inventory of these hosts, the earlier ones before the later."""
    inventory = Inventory()
    for host in hosts:
        inventory.add(host)
    return inventory


def joined(first: Host, second: Host) -> Host:
    """Return one host of two descriptions: the first counts, the second fills what it leaves open."""
    return Host(
        tuple(dict.fromkeys((*first.addresses, *second.addresses))),
        first.site or second.site,
        first.facility or second.facility,
        tuple(role for role in ROLES if role in {*first.roles, *second.roles}),
        first.display_name or second.display_name,
        first.latitude if first.latitude is not None else second.latitude,
        first.longitude if first.longitude is not None else second.longitude,
        first.dmz if first.dmz is not None else second.dmz,
    )


def with_roles(hosts: Iterable[Host], roles_by_address: Mapping[str, Iterable[str]]) -> list[Host]:
    """Return the hosts with the roles that the tests of their addresses give them, beside those that they have."""
    return [
        replace(host, roles=tuple(role for role in ROLES if role in {*host.roles, *_roles(host, roles_by_address)}))
        for host in hosts
    ]


def _roles(host: Host, roles_by_address: Mapping[str, Iterable[str]]) -> set[str]:
    return {role for address in host.addresses for role in roles_by_address.get(address, ())}
