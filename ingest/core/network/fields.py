"""Set the fields of a network test: numbers under `perf.network.`, both ends, the IP version between them."""

from collections.abc import Mapping
from typing import Any

from ingest.core.sources import endpoint
from ingest.core.sources.convert import integer, number
from ingest.core.sources.event import EventBuilder
from ingest.core.sources.lenient import Convert, put_number

NETWORK = "perf.network."


def put(event: EventBuilder, name: str, value: Any, convert: Convert = number, least: float | None = 0) -> None:
    """Set `perf.network.<name>` to the converted value; flag a value that is unreadable or below `least`."""
    put_number(event, NETWORK + name, value, convert, least)


def put_count(event: EventBuilder, name: str, value: Any) -> int | None:
    """Set a whole number from 0 as `put` does, and return it; None if it is absent or invalid."""
    put(event, name, value, integer)
    count: int | None = event.body.get(NETWORK + name)
    return count


def put_ends(
    event: EventBuilder, named: tuple[str | None, ...], addresses: tuple[str | None, ...], sites: Mapping[str, str]
) -> None:
    """Set both ends of a test, and its IP version if they tell it."""
    endpoint.put_ends(event, named, addresses, sites)
    version = endpoint.ip_version(event)
    if version:
        event.body[NETWORK + "ip_version"] = version
