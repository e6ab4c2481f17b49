"""Text output of `perflog inventory`: words and tables only."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import NONE, format_count, format_minute
from ingest.core.timestamps import iso_ms
from ingest.telemetry import make_visible

MOST_SHOWN = 50
Json = Mapping[str, Any]


def show_import(result: Json, dry_run: bool, console: Console) -> None:
    """Print what an import did, and what in the file could not be used."""
    hosts, tests = format_count(result["hosts"], "host"), format_count(result["tests"], "expected test")
    done = "would be imported" if dry_run else f"imported into {result['facility']}"
    console.print(f"{hosts} and {tests} {done}.", soft_wrap=True)
    if not dry_run:
        written, gone = format_count(result["written"], "document"), format_count(result["retracted"], "document")
        console.print(f"{written} written, {gone} taken back that this origin said before.")
        console.print("`perflog replay` gives documents that are stored already their sites.")
    for warning in result["warnings"]:
        console.print(Text(make_visible(f"  {warning}"), style="yellow"), soft_wrap=True)
    more = result["warned"] - len(result["warnings"])
    if more > 0:
        console.print(f"  and {more:,} warnings more, or the same ones again.", style="yellow")


def show_hosts(hosts: Sequence[Json], since: str, console: Console) -> None:
    """Print a line per host: where it stands, what it is for, how many tests arrived from or to it."""
    if not hosts:
        console.print("No host is known: `perflog inventory import` reads a mesh or a table.")
        return
    table = plain_table()
    for head in ("host", "site", "facility", "roles", f"tests ({since})", "last seen (UTC)"):
        right = head.startswith("tests")
        table.add_column(head, justify="right" if right else "left", overflow="fold", no_wrap=head.startswith("last"))
    for host in hosts:
        cells = (
            host["host"], host["site"] or NONE, host["facility"] or NONE, ", ".join(host["roles"]) or NONE,
            f"{host['tests']:,}", _format_moment(host["last_seen"]),
        )  # fmt: skip
        table.add_row(*(Text(make_visible(cell)) for cell in cells))
    console.print(table)
    console.print()
    console.print(f"{format_count(len(hosts), 'host')}.   – not known, or not seen since {since}")


def show_host(host: Json, tests: Sequence[Json], console: Console) -> None:
    """Print one host and the tests that are expected of it."""
    console.print(Text(make_visible(host["host"]), style="bold"))
    place = None if host["latitude_deg"] is None else f"{host['latitude_deg']:.4f}, {host['longitude_deg']:.4f}"
    dmz = {True: "yes", False: "no", None: None}[host["dmz"]]
    seen = f"{host['tests']:,}, the newest {_format_moment(host['last_seen'])} UTC" if host["tests"] else "none seen"
    facts = {
        "called": host["display_name"], "addresses": ", ".join(host["addresses"]), "site": host["site"],
        "facility": host["facility"], "roles": ", ".join(host["roles"]), "place": place, "dmz": dmz, "tests": seen,
    }  # fmt: skip
    for name, value in facts.items():
        console.print(Text(f"  {name:<10} {make_visible(value or NONE)}"), soft_wrap=True)
    console.print()
    console.print(f"{format_count(len(tests), 'expected test')}.")
    for test in tests[:MOST_SHOWN]:
        every = "" if test["every_s"] is None else f", every {test['every_s']:,.0f} s"
        to = f" → {test['destination']}" if test["destination"] else ""
        line = f"  {test['type']}: {test['source']}{to}{every} ({test['task']})"
        console.print(Text(make_visible(line)), soft_wrap=True)
    if len(tests) > MOST_SHOWN:
        console.print(f"  and {len(tests) - MOST_SHOWN:,} more; --json lists them all.")


def show_check(result: Json, since: str, console: Console) -> None:
    """Print what is silent, what nobody expects, and which hosts are not known."""
    silent, unexpected, unknown = result["silent"], result["unexpected"], result["unknown_hosts"]
    console.print(f"{format_count(result['expected'], 'expected test')}, {len(silent):,} silent.")
    for test in silent[:MOST_SHOWN]:
        last = f"since {_format_moment(test['since'])} UTC" if test["since"] else f"not seen since {since}"
        line = f"  {_format_test(test)}: {last} ({', '.join(test['tasks'])})"
        console.print(Text(make_visible(line), style="bold red"), soft_wrap=True)
    _print_more(silent, console)
    console.print(f"{format_count(len(unexpected), 'test')} seen that no task expects.")
    for test in unexpected[:MOST_SHOWN]:
        line = f"  {_format_test(test)}: {test['tests']:,}, the newest {_format_moment(test['last_seen'])} UTC"
        console.print(Text(make_visible(line), style="yellow"), soft_wrap=True)
    _print_more(unexpected, console)
    if unknown:
        console.print(f"{format_count(len(unknown), 'host')} not in the inventory; a table gives them a site:")
        for host in unknown[:MOST_SHOWN]:
            console.print(Text(make_visible(f"  {host}"), style="yellow"), soft_wrap=True)
        _print_more(unknown, console)


def _print_more(rows: Sequence[Any], console: Console) -> None:
    if len(rows) > MOST_SHOWN:
        console.print(f"  and {len(rows) - MOST_SHOWN:,} more; --json lists them all.")


def _format_test(test: Json) -> str:
    return f"{test['type']}: {test['source']}" + (f" → {test['destination']}" if test["destination"] else "")


def _format_moment(text: str | None) -> str:
    return format_minute(iso_ms(text)) if text else NONE
