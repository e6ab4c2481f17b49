"""`perflog transfers`: what moved, between whom, how fast; each movement once, however many records told it."""

from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.options import parse_period, with_options
from ingest.cli.transfers.transfers_json import movement_to_json, record_to_json, write_csv
from ingest.cli.transfers.transfers_text import show_movement, show_movements
from ingest.config.load import load_settings
from ingest.core.model import ExitCode, Problem
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.kinds.movements import MovementQuery, open_movements
from ingest.edge.elasticsearch.query import MOST

OUTCOMES = ("success", "failure", "unknown")
_facility = click.option("--facility", "facilities", multiple=True, help="Only of this facility; repeatable.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersOptions:
    """Which movements `perflog transfers list` lists, how many at most, and in which form."""

    facilities: tuple[str, ...]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    outcomes: tuple[str, ...]
    runs: tuple[str, ...]
    labels: tuple[str, ...]
    probes: bool
    since: str | None
    until: str | None
    limit: int
    as_json: bool
    as_csv: bool


@click.group("transfers", invoke_without_command=True)
@_facility
@click.option("--from", "sources", multiple=True, help="Only from this site or host; repeatable.")
@click.option("--to", "destinations", multiple=True, help="Only to this site or host; repeatable.")
@click.option(
    "--outcome", "outcomes", multiple=True, type=click.Choice(OUTCOMES), help="Only with this outcome; repeatable."
)
@click.option("--run", "runs", multiple=True, help="Only of the run with this id, by the transfer's own label.")
@click.option("--label", "labels", multiple=True, help="Only with this text in the label; repeatable.")
@click.option("--probes", is_flag=True, help="Also tests of services, which are no production data.")
@click.option("--since", help="Only those that began since then: 2h, 7d, or ISO 8601.")
@click.option("--until", help="Only those that began before then, in the same form.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="At most this many.")
@_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead.")
@with_options(TransfersOptions)
def command(settings_path: Path | None, options: TransfersOptions) -> None:
    """List transfers, those that began last first: ends, bytes, seconds, rate, outcome.

    One movement of bytes is told by one or more records: a Globus task, the servers at both ends, a service, an
    archive. It is listed once, and its bytes count once. A value that no record tells is –, never 0.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    settings = load_settings(settings_path)
    since_ms, until_ms = parse_period(options.since, options.until, now_ms())
    query = MovementQuery(
        options.facilities,
        options.sources,
        options.destinations,
        options.outcomes,
        options.runs,
        options.labels,
        options.probes,
        since_ms,
        until_ms,
    )
    with open_movements(settings.elasticsearch) as movement_index:
        movements = [movement_to_json(body) for body in movement_index.newest(query, options.limit)]
        matching = movement_index.count(query)
        stored_count = matching or movement_index.count(MovementQuery(probes=True))
    if options.as_csv:
        write_csv(movements)
    elif options.as_json:
        echo_json({"transfers": movements, "matching": matching})
    else:
        show_movements(movements, matching, stored_count, open_console())


@command.command("show")
@click.argument("transfer")
@_facility
@_json
@click.pass_obj
def show(settings_path: Path | None, /, transfer: str, facilities: tuple[str, ...], as_json: bool) -> None:
    """Show TRANSFER: what it says, and each record that told it.

    TRANSFER is a task's id, a tool's id of a transfer, or the id of a document. Exit code 66 if there is none, 64 if
    several are called so.
    """
    settings = load_settings(settings_path)
    with open_movements(settings.elasticsearch) as movement_index:
        bodies = movement_index.find(transfer, facilities)
        if not bodies:
            raise Problem(
                f"There is no transfer {transfer}.",
                "`perflog transfers` lists the stored ones.",
                ExitCode.NO_INPUT,
            )
        if len(bodies) > 1:
            keys = ", ".join(f"{body['perf']['movement']['key']} ({body['_id']})" for body in bodies)
            raise Problem(
                f"Several transfers are called {transfer}: {keys}.", "Give the id in brackets.", ExitCode.USAGE
            )
        (body,) = bodies
        bodies_of_records = movement_index.records(body["perf"]["facility"], body["perf"]["movement"]["records"])
        records = sorted(map(record_to_json, bodies_of_records), key=lambda record: (record["timestamp"], record["id"]))
    movement = movement_to_json(body)
    if as_json:
        echo_json({**movement, "records": records})
    else:
        show_movement(movement, records, open_console())
