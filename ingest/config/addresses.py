"""Reads the addresses of a cluster: a list, or one text with commas, as an environment variable has to be."""

from urllib.parse import SplitResult, urlsplit

from ingest.core.toml_checks import Checks

KAFKA_PORT = 9092


def broker_addresses(values: tuple[str, ...], label: str, checks: Checks) -> tuple[str, ...]:
    """Return the addresses HOST:PORT; one without a port has Kafka's own, 9092."""
    return tuple(_broker_address(address, label, checks) for address in _separated(values, label, checks))


def node_urls(values: tuple[str, ...], label: str, checks: Checks) -> tuple[str, ...]:
    """Return the URLs; each needs scheme, host and port, and holds no credentials."""
    # First, since what follows repeats the text, which may hold a password.
    holds_user = any("@" in value for value in values)
    checks.demand(not holds_user, label, "holds a user or a password: write them as `user` and `password` beside it")
    urls = _separated(values, label, checks)
    for url in urls:
        _check_url(url, label, checks)
    return urls


def _separated(values: tuple[str, ...], label: str, checks: Checks) -> tuple[str, ...]:
    addresses = tuple(address.strip() for value in values for address in value.split(","))
    checks.demand(addresses, label, "names no address")
    checks.demand(all(addresses), label, "holds an empty address: is there a comma too many?")
    checks.refuse_double(addresses, label)
    return addresses


def _broker_address(address: str, label: str, checks: Checks) -> str:
    parts = None if "://" in address or "@" in address else _split(f"//{address}")
    is_plain = parts is not None and parts.hostname and not (parts.path or parts.query or parts.fragment)
    checks.demand(is_plain and not _has_blank(address), label, "takes HOST:PORT, as in `kafka-1.example.org:9092`")
    return address if parts is None or parts.port is not None else f"{address}:{KAFKA_PORT}"


def _check_url(url: str, label: str, checks: Checks) -> None:
    parts = _split(url)
    has_scheme = parts is not None and parts.scheme in ("http", "https") and "://" in url
    checks.demand(has_scheme, label, f"names `{url}`, which is no URL: write it as in `https://es-1.example.org:9200`")
    is_whole = parts is not None and parts.hostname and parts.port and not (parts.query or parts.fragment)
    complaint = f"names `{url}`: a URL needs host and port, as in `https://es-1.example.org:9200`"
    checks.demand(is_whole and not _has_blank(url), label, complaint)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL; None if it has no such parts, or its port is no number from 0 to 65535."""
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None


def _has_blank(address: str) -> bool:
    return any(character.isspace() for character in address)
