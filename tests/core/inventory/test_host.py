"""A host is found by any of its names and addresses, without DNS; several descriptions of it are one host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.inventory.host import Host, canonical_address, inventory_of, joined

NAMES = st.sampled_from(["a.example", "b.example", "2001:db8::1", "198.51.100.7"])
HOSTS = st.builds(
    Host,
    st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple),
    st.sampled_from([None, "ALS"]),
    st.sampled_from([None, "LBNL"]),
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("PS-ALS.Example.", "ps-als.example"),
        ("2001:DB8:0::5", "2001:db8::5"),
        ("[2001:db8::5]:443", "2001:db8::5"),
        ("fe80::1%eth0", "fe80::1"),
        ("https://ps-als.example/toolkit", "ps-als.example"),
        ("198.51.100.7", "198.51.100.7"),
        ("no host!", None), ("", None), (None, None), (7, None),
    ],
)  # fmt: skip
def test_a_name_or_address_has_one_form(text: object, address: str | None) -> None:
    """As the fields source.* of documents have it, so that both can be compared."""
    assert canonical_address(text) == address


def test_a_host_of_two_stacks_is_found_by_each_address() -> None:
    """By name, by IPv4, by IPv6, however it is written; another host is not."""
    inventory = inventory_of([Host(("dtn.example", "198.51.100.7", "2001:db8::7"), "ALS")])

    for text in ("dtn.example", "DTN.example:2811", "198.51.100.7", "2001:DB8::7"):
        host = inventory.find(text)
        assert host is not None
        assert host.site == "ALS"
    assert inventory.find("other.example") is None
    assert inventory.sites == dict.fromkeys(("dtn.example", "198.51.100.7", "2001:db8::7"), "ALS")


def test_what_is_said_first_counts_and_what_is_said_later_fills() -> None:
    """Site of the first, display name and roles of both, in a fixed order."""
    first = Host(("a.example",), "ALS", None, ("dtn",))
    second = Host(("b.example", "a.example"), "LBL", "LBNL", ("latency",), "A", 0.0, 0.0, dmz=False)

    assert joined(first, second) == Host(
        ("a.example", "b.example"), "ALS", "LBNL", ("latency", "dtn"), "A", 0.0, 0.0, dmz=False
    )


@given(st.lists(HOSTS, max_size=8))
def test_no_address_belongs_to_two_hosts(hosts: list[Host]) -> None:
    """However descriptions overlap: each address finds the host that lists it, and none is lost."""
    inventory = inventory_of(hosts)
    addresses = [address for host in inventory.hosts for address in host.addresses]

    assert len(addresses) == len(set(addresses))
    assert set(addresses) == {address for host in hosts for address in host.addresses}
    for host in inventory.hosts:
        assert all(inventory.find(address) is host for address in host.addresses)
