"""Read hosts from a tab-separated table: host, site, facility, role, and optionally display name, coordinates, dmz."""

from collections.abc import Iterable, Mapping

from ingest.core.inventory.expected import Description
from ingest.core.inventory.host import ROLES, Host, canonical_address
from ingest.core.model import ExitCode, Problem

NEEDED = ("host", "site")
KNOWN = ("host", "site", "facility", "role", "display_name", "latitude", "longitude", "dmz", "addresses")
_TRUE, _FALSE = {"1", "true", "yes"}, {"0", "false", "no"}


def read_table(text: str, name: str) -> Description:
    """Read a table; the `Problem` (65) names file, line and column. Several addresses are separated by commas."""
    lines = text.removeprefix("\ufeff").splitlines()
    header = [cell.strip() for cell in lines[0].split("\t")] if lines else []
    for column in NEEDED:
        if column not in header:
            raise Problem(
                f"{name}, line 1: there is no column `{column}`.",
                f"The columns are, separated by tabs: {', '.join(KNOWN)}.",
                ExitCode.BAD_DATA,
            )
    description = Description()
    for column in header:
        if column not in KNOWN:
            description.warn(f"{name}, line 1: the column `{column[:60]}` is not known")
    for number, line in enumerate(lines[1:], 2):
        if line.strip() and not line.startswith("#"):
            cells = dict(zip(header, (cell.strip() for cell in line.split("\t")), strict=False))
            description.hosts.append(_host(cells, f"{name}, line {number}"))
    return description


def _host(cells: Mapping[str, str], where: str) -> Host:
    addresses = tuple(_addresses([cells.get("host", ""), *cells.get("addresses", "").split(",")], where))
    if not addresses:
        raise Problem(f"{where}: there is no host.", "Its name or IP address is the first need.", ExitCode.BAD_DATA)
    return Host(
        addresses,
        cells.get("site") or None,
        cells.get("facility") or None,
        roles_of(cells.get("role", "")),
        cells.get("display_name") or None,
        _degrees(cells.get("latitude", ""), 90, where),
        _degrees(cells.get("longitude", ""), 180, where),
        _yes_or_no(cells.get("dmz", ""), where),
    )


def _addresses(texts: Iterable[str], where: str) -> Iterable[str]:
    for text in texts:
        if text.strip():
            address = canonical_address(text)
            if address is None:
                raise Problem(
                    f"{where}: `{text.strip()[:60]}` is no host name and no IP address.", "", ExitCode.BAD_DATA
                )
            yield address


def roles_of(text: str) -> tuple[str, ...]:
    """Return the roles that a text names (`perfsonar-latency`, `throughput,dtn`)."""
    words = {word.strip().lower().removeprefix("perfsonar-") for word in text.split(",")}
    return tuple(role for role in ROLES if role in words)


def _degrees(text: str, most: float, where: str) -> float | None:
    if not text:
        return None
    try:
        degrees = float(text)
    except ValueError:
        degrees = most + 1
    if not -most <= degrees <= most:
        raise Problem(f"{where}: `{text[:60]}` is not within ±{most:.0f} degrees.", "", ExitCode.BAD_DATA)
    return degrees


def _yes_or_no(text: str, where: str) -> bool | None:
    word = text.lower()
    if word and word not in _TRUE | _FALSE:
        raise Problem(f"{where}: dmz is `{text[:60]}`.", "Write yes or no.", ExitCode.BAD_DATA)
    return word in _TRUE if word else None
