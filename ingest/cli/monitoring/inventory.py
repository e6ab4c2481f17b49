"""`perflog inventory`: who is who, which tests are expected, which of them do not arrive."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingest.cli.console import echo_json, open_console, progress_bar
from ingest.cli.monitoring.inventory_text import show_check, show_host, show_hosts, show_import
from ingest.cli.options import check_facility, parse_moment, with_options
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.fields import load_schema
from ingest.core.inventory.check import Arrival, ExpectedPair, InventoryCheck, by_known_name, check, last_seen
from ingest.core.inventory.documents import Import
from ingest.core.inventory.expected import ExpectedTest
from ingest.core.inventory.host import Host, Inventory, inventory_of
from ingest.core.model import ExitCode, Problem
from ingest.core.timestamps import iso
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.kinds.inventory import open_inventory
from ingest.edge.http.fetch import FetchLimits
from ingest.pipeline.admin.inventory import describe, import_description

SEEN_WITHIN = "30d"
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
_facility = click.option("--facility", "facilities", multiple=True, help="Only of this facility; repeatable.")
_since = click.option(
    "--since", default=SEEN_WITHIN, show_default=True, help="Look at tests that arrived since then: 7d, or ISO 8601."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryImportOptions:
    """What `perflog inventory import` reads, into whose inventory."""

    location: str
    facility: str | None
    ca_file: str | None
    dry_run: bool
    as_json: bool


@click.group("inventory")
def command() -> None:
    """Hosts with site, facility and role, and the tests that a mesh expects.

    Hosts are found by what the inventory says of them, never by DNS.
    """


@command.command("import")
@click.argument("location", metavar="FILE|URL")
@click.option("--facility", help="Whose inventory it becomes.  [default: the only facility of the settings]")
@click.option("--ca-file", help="CA certificates (PEM) for the address.")
@click.option("--dry-run", is_flag=True, help="Say what would be imported, store nothing.")
@_json
@with_options(InventoryImportOptions)
def import_(settings_path: Path | None, options: InventoryImportOptions) -> None:
    """Import hosts and expected tests: a pSConfig template, an old mesh JSON, or a tab-separated table.

    Includes of a template are read too, and no other address in it. What the same file or address said before and
    says no longer is taken back. Exit code 65: it can be read as none of these; 69: the address does not answer.
    """
    settings = load_settings(settings_path)
    facility = check_facility(options.facility or _only_facility(settings))
    description = describe(options.location, FetchLimits(ca_file=options.ca_file))
    if options.dry_run:
        written = retracted = 0
    else:
        schema = load_schema(settings.grammars / "fields.toml")
        with progress_bar("documents") as progress:
            source = Import(facility, options.location, now_ms())
            report = import_description(settings, schema, description, source, progress)
        written, retracted = report.written, report.retracted
    result = {
        "facility": facility,
        "hosts": len(description.hosts),
        "tests": len(description.tests),
        "written": written,
        "retracted": retracted,
        "warnings": description.warnings,
        "warned": description.warned,
    }
    if options.as_json:
        echo_json(result)
    else:
        show_import(result, options.dry_run, open_console())


def _only_facility(settings: Settings) -> str:
    facilities = sorted({intake.facility for intake in settings.intakes.values()})
    if len(facilities) != 1:
        raise Problem(
            "The settings have several facilities.",
            f"Say one with --facility: {', '.join(facilities)}.",
            ExitCode.USAGE,
        )
    return facilities[0]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What is stored: the inventory, the expected tests, and what arrived."""

    inventory: Inventory
    expected: list[ExpectedTest]
    arrived: Mapping[ExpectedPair, Arrival]


def _load(settings: Settings, facilities: tuple[str, ...], since: str) -> _Loaded:
    since_ms = parse_moment("--since", since, now_ms()) or 0
    with open_inventory(settings.elasticsearch) as stored:
        inventory = inventory_of(sorted(stored.hosts(facilities), key=lambda host: host.addresses))
        expected = list(stored.tests(facilities))
        arrived = by_known_name(inventory, stored.seen(facilities, since_ms))
    return _Loaded(inventory, expected, arrived)


@command.command("list")
@_facility
@_since
@_json
@click.pass_obj
def list_(settings_path: Path | None, /, facilities: tuple[str, ...], since: str, as_json: bool) -> None:
    """List the hosts: site, facility, roles, how many tests each took part in, and when the newest arrived."""
    loaded = _load(load_settings(settings_path), facilities, since)
    rows = [host_to_json(host, last_seen(loaded.arrived, host)) for host in loaded.inventory.hosts]
    if as_json:
        echo_json({"hosts": rows})
    else:
        show_hosts(rows, since, open_console())


@command.command()
@click.argument("host")
@_facility
@_since
@_json
@click.pass_obj
def show(settings_path: Path | None, /, host: str, facilities: tuple[str, ...], since: str, as_json: bool) -> None:
    """Show HOST, by any of its names and addresses, and the tests that are expected of it. Exit code 66: not known."""
    loaded = _load(load_settings(settings_path), facilities, since)
    known = loaded.inventory.find(host)
    if known is None:
        raise Problem(
            f"No host {host} is known.", "`perflog inventory list` lists them; `import` adds some.", ExitCode.NO_INPUT
        )
    row = host_to_json(known, last_seen(loaded.arrived, known))
    own = [test for test in loaded.expected if {test.source, test.destination} & set(known.addresses)]
    tests = [
        {"task": test.task, "type": test.type, "source": test.source, "destination": test.destination,
         "every_s": test.every_s}
        for test in sorted(own, key=lambda test: (test.task, test.source, test.destination or ""))
    ]  # fmt: skip
    if as_json:
        echo_json({**row, "tests_expected": tests})
    else:
        show_host(row, tests, open_console())


@command.command("check")
@_facility
@_since
@_json
@click.pass_obj
def check_(settings_path: Path | None, /, facilities: tuple[str, ...], since: str, as_json: bool) -> None:
    """Say which expected tests are silent and since when, which tests nobody expects, and which hosts are not known.

    A test is silent if none arrived for a day, or for three times its interval if that is longer.
    """
    loaded = _load(load_settings(settings_path), facilities, since)
    result = check(loaded.inventory, loaded.expected, loaded.arrived, now_ms())
    if as_json:
        echo_json(check_to_json(result))
    else:
        show_check(check_to_json(result), since, open_console())


def host_to_json(host: Host, arrival: Arrival | None) -> dict[str, Any]:
    """Return a host as JSON; unknown values are null."""
    return {
        "host": host.name,
        "addresses": list(host.addresses),
        "site": host.site,
        "facility": host.facility,
        "roles": list(host.roles),
        "display_name": host.display_name,
        "latitude_deg": host.latitude,
        "longitude_deg": host.longitude,
        "dmz": host.dmz,
        "tests": arrival.tests if arrival else 0,
        "last_seen": iso(arrival.last_ms) if arrival else None,
    }


def check_to_json(result: InventoryCheck) -> dict[str, Any]:
    """Return the result of a check as JSON."""
    return {
        "expected": result.expected,
        "silent": [
            {**test.key._asdict(), "tasks": list(test.tasks), "every_s": test.every_s,
             "since": None if test.last_ms is None else iso(test.last_ms)}
            for test in result.silent
        ],
        "unexpected": [
            {**test.key._asdict(), "tests": test.tests, "last_seen": iso(test.last_ms)} for test in result.unexpected
        ],
        "unknown_hosts": list(result.unknown_hosts),
    }  # fmt: skip
