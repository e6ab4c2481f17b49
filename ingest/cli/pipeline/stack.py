"""`perflog stack up | status | down`: the local Kafka and Elasticsearch, in words and tables."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from ingest.cli.console import echo, open_console, open_error_console, plain_table
from ingest.cli.options import with_options
from ingest.core.model import ExitCode
from ingest.edge.local import stack as local
from ingest.edge.local.plan import ELASTICSEARCH_PORT, KAFKA_PORT
from ingest.pipeline.signals import SIGNALS, interrupt_on_signals

STOPPING = (*SIGNALS, signal.SIGHUP)  # a closed terminal too, so that no half-started stack is left behind
MIB = 1024 * 1024
_COLOURS = {"ready": "green", "starting": "yellow", "died": "red", "stopped": "dim"}
_PORT = click.IntRange(1, 65535)
_folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for configuration, data and logs. [default: ~/.perflog/stack]",
)


@click.group()
def command() -> None:
    """Run a real Kafka broker and a real Elasticsearch node on this machine."""


@command.command()
@_folder_option
@click.option("--kafka-port", type=_PORT, help=f"Where Kafka listens. [default: {KAFKA_PORT}]")
@click.option("--controller-port", type=_PORT, help="Port of Kafka's controller. [default: any free one]")
@click.option("--elasticsearch-port", type=_PORT, help=f"Where Elasticsearch listens. [default: {ELASTICSEARCH_PORT}]")
@click.option(
    "--elasticsearch",
    "elasticsearch_major",
    type=click.Choice(["8", "9"]),
    callback=lambda _context, _option, value: value and int(value),
    help="Elasticsearch's major version. [default: 9 where a Java 21 or newer is found, else 8]",
)
@click.option(
    "--kafka-heap-mib", type=click.IntRange(128), default=512, show_default=True, help="Kafka's largest heap."
)
@click.option(
    "--elasticsearch-heap-mib", type=click.IntRange(256), default=1024, show_default=True, help="Elasticsearch's heap."
)
@with_options(local.LocalStack)
def up(_settings_path: Path | None, stack: local.LocalStack) -> None:
    """Start both and wait until they answer; a server that already runs is left as it is.

    The first time, Maven fetches their jars (some 90 MB); afterwards neither Maven nor a network is needed.
    Java is looked for in JAVA_HOME, on the PATH and in /usr/lib/jvm; the newest version found is used.
    """
    with interrupt_on_signals(None, STOPPING), _spinner() as tell:
        running = local.up(stack, tell)
    echo("The stack is up." if running.started else "The stack is already up.")
    echo(f"  Kafka          {running.kafka}")
    echo(f"  Elasticsearch  {running.elasticsearch}")
    echo(f"  data, logs     {running.folder}")


@command.command()
@_folder_option
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of a table.")
def status(folder: Path | None, as_json: bool) -> None:
    """Show what runs. The exit code is 0 if both answer, else 69."""
    servers = local.status(local.LocalStack(folder))
    if as_json:
        echo(json.dumps([_status_to_json(server) for server in servers], indent=2))
    else:
        open_console().print(_build_table(servers), soft_wrap=True)
    if any(server.state != "ready" for server in servers):
        for server in servers:
            if server.state == "died":
                echo(f"{server.name} has died; its log is {server.log}. `perflog stack up` starts it again.", err=True)
        sys.exit(ExitCode.UNAVAILABLE)


@command.command()
@_folder_option
@click.option("--purge", is_flag=True, help="Remove the data and logs too.")
def down(folder: Path | None, purge: bool) -> None:
    """Stop only the processes that `up` started. Their data are kept."""
    with _spinner() as tell:
        ended = local.down(local.LocalStack(folder), purge, tell)
    echo(f"Ended {' and '.join(ended)}." if ended else "Nothing was running.")
    if purge:
        echo("Data and logs are removed.")


def _status_to_json(server: local.Status) -> dict[str, Any]:
    return {
        "service": server.name,
        "state": server.state,
        "ready": server.state == "ready",
        "version": server.version,
        "pid": server.pid,
        "address": server.address,
        "memory_bytes": server.memory_bytes,
        "log": str(server.log) if server.log else None,
    }


def _build_table(servers: tuple[local.Status, ...]) -> Table:
    table = plain_table()
    for head in ("service", "version", "pid", "address", "state", "memory"):
        table.add_column(head)
    for server in servers:
        memory = f"{server.memory_bytes / MIB:.0f} MiB" if server.memory_bytes else "-"
        state = Text(server.state, style=_COLOURS[server.state])
        table.add_row(server.name, server.version or "-", str(server.pid or "-"), server.address or "-", state, memory)
    return table


@contextmanager
def _spinner() -> Iterator[Callable[[str], None]]:
    """Show a spinner with the current step on a terminal, nothing in a pipe."""
    console = open_error_console()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("Checking the stack") as spinner:
        yield spinner.update
