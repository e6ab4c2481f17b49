"""Parse one end of a test or a transfer, as its user wrote it, without any DNS lookup: address, name or IP address."""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

from ingest.core.sources.event import EventBuilder
from ingest.core.sources.lenient import put_text

LONGEST_KNOWN = 300  # characters; no host has more
_BRACKETED = re.compile(r"\[([^\]]+)\](?::\d+)?")
_PORTED = re.compile(r"([^:]+):\d+")
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


def bare_host(text: str) -> str:
    """Strip scheme, user, path, brackets, port and IPv6 scope: `https://[fe80::1%2]:443/x` -> `fe80::1`."""
    host = text.strip()
    if "://" in host:
        host = re.split(r"[/?#]", host.partition("://")[2], maxsplit=1)[0].rpartition("@")[2]
    for form in (_BRACKETED, _PORTED):
        if match := form.fullmatch(host):
            host = match[1]
            break
    return host.partition("%")[0]


def ip_of(text: str) -> str | None:
    """The IP address in a text, in its canonical form; None if the text is not one."""
    return (_known(text) if len(text) <= LONGEST_KNOWN else _parsed(text))[0]


def name_of(text: str) -> str | None:
    """The host name in a text, lower case, without the trailing dot; None if it is an address or not a name."""
    return (_known(text) if len(text) <= LONGEST_KNOWN else _parsed(text))[1]


@lru_cache(maxsize=4096)
def _known(text: str) -> tuple[str | None, str | None]:
    """The address and the name in a short text, parsed once: each host stands in thousands of records."""
    return _parsed(text)


def _parsed(text: str) -> tuple[str | None, str | None]:
    """The IP address and the host name in a text."""
    host = bare_host(text)
    name = host.lower().rstrip(".")
    is_name = _NAME.fullmatch(name) is not None and _address(bare_host(name)) is None
    return _address(host), name if is_name else None


def _address(host: str) -> str | None:
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def put_end(event: EventBuilder, end: str, text: str | None, sites: Mapping[str, str]) -> None:
    """Set `<end>.address`, `.domain` or `.ip`, and `.site` of the event's `source` or `destination`."""
    if not text or not text.strip():
        return
    put_text(event, f"{end}.address", text.strip())
    ip, name = ip_of(text), name_of(text)
    if ip:
        event.body[f"{end}.ip"] = ip
    if name:
        event.body[f"{end}.domain"] = name
    site = sites.get(name or ip or "")
    if site:
        event.body[f"{end}.site"] = site


def ip_version(event: EventBuilder) -> int | None:
    """4 or 6 if both ends are addresses of that version, or the only end that is known as an address is."""
    versions = {ip_address(event.body[key]).version for key in ("source.ip", "destination.ip") if key in event.body}
    return versions.pop() if len(versions) == 1 else None


def put_ends(
    event: EventBuilder, named: tuple[str | None, ...], addresses: tuple[str | None, ...], sites: Mapping[str, str]
) -> None:
    """Set both ends: names where the user gave them, addresses where a connection tells them."""
    for end, text, address in zip(("source", "destination"), named, addresses, strict=True):
        put_end(event, end, text, sites)
        ip = ip_of(address) if address else None
        if ip:
            event.body[f"{end}.ip"] = ip
            if f"{end}.site" not in event.body and ip in sites:
                event.body[f"{end}.site"] = sites[ip]
